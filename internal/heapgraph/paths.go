package heapgraph

import (
	"fmt"
	"strings"
)

// Path is a chain of edges that keeps a node alive.
type Path struct {
	Entry Entry  // why the first node is alive
	Nodes []Node // from the first one to the node that was asked for
}

// Paths returns shortest chains to a node, shortest first, and at most that many: one for each
// entry of the nearest nodes that have any. A chain does not go on beyond a node that is alive
// for a reason of its own, except beyond the node that was asked for. No chain leads to None.
func (g *Graph) Paths(to Node, most int) (paths []Path) {
	seen := newReach(g) // its stack is the queue of the search
	seen.add(to)
	next := []int{-1} // by index in the queue: the index of the following node on the way
	for i := 0; i < len(seen.stack) && len(paths) < most; i++ {
		n := seen.stack[i]
		reasons := g.reasons(n)
		if len(reasons) > 0 {
			var nodes []Node
			for at := i; at >= 0; at = next[at] {
				nodes = append(nodes, seen.stack[at])
			}
			for _, e := range reasons[:min(most-len(paths), len(reasons))] {
				paths = append(paths, Path{e, nodes})
			}
		}
		if len(reasons) > 0 && n != to {
			continue
		}
		for _, s := range g.Sources(n) {
			if !seen.has(s) {
				seen.add(s)
				next = append(next, i)
			}
		}
	}
	return paths
}

// reasons returns the entries of a node. Every immortal is a reason by itself, even if another
// one reaches it.
func (g *Graph) reasons(n Node) []Entry {
	list := g.EntriesOf(n)
	if g.Flags[n]&(Immortal|Frozen) == Immortal && (len(list) == 0 || list[len(list)-1].Holder != undying) {
		list = append(list[:len(list):len(list)], Entry{n, 0, undying})
	}
	return list
}

// PathText writes a path in one line: its holder, with the number of counts if there are several, and
// each step. The function step returns what the text says of step i, of so many; the slot of the first
// is the holder's.
func PathText(holder string, count int64, steps int, step func(i int) (slot, name, ref string)) string {
	var b strings.Builder
	b.WriteString(holder)
	if count > 1 {
		fmt.Fprintf(&b, " (%d counts)", count)
	}
	for i := range steps {
		slot, name, ref := step(i)
		if i > 0 {
			b.WriteString(" " + slot)
		}
		fmt.Fprintf(&b, " → %s %s", name, ref)
	}
	return b.String()
}
