//go:build explore

package point

import (
	"sync"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
)

// Mutex is a sync.Mutex that a thread may hold at a point: threads that want it are not
// enabled meanwhile.
type Mutex struct {
	mu   sync.Mutex
	held bool
}

// Lock locks m.
//
//go:norace
func (m *Mutex) Lock() {
	if x := mine(); x != nil {
		x.at(Op{Acquire, address(m), 1}, m.free)
	}
	m.mu.Lock()
	m.held = true
}

//go:norace
func (m *Mutex) free() bool { return !m.held }

// TryLock locks m if it is free, and reports whether it did.
//
//go:norace
func (m *Mutex) TryLock() bool {
	at(Op{AtomicUpdate, address(m), 1}, nil)
	if !m.mu.TryLock() {
		return false
	}
	m.held = true
	return true
}

// Unlock unlocks m.
//
//go:norace
func (m *Mutex) Unlock() {
	if x := mine(); x != nil {
		if !m.held {
			return // a thread that waits for it is being unwound
		}
		x.Note(Op{Release, address(m), 1})
	}
	m.held = false
	m.mu.Unlock()
}

// The types of go.uber.org/atomic and internal/aligned, with a point before each
// operation.

// Uint32 is an atomic.Uint32.
type Uint32 struct{ v atomic.Uint32 }

func (x *Uint32) Load() uint32         { Load(x); return x.v.Load() }
func (x *Uint32) Store(v uint32)       { Store(x); x.v.Store(v) }
func (x *Uint32) Swap(v uint32) uint32 { Update(x); return x.v.Swap(v) }
func (x *Uint32) Inc() uint32          { Update(x); return x.v.Inc() }
func (x *Uint32) Add(d uint32) uint32  { Update(x); return x.v.Add(d) }
func (x *Uint32) CompareAndSwap(old, v uint32) bool {
	Update(x)
	return x.v.CompareAndSwap(old, v)
}

// Uint64 is an aligned.Uint64.
type Uint64 struct{ v aligned.Uint64 }

func (x *Uint64) Load() uint64        { Load(x); return x.v.Load() }
func (x *Uint64) Store(v uint64)      { Store(x); x.v.Store(v) }
func (x *Uint64) Inc() uint64         { Update(x); return x.v.Inc() }
func (x *Uint64) Add(d uint64) uint64 { Update(x); return x.v.Add(d) }
func (x *Uint64) CompareAndSwap(old, v uint64) bool {
	Update(x)
	return x.v.CompareAndSwap(old, v)
}

// Int64 is an aligned.Int64.
type Int64 struct{ v aligned.Int64 }

func (x *Int64) Load() int64       { Load(x); return x.v.Load() }
func (x *Int64) Store(v int64)     { Store(x); x.v.Store(v) }
func (x *Int64) Inc() int64        { Update(x); return x.v.Inc() }
func (x *Int64) Add(d int64) int64 { Update(x); return x.v.Add(d) }
func (x *Int64) CompareAndSwap(old, v int64) bool {
	Update(x)
	return x.v.CompareAndSwap(old, v)
}

// Bool is an atomic.Bool.
type Bool struct{ v atomic.Bool }

func (x *Bool) Load() bool   { Load(x); return x.v.Load() }
func (x *Bool) Store(v bool) { Store(x); x.v.Store(v) }
func (x *Bool) CompareAndSwap(old, v bool) bool {
	Update(x)
	return x.v.CompareAndSwap(old, v)
}

// Pointer is an atomic.Pointer.
type Pointer[T any] struct{ v atomic.Pointer[T] }

func (x *Pointer[T]) Load() *T     { Load(x); return x.v.Load() }
func (x *Pointer[T]) Store(v *T)   { Store(x); x.v.Store(v) }
func (x *Pointer[T]) Swap(v *T) *T { Update(x); return x.v.Swap(v) }
func (x *Pointer[T]) CompareAndSwap(old, v *T) bool {
	Update(x)
	return x.v.CompareAndSwap(old, v)
}
