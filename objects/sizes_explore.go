//go:build explore

package objects

// gates are as few as do: each of them is a step for code that shuts them all.
const gates = 2

// SetGatesFrom has tables with room for n entries have gates, and returns what undoes it:
// the explorer of interleavings cannot afford tables of the size that they have otherwise.
// While no dict is in use.
func SetGatesFrom(n int) (undo func()) {
	was := gatesFrom
	gatesFrom = n
	return func() { gatesFrom = was }
}
