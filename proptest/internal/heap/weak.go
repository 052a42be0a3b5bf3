package heap

import (
	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// The methods of machine.Domain that work on weak references.

func (h *Heap) Weak(v Handle) Handle {
	h.verify(v)
	var o *origin // set before the callback can be called, at a safe point
	c := h.s.nodes
	callback := func(*rt.Thread) {
		if o.calls.Inc() > 1 {
			c.failed(property.Final.Broken("the callback of a weak reference is called twice"))
		}
	}
	if h.s.moves {
		callback = nil
	}
	w := h.bornHere(property.Must(objects.NewWeak(h.Thread, v.ref, callback)), machine.Weak, 0)
	w.o.target, w.o.unique = v.o, h.traced(v)
	o = w.o
	return w
}

// traced reports whether the model knows when a value dies. It does not for leaves, of
// which it has more than the heap, or for tuples, which dead entries of dicts
// may hold.
func (h *Heap) traced(v Handle) bool { k := h.Kind(v); return k > machine.Tuple && k != machine.Weak }

func (h *Heap) Follow(w Handle) (v Handle, ok bool) {
	h.settle()
	h.verify(w)
	called := w.o.calls.Load() > 0
	r, ok := objects.Weak(w.ref).Get(h.Thread)
	if !ok {
		return Handle{}, false
	}
	v = h.found(r)
	h.check(v.o == w.o.target, "a weak reference leads to another object")
	h.check(!called, "a weak reference leads to an object whose death it has reported")
	if !w.o.unique {
		h.Drop(v)
		return Handle{}, false
	}
	return v, true
}
