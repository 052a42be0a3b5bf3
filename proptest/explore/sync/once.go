//go:build explore

package sync

import (
	"unsafe"

	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/proptest/explore/atomic"
	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
)

// Once is [original.Once] under the control of an exploration.
type Once struct {
	done atomic.Bool
	mu   Mutex
}

// Do calls f if it is the first call. Other calls return when f has.
//
//go:norace
func (o *Once) Do(f func()) {
	if o.done.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.done.Load() {
		defer o.done.Store(true)
		f()
	}
}

// outcome is what a function has done that is called once.
type outcome struct {
	once  Once
	valid bool
	p     any
}

// do calls f if it is the first call, and panics with the value that f has panicked with.
func (o *outcome) do(f func()) {
	o.once.Do(func() {
		defer func() {
			if o.p = recover(); !o.valid {
				panic(o.p)
			}
		}()
		f()
		o.valid = true
	})
	if !o.valid {
		panic(o.p)
	}
}

// OnceFunc returns a function that calls f once.
func OnceFunc(f func()) func() {
	o := &outcome{}
	return func() { o.do(f) }
}

// OnceValue returns a function that calls f once, and returns its value.
func OnceValue[T any](f func() T) func() T {
	o := &outcome{}
	var v T
	return func() T {
		o.do(func() { v = f() })
		return v
	}
}

// OnceValues returns a function that calls f once, and returns its values.
func OnceValues[T1, T2 any](f func() (T1, T2)) func() (T1, T2) {
	o := &outcome{}
	var (
		v1 T1
		v2 T2
	)
	return func() (T1, T2) {
		o.do(func() { v1, v2 = f() })
		return v1, v2
	}
}

// at is a point before an operation on a Map or a Pool.
//
//go:norace
func at(k point.Kind, p unsafe.Pointer, what string) *engine.Thread {
	return engine.Before(k, p, 1, what)
}
