package parts

import (
	"bytes"
	"errors"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/objects"
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
	if _, err := f.WriteTo(h); err != nil {
		panic(err)
	}
	return h.Sum64()
}

func (g *frozenGraphs) add(f *rt.Frozen) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = append(g.list, frozenGraph{f, hashOf(f)})
	propFrozen.claim(f.Start(), uintptr(f.Bytes()))
}

// check demands that no byte has changed.
func (g *frozenGraphs) check() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, x := range g.list {
		if hashOf(x.f) != x.hash {
			panic(propFrozen.broken("the bytes of %d frozen objects", x.f.Objects()))
		}
	}
}

// unload checks and unloads all graphs. A graph may stay if immortals refer to it.
func (g *frozenGraphs) unload(r *rt.Runtime, immortals bool) (err error) {
	defer catch(&err)
	g.check()
	for _, x := range g.list {
		disclaim(x.f.Start())
		err := r.Unload(x.f)
		var referred *rt.ReferredError
		if err != nil && !(immortals && errors.As(err, &referred)) {
			return propNone.broken("%v", err)
		}
	}
	return nil
}

// freeze returns a frozen copy of v or, if image is set, the graph opened from its image.
func (h *heap) freeze(v handle, image bool) (copied handle, e outcome) {
	h.epoch++
	h.verify(v)
	h.alone(func() {
		f, err := h.t.Freeze(v.ref)
		if e = classify(err); e != fine {
			return
		}
		if image {
			f = h.reopened(f)
		}
		h.s.frozen.add(f)
		copied = h.adopt(f.Root(), map[rt.Ref]handle{})
	})
	return copied, e
}

// reopened writes f to an image, unloads f, and returns the graph opened from the image.
func (h *heap) reopened(f *rt.Frozen) *rt.Frozen {
	var file bytes.Buffer
	Must(f.WriteTo(&file))
	opened := Must(h.t.Runtime().OpenImageAt(bytes.NewReader(file.Bytes())))
	if hashOf(opened) != hashOf(f) {
		panic(propFrozen.broken("an image is opened as something else than was written"))
	}
	if err := h.t.Unload(f); err != nil {
		panic(propFrozen.broken("a graph to which nobody refers cannot be unloaded: %v", err))
	}
	return opened
}

// adopt notes the containers of a frozen graph, and returns the handle of r. A
// container's level is one more than the highest of its contents. There are no cycles:
// every cycle goes through a node, and nodes cannot be frozen.
func (h *heap) adopt(r rt.Ref, seen map[rt.Ref]handle) handle {
	if v, ok := seen[r]; ok {
		return v
	}
	var k kind
	switch y := h.t.TypeOf(r); {
	case r == rt.EmptyTuple:
		return handle{r, emptyTuple}
	case y == record.Type:
		k = aRecord
	case y.ID() == rt.TypeTuple:
		k = aTuple
	case y.ID() == rt.TypeList:
		k = aList
	case y.ID() == rt.TypeDict:
		k = aDict
	default:
		return handle{ref: r}
	}
	children := h.children(handle{r, &origin{kind: k}})
	level := 0
	for _, c := range children {
		level = max(level, h.level(h.adopt(c, seen)))
	}
	var items []rt.Ref
	if k == aTuple {
		items = objects.Tuple(r).Items(h.t)
	}
	seen[r] = h.bornHere(r, k, level+1, items...)
	return seen[r]
}
