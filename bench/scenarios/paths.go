package scenarios

import (
	"math/rand/v2"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// pathCount is the number of paths into a document that requests choose from.
const pathCount = 4096

// A path leads from the root of a document to a leaf. Its keys are borrowed from the document:
// they live as long as that, since nothing changes the document.
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

// findPaths draws random paths, the same in every runtime.
func findPaths(t *rt.Thread, root rt.Ref) []path {
	rnd := rand.New(rand.NewPCG(1, 2))
	paths := make([]path, pathCount)
	entries := map[rt.Ref][]rt.Ref{} // of the dicts so far
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

// drawStep draws an element of r. It returns false if r is a leaf, or empty.
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
