package heap

import (
	"bytes"
	"errors"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// frozenGraphs are the frozen graphs of a session, with a hash of their bytes from when
// they were made. Where the system protects their pages, a store to one is also a fault,
// which guarded goroutines turn into a panic.
type frozenGraphs struct {
	mu   sync.Mutex
	list []frozenGraph
}

type frozenGraph struct {
	f    *rt.Frozen
	hash uint64
}

// hashOf hashes the image of a frozen graph.
func hashOf(f *rt.Frozen) uint64 {
	h := xxhash.New()
	property.Must(f.WriteTo(h))
	return h.Sum64()
}

// add adds a graph.
func (g *frozenGraphs) add(f *rt.Frozen) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = append(g.list, frozenGraph{f, hashOf(f)})
	property.Frozen.Claim(f.Start(), uintptr(f.Bytes()))
}

// check demands that no byte has changed.
func (g *frozenGraphs) check() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, x := range g.list {
		if hashOf(x.f) != x.hash {
			panic(property.Frozen.Broken("the bytes of a graph of %d objects have changed", x.f.Objects()))
		}
	}
}

// unload checks and unloads all graphs. A graph may stay if immortals refer to it.
func (g *frozenGraphs) unload(r *rt.Runtime, immortals bool) (err error) {
	defer property.Catch(&err)
	g.check()
	for _, x := range g.list {
		property.Disclaim(x.f.Start())
		err := r.Unload(x.f)
		var referred *rt.ReferredError
		if err != nil && !(immortals && errors.As(err, &referred)) {
			return property.NothingLeft.Broken("%v", err)
		}
	}
	return nil
}

// Freeze returns a frozen copy of v or, if image is set, the graph opened from its image.
func (h *Heap) Freeze(v Handle, image bool) (copied Handle, e machine.Outcome) {
	h.epoch++
	h.verify(v)
	h.Alone(func() {
		f, err := h.Thread.Freeze(v.ref)
		if e = classify(err); e != machine.Fine {
			return
		}
		if image {
			f = h.reopened(f)
		}
		h.s.frozen.add(f)
		copied = h.adopt(f.Root(), map[rt.Ref]Handle{})
	})
	return copied, e
}

// reopened writes f to an image, unloads f, and returns the graph opened from the image.
func (h *Heap) reopened(f *rt.Frozen) *rt.Frozen {
	var file bytes.Buffer
	property.Must(f.WriteTo(&file))
	opened := property.Must(h.Thread.Runtime().OpenImageAt(bytes.NewReader(file.Bytes())))
	if hashOf(opened) != hashOf(f) {
		panic(property.Frozen.Broken("the bytes of an image have changed between writing and opening"))
	}
	if err := h.Thread.Unload(f); err != nil {
		panic(property.Frozen.Broken("a graph to which nobody refers cannot be unloaded: %v", err))
	}
	return opened
}

// adopt notes the containers of a frozen graph, and returns the handle of r. A container's level
// is one more than the highest of its contents. There are no cycles, because every cycle goes
// through a node, and nodes cannot be frozen.
func (h *Heap) adopt(r rt.Ref, seen map[rt.Ref]Handle) Handle {
	if v, ok := seen[r]; ok {
		return v
	}
	var k machine.Kind
	switch y := h.Thread.TypeOf(r); {
	case r == rt.EmptyTuple:
		return Handle{r, emptyTuple}
	case y == record.Type:
		k = machine.Record
	case y.ID() == rt.TypeTuple:
		k = machine.Tuple
	case y.ID() == rt.TypeList:
		k = machine.List
	case y.ID() == rt.TypeDict:
		k = machine.Dict
	default:
		return Handle{ref: r}
	}
	children := h.children(Handle{r, &origin{kind: k}})
	level := 0
	for _, c := range children {
		level = max(level, h.Level(h.adopt(c, seen)))
	}
	var items []rt.Ref
	if k == machine.Tuple {
		items = objects.Tuple(r).Items(h.Thread)
	}
	seen[r] = h.bornHere(r, k, level+1, items...)
	return seen[r]
}
