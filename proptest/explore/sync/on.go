//go:build explore

package sync

import (
	original "sync"
	"unsafe"

	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
)

// Locker is [original.Locker].
type Locker = original.Locker

// Each lock has the original inside. A thread asks the model first, and then takes the original,
// which is free: so code outside of the exploration is kept out as well, and the race detector sees
// the order that the lock makes.

// noCopy remembers where a value was when it was first used.
type noCopy struct{ self uintptr }

// check ends the schedule if the value has been copied.
//
//go:norace
func (c *noCopy) check(t *engine.Thread) {
	switch here := uintptr(unsafe.Pointer(c)); c.self {
	case here:
	case 0:
		c.self = here
	default:
		t.Misuse("a lock was copied after its first use")
	}
}

// Mutex is [original.Mutex] under the control of an exploration.
type Mutex struct {
	mu   original.Mutex
	copy noCopy
}

// Reset implements engine.Resetter.
//
//go:norace
func (m *Mutex) Reset() { m.mu = original.Mutex{} }

// Lock locks m.
//
//go:norace
func (m *Mutex) Lock() {
	if t := engine.Me(); t != nil {
		m.copy.check(t)
		t.Lock(unsafe.Pointer(m), m)
	}
	m.mu.Lock()
}

// TryLock locks m if it is free, and reports whether it did.
//
//go:norace
func (m *Mutex) TryLock() bool {
	if t := engine.Me(); t != nil {
		m.copy.check(t)
		if !t.TryLock(unsafe.Pointer(m), m) {
			return false
		}
	}
	return m.mu.TryLock()
}

// Unlock unlocks m.
//
//go:norace
func (m *Mutex) Unlock() {
	if t := engine.Me(); t != nil {
		m.copy.check(t)
		if !t.Unlock(unsafe.Pointer(m), m) {
			return
		}
	}
	m.mu.Unlock()
}

// RWMutex is [original.RWMutex] under the control of an exploration.
type RWMutex struct {
	mu   original.RWMutex
	copy noCopy
}

// Reset implements engine.Resetter.
//
//go:norace
func (m *RWMutex) Reset() { m.mu = original.RWMutex{} }

// Lock locks m for writing.
//
//go:norace
func (m *RWMutex) Lock() {
	if t := engine.Me(); t != nil {
		m.copy.check(t)
		t.WriteLock(unsafe.Pointer(m), m)
	}
	m.mu.Lock()
}

// TryLock locks m for writing if it is free, and reports whether it did.
//
//go:norace
func (m *RWMutex) TryLock() bool {
	if t := engine.Me(); t != nil {
		m.copy.check(t)
		if !t.TryLock(unsafe.Pointer(m), m) {
			return false
		}
	}
	return m.mu.TryLock()
}

// Unlock unlocks m for writing.
//
//go:norace
func (m *RWMutex) Unlock() {
	t := engine.Me()
	if t == nil {
		m.mu.Unlock()
		return
	}
	m.copy.check(t)
	if t.CanWriteUnlock(unsafe.Pointer(m), m) {
		m.mu.Unlock() // before the readers that wait have the lock
		t.WriteUnlock(unsafe.Pointer(m), m)
	}
}

// RLock locks m for reading.
//
//go:norace
func (m *RWMutex) RLock() {
	if t := engine.Me(); t != nil {
		m.copy.check(t)
		t.ReadLock(unsafe.Pointer(m), m)
	}
	m.mu.RLock()
}

// TryRLock locks m for reading if no writer has it or waits, and reports whether it did.
//
//go:norace
func (m *RWMutex) TryRLock() bool {
	if t := engine.Me(); t != nil {
		m.copy.check(t)
		if !t.TryReadLock(unsafe.Pointer(m), m) {
			return false
		}
	}
	return m.mu.TryRLock()
}

// RUnlock undoes one RLock.
//
//go:norace
func (m *RWMutex) RUnlock() {
	if t := engine.Me(); t != nil {
		m.copy.check(t)
		if !t.ReadUnlock(unsafe.Pointer(m), m) {
			return
		}
	}
	m.mu.RUnlock()
}

// RLocker returns a Locker that locks m for reading.
func (m *RWMutex) RLocker() Locker { return (*rlocker)(m) }

type rlocker RWMutex

func (r *rlocker) Lock()   { (*RWMutex)(r).RLock() }
func (r *rlocker) Unlock() { (*RWMutex)(r).RUnlock() }

// WaitGroup is [original.WaitGroup] under the control of an exploration.
type WaitGroup struct {
	wg   original.WaitGroup
	copy noCopy
}

// Reset implements engine.Resetter.
//
//go:norace
func (g *WaitGroup) Reset() { g.wg = original.WaitGroup{} }

// Add adds delta to the counter.
//
//go:norace
func (g *WaitGroup) Add(delta int) {
	if t := engine.Me(); t != nil {
		g.copy.check(t)
		t.Add(unsafe.Pointer(g), g, delta)
		if t.Count(unsafe.Pointer(g), g) < 0 {
			t.Misuse("negative WaitGroup counter")
		}
	}
	g.wg.Add(delta)
}

// Done takes one from the counter.
//
//go:norace
func (g *WaitGroup) Done() { g.Add(-1) }

// Wait waits until the counter is zero.
//
//go:norace
func (g *WaitGroup) Wait() {
	if t := engine.Me(); t != nil {
		g.copy.check(t)
		if t.WaitFor(unsafe.Pointer(g), g); t.Count(unsafe.Pointer(g), g) > 0 {
			t.Acquired(unsafe.Pointer(g)) // it was zero, and has been used again since
			return
		}
	}
	g.wg.Wait()
}

// Go calls f in a new goroutine, which the group counts.
//
//go:norace
func (g *WaitGroup) Go(f func()) {
	t := engine.Me()
	if t == nil {
		g.wg.Go(f)
		return
	}
	g.Add(1)
	t.Go("", func() {
		defer g.Done()
		f()
	})
}

// Cond is [original.Cond] under the control of an exploration.
type Cond struct {
	// L is held while observing or changing the condition.
	L Locker

	cond original.Cond
	copy noCopy
}

// NewCond returns a new Cond with Locker l.
func NewCond(l Locker) *Cond { return &Cond{L: l} }

// outside returns the original, for code outside of an exploration.
func (c *Cond) outside() *original.Cond {
	if c.cond.L == nil {
		c.cond.L = c.L
	}
	return &c.cond
}

// Wait unlocks L, waits for Signal or Broadcast, and locks L again.
//
//go:norace
func (c *Cond) Wait() {
	t := engine.Me()
	if t == nil {
		c.outside().Wait()
		return
	}
	c.copy.check(t)
	t.Enqueue(unsafe.Pointer(c), c)
	c.L.Unlock()
	t.Enqueued(unsafe.Pointer(c))
	c.L.Lock()
}

// Signal wakes one goroutine that waits.
//
//go:norace
func (c *Cond) Signal() {
	if t := engine.Me(); t != nil {
		c.copy.check(t)
		t.Signal(unsafe.Pointer(c), c, false)
		return
	}
	c.outside().Signal()
}

// Broadcast wakes all goroutines that wait.
//
//go:norace
func (c *Cond) Broadcast() {
	if t := engine.Me(); t != nil {
		c.copy.check(t)
		t.Signal(unsafe.Pointer(c), c, true)
		return
	}
	c.outside().Broadcast()
}
