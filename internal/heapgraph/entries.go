package heapgraph

import (
	"cmp"
	"slices"
)

// Entries returns all entries, in ascending order of nodes. The package's documentation says
// which there are.
func (g *Graph) Entries() []Entry { return g.entries.get(g.findEntries) }

// EntriesOf returns the entries of a node.
func (g *Graph) EntriesOf(n Node) []Entry {
	all := g.Entries()
	i, _ := slices.BinarySearchFunc(all, n, func(e Entry, n Node) int { return cmp.Compare(e.Node, n) })
	end := i
	for end < len(all) && all[end].Node == n {
		end++
	}
	return all[i:end]
}

func (g *Graph) findEntries() (list []Entry) {
	sources := g.reversed().first // edges to node n: sources[n] to sources[n+1]
	roots := slices.Clone(g.Roots)
	slices.SortStableFunc(roots, func(a, b Root) int { return cmp.Compare(a.Node, b.Node) })
	for n := range Node(g.Len()) {
		explained := uint64(sources[n+1] - sources[n])
		for len(roots) > 0 && roots[0].Node == n {
			explained++
			list = g.addRoot(list, roots[0])
			roots = roots[1:]
		}
		switch flags := g.Flags[n]; {
		case flags&Frozen != 0:
			list = append(list, Entry{n, 0, loaded})
		case flags&Immortal != 0:
		case flags&Sticky != 0:
			list = append(list, Entry{n, 0, code})
		case uint64(g.Counts[n]) > explained:
			list = append(list, Entry{n, uint32(uint64(g.Counts[n]) - explained), code})
		}
	}
	list = g.begin(list, g.allButImmortals(), undying)
	reached := newReach(g)
	for _, e := range list {
		reached.from(e.Node)
	}
	list = g.begin(list, reached, garbage)
	slices.SortStableFunc(list, func(a, b Entry) int { return cmp.Compare(a.Node, b.Node) })
	return list
}

// allButImmortals returns the nodes that can be freed, which are the mortals and the frozen graphs.
func (g *Graph) allButImmortals() *reach {
	r := newReach(g)
	for n, flags := range g.Flags {
		if flags&(Immortal|Frozen) != Immortal {
			r.bits[n/64] |= 1 << (n % 64)
		}
	}
	return r
}

// begin adds entries of a holder until chains of edges lead from them to all nodes that are not
// reached, without those that are. Then all nodes are reached.
func (g *Graph) begin(list []Entry, reached *reach, h Holder) []Entry {
	for _, n := range slices.Backward(g.finishing(reached)) {
		if !reached.has(n) {
			list = append(list, Entry{n, 0, h})
			reached.from(n)
		}
	}
	return list
}

// finishing returns the nodes that are not reached, in the order in which a depth-first search
// among them leaves them. So the last node that is not reached is never reached from others
// that are not, except in a cycle with them (Kosaraju; Sharir, 1981).
func (g *Graph) finishing(reached *reach) (order []Node) {
	seen := newReach(g)
	copy(seen.bits, reached.bits)
	var edges []uint32 // of each node on the way: the next one to follow
	for start := range Node(g.Len()) {
		for seen.add(start); len(seen.stack) > 0; {
			if len(edges) < len(seen.stack) {
				edges = append(edges, g.First[seen.stack[len(edges)]])
			}
			top := len(edges) - 1
			n := seen.stack[top]
			if edges[top] == g.First[n+1] {
				order = append(order, n)
				seen.stack, edges = seen.stack[:top], edges[:top]
				continue
			}
			edges[top]++
			seen.add(g.To[edges[top]-1])
		}
	}
	return order
}

// addRoot adds a root to the entries of the last node in the list. Roots of one holder make one
// entry.
func (g *Graph) addRoot(list []Entry, r Root) []Entry {
	h := g.Holders[r.Holder]
	for i := len(list) - 1; i >= 0 && list[i].Node == r.Node; i-- {
		if list[i].Holder == h {
			list[i].Count++
			return list
		}
	}
	return append(list, Entry{r.Node, 1, h})
}

// reach is the set of the nodes that some others lead to.
type reach struct {
	g     *Graph
	bits  []uint64
	stack []Node
}

func newReach(g *Graph) *reach { return &reach{g: g, bits: make([]uint64, (g.Len()+63)/64)} }

func (r *reach) has(n Node) bool { return r.bits[n/64]>>(n%64)&1 != 0 }

func (r *reach) add(n Node) {
	if n != None && !r.has(n) {
		r.bits[n/64] |= 1 << (n % 64)
		r.stack = append(r.stack, n)
	}
}

// from adds a node and everything that it leads to.
func (r *reach) from(n Node) {
	for r.add(n); len(r.stack) > 0; {
		n := r.stack[len(r.stack)-1]
		r.stack = r.stack[:len(r.stack)-1]
		for _, t := range r.g.Edges(n) {
			r.add(t)
		}
	}
}

// Excess returns the entries of counts that nothing in the heap explains, largest counts first,
// and at most that many. Sticky counts are left out.
func (g *Graph) Excess(most int) (list []Entry) {
	for _, e := range g.Entries() {
		if e.Holder.Kind == Code && e.Count > 0 {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b Entry) int { return cmp.Compare(b.Count, a.Count) })
	return list[:min(most, len(list))]
}
