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
	sources := g.reversed().first
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
	reached := newReach(g)
	for _, e := range list {
		reached.from(e.Node)
	}
	for _, rest := range []struct {
		flag   uint8
		cycles bool
		holder Holder
	}{{Immortal, false, undying}, {Immortal, true, undying}, {0, false, garbage}, {0, true, garbage}} {
		for n := range Node(g.Len()) {
			if !reached.has(n) && g.Flags[n]&Immortal == rest.flag && (rest.cycles || sources[n] == sources[n+1]) {
				list = append(list, Entry{n, 0, rest.holder})
				reached.from(n)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Entry) int { return cmp.Compare(a.Node, b.Node) })
	return list
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
