package heapfile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"slices"

	"github.com/ichor-go/ichor/internal/heapgraph"
	"github.com/ichor-go/ichor/sched"
)

// Making a graph takes four steps. The first, the second and the last one look at all chunks in
// parallel:
//
//	measure  decode each chunk, and count its objects and edges
//	fill     decode them again into the columns, with handles as the targets of edges
//	index    note where objects begin
//	resolve  replace handles by nodes

// part says what a chunk adds to the columns.
type part struct {
	chunk       []byte
	first, last uint32 // handles
	nodes       uint64
	edges       uint64

	node, edge uint64 // where they begin in the columns
}

// Graph checks all records and makes a graph of them.
func (s *Snapshot) Graph() (*heapgraph.Graph, error) {
	g := &heapgraph.Graph{}
	kinds, err := s.kinds(g)
	if err != nil {
		return nil, err
	}
	for i, h := range s.Holders {
		if h.Kind >= heapgraph.Code {
			return nil, fmt.Errorf("holder %d is of the unknown kind %d", i, h.Kind)
		}
	}
	parts, err := s.measure()
	if err != nil {
		return nil, err
	}
	var nodes, edges uint64
	for i := range parts {
		parts[i].node, parts[i].edge = nodes, edges
		nodes, edges = nodes+parts[i].nodes, edges+parts[i].edges
	}
	if max(nodes, edges) >= math.MaxUint32 {
		return nil, fmt.Errorf("%d objects with %d references, want fewer than %d", nodes, edges, uint32(math.MaxUint32))
	}
	g.Handles, g.Kinds, g.Sizes = make([]uint32, nodes), make([]uint16, nodes), make([]uint32, nodes)
	g.Counts, g.Flags = make([]uint32, nodes), make([]uint8, nodes)
	g.First, g.To = make([]uint32, nodes+1), make([]heapgraph.Node, edges)
	g.First[nodes] = uint32(edges)
	err = inParallel(len(parts), func(i int) error { return parts[i].fill(g, kinds) })
	if err != nil {
		return nil, err
	}
	x := newIndex(g)
	err = inParallel(len(parts), func(i int) error {
		p := &parts[i]
		for e := p.edge; e < p.edge+p.edges; e++ {
			g.To[e] = x.node(g.To[e])
		}
		return nil
	})
	for _, h := range s.Holders {
		for _, handle := range h.Handles {
			if n := x.node(handle); n != heapgraph.None {
				g.Roots = append(g.Roots, heapgraph.Root{Holder: len(g.Holders), Node: n})
			}
		}
		g.Holders = append(g.Holders, heapgraph.Holder{Kind: h.Kind, Name: h.Name})
	}
	return g, err
}

// inParallel calls f for 0 to n-1, on as many goroutines as there are cores.
func inParallel(n int, f func(i int) error) error {
	return sched.ForEach(context.Background(), runtime.GOMAXPROCS(0), n, nil, nil,
		func(_ context.Context, _ struct{}, i int) error { return f(i) })
}

// kinds sets the names of types, and returns their indexes by the numbers in records.
func (s *Snapshot) kinds(g *heapgraph.Graph) (map[uint32]uint16, error) {
	kinds := make(map[uint32]uint16, len(s.Kinds))
	for _, k := range s.Kinds {
		if _, twice := kinds[uint32(k.ID)]; twice {
			return nil, fmt.Errorf("two types have the number %d", k.ID)
		}
		kinds[uint32(k.ID)] = uint16(len(g.Names))
		g.Names = append(g.Names, k.Name)
	}
	return kinds, nil
}

// measure returns the parts in ascending order of handles.
func (s *Snapshot) measure() ([]part, error) {
	parts := make([]part, len(s.Chunks))
	err := inParallel(len(parts), func(i int) error {
		p := &parts[i]
		p.chunk = s.Chunks[i]
		d := decoder{b: p.chunk}
		for r := (record{}); d.next(&r); p.nodes++ {
			if p.nodes == 0 {
				p.first = r.handle
			}
			for ok := r.refs; ok; {
				if _, _, ok = d.slot(); ok {
					p.edges++
				}
			}
		}
		if p.last = d.last; d.err == nil && p.nodes == 0 {
			d.err = errors.New("there is no object in it")
		}
		if d.err != nil {
			return fmt.Errorf("chunk %d: %w", i, d.err)
		}
		return nil
	})
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.first, b.first) })
	for i := 1; i < len(parts) && err == nil; i++ {
		if parts[i].first <= parts[i-1].last {
			err = fmt.Errorf("two chunks have objects at %#x", parts[i].first)
		}
	}
	return parts, err
}

// fill decodes the part's records into the columns.
func (p *part) fill(g *heapgraph.Graph, kinds map[uint32]uint16) error {
	d := decoder{b: p.chunk}
	n, e := p.node, p.edge
	known, kind := uint32(math.MaxUint32), uint16(0) // the last one that was looked up
	for r := (record{}); d.next(&r); n++ {
		if r.kind != known {
			k, ok := kinds[r.kind]
			if !ok {
				return fmt.Errorf("object %#x has the unknown type %d", r.handle, r.kind)
			}
			known, kind = r.kind, k
		}
		g.Handles[n], g.Kinds[n], g.Sizes[n], g.Counts[n], g.Flags[n] = r.handle, kind, r.granules, r.count, r.flags
		g.First[n] = uint32(e)
		for ok := r.refs; ok; {
			var target uint32
			if target, _, ok = d.slot(); ok {
				g.To[e] = target
				e++
			}
		}
	}
	return d.err
}

// index finds nodes by their handles, in two loads. It has a page for each 4096 handles, which
// is a bitmap of those that are nodes, with the first node of each word.
type index struct {
	g     *heapgraph.Graph
	pages []*page
}

type page struct {
	bits [64]uint64
	base [64]heapgraph.Node
}

func newIndex(g *heapgraph.Graph) *index {
	x := &index{g: g}
	if n := len(g.Handles); n > 0 {
		x.pages = make([]*page, g.Handles[n-1]/4096+1)
	}
	for n, h := range g.Handles {
		p := x.pages[h/4096]
		if p == nil {
			p = new(page)
			x.pages[h/4096] = p
		}
		w := h / 64 % 64
		if p.bits[w] == 0 {
			p.base[w] = heapgraph.Node(n)
		}
		p.bits[w] |= 1 << (h % 64)
	}
	return x
}

// node returns the node with a handle, or the frozen graph around it, or heapgraph.None.
func (x *index) node(h uint32) heapgraph.Node {
	if i := h / 4096; i < uint32(len(x.pages)) && x.pages[i] != nil {
		w := h / 64 % 64
		if word := x.pages[i].bits[w]; word>>(h%64)&1 != 0 {
			return x.pages[i].base[w] + heapgraph.Node(bits.OnesCount64(word&(1<<(h%64)-1)))
		}
	}
	return x.g.Find(h)
}

// Slots returns, for each node on a path but the first, the number of the first slot with which
// the node before refers to it. Slots are counted as Traverse visits them.
func (s *Snapshot) Slots(g *heapgraph.Graph, path []heapgraph.Node) []uint64 {
	var slots []uint64
	for i := 1; i < len(path); i++ {
		slot, _ := s.slotTo(g.Handles[path[i-1]], func(h uint32) bool { return g.Find(h) == path[i] })
		slots = append(slots, slot)
	}
	return slots
}

// slotTo returns the number of the first slot of an object that leads to another one, and whether
// there is one.
func (s *Snapshot) slotTo(handle uint32, leads func(target uint32) bool) (slot uint64, found bool) {
	var r record
	var in decoder // the chunk with the object
	first := uint32(0)
	for _, c := range s.Chunks {
		if d := (decoder{b: c}); d.next(&r) && r.handle <= handle && r.handle > first {
			in, first = decoder{b: c}, r.handle
		}
	}
	for in.next(&r) && r.handle <= handle {
		slot = 0
		for ok := r.refs; ok; slot++ {
			var target uint32
			var before uint64
			target, before, ok = in.slot()
			slot += before
			if ok && r.handle == handle && leads(target) {
				return slot, true
			}
		}
	}
	return 0, false
}
