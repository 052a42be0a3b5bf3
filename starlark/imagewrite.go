package starlark

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
	"go.starlark.net/syntax"
)

// The encoding of values. Numbers are varints, texts have their length before them.
//
//	tag             then
//	tagNil          - (a default that is mandatory, an empty cell)
//	tagNone ...     -
//	tagInt          the number
//	tagFloat        its 8 bytes
//	tagBig          1 if it is negative, its bytes
//	tagString       a text; tagBytes too
//	tagEmpty        - (the empty tuple)
//	tagObject       the number of an object
//	tagPredeclared  a name
//
// An object begins with its kind:
//
//	kString, kBytes       a text
//	kTuple, kList         the items: their number, and as many values
//	kStruct, kModule      the slots, so
//	kDict, kSet           the number of entries, the keys and the values in turn
//	kFunction             the number of its code, the slots
//	kCell                 a value
//	kRange                start, stop, step
//	kMethod               the receiver, the name of the method
//	kElems                the text, the mode
const (
	tagNil = iota
	tagNone
	tagFalse
	tagTrue
	tagInt
	tagFloat
	tagBig
	tagString
	tagBytes
	tagEmpty
	tagObject
	tagPredeclared
)

// inlineText is the length of the longest text that is written where it is used.
const inlineText = 48

// imageWriter collects modules, objects and codes, until all that they lead to is written.
type imageWriter struct {
	th      *Thread
	mods    numbering[*Module]
	objects numbering[rt.Handle]
	codes   numbering[*code]
	names   map[rt.Handle]string // of predeclared values
	used    map[string]bool
	b       []byte // what is being written
	owner   string // what is being written, for errors
	err     error
}

// numbering gives numbers to things in the order in which they are found.
type numbering[K comparable] struct {
	of   map[K]int
	list []K
}

func (n *numbering[K]) number(k K) int {
	i, ok := n.of[k]
	if !ok {
		if n.of == nil {
			n.of = map[K]int{}
		}
		i = len(n.list)
		n.of[k] = i
		n.list = append(n.list, k)
	}
	return i
}

// imageRoot returns a new reference to the root of a module's image.
func (th *Thread) imageRoot(mod *Module) (r rt.Ref, err error) {
	if mod.image != nil {
		return rt.Nil, &ImageError{mod.file, errors.New("comes from an image already")}
	}
	w := &imageWriter{th: th, names: th.predeclaredNames(mod), used: map[string]bool{}}
	w.mods.number(mod)
	var mods, objs, codes []rt.Ref
	defer func() {
		if err != nil {
			for _, list := range [][]rt.Ref{mods, objs, codes} {
				th.t.DecRefs(list)
			}
		}
	}()
	for len(mods) < len(w.mods.list) || len(objs) < len(w.objects.list) || len(codes) < len(w.codes.list) {
		w.b = w.b[:0]
		var r rt.Ref
		var err error
		switch {
		case len(mods) < len(w.mods.list):
			if r, err = w.module(w.mods.list[len(mods)]); err == nil {
				mods = append(mods, r)
			}
		case len(codes) < len(w.codes.list):
			w.code(w.codes.list[len(codes)])
			if r, err = w.bytes(); err == nil {
				codes = append(codes, r)
			}
		default:
			w.object(Value(w.objects.list[len(objs)]))
			if r, err = w.bytes(); err == nil {
				objs = append(objs, r)
			}
		}
		if err != nil {
			return rt.Nil, err
		}
	}
	version, err := objects.NewBytes(th.t, []byte(imageVersion))
	if err != nil {
		return rt.Nil, err
	}
	parts := []rt.Ref{rt.Ref(version)}
	add := func(items []rt.Ref) {
		var s objects.Tuple
		if err == nil {
			s, err = objects.NewTupleSteal(th.t, items...)
		}
		if err == nil {
			parts = append(parts, rt.Ref(s))
		}
	}
	add(mods)
	mods = nil
	add(objs)
	objs = nil
	add(codes)
	codes = nil
	add(w.strings(sortedKeys(w.used)))
	add(parts)
	if err != nil {
		return rt.Nil, err
	}
	return parts[5], nil
}

// strings returns new strings; none after an error.
func (w *imageWriter) strings(texts []string) (list []rt.Ref) {
	for _, s := range texts {
		r, err := objects.NewString(w.th.t, s)
		if err != nil {
			w.err = err
			return list
		}
		list = append(list, rt.Ref(r))
	}
	return list
}

// bytes returns what was written as an object.
func (w *imageWriter) bytes() (rt.Ref, error) {
	if w.err != nil {
		return rt.Nil, w.err
	}
	r, err := objects.NewBytes(w.th.t, w.b)
	return rt.Ref(r), err
}

// predeclaredNames returns the names of the values that a module finds predeclared, and of the
// members of predeclared modules.
func (th *Thread) predeclaredNames(mod *Module) map[rt.Handle]string {
	names := map[rt.Handle]string{}
	add := func(name string, v Value) {
		if !v.isRef() || v == None || v == True || v == False {
			return
		}
		names[v.ref().Handle] = name
		if k := th.kind(v); k == kModule || k == kStruct {
			for i := range th.structLen(v) {
				if m := th.structAt(v, i); m.isRef() && th.kind(m) == kBuiltin {
					names[m.ref().Handle] = name + "." + th.structName(v, i)
				}
			}
		}
	}
	for name, v := range th.m.universe {
		add(name, v)
	}
	for name, v := range mod.predeclared {
		add(name, v)
	}
	return names
}

// module writes a module, and returns it as an object.
func (w *imageWriter) module(mod *Module) (rt.Ref, error) {
	th, t := w.th, w.th.t
	th.FreezeModule(mod)
	index, err := objects.NewDict(t)
	if err != nil {
		return rt.Nil, err
	}
	texts := w.strings(mod.names)
	for i := range texts {
		n, _ := rt.Int(int64(i))
		if err == nil {
			err = objects.Dict(index).Set(t, texts[i], n)
		}
	}
	var values []rt.Ref
	for i, name := range mod.names {
		w.owner = name
		w.b = w.b[:0]
		if r := t.Body(mod.globals.ref()).LoadRef(globalsSlots + i); r.IsNil() {
			w.byte(tagNil)
		} else {
			w.value(th.peek(r))
		}
		r, e := w.bytes()
		if err = errors.Join(err, e); err != nil {
			break
		}
		values = append(values, r)
	}
	names, e1 := objects.NewTupleSteal(t, texts...)
	vals, e2 := objects.NewTupleSteal(t, values...)
	file, e3 := objects.NewString(t, mod.file)
	if err = errors.Join(err, w.err, e1, e2, e3); err != nil {
		t.DecRefs([]rt.Ref{rt.Ref(index), rt.Ref(names), rt.Ref(vals), rt.Ref(file)})
		return rt.Nil, err
	}
	s, err := objects.NewTupleSteal(t, rt.Ref(file), rt.Ref(index), rt.Ref(names), rt.Ref(vals))
	return rt.Ref(s), err
}

func (w *imageWriter) byte(b byte)   { w.b = append(w.b, b) }
func (w *imageWriter) int(n int)     { w.b = binary.AppendVarint(w.b, int64(n)) }
func (w *imageWriter) text(s string) { w.int(len(s)); w.b = append(w.b, s...) }
func (w *imageWriter) bool(b bool)   { w.int(map[bool]int{true: 1}[b]) }
func (w *imageWriter) texts(l []string) {
	w.int(len(l))
	for _, s := range l {
		w.text(s)
	}
}

func (w *imageWriter) cannot(what string) {
	if w.err == nil {
		w.err = &ImageError{w.owner, fmt.Errorf("%s cannot be in an image", what)}
	}
}

// value writes a value, which is borrowed.
func (w *imageWriter) value(v Value) {
	th := w.th
	v = v.borrowed()
	if v.isRef() {
		if name, ok := w.names[v.ref().Handle]; ok {
			w.used[name] = true
			w.byte(tagPredeclared)
			w.text(name)
			return
		}
	}
	switch k := th.kind(v); k {
	case kNone:
		w.byte(tagNone)
	case kBool:
		w.byte(map[bool]byte{false: tagFalse, true: tagTrue}[v == True])
	case kInt:
		if n, ok := th.int64(v); ok {
			w.byte(tagInt)
			w.int(int(n))
			return
		}
		w.byte(tagBig)
		w.bool(th.intSign(v) < 0)
		w.text(string(th.big(v).Bytes()))
	case kFloat:
		w.byte(tagFloat)
		w.b = binary.LittleEndian.AppendUint64(w.b, uint64(v))
	case kString, kBytes:
		if s := th.text(v); len(s) <= inlineText {
			w.byte(map[kind]byte{kString: tagString, kBytes: tagBytes}[k])
			w.text(s)
			return
		}
		w.refer(v)
	case kTuple:
		if th.tupleLen(v) == 0 {
			w.byte(tagEmpty)
			return
		}
		w.refer(v)
	case kList, kDict, kSet, kStruct, kModule, kFunction, kCell, kRange, kMethod, kElems:
		w.refer(v)
	case kBuiltin:
		w.cannot("the builtin " + th.builtin(v).name + ", which is not predeclared,")
	default:
		w.cannot("a value of the type " + th.typeName(v))
	}
}

func (w *imageWriter) refer(v Value) {
	w.byte(tagObject)
	w.int(w.objects.number(v.ref().Handle))
}

// slots writes the values of n slots.
func (w *imageWriter) slots(o rt.Body, first, n int) {
	w.int(n)
	for i := range n {
		w.slot(o.LoadRef(first + i))
	}
}

func (w *imageWriter) slot(r rt.Ref) {
	if r.IsNil() {
		w.byte(tagNil)
		return
	}
	w.value(w.th.peek(r))
}

// object writes an object.
func (w *imageWriter) object(v Value) {
	th := w.th
	o := th.t.Body(v.ref())
	k := th.kind(v)
	w.byte(byte(k))
	switch k {
	case kString, kBytes:
		w.text(th.text(v))
	case kTuple:
		w.slots(o, tupleSlots, th.tupleLen(v))
	case kStruct, kModule:
		w.slots(o, structSlots, int(o.Word(structLen)))
	case kCell:
		w.slot(o.LoadRef(cellSlot))
	case kList:
		n := th.listLen(v)
		w.int(n)
		for i := range n {
			w.value(th.listAt(v, i))
		}
	case kDict, kSet:
		w.int(th.tableLen(v))
		for i := 0; ; {
			key, x, next := th.tableNext(v, i)
			if key == 0 {
				break
			}
			i = next
			w.value(key)
			w.value(x)
		}
	case kFunction:
		w.owner = th.code(v).name
		w.int(w.codes.number(th.code(v)))
		w.slots(o, funcSlots, int(o.Word(funcLen)))
	case kRange:
		r := th.rangeOf(v)
		w.int(r.start)
		w.int(r.stop)
		w.int(r.step)
	case kMethod:
		recv, b := th.methodParts(v)
		w.value(recv)
		w.text(b.name)
	case kElems:
		text, mode := th.elemsOf(v)
		w.value(text)
		w.int(int(mode))
	}
}

// code writes a function of a program.
func (w *imageWriter) code(k *code) {
	w.owner = k.name
	w.text(k.name)
	w.int(w.mods.number(k.module))
	for _, p := range []syntax.Position{k.pos, k.first} {
		w.int(int(p.Line))
		w.int(int(p.Col))
	}
	for _, n := range []int{k.regs, k.locals, k.params, k.kwonly} {
		w.int(n)
	}
	for _, b := range []bool{k.varargs, k.kwargs, k.simple, k.recursion} {
		w.bool(b)
	}
	w.texts(k.localNames)
	w.texts(k.freeNames)
	w.texts(k.spillNames)
	w.int(len(k.ins))
	for _, i := range k.ins {
		w.b = binary.LittleEndian.AppendUint32(w.b, i)
	}
	w.int(len(k.consts))
	for _, v := range k.consts {
		w.value(v)
	}
	w.int(len(k.names))
	for i := range k.names {
		w.text(k.names[i].name)
	}
	w.int(len(k.sites))
	for _, s := range k.sites {
		w.texts(s.names)
		for _, b := range []bool{s.list, s.dict, s.varargs, s.kwargs} {
			w.bool(b)
		}
		w.int(s.operands)
		w.bool(s.shape.names != 0)
	}
	w.int(len(k.funcs))
	for _, f := range k.funcs {
		w.int(w.codes.number(f))
	}
	w.int(len(k.lines))
	for _, l := range k.lines {
		w.int(int(l.pc))
		w.int(int(l.line))
		w.int(int(l.col))
	}
}
