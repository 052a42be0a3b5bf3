//go:build explore

package objects

// gates are as few as do: each of them is a step for code that shuts them all.
const gates = 2

// refuseBlocks has lists find no memory for blocks.
var refuseBlocks = false

// UsualSizes undoes what the functions below have set. Any goroutine, while nobody
// uses an object, as they.
func UsualSizes() { gatesFrom, refuseBlocks = 2048, false }

// RefuseBlocks has lists find no memory for blocks: the explorer cannot afford to use it
// up. Any goroutine.
func RefuseBlocks() { refuseBlocks = true }

// SetGatesFrom has tables with room for n entries have gates: the explorer cannot afford
// tables of the size that they have otherwise. Any goroutine.
func SetGatesFrom(n int) { gatesFrom = n }
