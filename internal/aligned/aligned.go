// Package aligned has the 64-bit types of go.uber.org/atomic in a form that every
// machine can use. A 32-bit one aligns a uint64 field to 4 bytes and panics when an
// atomic operation meets one that is not aligned to 8; the types of go.uber.org/atomic
// leave that to who embeds them. These begin with an array of no elements, whose type
// the compiler aligns to 8 everywhere.
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
