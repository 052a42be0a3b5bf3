// Package draw draws slices with rapid.
package draw

import (
	"slices"

	"pgregory.net/rapid"
)

// Slice draws at most n elements, and often nearly n. Rapid's own slices have five elements on
// average, and one with a minimum length cannot shrink below it. Groups of groups of elements
// avoid both.
func Slice[E any](t *rapid.T, label string, g *rapid.Generator[E], n int) []E {
	groups := rapid.SliceOfN(rapid.SliceOfN(rapid.SliceOfN(g, 0, 10), 0, 10), 0, max(n/10, 1))
	flat := rapid.Custom(func(t *rapid.T) []E {
		all := slices.Concat(slices.Concat(groups.Draw(t, "groups")...)...)
		return all[:min(n, len(all))]
	})
	return flat.Draw(t, label)
}
