package starlark

import (
	"encoding/binary"
	"errors"
	"math/big"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
	"go.starlark.net/syntax"
)

// imageReader reads one run of bytes. What it leads to is made, but filled later: fill has the
// objects and codes that are still empty.
type imageReader struct {
	x  *moduleImage
	th *Thread
	b  []byte
	w  *waking
}

// waking is one call of wake.
type waking struct {
	objects []int // made by this call; those from filled on are empty
	codes   []int
	filled  int
	coded   int
	tables  []table // to be filled last, when their keys are complete
}

type table struct {
	v       Value
	entries []Value
}

var errImage = errors.New("the image is damaged")

// wake makes the values of global variable i of a module and, if there is room, of some that
// follow: as many as were made before, so that a program that uses few makes few.
func (x *moduleImage) wake(th *Thread, mod *Module, i int) (err error) {
	th.t.Blocking(x.mu.Lock)
	defer x.mu.Unlock()
	n := min(max(x.woken, 1), wakeTogether, mod.asleep.Len(th.t)-i)
	if err = x.wakeSome(th, mod, i, n); err != nil && n > 1 {
		err = x.wakeSome(th, mod, i, 1)
	}
	if err != nil {
		return &ImageError{mod.file + ": " + mod.nameAt(th, i), err}
	}
	return nil
}

func (x *moduleImage) wakeSome(th *Thread, mod *Module, first, n int) (err error) {
	w := &waking{}
	defer func() {
		if r := recover(); r != nil {
			if r != errImage {
				panic(r)
			}
			err = errImage
		}
		if err != nil {
			for _, i := range w.objects {
				delete(x.objects, i)
			}
			for _, i := range w.codes {
				delete(x.codes, i)
			}
		}
	}()
	o := th.t.Body(mod.globals.ref())
	slots := make([]rt.Ref, n)
	err = th.immortally(func() error {
		for i := range n {
			if !o.LoadRef(globalsSlots + first + i).IsNil() {
				continue
			}
			r := imageReader{x: x, th: th, w: w}
			r.open(mod.asleep, first+i)
			v, err := r.value()
			if err == nil && v != 0 {
				slots[i], err = th.box(v)
			}
			if err != nil {
				return err
			}
		}
		return x.fill(th, w)
	})
	if err != nil {
		return err
	}
	for i, r := range slots {
		if !r.IsNil() {
			o.StoreRef(globalsSlots+first+i, r)
			x.woken++
		}
	}
	return nil
}

// fill fills the objects that were made, and those that this makes.
func (x *moduleImage) fill(th *Thread, w *waking) error {
	for w.filled < len(w.objects) || w.coded < len(w.codes) {
		r := imageReader{x: x, th: th, w: w}
		var err error
		if w.coded < len(w.codes) {
			i := w.codes[w.coded]
			w.coded++
			r.open(x.codeTab, i)
			err = r.code(x.codes[i])
		} else {
			i := w.objects[w.filled]
			w.filled++
			r.open(x.objs, i)
			err = r.fillObject(x.objects[i])
		}
		if err != nil {
			return err
		}
	}
	for _, tab := range w.tables {
		for i := 0; i < len(tab.entries); i += 2 {
			h, err := th.hash(tab.entries[i])
			if err == nil {
				_, err = th.tableInsert(tab.v, tab.entries[i].borrowed(), tab.entries[i+1].borrowed(), h)
			}
			if err != nil {
				return err
			}
		}
		th.t.Body(tab.v.ref()).Store(tableFlags, flagFrozen)
	}
	return nil
}

func (r *imageReader) open(s objects.Tuple, i int) {
	b, ok := objects.Bytes(at(r.th.t, s, i)).View(r.th.t)
	if !ok {
		panic(errImage)
	}
	r.b = b
}

func (r *imageReader) take(n int) []byte {
	if uint(n) > uint(len(r.b)) {
		panic(errImage)
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *imageReader) byte() byte { return r.take(1)[0] }

func (r *imageReader) int() int {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		panic(errImage)
	}
	r.b = r.b[size:]
	return int(n)
}

// count reads a number of things, each of which has at least a byte.
func (r *imageReader) count() int {
	n := r.int()
	if uint(n) > uint(len(r.b)) {
		panic(errImage)
	}
	return n
}

func (r *imageReader) bool() bool   { return r.int() != 0 }
func (r *imageReader) text() string { return string(r.take(r.int())) }

func (r *imageReader) texts() (l []string) {
	for range r.count() {
		l = append(l, r.text())
	}
	return l
}

// value reads a value. 0 is none.
func (r *imageReader) value() (Value, error) {
	th := r.th
	switch r.byte() {
	case tagNil:
		return 0, nil
	case tagNone:
		return None, nil
	case tagFalse:
		return False, nil
	case tagTrue:
		return True, nil
	case tagInt:
		return th.newInt(int64(r.int()))
	case tagFloat:
		v := Value(binary.LittleEndian.Uint64(r.take(8)))
		if !v.isFloat() {
			panic(errImage)
		}
		return v, nil
	case tagBig:
		neg := r.bool()
		n := new(big.Int).SetBytes(r.take(r.int()))
		if neg {
			n.Neg(n)
		}
		return th.newBig(n)
	case tagString:
		return r.newText(stringType)
	case tagBytes:
		return r.newText(bytesType)
	case tagEmpty:
		return th.m.emptyTuple, nil
	case tagObject:
		return r.object(r.int())
	case tagPredeclared:
		return th.predeclared(r.text())
	}
	panic(errImage)
}

func (r *imageReader) newText(y *rt.Type) (Value, error) {
	s := r.text()
	if y == stringType && len(s) <= 1 {
		return r.th.newString(s)
	}
	return r.th.immortalString(y, s)
}

// object returns the object with a number. If it is new, it is empty.
func (r *imageReader) object(i int) (Value, error) {
	if v, ok := r.x.objects[i]; ok {
		return v, nil
	}
	in := imageReader{x: r.x, th: r.th, w: r.w}
	in.open(r.x.objs, i)
	v, err := in.newObject()
	if err != nil {
		return 0, err
	}
	r.x.objects[i] = v
	r.w.objects = append(r.w.objects, i)
	return v, nil
}

// newObject makes an object without references.
func (r *imageReader) newObject() (Value, error) {
	th := r.th
	make := func(y *rt.Type, words, count, n int) (Value, error) {
		ref, o, err := th.t.New(y, 4*(words+n))
		if err != nil {
			return 0, err
		}
		o.SetWord(count, uint32(n))
		return counted(ref), nil
	}
	switch k := kind(r.byte()); k {
	case kString:
		return r.newText(stringType)
	case kBytes:
		return r.newText(bytesType)
	case kTuple:
		return make(tupleType, tupleSlots, tupleLen, r.count())
	case kStruct:
		return make(structType, structSlots, structLen, r.count())
	case kModule:
		return make(moduleType, structSlots, structLen, r.count())
	case kCell:
		return th.newCell(None)
	case kList:
		return th.newList(r.count())
	case kDict:
		return th.newDict(r.count())
	case kSet:
		return th.newSet(r.count())
	case kFunction:
		k := r.codeAt(r.int())
		v, err := make(functionType, funcSlots, funcLen, r.count())
		if err == nil {
			th.t.Body(v.ref()).SetWord(funcCode, uint32(k.number))
		}
		return v, err
	case kRange:
		start, stop := r.int(), r.int()
		return th.newRange(start, stop, r.int())
	case kMethod:
		recv, err := r.value()
		if err != nil {
			return 0, err
		}
		b := th.m.methods[th.kind(recv)][r.text()]
		if b == nil {
			panic(errImage)
		}
		return th.newMethod(b, recv)
	case kElems:
		text, err := r.value()
		if err != nil {
			return 0, err
		}
		return th.newElems(text, uint32(r.int()))
	}
	panic(errImage)
}

// fillObject reads the references of an object.
func (r *imageReader) fillObject(v Value) error {
	th := r.th
	o := th.t.Body(v.ref())
	slots := func(o rt.Body, first, n int) error {
		for i := range n {
			x, err := r.value()
			if err == nil && x != 0 {
				var ref rt.Ref
				if ref, err = th.box(x); err == nil {
					o.SetRef(first+i, ref)
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	switch kind(r.byte()) {
	case kTuple:
		return slots(o, tupleSlots, r.count())
	case kStruct, kModule:
		return slots(o, structSlots, r.count())
	case kCell:
		o.SetRef(cellSlot, rt.Nil)
		return slots(o, cellSlot, 1)
	case kFunction:
		r.int()
		return slots(o, funcSlots, r.count())
	case kList:
		if n := r.count(); n > 0 {
			if err := slots(th.t.Block(o.LoadRef(listBlock)), blockSlots, n); err != nil {
				return err
			}
			o.Store(listLen, uint32(n))
		}
		o.Store(listFlags, flagFrozen)
	case kDict, kSet:
		tab := table{v: v}
		for range 2 * r.count() {
			x, err := r.value()
			if err != nil {
				return err
			}
			tab.entries = append(tab.entries, x)
		}
		r.w.tables = append(r.w.tables, tab)
	}
	return nil
}

// codeAt returns the code with a number. If it is new, it is empty but has its number in the
// machine.
func (r *imageReader) codeAt(i int) *code {
	if k, ok := r.x.codes[i]; ok {
		return k
	}
	k := &code{}
	r.th.m.addCodes([]*code{k})
	r.x.codes[i] = k
	r.w.codes = append(r.w.codes, i)
	return k
}

// code reads a function of a program.
func (r *imageReader) code(k *code) error {
	k.name = r.text()
	m := r.int()
	if uint(m) >= uint(len(r.x.modules)) {
		panic(errImage)
	}
	k.module = r.x.modules[m]
	for _, p := range []*syntax.Position{&k.pos, &k.first} {
		line := r.int()
		*p = syntax.MakePosition(&k.module.file, int32(line), int32(r.int()))
	}
	for _, p := range []*int{&k.regs, &k.locals, &k.params, &k.kwonly} {
		*p = r.int()
	}
	for _, p := range []*bool{&k.varargs, &k.kwargs, &k.simple, &k.recursion} {
		*p = r.bool()
	}
	k.localNames, k.freeNames, k.spillNames = r.texts(), r.texts(), r.texts()
	k.ins = make([]uint32, r.count())
	for i, b := 0, r.take(4*len(k.ins)); i < len(k.ins); i++ {
		k.ins[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	k.consts = make([]Value, r.count())
	for i := range k.consts {
		var err error
		if k.consts[i], err = r.value(); err != nil {
			return err
		}
	}
	k.names = make([]attrName, r.count())
	for i := range k.names {
		k.names[i] = r.th.m.attrName(r.text())
	}
	k.sites = make([]callSite, r.count())
	for i := range k.sites {
		s := &k.sites[i]
		s.names = r.texts()
		for _, p := range []*bool{&s.list, &s.dict, &s.varargs, &s.kwargs} {
			*p = r.bool()
		}
		s.operands = r.int()
		if r.bool() {
			var err error
			if s.shape, err = r.th.newShape(s.names); err != nil {
				return err
			}
		}
	}
	k.funcs = make([]*code, r.count())
	for i := range k.funcs {
		k.funcs[i] = r.codeAt(r.int())
	}
	k.lines = make([]line, r.count())
	for i := range k.lines {
		pc, at := r.int(), r.int()
		k.lines[i] = line{int32(pc), int32(at), int32(r.int())}
	}
	return r.th.countCode([]*code{k})
}
