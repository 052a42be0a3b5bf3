package starlark

import rt "github.com/ichor-go/ichor/runtime"

// Words of a tuple. Immutable.
const (
	tupleLen   = 0
	tupleSlots = 1
)

const maxItems = 1 << 28

// newTuple returns a new tuple of n items, to be filled by setItem before it is published.
func (th *Thread) newTuple(n int) (Value, rt.Body, error) {
	if n == 0 {
		return th.m.emptyTuple, rt.Body{}, nil
	}
	if n > maxItems {
		return 0, rt.Body{}, th.limitError(&rt.SizeError{Of: "tuple", Size: int64(n), Unit: "items", Most: maxItems})
	}
	if err := th.large(4 * n); err != nil {
		return 0, rt.Body{}, err
	}
	r, o, err := th.t.New(tupleType, 4*(tupleSlots+n))
	if err != nil {
		return 0, o, err
	}
	o.SetWord(tupleLen, uint32(n))
	return counted(r), o, nil
}

// makeTuple returns a new tuple of the values, which it steals, unless it fails.
func (th *Thread) makeTuple(vs ...Value) (Value, error) {
	v, o, err := th.newTuple(len(vs))
	if err != nil {
		return 0, err
	}
	for i, x := range vs {
		r, err := th.box(x)
		if err != nil {
			th.drop(v) // with the items that it has by now
			for j := range i {
				vs[j] = 0
			}
			return 0, err
		}
		o.SetRef(tupleSlots+i, r)
	}
	return v, nil
}

func (th *Thread) tupleLen(v Value) int { return int(th.t.Body(v.ref()).Word(tupleLen)) }

// tupleAt returns item i of a tuple as a borrowed value.
func (th *Thread) tupleAt(v Value, i int) Value {
	return th.peek(th.t.Body(v.ref()).Ref(tupleSlots + i))
}

// box returns a reference for a slot to v, which it steals, unless it fails.
func (th *Thread) box(v Value) (rt.Ref, error) {
	if v < floatBase {
		if v>>48 == 0 && v.ref().Handle < rt.Limit {
			th.t.IncRef(v.ref())
		}
		return v.ref(), nil
	}
	return th.boxNumber(v)
}
