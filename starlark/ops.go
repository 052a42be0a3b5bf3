package starlark

import (
	"fmt"
	"strings"

	rt "github.com/ichor-go/ichor/runtime"
	"go.starlark.net/syntax"
)

func syntaxQuote(s string) string { return syntax.Quote(s, false) }

// quoteName quotes a name for an error.
func quoteName(s string) string { return syntaxQuote(brief(s)) }

// setSlot stores the register p in a slot that other threads may read, and empties it.
func (th *Thread) setSlot(v Value, word int, p *Value) error {
	r, err := th.box(*p)
	if err != nil {
		return err
	}
	*p = 0
	th.retire(th.t.Body(v.ref()).SwapRef(word, r))
	return nil
}

// freeCell returns the cell of free variable i of a function.
func (th *Thread) freeCell(fn Value, k *code, i int) rt.Ref {
	o := th.t.Body(fn.ref())
	return o.Ref(funcSlots + int(o.Word(funcLen)) - len(k.freeNames) + i)
}

func (th *Thread) newGlobals(n int) (Value, error) {
	r, o, err := th.t.New(globalsType, 4*(globalsSlots+n))
	if err != nil {
		return 0, err
	}
	o.SetWord(globalsLen, uint32(n))
	return counted(r), nil
}

// inplaceAdd returns x += y with a count of its own.
func (th *Thread) inplaceAdd(x, y Value) (Value, error) {
	if th.kind(x) == kList && th.iterable(y) {
		if err := th.listMutable(x, "apply += to"); err != nil {
			return 0, err
		}
		if err := th.listExtend(x, y); err != nil {
			return 0, err
		}
		return th.dup(x), nil
	}
	return th.binary(syntax.PLUS, x, y)
}

// inplaceOr returns x |= y with a count of its own.
func (th *Thread) inplaceOr(x, y Value) (Value, error) {
	if th.kind(x) == kDict && th.kind(y) == kDict {
		if err := th.mutable(x.ref(), th.t.Body(x.ref()), "apply |= to", "hash table"); err != nil {
			return 0, err
		}
		if err := th.addAll(x, y); err != nil {
			return 0, err
		}
		return th.dup(x), nil
	}
	return th.binary(syntax.PIPE, x, y)
}

// noAttr says that an attribute does not exist.
type noAttr string

func (e noAttr) Error() string { return string(e) }

// NoAttr returns the error of a Host for an attribute that it does not have. The nearest name
// of an existing attribute is added.
func NoAttr(text string) error { return noAttr(text) }

// attr returns x.name with a count of its own.
func (th *Thread) attr(x Value, name *attrName) (Value, error) {
	k := th.kind(x)
	if b := name.methods[k]; b != nil {
		return th.newMethod(b, x)
	}
	if k == kStruct {
		if v := th.field(x, name); v != 0 {
			return th.dup(v), nil
		}
	}
	v, err := th.getAttr(x, name.name)
	if v != 0 && err == nil {
		return v, nil
	}
	if err == nil {
		err = noAttr(fmt.Sprintf("%s has no .%s field or method", th.typeName(x), brief(name.name)))
	}
	return 0, th.meant(err, x, name.name)
}

// meant adds the attribute of x with the nearest name to err, if err says that there is no attribute
// with this name.
func (th *Thread) meant(err error, x Value, name string) error {
	if _, ok := err.(noAttr); !ok {
		return err
	}
	held := th.held
	defer th.release(held)
	names, err2 := th.attrNames(x)
	if n := nearest(name, names); n != "" && err2 == nil {
		return fmt.Errorf("%s (did you mean .%s?)", err, n)
	}
	return err
}

// getAttr returns an attribute with a count of its own, or 0.
func (th *Thread) getAttr(x Value, name string) (Value, error) {
	k := th.kind(x)
	if b := th.m.methods[k][name]; b != nil {
		return th.newMethod(b, x)
	}
	switch k {
	case kStruct:
		if v := th.structGet(x, name); v != 0 {
			return th.dup(v), nil
		}
		ctor := ""
		if s, ok := th.str(th.structHead(x)); !ok || s != "struct" {
			ctor = th.Repr(th.structHead(x)) + " "
		}
		return 0, noAttr(fmt.Sprintf("%sstruct has no .%s attribute", brief(ctor), brief(name)))
	case kModule:
		return th.dup(th.structGet(x, name)), nil
	case kHost:
		if h, ok := th.host(x).(HostAttrs); ok {
			return h.Attr(th, strings.Clone(name)) // the name may lie in a string of the heap
		}
	}
	return 0, nil
}

// attrNames returns the names of the attributes of x. It reserves the memory that they take.
func (th *Thread) attrNames(x Value) ([]string, error) {
	k := th.kind(x)
	switch k {
	case kStruct, kModule:
		size := 0
		for i := range th.structLen(x) {
			size += 32 + len(th.structName(x, i))
		}
		th.scan(size)
		if err := th.reserve(size); err != nil {
			return nil, err
		}
		names := make([]string, th.structLen(x))
		for i := range names {
			names[i] = strings.Clone(th.structName(x, i))
		}
		return names, nil
	case kHost:
		if h, ok := th.host(x).(HostAttrs); ok {
			return h.AttrNames(), nil
		}
		return nil, nil
	}
	return sortedKeys(th.m.methods[k]), nil
}

func (th *Thread) setField(x Value, name string, v Value) error {
	if th.kind(x) == kHost {
		if h, ok := th.host(x).(HostSetAttr); ok {
			return th.meant(h.SetAttr(th, name, v), x, name)
		}
	}
	return fmt.Errorf("can't assign to .%s field of %s", name, th.typeName(x))
}

// indices returns the bounds of a slice of something of length n.
func (th *Thread) indices(lo, hi Value, n int) (start, end int, err error) {
	start, err = th.asIndex(lo, n, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("invalid start index: %s", err)
	}
	end, err = th.asIndex(hi, n, n)
	if err != nil {
		return 0, 0, fmt.Errorf("invalid end index: %s", err)
	}
	return min(max(start, 0), n), min(max(end, 0), n), nil
}

// asIndex returns the index v, to which n is added if it is negative, or dflt for None.
func (th *Thread) asIndex(v Value, n, dflt int) (int, error) {
	if v == 0 || v == None {
		return dflt, nil
	}
	i, err := th.asInt(v)
	if i < 0 {
		i += n
	}
	return i, err
}

func (th *Thread) slice(x, lo, hi, by Value) (Value, error) {
	k := th.kind(x)
	switch k {
	case kString, kBytes, kList, kTuple, kRange:
	default:
		return 0, fmt.Errorf("invalid slice operand %s", th.typeName(x))
	}
	n := th.length(x)
	step := 1
	if by != None {
		var err error
		if step, err = th.asInt(by); err != nil {
			return 0, fmt.Errorf("invalid slice step: %s", err)
		}
		if step == 0 {
			return 0, fmt.Errorf("zero is not a valid slice step")
		}
	}
	var start, end int
	var err error
	if step > 0 {
		if start, end, err = th.indices(lo, hi, n); err != nil {
			return 0, err
		}
		end = max(end, start)
	} else {
		if start, err = th.asIndex(lo, n, n-1); err != nil {
			return 0, fmt.Errorf("invalid start index: %s", err)
		}
		start = min(start, n-1)
		if end, err = th.asIndex(hi, n, -1); err != nil {
			return 0, fmt.Errorf("invalid end index: %s", err)
		}
		end = max(end, -1)
		start = max(start, end)
	}
	count := lengthOfRange(start, end, step)
	switch k {
	case kRange:
		r := th.rangeOf(x)
		return th.newRange(r.start+r.step*start, r.start+r.step*end, r.step*step)
	case kString, kBytes:
		s := th.text(x)
		if count == n && step == 1 {
			return th.dup(x), nil
		}
		if k == kString && count <= 1 {
			if count == 0 {
				return th.m.empty, nil
			}
			return th.m.chars[s[start]], nil
		}
		y := stringType
		if k == kBytes {
			y = bytesType
		}
		v, b, err := th.newText(y, count)
		if err != nil {
			return 0, err
		}
		if step == 1 {
			copy(b, s[start:end])
			return v, nil
		}
		for i := range b {
			b[i] = s[start+i*step]
		}
		return v, nil
	case kTuple:
		v, o, err := th.newTuple(count)
		if err != nil {
			return 0, err
		}
		for i := range count {
			r := th.t.Body(x.ref()).Ref(tupleSlots + start + i*step)
			th.t.IncRef(r)
			o.SetRef(tupleSlots+i, r)
		}
		return v, nil
	}
	v, err := th.newList(count)
	if err != nil || count == 0 {
		return v, err
	}
	o := th.t.Body(v.ref())
	b := th.t.Block(o.LoadRef(listBlock))
	for i := range count {
		r := th.listSlot(x, start+i*step)
		if r.IsNil() {
			count = i // another thread has shortened the list
			break
		}
		th.t.IncRef(r)
		b.SetRef(blockSlots+i, r)
	}
	o.Store(listLen, uint32(count))
	return v, nil
}

// tupleOf returns the items of a list as a tuple.
func (th *Thread) tupleOf(list Value) (Value, error) {
	n := th.listLen(list)
	v, o, err := th.newTuple(n)
	if err != nil {
		return 0, err
	}
	for i := range n {
		r := th.listSlot(list, i)
		if r.IsNil() {
			r = rt.None
		}
		th.t.IncRef(r)
		o.SetRef(tupleSlots+i, r)
	}
	return v, nil
}

// unpack stores the items of stack[from] at stack[to:to+n].
func (th *Thread) unpack(to, from, n int) error {
	x := th.stack[from]
	if k := th.kind(x); k == kTuple || k == kList {
		if th.length(x) == n {
			for i := range n {
				v := th.itemAt(x, i)
				if v == 0 {
					return fmt.Errorf("too few values to unpack (got %d, want %d)", i, n)
				}
				set(th, &th.stack[to+i], th.dup(v))
			}
			return nil
		}
	}
	its := len(th.its)
	if !th.iterate(x) {
		return fmt.Errorf("got %s in sequence assignment", th.typeName(x))
	}
	defer th.endIterators(its)
	for i := range n {
		v, err := th.next(its)
		if err != nil {
			return err
		}
		if v == 0 {
			return fmt.Errorf("too few values to unpack (got %d, want %d)", i, n)
		}
		set(th, &th.stack[to+i], v)
	}
	v, err := th.next(its)
	if err != nil {
		return err
	}
	if v != 0 {
		th.drop(v)
		return fmt.Errorf("too many values to unpack (got %d, want %d)", th.length(x), n)
	}
	return nil
}

// rangeLoop begins an iteration over a range with the arguments, or returns false.
func (th *Thread) rangeLoop(args []Value) bool {
	n := [3]int{0, 0, 1}
	for i, v := range args {
		var ok bool
		if n[i], ok = v.index(); !ok {
			return false
		}
	}
	if len(args) == 1 {
		n[0], n[1] = 0, n[0]
	}
	if n[2] == 0 {
		return false
	}
	th.iterateRange(n[0], n[1], n[2])
	return true
}
