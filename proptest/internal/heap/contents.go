package heap

import (
	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	rt "github.com/ichor-go/ichor/runtime"
)

// Render returns v and everything below it as text, and checks each object on the way. It counts
// only a dict's contents; all other references are borrowed.
func (h *Heap) Render(v Handle) string {
	budget := machine.MaxRendered
	h.verify(v)
	return h.write(v, &budget)
}

// write is Render for a value inside another one. budget bounds the number of values.
func (h *Heap) write(v Handle, budget *int) string {
	if *budget--; *budget < 0 {
		return "…"
	}
	t := h.Thread
	below := func(r rt.Ref) string {
		x := h.found(r)
		h.checkLevel(v, x)
		if h.Kind(v) == machine.Node && h.Kind(x) == machine.Node {
			return machine.NodeText(x.o.serial)
		}
		return h.write(x, budget)
	}
	var parts []string
	switch h.Kind(v) {
	case machine.Leaf:
		return h.writeLeaf(v.ref)
	case machine.Tuple:
		for _, r := range objects.Tuple(v.ref).Items(t) {
			parts = append(parts, below(r))
		}
		return machine.Join("(", parts, ")")
	case machine.List:
		for i := 0; ; i++ {
			r, ok := objects.List(v.ref).At(t, i)
			if !ok {
				return machine.Join("[", parts, "]")
			}
			parts = append(parts, below(r))
		}
	case machine.Dict:
		pairs := objects.Dict(v.ref).Snapshot(t, nil)
		for i := 0; i < len(pairs); i += 2 {
			parts = append(parts, below(pairs[i])+":"+below(pairs[i+1]))
		}
		t.DecRefs(pairs)
		return machine.Join("{", parts, "}")
	case machine.Node:
		for i := range machine.Fields {
			parts = append(parts, below(h.nodeField(v, i)))
		}
		return machine.Join(machine.NodeText(v.o.serial)+"<", parts, ">")
	case machine.Weak:
		return machine.WeakText
	}
	for i := range machine.Fields {
		r, _ := objects.Record(v.ref).At(t, i)
		parts = append(parts, below(r))
	}
	return machine.Join("<", parts, ">")
}

// writeLeaf returns the text of a leaf.
func (h *Heap) writeLeaf(r rt.Ref) string {
	if v, ok := objects.Int(r).Value(h.Thread); ok {
		return machine.LeafText("i", v)
	}
	if v, ok := objects.Float(r).Value(h.Thread); ok {
		return machine.LeafText("f", v)
	}
	if s, ok := objects.String(r).View(h.Thread); ok {
		return machine.LeafText("s", s)
	}
	if b, ok := objects.Bytes(r).View(h.Thread); ok {
		return machine.LeafText("b", string(b))
	}
	return r.String()
}

// checkLevel demands that x may be in v. A node may hold anything that registers hold.
func (h *Heap) checkLevel(v, x Handle) {
	below := h.Level(v)
	if v.o.kind == machine.Node {
		below = machine.MaxLevel
	}
	h.check(h.Level(x) < below, "a container holds a value that nobody stored there")
}

// walk checks the handles and everything below them, each object once, and returns the serials of
// the nodes among them.
func (h *Heap) walk(from []Handle) (nodes map[machine.Serial]bool) {
	seen := map[rt.Ref]bool{}
	nodes = map[machine.Serial]bool{}
	for work := from; len(work) > 0; {
		v := work[len(work)-1]
		work = work[:len(work)-1]
		h.verify(v)
		if v.o == nil || seen[v.ref] {
			continue
		}
		seen[v.ref] = true
		if v.o.kind == machine.Node {
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
func (h *Heap) children(v Handle) []rt.Ref {
	var rs []rt.Ref
	switch v.o.kind {
	case machine.Tuple:
		return objects.Tuple(v.ref).Items(h.Thread)
	case machine.List:
		for _, r := range objects.List(v.ref).All(h.Thread) {
			rs = append(rs, r)
		}
	case machine.Dict:
		for k, x := range objects.Dict(v.ref).All(h.Thread) {
			rs = append(rs, k, x)
		}
	case machine.Record:
		for i := range machine.Fields {
			r, _ := objects.Record(v.ref).At(h.Thread, i)
			rs = append(rs, r)
		}
	case machine.Node:
		for i := range machine.Fields {
			rs = append(rs, h.nodeField(v, i))
		}
	}
	return rs
}
