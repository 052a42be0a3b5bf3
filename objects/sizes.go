//go:build !explore

package objects

// gates is the number of gates of a table that has gates.
const gates = 16

// refuseBlocks makes lists find no memory for blocks. For the explorer.
const refuseBlocks = false
