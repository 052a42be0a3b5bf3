package scenarios

import (
	"math/rand/v2"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// pathCount is how many paths into a document requests choose from.
const pathCount = 4096

// A path leads from a document's root to a leaf. Its keys are the document's own
// objects, borrowed: they live as long as the document, which nobody changes.
type path []step

// step is an index into a list, or a key of a dict.
type step struct {
	key   rt.Ref // Nil for an index
	index int
}

// follow returns a borrowed reference to what the path leads to.
func (p path) follow(t *rt.Thread, r rt.Ref) rt.Ref {
	for _, s := range p {
		if s.key == rt.Nil {
			r, _ = objects.List(r).At(t, s.index)
		} else {
			r, _ = objects.Dict(r).Lookup(t, s.key)
		}
	}
	return r
}

// findPaths draws paths at random, the same ones in every runtime.
func findPaths(t *rt.Thread, root rt.Ref) []path {
	rnd := rand.New(rand.NewPCG(1, 2))
	paths := make([]path, pathCount)
	entries := map[rt.Ref][]rt.Ref{} // of the dicts that were met
	for i := range paths {
		for r := root; ; {
			s, next, ok := drawStep(t, rnd, entries, r)
			if !ok {
				break
			}
			paths[i] = append(paths[i], s)
			r = next
		}
	}
	return paths
}

// drawStep chooses something in r; ok is false if r is a leaf, or empty.
func drawStep(t *rt.Thread, rnd *rand.Rand, entries map[rt.Ref][]rt.Ref, r rt.Ref) (s step, next rt.Ref, ok bool) {
	if n := objects.List(r).Len(t); n > 0 {
		i := rnd.IntN(n)
		next, ok = objects.List(r).At(t, i)
		return step{index: i}, next, ok
	}
	if objects.Dict(r).Len(t) == 0 {
		return step{}, rt.Nil, false
	}
	pairs, known := entries[r]
	if !known {
		pairs = objects.Dict(r).Snapshot(t, nil)
		t.DecRefs(pairs) // the document keeps them
		entries[r] = pairs
	}
	i := rnd.IntN(len(pairs)/2) * 2
	return step{key: pairs[i]}, pairs[i+1], true
}
