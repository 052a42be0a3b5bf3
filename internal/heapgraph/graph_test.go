package heapgraph

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// draw makes a graph of any shape. Its counts are at least what edges and roots explain, except
// for those of immortals.
func draw(t *rapid.T) *Graph {
	n := rapid.IntRange(0, 12).Draw(t, "nodes")
	g := &Graph{Names: []string{"a", "b", "c"}, First: []uint32{0}, Holders: []Holder{{Scope, "scope 1"}, {Retired, "thread 2"}}}
	explained := make([]uint32, n)
	handle := uint32(0)
	for i := range n {
		handle += uint32(rapid.IntRange(1, 5).Draw(t, "gap"))
		g.Handles = append(g.Handles, handle)
		g.Kinds = append(g.Kinds, uint16(rapid.IntRange(0, 2).Draw(t, "type")))
		g.Sizes = append(g.Sizes, uint32(rapid.IntRange(1, 9).Draw(t, "size")))
		g.Flags = append(g.Flags, rapid.SampledFrom([]uint8{0, 0, 0, 0, Immortal, Immortal | Frozen, Sticky}).Draw(t, "flags"))
		for range rapid.IntRange(0, 4).Draw(t, "edges") {
			to := Node(rapid.IntRange(0, n).Draw(t, fmt.Sprintf("edge of %d", i)))
			if to == Node(n) {
				to = None
			} else {
				explained[to]++
			}
			g.To = append(g.To, to)
		}
		g.First = append(g.First, uint32(len(g.To)))
	}
	for range rapid.IntRange(0, 3).Draw(t, "roots") {
		if n > 0 {
			r := Root{rapid.IntRange(0, 1).Draw(t, "holder"), Node(rapid.IntRange(0, n-1).Draw(t, "root"))}
			g.Roots = append(g.Roots, r)
			explained[r.Node]++
		}
	}
	for i := range n {
		g.Counts = append(g.Counts, 0)
		if g.Flags[i]&Immortal == 0 {
			g.Counts[i] = explained[i] + uint32(rapid.SampledFrom([]int{0, 0, 0, 2}).Draw(t, "excess"))
		}
	}
	return g
}

// reachable is the slow and simple way: the nodes that entries lead to if one node is removed.
func reachable(g *Graph, without Node) map[Node]bool {
	seen := map[Node]bool{}
	var visit func(n Node)
	visit = func(n Node) {
		if n != None && n != without && !seen[n] {
			seen[n] = true
			for _, to := range g.Edges(n) {
				visit(to)
			}
		}
	}
	for _, e := range g.Entries() {
		visit(e.Node)
	}
	return seen
}

// A node dominates the others that are not reachable without it. What it retains is these and
// itself.
func TestDominators(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := draw(t)
		tree := g.Tree()
		if got := len(reachable(g, None)); got != g.Len() {
			t.Fatalf("entries lead to %d nodes of %d: %v", got, g.Len(), g.Entries())
		}
		dominators := make([][]Node, g.Len()) // all of them, by node
		for d := range Node(g.Len()) {
			left := reachable(g, d)
			want := int64(0)
			for n := range Node(g.Len()) {
				if !left[n] {
					want += g.Bytes(n)
					if n != d {
						dominators[n] = append(dominators[n], d)
					}
				}
			}
			if tree.Retained[d] != want {
				t.Fatalf("node %d retains %d bytes, want %d", d, tree.Retained[d], want)
			}
		}
		for n := range Node(g.Len()) {
			for _, d := range dominators[n] {
				if g.Flags[n]&Immortal != 0 && g.Flags[d]&Immortal == 0 {
					t.Fatalf("the mortal %d dominates the immortal %d", d, n)
				}
			}
			// The nearest dominator is the one that all others dominate.
			want := None
			for _, d := range dominators[n] {
				if len(dominators[d]) == len(dominators[n])-1 {
					want = d
				}
			}
			if tree.Dominator[n] != want {
				t.Fatalf("the dominator of %d is %d, want %d of %v", n, tree.Dominator[n], want, dominators[n])
			}
			if !slices.Contains(tree.Children(want), n) {
				t.Fatalf("%d is not among the children of %d", n, want)
			}
		}
		checkSums(t, g, dominators)
	})
}

// The bytes that a type retains are those that would be freed with all objects of the type, as
// far as one object alone holds each of them.
func checkSums(t *rapid.T, g *Graph, dominators [][]Node) {
	for k, s := range g.Sums(true) {
		var nodes, bytes, retained int64
		for n := range Node(g.Len()) {
			same := func(d Node) bool { return int(g.Kinds[d]) == k }
			if same(n) {
				nodes++
				bytes += g.Bytes(n)
			}
			if same(n) || slices.ContainsFunc(dominators[n], same) {
				retained += g.Bytes(n)
			}
		}
		if want := (Sum{g.Names[k], nodes, bytes, retained}); s != want {
			t.Fatalf("%+v, want %+v", s, want)
		}
		want := Sum{g.Names[k], nodes, bytes, 0}
		if s := g.Sums(false)[k]; s != want {
			t.Fatalf("%+v, want %+v", s, want)
		}
	}
}

// A path follows edges, begins at a reason, and is as short as any.
func TestPaths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := draw(t)
		for to := range Node(g.Len()) {
			paths := g.Paths(to, 100)
			if len(paths) == 0 {
				t.Fatalf("no path leads to node %d", to)
			}
			distance := map[Node]int{to: 0} // from each node to this one, by way of nodes without reasons
			for changed := true; changed; {
				changed = false
				for n := range Node(g.Len()) {
					for _, s := range g.Edges(n) {
						if d, ok := distance[s]; ok && (s == to || len(g.reasons(s)) == 0) {
							if was, ok := distance[n]; !ok || d+1 < was {
								distance[n], changed = d+1, true
							}
						}
					}
				}
			}
			shortest := g.Len() + 1
			for n, d := range distance {
				if len(g.reasons(n)) > 0 {
					shortest = min(shortest, d)
				}
			}
			for i, p := range paths {
				first := p.Nodes[0]
				if !slices.Contains(g.reasons(first), p.Entry) || p.Entry.Node != first || p.Nodes[len(p.Nodes)-1] != to {
					t.Fatalf("path %+v to %d", p, to)
				}
				for k := range len(p.Nodes) - 1 {
					if !slices.Contains(g.Edges(p.Nodes[k]), p.Nodes[k+1]) {
						t.Fatalf("path %+v to %d has no edge from %d", p, to, p.Nodes[k])
					}
					if k > 0 && len(g.reasons(p.Nodes[k])) > 0 {
						t.Fatalf("path %+v to %d goes on beyond %d", p, to, p.Nodes[k])
					}
				}
				if len(p.Nodes)-1 != distance[first] || i == 0 && len(p.Nodes)-1 != shortest || i > 0 && len(p.Nodes) < len(paths[i-1].Nodes) {
					t.Fatalf("path %d of %+v to %d, whose shortest one has %d edges", i, paths, to, shortest)
				}
			}
			if few := g.Paths(to, 1); len(few) != 1 || few[0].Entry != paths[0].Entry {
				t.Fatalf("the first path to %d is %+v, of %+v", to, few, paths)
			}
		}
	})
}

// Counts that edges and roots do not explain are entries of Go code; the rest is found in the
// order that the documentation gives.
func TestEntries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := draw(t)
		for n := range Node(g.Len()) {
			in, rooted := 0, 0
			for _, to := range g.To {
				if to == n {
					in++
				}
			}
			for _, r := range g.Roots {
				if r.Node == n {
					rooted++
				}
			}
			if len(g.Sources(n)) != in {
				t.Fatalf("node %d has %d sources, want %d", n, len(g.Sources(n)), in)
			}
			held, excess := 0, 0
			for _, e := range g.EntriesOf(n) {
				switch e.Holder.Kind {
				case Scope, Retired:
					held += int(e.Count)
				case Code:
					excess += int(e.Count)
				case Undying:
					if g.Flags[n] != Immortal {
						t.Fatalf("node %d is not immortal", n)
					}
				case Loaded:
					if g.Flags[n]&Frozen == 0 {
						t.Fatalf("node %d is not frozen", n)
					}
				case Garbage:
					if in == 0 && g.Counts[n] > 0 || g.Flags[n] != 0 {
						t.Fatalf("node %d is no garbage", n)
					}
					if other := reachedElse(g, n); other != None {
						t.Fatalf("garbage node %d is reached from %d", n, other)
					}
				}
			}
			want := 0
			if g.Flags[n] == 0 {
				want = int(g.Counts[n]) - in - rooted
			}
			if held != rooted || excess != want {
				t.Fatalf("node %d: roots hold %d counts and code %d, want %d and %d", n, held, excess, rooted, want)
			}
		}
		list := g.Excess(3)
		for i, e := range list {
			if e.Holder != code || i > 0 && e.Count > list[i-1].Count || i > 2 {
				t.Fatalf("excess %+v", list)
			}
		}
	})
}

// reachedElse returns the node of another entry that leads to n, or None.
func reachedElse(g *Graph, n Node) Node {
	for _, e := range g.Entries() {
		r := newReach(g)
		if r.from(e.Node); e.Node != n && r.has(n) {
			return e.Node
		}
	}
	return None
}

// A count that is too small is an error in the heap. It hides no other entry.
func TestCountTooSmall(t *testing.T) {
	g := &Graph{
		Names: []string{"a"}, Handles: []uint32{2, 4}, Kinds: []uint16{0, 0}, Sizes: []uint32{1, 1}, Flags: []uint8{0, 0},
		Counts: []uint32{2, 0}, First: []uint32{0, 2, 2}, To: []Node{1, 1},
	}
	if got := fmt.Sprint(g.Entries()); got != "[{0 2 {code Go code}}]" {
		t.Errorf("entries %s", got)
	}
}

func TestFind(t *testing.T) {
	g := &Graph{Handles: []uint32{10, 20, 30}, Sizes: []uint32{2, 5, 5}, Flags: []uint8{0, Immortal | Frozen, 0}}
	for handle, want := range map[uint32]Node{9: None, 10: 0, 11: None, 20: 1, 24: 1, 25: None, 30: 2, 31: None} {
		if got := g.Find(handle); got != want {
			t.Errorf("handle %d is node %d, want %d", handle, got, want)
		}
	}
}

// A list a million long takes no stack, and time in proportion.
func TestLongList(t *testing.T) {
	const n = 1 << 20
	g := &Graph{Names: []string{"a"}, First: []uint32{0}}
	for i := range Node(n) {
		g.Handles, g.Kinds, g.Sizes = append(g.Handles, i), append(g.Kinds, 0), append(g.Sizes, 1)
		g.Flags, g.Counts = append(g.Flags, 0), append(g.Counts, 1)
		if i > 0 && i < n-1 {
			g.Counts[i] = 2
		}
		if i > 0 {
			g.To = append(g.To, i-1) // every node leads to the one before and to the one after
		}
		if i < n-1 {
			g.To = append(g.To, i+1)
		}
		g.First = append(g.First, uint32(len(g.To)))
	}
	g.Counts[0]++ // the only one that nothing explains
	if got := g.Tree().Retained[n/2]; got != n/2*Granule {
		t.Errorf("the middle retains %d bytes, want %d", got, n/2*Granule)
	}
	if s := g.Sums(true)[0]; s.Retained != n*Granule {
		t.Errorf("%+v", s)
	}
	if p := g.Paths(n/2, 1); len(p[0].Nodes) != n/2+1 {
		t.Errorf("a path of %d nodes", len(p[0].Nodes))
	}
}
