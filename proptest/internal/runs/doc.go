// Package runs has the ways in which proptest.Run runs programs, but for the one in package
// traffic.
//
// # Files in reading order
//
//	sequential.go   one thread, compared with the model
//	interleaved.go  several threads that take turns on one goroutine
//	concurrent.go   several goroutines
//	moved.go        one thread, whose heap is shared in the middle
package runs

import "github.com/ichor-go/ichor/proptest/internal/counts"

// ran counts a program and its operations.
func ran(way string, ops int) {
	counts.Add(way+" programs", 1)
	counts.Add(way+" programs: operations", ops)
}
