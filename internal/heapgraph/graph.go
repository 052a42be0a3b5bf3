package heapgraph

import (
	"slices"
	"sync"
)

// Node numbers a node. There are fewer than None of them.
type Node = uint32

// None is no node. In the tree of dominators it is the parent of nodes that no node dominates.
const None Node = 1<<32 - 1

// Flags of a node.
const (
	Immortal = 1 << iota // counted by nobody, and never freed
	Frozen               // a frozen graph
	Sticky               // its count has overflowed, and says nothing
)

// Granule is the unit of sizes in bytes.
const Granule = 16

// Graph is a heap. The columns have an entry for each node. They are not changed any more after
// the first question.
type Graph struct {
	Handles []uint32 // ascending
	Kinds   []uint16 // index in Names
	Sizes   []uint32 // in granules, with blocks
	Counts  []uint32 // references; 0 for immortals
	Flags   []uint8
	First   []uint32 // edges of node n: To[First[n]:First[n+1]]
	To      []Node   // None for an edge that leads to no node

	Names   []string // of types
	Holders []Holder
	Roots   []Root

	back    lazy[reverse]
	entries lazy[[]Entry]
	tree    lazy[Tree]
}

// Kind says what a holder is.
type Kind uint8

// The kinds of holders. Those from Code on are not in Graph.Holders.
const (
	Scope     Kind = iota // a scope of a thread
	Call                  // a call of the library in progress
	Finalizer             // a finalizer that is due or running
	Retired               // a reference that waits for a grace period
	Queued                // a reference in a merge queue
	Code                  // Go code: nothing in the heap explains the count
	Loaded                // a frozen graph that is loaded
	Undying               // an immortal object
	Garbage               // a cycle that no collection has found yet
	kinds
)

// Kinds is the number of kinds.
const Kinds = int(kinds)

var kindNames = [Kinds]string{"scope", "call", "finalizer", "retired", "queued", "code", "loaded", "immortal", "garbage"}

func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return "unknown"
}

// Holder owns counts, or is another reason why a node is alive.
type Holder struct {
	Kind Kind
	Name string
}

// Root is one count that a holder owns.
type Root struct {
	Holder int // index in Holders
	Node   Node
}

// Entry is a reason why a node is alive that is no edge.
type Entry struct {
	Node   Node
	Count  uint32 // references; 0 where nothing is counted
	Holder Holder
}

var (
	code    = Holder{Code, "Go code"}
	loaded  = Holder{Loaded, "a loaded frozen graph"}
	undying = Holder{Undying, "immortality"}
	garbage = Holder{Garbage, "a cycle of garbage"}
)

// lazy is a value that is made when first needed.
type lazy[T any] struct {
	once  sync.Once
	value T
}

func (l *lazy[T]) get(make func() T) T {
	l.once.Do(func() { l.value = make() })
	return l.value
}

// Len returns the number of nodes.
func (g *Graph) Len() int { return len(g.Handles) }

// Edges returns the targets of a node's edges.
func (g *Graph) Edges(n Node) []Node { return g.To[g.First[n]:g.First[n+1]] }

// Bytes returns the size of a node.
func (g *Graph) Bytes(n Node) int64 { return int64(g.Sizes[n]) * Granule }

// Name returns the name of a node's type.
func (g *Graph) Name(n Node) string { return g.Names[g.Kinds[n]] }

// Find returns the node with a handle, or the frozen graph around it, or None.
func (g *Graph) Find(handle uint32) Node {
	i, found := slices.BinarySearch(g.Handles, handle)
	if found {
		return Node(i)
	}
	if i--; i >= 0 && g.Flags[i]&Frozen != 0 && handle-g.Handles[i] < g.Sizes[i] {
		return Node(i)
	}
	return None
}

// reverse has the sources of the edges to each node, in ascending order.
type reverse struct {
	first []uint32
	from  []Node
}

// Sources returns the nodes with edges to n, one for each edge.
func (g *Graph) Sources(n Node) []Node {
	b := g.reversed()
	return b.from[b.first[n]:b.first[n+1]]
}

func (g *Graph) reversed() reverse {
	return g.back.get(func() reverse {
		b := reverse{first: make([]uint32, g.Len()+1)}
		for _, t := range g.To {
			if t != None {
				b.first[t+1]++
			}
		}
		for i := range g.Len() {
			b.first[i+1] += b.first[i]
		}
		b.from = make([]Node, b.first[g.Len()])
		next := slices.Clone(b.first)
		for n := range Node(g.Len()) {
			for _, t := range g.Edges(n) {
				if t != None {
					b.from[next[t]] = n
					next[t]++
				}
			}
		}
		return b
	})
}
