// Package aligned has the 64-bit types of go.uber.org/atomic, aligned on every machine.
// A 32-bit machine aligns a uint64 field to 4 bytes, and panics in an atomic operation
// on a field that is not aligned to 8. The types of go.uber.org/atomic leave the
// alignment to the structs that embed them. The types here begin with an array without elements,
// whose type the compiler aligns to 8 everywhere.
package aligned

import (
	std "sync/atomic"

	"go.uber.org/atomic"
)

// Int64 is an atomic.Int64, aligned. Any goroutine.
type Int64 struct {
	_ [0]std.Int64
	atomic.Int64
}

// Uint64 is an atomic.Uint64, aligned. Any goroutine.
type Uint64 struct {
	_ [0]std.Uint64
	atomic.Uint64
}
