package heapgraph

import "slices"

// Tree is the tree of dominators.
type Tree struct {
	Dominator []Node  // by node; None for nodes that no node dominates
	Retained  []int64 // bytes, by node

	first    []uint32 // the nodes that node n dominates at once: children[first[n]:first[n+1]]; n = Len for None
	children []Node
}

// Tree returns the tree of dominators.
func (g *Graph) Tree() *Tree {
	g.tree.get(func() (t Tree) {
		var d dominating
		d.run(g)
		n := g.Len()
		t.Dominator, t.Retained = make([]Node, n), make([]int64, n)
		for i := range n {
			t.Retained[i] = g.Bytes(Node(i))
		}
		for w := len(d.vertex) - 1; w > 0; w-- { // a dominator has a smaller number
			node, dom := d.vertex[w], d.vertex[d.dom[w]]
			t.Dominator[node] = dom
			if dom != None {
				t.Retained[dom] += t.Retained[node]
			}
		}
		t.index()
		return t
	})
	return &g.tree.value
}

// index sorts the nodes by their dominators.
func (t *Tree) index() {
	n := uint32(len(t.Dominator))
	t.first = make([]uint32, n+2)
	at := func(dom Node) uint32 { return min(dom, n) }
	for _, dom := range t.Dominator {
		t.first[at(dom)+1]++
	}
	for i := range n + 1 {
		t.first[i+1] += t.first[i]
	}
	t.children = make([]Node, n)
	next := slices.Clone(t.first)
	for node, dom := range t.Dominator {
		t.children[next[at(dom)]] = Node(node)
		next[at(dom)]++
	}
}

// Children returns the nodes that a node dominates at once, or those that none dominates for
// None, in ascending order.
func (t *Tree) Children(n Node) []Node {
	i := min(n, uint32(len(t.Dominator)))
	return t.children[t.first[i]:t.first[i+1]]
}

// Sum is what the nodes of one type add up to.
type Sum struct {
	Name     string
	Nodes    int64
	Bytes    int64
	Retained int64 // of the nodes that no node of the same type dominates; 0 without a tree
}

// Sums adds up the nodes by type, in the order of Names. If tree is false, it leaves out
// Retained, which takes by far the longest.
func (g *Graph) Sums(tree bool) []Sum {
	sums := make([]Sum, len(g.Names))
	for i, name := range g.Names {
		sums[i].Name = name
	}
	for n, k := range g.Kinds {
		sums[k].Nodes++
		sums[k].Bytes += g.Bytes(Node(n))
	}
	if tree {
		g.addRetained(sums)
	}
	return sums
}

// addRetained walks down the tree, and counts how many nodes of each type are on the way.
func (g *Graph) addRetained(sums []Sum) {
	t := g.Tree()
	above := make([]uint32, len(sums))
	type step struct {
		node Node
		next uint32 // the next child to enter
	}
	way := []step{{None, t.first[len(t.Dominator)]}}
	for len(way) > 0 {
		s := &way[len(way)-1]
		if s.next < t.first[min(s.node, uint32(len(t.Dominator)))+1] {
			c := t.children[s.next]
			s.next++
			k := g.Kinds[c]
			if above[k] == 0 {
				sums[k].Retained += t.Retained[c]
			}
			above[k]++
			way = append(way, step{c, t.first[c]})
			continue
		}
		if s.node != None {
			above[g.Kinds[s.node]]--
		}
		way = way[:len(way)-1]
	}
}
