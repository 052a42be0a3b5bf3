package heap

import (
	"errors"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// check fails if a reachable object is not what it must be.
func (h *Heap) check(ok bool, what string) {
	if !ok {
		panic(property.Alive.Broken("%s", what))
	}
}

// found returns the handle of a reference that was read somewhere. It checks the object.
func (h *Heap) found(r rt.Ref) Handle {
	h.check(r != rt.Nil, "a slot holds a nil reference")
	y := h.Thread.TypeOf(r)
	h.check(y != nil, "a reference leads to no object")
	var k machine.Kind
	switch y.ID() {
	case rt.TypeInt:
		v, _ := objects.Int(r).Value(h.Thread)
		h.check(machine.IsInt(v), "an int has changed since its birth")
		return Handle{ref: r}
	case rt.TypeFloat:
		v, _ := objects.Float(r).Value(h.Thread)
		h.check(machine.IsFloat(v), "a float has changed since its birth")
		return Handle{ref: r}
	case rt.TypeString:
		s, _ := objects.String(r).View(h.Thread)
		h.check(machine.IsText(s), "a string has changed since its birth")
		return Handle{ref: r}
	case rt.TypeBytes:
		b, _ := objects.Bytes(r).View(h.Thread)
		h.check(machine.IsText(string(b)), "bytes have changed since their birth")
		return Handle{ref: r}
	case rt.TypeNone, rt.TypeBool:
		return Handle{ref: r}
	case rt.TypeTuple:
		if r == rt.EmptyTuple {
			return Handle{r, emptyTuple}
		}
		k = machine.Tuple
	case rt.TypeList:
		k = machine.List
	case rt.TypeDict:
		k = machine.Dict
	case nodeType.ID():
		k = machine.Node
	case rt.TypeWeak:
		k = machine.Weak
	default:
		h.check(y == record.Type, "an object has a type that the program does not use")
		k = machine.Record
	}
	o := *h.s.origins.at(r)
	h.check(o != nil && o.kind == k, "a container is of another kind than at its birth")
	switch k {
	case machine.Node:
		h.check(h.Thread.Body(r).Word(nodeSerial) == uint32(o.serial), "a node has another serial than at its birth")
	case machine.Tuple:
		items := objects.Tuple(r).Items(h.Thread)
		h.check(len(items) == len(o.items), "a tuple has another length than at its birth")
		for i, x := range items {
			h.check(x == o.items[i], "a tuple has other items than at its birth")
		}
	}
	return Handle{r, o}
}

var emptyTuple = &origin{kind: machine.Tuple}

// verify checks that a handle still leads to the same object.
func (h *Heap) verify(v Handle) {
	h.check(h.found(v.ref) == v, "another object is in the place of a held one")
}

// fetch turns a new reference that a call returned into a handle.
func (h *Heap) fetch(r rt.Ref, err error) (Handle, machine.Outcome) {
	if e := classify(err); e != machine.Fine {
		return Handle{}, e
	}
	return h.found(r), machine.Fine
}

// classify returns the class of an error, and panics with one that has none.
func classify(err error) machine.Outcome {
	var (
		i *objects.IndexError
		k *objects.KeyError
		u *objects.UnhashableError
		y *rt.TypeError
	)
	switch {
	case err == nil:
		return machine.Fine
	case errors.Is(err, objects.ErrEmpty):
		return machine.Empty
	case errors.As(err, &i):
		return machine.BadIndex
	case errors.As(err, &k):
		return machine.BadKey
	case errors.As(err, &u):
		return machine.Unhashable
	case errors.As(err, &y):
		return machine.BadType
	case errors.Is(err, rt.ErrFrozen):
		return machine.Frozen
	case errors.Is(err, rt.ErrNotFreezable):
		return machine.NotFreezable
	case errors.Is(err, rt.ErrChanged):
		return machine.Changed
	}
	panic(err)
}
