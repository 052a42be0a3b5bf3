//go:build explore

package sync

import (
	"slices"
	original "sync"
	"sync/atomic"
	"unsafe"

	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
)

// Map is [original.Map] under the control of an exploration. Each operation is one step, and so is
// each call of the function that Range is given. Range takes the keys in the order in which they were
// stored, so that a schedule always does the same.
type Map struct{ m original.Map }

// item is a value with its place in the order of a map.
type item struct {
	value any
	order uint64
}

// orders numbers the items that are stored outside of an exploration. What it is set to does not
// matter, only that it grows.
var orders atomic.Uint64

// newItem returns an item that comes after all others. In an exploration it is numbered by that, which
// the race detector does not take for synchronization.
func newItem(t *engine.Thread, value any) *item {
	if t == nil {
		return &item{value, orders.Add(1)}
	}
	return &item{value, 1<<32 + t.Sequence()}
}

func got(v any, ok bool) (any, bool) {
	if !ok {
		return nil, false
	}
	return v.(*item).value, true
}

// told adds what an operation has done to the trace.
//
//go:norace
func told(t *engine.Thread, args []any, results ...any) {
	if t != nil && t.Traced() {
		t.Values(args, results)
	}
}

// Load returns the value of a key.
func (m *Map) Load(key any) (value any, ok bool) {
	t := at(point.AtomicLoad, unsafe.Pointer(m), "Load")
	value, ok = got(m.m.Load(key))
	told(t, []any{key}, value, ok)
	return value, ok
}

// Store sets the value of a key.
func (m *Map) Store(key, value any) { _, _ = m.swap("Store", key, value) }

// Swap sets the value of a key, and returns the former one.
func (m *Map) Swap(key, value any) (previous any, loaded bool) { return m.swap("Swap", key, value) }

func (m *Map) swap(what string, key, value any) (previous any, loaded bool) {
	t := at(point.AtomicUpdate, unsafe.Pointer(m), what)
	next := newItem(t, value)
	for {
		old, ok := m.m.Load(key)
		if !ok {
			if _, ok = m.m.LoadOrStore(key, next); !ok {
				told(t, []any{key, value})
				return nil, false
			}
			continue
		}
		next.order = old.(*item).order
		if m.m.CompareAndSwap(key, old, next) {
			told(t, []any{key, value}, old.(*item).value)
			return old.(*item).value, true
		}
	}
}

// LoadOrStore returns the value of a key, which it sets if there is none.
func (m *Map) LoadOrStore(key, value any) (actual any, loaded bool) {
	t := at(point.AtomicUpdate, unsafe.Pointer(m), "LoadOrStore")
	v, loaded := m.m.LoadOrStore(key, newItem(t, value))
	actual = v.(*item).value
	told(t, []any{key, value}, actual, loaded)
	return actual, loaded
}

// LoadAndDelete deletes a key, and returns its value.
func (m *Map) LoadAndDelete(key any) (value any, loaded bool) {
	t := at(point.AtomicUpdate, unsafe.Pointer(m), "LoadAndDelete")
	value, loaded = got(m.m.LoadAndDelete(key))
	told(t, []any{key}, value, loaded)
	return value, loaded
}

// Delete deletes a key.
func (m *Map) Delete(key any) {
	t := at(point.AtomicUpdate, unsafe.Pointer(m), "Delete")
	m.m.Delete(key)
	told(t, []any{key})
}

// CompareAndSwap sets the value of a key if it is old, and reports whether it was.
func (m *Map) CompareAndSwap(key, old, new any) (swapped bool) {
	t := at(point.AtomicUpdate, unsafe.Pointer(m), "CompareAndSwap")
	for {
		v, ok := m.m.Load(key)
		if !ok || v.(*item).value != old {
			if t != nil {
				t.Unchanged()
			}
			told(t, []any{key, old, new}, false)
			return false
		}
		if m.m.CompareAndSwap(key, v, &item{new, v.(*item).order}) {
			told(t, []any{key, old, new}, true)
			return true
		}
	}
}

// CompareAndDelete deletes a key if its value is old, and reports whether it was.
func (m *Map) CompareAndDelete(key, old any) (deleted bool) {
	t := at(point.AtomicUpdate, unsafe.Pointer(m), "CompareAndDelete")
	for {
		v, ok := m.m.Load(key)
		if !ok || v.(*item).value != old {
			told(t, []any{key, old}, false)
			return false
		}
		if m.m.CompareAndDelete(key, v) {
			told(t, []any{key, old}, true)
			return true
		}
	}
}

// Range calls f for each key, as long as f returns true.
func (m *Map) Range(f func(key, value any) bool) {
	at(point.AtomicLoad, unsafe.Pointer(m), "Range")
	type entry struct {
		key any
		*item
	}
	var list []entry
	m.m.Range(func(key, v any) bool {
		list = append(list, entry{key, v.(*item)})
		return true
	})
	slices.SortFunc(list, func(a, b entry) int {
		if a.order < b.order {
			return -1
		}
		return 1
	})
	for i, x := range list {
		if i > 0 {
			at(point.AtomicLoad, unsafe.Pointer(m), "Range")
		}
		if value, ok := got(m.m.Load(x.key)); ok && !f(x.key, value) {
			return
		}
	}
}

// Clear deletes all keys.
func (m *Map) Clear() {
	at(point.AtomicUpdate, unsafe.Pointer(m), "Clear")
	m.m.Clear()
}
