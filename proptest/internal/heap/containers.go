package heap

import (
	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// The methods of machine.Domain that work on containers.

func (h *Heap) Length(v Handle) int {
	h.verify(v)
	switch v.o.kind {
	case machine.List:
		return objects.List(v.ref).Len(h.Thread)
	case machine.Dict:
		return objects.Dict(v.ref).Len(h.Thread)
	case machine.Tuple:
		return objects.Tuple(v.ref).Len(h.Thread)
	}
	return machine.Fields
}

func (h *Heap) Append(l, v Handle, steal bool) machine.Outcome {
	h.verify(l)
	h.verify(v)
	if steal {
		return classify(objects.List(l.ref).AppendSteal(h.Thread, v.ref))
	}
	return classify(objects.List(l.ref).Append(h.Thread, v.ref))
}

func (h *Heap) SetItem(l Handle, i int, v Handle) machine.Outcome {
	h.verify(v)
	return classify(objects.List(l.ref).Set(h.Thread, i, v.ref))
}

func (h *Heap) Insert(l Handle, i int, v Handle) machine.Outcome {
	h.verify(v)
	return classify(objects.List(l.ref).Insert(h.Thread, i, v.ref))
}

func (h *Heap) Item(v Handle, i int) (Handle, machine.Outcome) {
	if v.o.kind == machine.List {
		return h.fetch(objects.List(v.ref).Get(h.Thread, i))
	}
	r, ok := objects.Tuple(v.ref).At(h.Thread, i)
	if !ok {
		return Handle{}, machine.BadIndex
	}
	h.Thread.IncRef(r)
	return h.found(r), machine.Fine
}

func (h *Heap) Pop(l Handle) (Handle, machine.Outcome) {
	return h.fetch(objects.List(l.ref).Pop(h.Thread))
}

func (h *Heap) PopFirst(l Handle) (Handle, machine.Outcome) {
	return h.fetch(objects.List(l.ref).PopFirst(h.Thread))
}

func (h *Heap) Remove(l Handle, i int) machine.Outcome {
	return classify(objects.List(l.ref).Remove(h.Thread, i))
}

func (h *Heap) Clear(v Handle) {
	if v.o.kind == machine.List {
		classify(objects.List(v.ref).Clear(h.Thread))
	} else {
		classify(objects.Dict(v.ref).Clear(h.Thread))
	}
}

func (h *Heap) Extend(v, from Handle) {
	h.verify(from)
	if v.o.kind == machine.List {
		classify(objects.List(v.ref).Extend(h.Thread, objects.List(from.ref)))
	} else {
		classify(objects.Dict(v.ref).Update(h.Thread, objects.Dict(from.ref)))
	}
}

// Iterate iterates over a container, across safe points. On a list it stops after MaxItems,
// because other threads may keep extending it.
func (h *Heap) Iterate(v Handle) string {
	h.epoch++
	h.verify(v)
	var parts []string
	if v.o.kind == machine.List {
		for i, r := range objects.List(v.ref).All(h.Thread) {
			parts = append(parts, h.Render(h.found(r)))
			if h.Thread.Checkpoint(); i > machine.MaxItems {
				break
			}
		}
		return machine.Join("[", parts, "]")
	}
	for k, x := range objects.Dict(v.ref).All(h.Thread) {
		h.Thread.Checkpoint()
		parts = append(parts, h.Render(h.found(k))+":"+h.Render(h.found(x)))
	}
	return machine.Join("{", parts, "}")
}

func (h *Heap) Put(d, key, v Handle, steal bool) machine.Outcome {
	h.verify(key)
	h.verify(v)
	if steal {
		return classify(objects.Dict(d.ref).SetSteal(h.Thread, key.ref, v.ref))
	}
	return classify(objects.Dict(d.ref).Set(h.Thread, key.ref, v.ref))
}

func (h *Heap) Lookup(d, key Handle) (Handle, machine.Outcome) {
	return h.fetch(objects.Dict(d.ref).Get(h.Thread, key.ref))
}

func (h *Heap) DeleteKey(d, key Handle) (bool, machine.Outcome) {
	ok, err := objects.Dict(d.ref).Delete(h.Thread, key.ref)
	return ok, classify(err)
}

func (h *Heap) Take(d, key Handle) (Handle, machine.Outcome) {
	return h.fetch(objects.Dict(d.ref).Pop(h.Thread, key.ref))
}

// fetchIf is fetch for a call that also reports whether there was a value.
func (h *Heap) fetchIf(r rt.Ref, loaded bool, err error) (Handle, bool, machine.Outcome) {
	if err != nil || r.IsNil() {
		h.check(r.IsNil() && !loaded, "a call returns a value and says that there is none")
		return Handle{}, false, classify(err)
	}
	v, e := h.fetch(r, nil)
	return v, loaded, e
}

func (h *Heap) LoadOrStore(d, key, v Handle) (Handle, bool, machine.Outcome) {
	h.verify(key)
	h.verify(v)
	return h.fetchIf(objects.Dict(d.ref).LoadOrStore(h.Thread, key.ref, v.ref))
}

func (h *Heap) LoadDelete(d, key Handle) (Handle, bool, machine.Outcome) {
	return h.fetchIf(objects.Dict(d.ref).LoadAndDelete(h.Thread, key.ref))
}

func (h *Heap) SwapKey(d, key, v Handle) (Handle, bool, machine.Outcome) {
	h.verify(key)
	h.verify(v)
	return h.fetchIf(objects.Dict(d.ref).Swap(h.Thread, key.ref, v.ref))
}

func (h *Heap) CASKey(d, key, old, v Handle) (bool, machine.Outcome) {
	h.verify(old)
	h.verify(v)
	done, err := objects.Dict(d.ref).CompareAndSwap(h.Thread, key.ref, old.ref, v.ref)
	return done, classify(err)
}

func (h *Heap) DeleteIf(d, key, old Handle) (bool, machine.Outcome) {
	h.verify(old)
	done, err := objects.Dict(d.ref).CompareAndDelete(h.Thread, key.ref, old.ref)
	return done, classify(err)
}

func (h *Heap) PopOldest(d Handle) (key, v Handle, e machine.Outcome) {
	k, r, err := objects.Dict(d.ref).PopFirst(h.Thread)
	if e := classify(err); e != machine.Fine {
		return Handle{}, Handle{}, e
	}
	return h.found(k), h.found(r), machine.Fine
}

func (h *Heap) SwapField(r Handle, i int, v Handle) (Handle, machine.Outcome) {
	h.verify(v)
	return h.fetch(objects.Record(r.ref).Swap(h.Thread, i, v.ref))
}

func (h *Heap) CASField(r Handle, i int, old, v Handle) (bool, machine.Outcome) {
	h.verify(old)
	h.verify(v)
	done, err := objects.Record(r.ref).CompareAndSwap(h.Thread, i, old.ref, v.ref)
	return done, classify(err)
}

func (h *Heap) SetField(r Handle, i int, v Handle) {
	h.verify(v)
	if r.o.kind == machine.Node {
		h.setNodeField(r, i, v)
		return
	}
	classify(objects.Record(r.ref).Set(h.Thread, i, v.ref))
}

func (h *Heap) Field(r Handle, i int) Handle {
	if r.o.kind == machine.Node {
		return h.Copy(h.found(h.nodeField(r, i)))
	}
	return h.found(property.Must(objects.Record(r.ref).Get(h.Thread, i)))
}
