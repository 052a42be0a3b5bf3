//go:build race

package suite

// Race says that the race detector is on.
const Race = true
