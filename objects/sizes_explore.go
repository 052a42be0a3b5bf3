//go:build explore

package objects

// gates is as low as possible, because each gate is a step for code that shuts them all.
const gates = 2

// refuseBlocks makes lists find no memory for blocks.
var refuseBlocks = false

// UsualSizes undoes the effects of the functions below. Any goroutine, while no thread uses
// an object.
func UsualSizes() { gatesFrom, refuseBlocks = 2048, false }

// RefuseBlocks makes lists find no memory for blocks, because the explorer cannot afford to
// use memory up. Any goroutine, while no thread uses an object.
func RefuseBlocks() { refuseBlocks = true }

// SetGatesFrom gives gates to tables with room for n entries or more, because the explorer
// cannot afford tables of the usual size. Any goroutine, while no thread uses an object.
func SetGatesFrom(n int) { gatesFrom = n }
