package heapgraph

// Dominators by the algorithm of Lengauer and Tarjan ("A fast algorithm for finding dominators in
// a flowgraph", TOPLAS 1979), in its simple version: O(m log n) whatever the shape of the graph.
// Iterative algorithms (Cooper, Harvey and Kennedy) walk up the tree at each edge, which takes
// quadratic time on long lists, and heaps have long lists.
//
// Nodes are renumbered in preorder of a depth-first search from a virtual node 0, whose edges
// are the entries. All words below are preorder numbers:
//
//	parent    in the tree of the search
//	semi      the semidominator found so far
//	ancestor  in the forest of the nodes that have been linked; unlinked for its roots
//	label     the node with the least semi on the way up to the forest's root
//	dom       the dominator, at the end
//	bucket    the first of the nodes that have a given semidominator; next links them
type dominating struct {
	number []uint32 // preorder number by node
	vertex []Node   // node by preorder number

	parent, semi, ancestor, label, dom, bucket, next []uint32

	way []uint32 // scratch of compress
}

const unlinked = 1<<32 - 1

// search numbers all nodes. All are reached, since entries lead to all.
func (d *dominating) search(g *Graph) {
	n := g.Len()
	d.number, d.vertex, d.parent = make([]uint32, n), make([]Node, 1, n+1), make([]uint32, 1, n+1)
	d.vertex[0] = None
	type step struct {
		node Node
		edge uint32 // the next one to follow
	}
	var way []step
	enter := func(n Node, parent uint32) {
		d.number[n] = uint32(len(d.vertex))
		d.vertex = append(d.vertex, n)
		d.parent = append(d.parent, parent)
		way = append(way, step{n, g.First[n]})
	}
	for _, e := range g.Entries() {
		if d.number[e.Node] == 0 {
			enter(e.Node, 0)
		}
		for len(way) > 0 {
			s := &way[len(way)-1]
			if s.edge == g.First[s.node+1] {
				way = way[:len(way)-1]
				continue
			}
			t := g.To[s.edge]
			s.edge++
			if t != None && d.number[t] == 0 {
				enter(t, d.number[s.node])
			}
		}
	}
}

// eval returns the node with the least semidominator on the way from v up to the root of its
// tree in the forest, without that root.
func (d *dominating) eval(v uint32) uint32 {
	if d.ancestor[v] == unlinked {
		return v
	}
	d.way = d.way[:0]
	for x := v; d.ancestor[d.ancestor[x]] != unlinked; x = d.ancestor[x] {
		d.way = append(d.way, x)
	}
	for i := len(d.way) - 1; i >= 0; i-- {
		x := d.way[i]
		a := d.ancestor[x]
		if d.semi[d.label[a]] < d.semi[d.label[x]] {
			d.label[x] = d.label[a]
		}
		d.ancestor[x] = d.ancestor[a]
	}
	return d.label[v]
}

// run finds the dominators of all nodes.
func (d *dominating) run(g *Graph) {
	d.search(g)
	n := uint32(len(d.vertex))
	words := make([]uint32, 6*uint64(n))
	for i, column := range []*[]uint32{&d.semi, &d.ancestor, &d.label, &d.dom, &d.bucket, &d.next} {
		*column = words[uint64(i)*uint64(n):][:n:n]
	}
	for i := range n {
		d.semi[i], d.label[i], d.ancestor[i] = i, i, unlinked
	}
	entered := make([]uint64, (g.Len()+63)/64)
	for _, e := range g.Entries() {
		entered[e.Node/64] |= 1 << (e.Node % 64)
	}
	for w := n - 1; w > 0; w-- {
		node := d.vertex[w]
		if entered[node/64]>>(node%64)&1 != 0 {
			d.semi[w] = 0
		} else {
			for _, s := range g.Sources(node) {
				d.semi[w] = min(d.semi[w], d.semi[d.eval(d.number[s])])
			}
		}
		d.next[w], d.bucket[d.semi[w]] = d.bucket[d.semi[w]], w
		p := d.parent[w]
		d.ancestor[w] = p
		for v := d.bucket[p]; v != 0; v = d.next[v] {
			if u := d.eval(v); d.semi[u] < d.semi[v] {
				d.dom[v] = u
			} else {
				d.dom[v] = p
			}
		}
		d.bucket[p] = 0
	}
	for w := uint32(1); w < n; w++ {
		if d.dom[w] != d.semi[w] {
			d.dom[w] = d.dom[d.dom[w]]
		}
	}
}
