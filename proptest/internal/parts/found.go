package parts

import (
	"errors"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// check fails if a reachable object is not what it must be.
func (h *Heap) check(ok bool, what string) {
	if !ok {
		panic(Alive.Broken("%s", what))
	}
}

// found returns the handle of a reference that was read somewhere. It checks the object.
func (h *Heap) found(r rt.Ref) Handle {
	h.check(r != rt.Nil, "a slot holds a nil reference")
	y := h.Thread.TypeOf(r)
	h.check(y != nil, "a reference leads to no object")
	var k Kind
	switch y.ID() {
	case rt.TypeInt:
		v, _ := objects.Int(r).Value(h.Thread)
		h.check(IsInt(v), "an int has changed since its birth")
		return Handle{ref: r}
	case rt.TypeFloat:
		v, _ := objects.Float(r).Value(h.Thread)
		h.check(IsFloat(v), "a float has changed since its birth")
		return Handle{ref: r}
	case rt.TypeString:
		s, _ := objects.String(r).View(h.Thread)
		h.check(IsText(s), "a string has changed since its birth")
		return Handle{ref: r}
	case rt.TypeBytes:
		b, _ := objects.Bytes(r).View(h.Thread)
		h.check(IsText(string(b)), "bytes have changed since their birth")
		return Handle{ref: r}
	case rt.TypeNone, rt.TypeBool:
		return Handle{ref: r}
	case rt.TypeTuple:
		if r == rt.EmptyTuple {
			return Handle{r, emptyTuple}
		}
		k = Tuple
	case rt.TypeList:
		k = List
	case rt.TypeDict:
		k = Dict
	case nodeType.ID():
		k = Node
	case rt.TypeWeak:
		k = Weak
	default:
		h.check(y == record.Type, "an object has a type that the program does not use")
		k = Record
	}
	o := *h.s.origins.at(r)
	h.check(o != nil && o.kind == k, "a container is of another kind than at its birth")
	switch k {
	case Node:
		h.check(h.Thread.Body(r).Word(nodeSerial) == uint32(o.serial), "a node has another serial than at its birth")
	case Tuple:
		items := objects.Tuple(r).Items(h.Thread)
		h.check(len(items) == len(o.items), "a tuple has another length than at its birth")
		for i, x := range items {
			h.check(x == o.items[i], "a tuple has other items than at its birth")
		}
	}
	return Handle{r, o}
}

var emptyTuple = &origin{kind: Tuple}

// verify checks that a handle still leads to the same object.
func (h *Heap) verify(v Handle) {
	h.check(h.found(v.ref) == v, "another object is in the place of a held one")
}

// fetch turns a new reference that a call returned into a handle.
func (h *Heap) fetch(r rt.Ref, err error) (Handle, Outcome) {
	if e := classify(err); e != Fine {
		return Handle{}, e
	}
	return h.found(r), Fine
}

// classify returns the class of an error, and panics with one that has none.
func classify(err error) Outcome {
	var (
		i *objects.IndexError
		k *objects.KeyError
		u *objects.UnhashableError
		y *rt.TypeError
	)
	switch {
	case err == nil:
		return Fine
	case errors.Is(err, objects.ErrEmpty):
		return Empty
	case errors.As(err, &i):
		return BadIndex
	case errors.As(err, &k):
		return BadKey
	case errors.As(err, &u):
		return Unhashable
	case errors.As(err, &y):
		return BadType
	case errors.Is(err, rt.ErrFrozen):
		return Frozen
	case errors.Is(err, rt.ErrNotFreezable):
		return NotFreezable
	case errors.Is(err, rt.ErrChanged):
		return Changed
	}
	panic(err)
}
