package starlark

import "fmt"

// quickIndex returns x[at] with a count of its own, or 0 if x is neither a list nor a tuple, or
// has no item there, or takes more than a look: then index has the answer.
func (th *Thread) quickIndex(x Value, at int64) Value {
	if x >= floatBase {
		return 0
	}
	r := x.ref()
	o := th.t.Body(r)
	switch th.t.QuickKind(r) {
	case listType.ID():
		n := int64(o.Load(listLen))
		if at < 0 {
			at += n
		}
		if uint64(at) >= uint64(n) {
			return 0
		}
		b := th.t.Block(o.LoadRef(listBlock))
		if at >= int64(b.Word(blockCap)) {
			return 0
		}
		if r := b.LoadRef(blockSlots + int(at)); !r.IsNil() {
			return th.load(r)
		}
	case tupleType.ID():
		n := int64(o.Word(tupleLen))
		if at < 0 {
			at += n
		}
		if uint64(at) < uint64(n) {
			return th.load(o.Ref(tupleSlots + int(at)))
		}
	}
	return 0
}

// index returns x[y] with a count of its own.
func (th *Thread) index(x, y Value) (Value, error) {
	k := th.kind(x)
	if k == kDict {
		v, err := th.tableGet(x, y)
		if err != nil {
			return 0, err
		}
		if v == 0 {
			return 0, fmt.Errorf("key %s not in dict", th.short(y))
		}
		return th.dup(v), nil
	}
	n := th.length(x)
	if n < 0 || k == kSet {
		return 0, fmt.Errorf("unhandled index operation %s[%s]", th.typeName(x), th.typeName(y))
	}
	i, err := th.asInt(y)
	if err != nil {
		return 0, fmt.Errorf("%s index: %s", th.typeName(x), err)
	}
	at := i
	if at < 0 {
		at += n
	}
	if at < 0 || at >= n {
		return 0, th.outOfRange(x, i, n)
	}
	switch k {
	case kList:
		if r := th.listSlot(x, at); !r.IsNil() {
			return th.load(r), nil
		}
		return 0, th.outOfRange(x, i, th.listLen(x))
	case kTuple:
		return th.load(th.t.Body(x.ref()).Ref(tupleSlots + at)), nil
	case kString:
		return th.m.chars[th.text(x)[at]], nil
	case kBytes:
		return th.newBytes(th.text(x)[at : at+1])
	case kRange:
		r := th.rangeOf(x)
		return th.newInt(int64(r.start + at*r.step))
	case kElems:
		text, mode := th.elemsOf(x)
		c := th.text(text)[at]
		if mode == elemOrds {
			return mkInt(int64(c)), nil
		}
		return th.m.chars[c], nil
	case kHost:
		if h, ok := th.host(x).(HostIndex); ok {
			return h.Index(th, at)
		}
	}
	return 0, fmt.Errorf("unhandled index operation %s[%s]", th.typeName(x), th.typeName(y))
}

// index2 returns x[y][z] with a count of its own, without counting x[y]. inner says that x[y] has
// failed.
func (th *Thread) index2(x, y, z Value) (v Value, inner bool, err error) {
	var w Value
	switch th.kind(x) {
	case kList:
		if i, ok := y.index(); ok {
			if i < 0 {
				i += th.listLen(x)
			}
			w = th.listAt(x, i)
		}
	case kTuple:
		if i, ok := y.index(); ok {
			n := th.tupleLen(x)
			if i < 0 {
				i += n
			}
			if uint(i) < uint(n) {
				w = th.tupleAt(x, i)
			}
		}
	case kDict:
		w, _ = th.tableGet(x, y)
	}
	if w != 0 && th.kind(w) != kHost {
		v, err = th.index(w, z)
		return v, false, err
	}
	if w, err = th.index(x, y); err != nil {
		return 0, true, err
	}
	v, err = th.index(w, z)
	th.drop(w)
	return v, false, err
}

// setIndex executes x[y] = z, and steals z unless it fails.
func (th *Thread) setIndex(x, y, z Value) error {
	switch th.kind(x) {
	case kDict:
		_, err := th.tableStore(x, y.borrowed(), z)
		return err
	case kList:
		n := th.listLen(x)
		i, err := th.asInt(y)
		if err != nil {
			return err
		}
		at := i
		if at < 0 {
			at += n
		}
		if at < 0 || at >= n {
			return th.outOfRange(x, i, n)
		}
		if err := th.listMutable(x, "assign to element of"); err != nil {
			return err
		}
		return th.listSet(x, at, z)
	}
	return fmt.Errorf("%s value does not support item assignment", th.typeName(x))
}
