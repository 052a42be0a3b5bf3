package parts

import (
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// The calls of heap that work on containers.

func (h *heap) length(v handle) int {
	h.verify(v)
	switch v.o.kind {
	case aList:
		return objects.List(v.ref).Len(h.t)
	case aDict:
		return objects.Dict(v.ref).Len(h.t)
	case aTuple:
		return objects.Tuple(v.ref).Len(h.t)
	}
	return fields
}

func (h *heap) append(l, v handle, steal bool) outcome {
	h.verify(l)
	h.verify(v)
	if steal {
		return classify(objects.List(l.ref).AppendSteal(h.t, v.ref))
	}
	return classify(objects.List(l.ref).Append(h.t, v.ref))
}

func (h *heap) setItem(l handle, i int, v handle) outcome {
	h.verify(v)
	return classify(objects.List(l.ref).Set(h.t, i, v.ref))
}

func (h *heap) insert(l handle, i int, v handle) outcome {
	h.verify(v)
	return classify(objects.List(l.ref).Insert(h.t, i, v.ref))
}

func (h *heap) getItem(v handle, i int) (handle, outcome) {
	if v.o.kind == aList {
		return h.fetch(objects.List(v.ref).Get(h.t, i))
	}
	r, ok := objects.Tuple(v.ref).At(h.t, i)
	if !ok {
		return handle{}, badIndex
	}
	h.t.IncRef(r)
	return h.found(r), fine
}

func (h *heap) pop(l handle) (handle, outcome) { return h.fetch(objects.List(l.ref).Pop(h.t)) }

func (h *heap) popFirst(l handle) (handle, outcome) {
	return h.fetch(objects.List(l.ref).PopFirst(h.t))
}

func (h *heap) remove(l handle, i int) outcome {
	return classify(objects.List(l.ref).Remove(h.t, i))
}

func (h *heap) clear(v handle) {
	if v.o.kind == aList {
		classify(objects.List(v.ref).Clear(h.t))
	} else {
		classify(objects.Dict(v.ref).Clear(h.t))
	}
}

func (h *heap) extend(v, from handle) {
	h.verify(from)
	if v.o.kind == aList {
		classify(objects.List(v.ref).Extend(h.t, objects.List(from.ref)))
	} else {
		classify(objects.Dict(v.ref).Update(h.t, objects.Dict(from.ref)))
	}
}

// iterate iterates over a container, across safe points. On a list it stops after maxItems,
// because other threads may keep extending it.
func (h *heap) iterate(v handle) string {
	h.epoch++
	h.verify(v)
	var parts []string
	if v.o.kind == aList {
		for i, r := range objects.List(v.ref).All(h.t) {
			parts = append(parts, h.render(h.found(r)))
			if h.t.Checkpoint(); i > maxItems {
				break
			}
		}
		return join("[", parts, "]")
	}
	for k, x := range objects.Dict(v.ref).All(h.t) {
		h.t.Checkpoint()
		parts = append(parts, h.render(h.found(k))+":"+h.render(h.found(x)))
	}
	return join("{", parts, "}")
}

func (h *heap) put(d, key, v handle, steal bool) outcome {
	h.verify(key)
	h.verify(v)
	if steal {
		return classify(objects.Dict(d.ref).SetSteal(h.t, key.ref, v.ref))
	}
	return classify(objects.Dict(d.ref).Set(h.t, key.ref, v.ref))
}

func (h *heap) lookup(d, key handle) (handle, outcome) {
	return h.fetch(objects.Dict(d.ref).Get(h.t, key.ref))
}

func (h *heap) deleteKey(d, key handle) (bool, outcome) {
	ok, err := objects.Dict(d.ref).Delete(h.t, key.ref)
	return ok, classify(err)
}

func (h *heap) take(d, key handle) (handle, outcome) {
	return h.fetch(objects.Dict(d.ref).Pop(h.t, key.ref))
}

// fetchIf is fetch for a call that also reports whether there was a value.
func (h *heap) fetchIf(r rt.Ref, loaded bool, err error) (handle, bool, outcome) {
	if err != nil || r.IsNil() {
		h.check(r.IsNil() && !loaded, "a call returns a value, and says that there is none")
		return handle{}, false, classify(err)
	}
	v, e := h.fetch(r, nil)
	return v, loaded, e
}

func (h *heap) loadOrStore(d, key, v handle) (handle, bool, outcome) {
	h.verify(key)
	h.verify(v)
	return h.fetchIf(objects.Dict(d.ref).LoadOrStore(h.t, key.ref, v.ref))
}

func (h *heap) loadDelete(d, key handle) (handle, bool, outcome) {
	return h.fetchIf(objects.Dict(d.ref).LoadAndDelete(h.t, key.ref))
}

func (h *heap) swapKey(d, key, v handle) (handle, bool, outcome) {
	h.verify(key)
	h.verify(v)
	return h.fetchIf(objects.Dict(d.ref).Swap(h.t, key.ref, v.ref))
}

func (h *heap) casKey(d, key, old, v handle) (bool, outcome) {
	h.verify(old)
	h.verify(v)
	done, err := objects.Dict(d.ref).CompareAndSwap(h.t, key.ref, old.ref, v.ref)
	return done, classify(err)
}

func (h *heap) deleteIf(d, key, old handle) (bool, outcome) {
	h.verify(old)
	done, err := objects.Dict(d.ref).CompareAndDelete(h.t, key.ref, old.ref)
	return done, classify(err)
}

func (h *heap) popOldest(d handle) (key, v handle, e outcome) {
	k, r, err := objects.Dict(d.ref).PopFirst(h.t)
	if e := classify(err); e != fine {
		return handle{}, handle{}, e
	}
	return h.found(k), h.found(r), fine
}

func (h *heap) swapField(r handle, i int, v handle) (handle, outcome) {
	h.verify(v)
	return h.fetch(objects.Record(r.ref).Swap(h.t, i, v.ref))
}

func (h *heap) casField(r handle, i int, old, v handle) (bool, outcome) {
	h.verify(old)
	h.verify(v)
	done, err := objects.Record(r.ref).CompareAndSwap(h.t, i, old.ref, v.ref)
	return done, classify(err)
}

func (h *heap) setField(r handle, i int, v handle) {
	h.verify(v)
	if r.o.kind == aNode {
		h.setNodeField(r, i, v)
		return
	}
	classify(objects.Record(r.ref).Set(h.t, i, v.ref))
}

func (h *heap) getField(r handle, i int) handle {
	if r.o.kind == aNode {
		return h.copy(h.found(h.nodeField(r, i)))
	}
	return h.found(Must(objects.Record(r.ref).Get(h.t, i)))
}

// render returns v and everything below it as text, and checks each object on the way. It
// takes counts only of a dict's contents; all other references are borrowed.
func (h *heap) render(v handle) string {
	budget := maxRendered
	h.verify(v)
	return h.write(v, &budget)
}

func (h *heap) write(v handle, budget *int) string {
	if *budget--; *budget < 0 {
		return "…"
	}
	t := h.t
	below := func(r rt.Ref) string {
		x := h.found(r)
		h.checkLevel(v, x)
		if h.kind(v) == aNode && h.kind(x) == aNode {
			return nodeText(x.o.serial)
		}
		return h.write(x, budget)
	}
	var parts []string
	switch h.kind(v) {
	case leaf:
		return h.writeLeaf(v.ref)
	case aTuple:
		for _, r := range objects.Tuple(v.ref).Items(t) {
			parts = append(parts, below(r))
		}
		return join("(", parts, ")")
	case aList:
		for i := 0; ; i++ {
			r, ok := objects.List(v.ref).At(t, i)
			if !ok {
				return join("[", parts, "]")
			}
			parts = append(parts, below(r))
		}
	case aDict:
		pairs := objects.Dict(v.ref).Snapshot(t, nil)
		for i := 0; i < len(pairs); i += 2 {
			parts = append(parts, below(pairs[i])+":"+below(pairs[i+1]))
		}
		t.DecRefs(pairs)
		return join("{", parts, "}")
	case aNode:
		for i := range fields {
			parts = append(parts, below(h.nodeField(v, i)))
		}
		return join(nodeText(v.o.serial)+"<", parts, ">")
	case aWeak:
		return weakText
	}
	for i := range fields {
		r, _ := objects.Record(v.ref).At(t, i)
		parts = append(parts, below(r))
	}
	return join("<", parts, ">")
}

func (h *heap) writeLeaf(r rt.Ref) string {
	if v, ok := objects.Int(r).Value(h.t); ok {
		return leafText("i", v)
	}
	if v, ok := objects.Float(r).Value(h.t); ok {
		return leafText("f", v)
	}
	if s, ok := objects.String(r).View(h.t); ok {
		return leafText("s", s)
	}
	if b, ok := objects.Bytes(r).View(h.t); ok {
		return leafText("b", string(b))
	}
	return r.String()
}

// checkLevel demands that x may be in v. A node may hold anything that registers hold.
func (h *heap) checkLevel(v, x handle) {
	below := h.level(v)
	if v.o.kind == aNode {
		below = maxLevel
	}
	h.check(h.level(x) < below, "a container holds what was never stored in it")
}

// walk checks everything below the handles, each object once, and returns the serials of
// the nodes among them.
func (h *heap) walk(from []handle) (nodes map[serial]bool) {
	seen := map[rt.Ref]bool{}
	nodes = map[serial]bool{}
	for work := from; len(work) > 0; {
		v := work[len(work)-1]
		work = work[:len(work)-1]
		h.verify(v)
		if v.o == nil || seen[v.ref] {
			continue
		}
		seen[v.ref] = true
		if v.o.kind == aNode {
			nodes[v.o.serial] = true
		}
		for _, r := range h.children(v) {
			x := h.found(r)
			h.checkLevel(v, x)
			work = append(work, x)
		}
	}
	return nodes
}

// children returns borrowed references to the contents of a container.
func (h *heap) children(v handle) []rt.Ref {
	var rs []rt.Ref
	switch v.o.kind {
	case aTuple:
		return objects.Tuple(v.ref).Items(h.t)
	case aList:
		for _, r := range objects.List(v.ref).All(h.t) {
			rs = append(rs, r)
		}
	case aDict:
		for k, x := range objects.Dict(v.ref).All(h.t) {
			rs = append(rs, k, x)
		}
	case aRecord:
		for i := range fields {
			r, _ := objects.Record(v.ref).At(h.t, i)
			rs = append(rs, r)
		}
	case aNode:
		for i := range fields {
			rs = append(rs, h.nodeField(v, i))
		}
	}
	return rs
}
