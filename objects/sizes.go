//go:build !explore

package objects

// gates is how many gates a table has that has gates.
const gates = 16

// refuseBlocks has lists find no memory for blocks.
const refuseBlocks = false
