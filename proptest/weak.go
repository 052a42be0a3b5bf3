package proptest

import (
	rt "github.com/ichor-go/ichor/runtime"
)

// weakType is the type of weak references.
var weakType = must(rt.DefineType(rt.Type{
	Name:     "proptest weak",
	Traverse: func(rt.Heap, rt.Body, func(rt.Ref)) {},
	Drop:     func(t *rt.Thread, r rt.Ref, _ rt.Body) { t.UnlinkWeak(r) },
}))

// The calls of heap that work on weak references.

func (h *heap) weak(v handle) handle {
	h.verify(v)
	r, _, err := h.t.New(weakType, 4)
	if err != nil {
		panic(err)
	}
	w := h.bornHere(r, aWeak, 0)
	w.o.target, w.o.unique = v.o, h.traced(v)
	if h.moves {
		h.t.LinkWeak(r, v.ref, nil)
		return w
	}
	c, o := h.nodes, w.o
	h.t.LinkWeak(r, v.ref, func(*rt.Thread) {
		if o.calls.Inc() > 1 {
			c.failed(&failure{propFinal, "the callback of a weak reference is called twice"})
		}
	})
	return w
}

// traced reports whether the model knows when a value dies: not of leaves, of
// which it has more than the heap, and not of tuples, which dead entries of dicts
// may hold.
func (h *heap) traced(v handle) bool { k := h.kind(v); return k > aTuple && k != aWeak }

func (h *heap) follow(w handle) (v handle, ok bool) {
	h.settle()
	h.verify(w)
	called := w.o.calls.Load() > 0
	r := h.t.FollowWeak(w.ref)
	if r == rt.Nil {
		return handle{}, false
	}
	v = h.found(r)
	h.check(v.o == w.o.target, "a weak reference leads to another object")
	h.check(!called, "a weak reference leads to an object whose death it was told of")
	if !w.o.unique {
		h.drop(v)
		return handle{}, false
	}
	return v, true
}
