//go:build explore

package sync

import (
	"bytes"
	"reflect"
	original "sync"
	"unsafe"

	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
)

// Pool is [original.Pool] under the control of an exploration. What was put last is got first: the
// reuse that shows most mistakes. A pool is empty at the start of each schedule. It checks that
// nobody puts an item twice, or writes to one that was put.
type Pool struct {
	pool original.Pool

	// New makes an item when there is none. It may be nil.
	New func() any
}

// pooled is an item in a pool.
type pooled struct {
	item any
	was  string // the bytes that it points to, when it was put
}

// Put adds an item.
//
//go:norace
func (p *Pool) Put(x any) {
	if x == nil {
		return
	}
	t := engine.Me()
	if t == nil {
		p.pool.Put(x)
		return
	}
	if t.Pooled(unsafe.Pointer(p), p, func(y any) bool { return same(x, y.(*pooled).item) }) {
		t.Misuse("an item was put into a Pool twice")
	}
	if a := memory(x); a != nil {
		engine.Release(a)
	}
	t.Push(unsafe.Pointer(p), p, &pooled{x, content(x)})
}

// Get returns an item, or a new one if there is none.
//
//go:norace
func (p *Pool) Get() any {
	t := engine.Me()
	if t == nil {
		if x := p.pool.Get(); x != nil {
			return x
		}
	} else if y, ok := t.Pop(unsafe.Pointer(p), p); ok {
		x := y.(*pooled)
		if a := memory(x.item); a != nil {
			engine.Acquire(a)
		}
		if content(x.item) != x.was {
			t.Misuse("an item of a Pool was written to after it was put, and is got")
		}
		return x.item
	}
	if p.New != nil {
		return p.New()
	}
	return nil
}

// same reports whether two items are the same memory.
func same(x, y any) bool { a := memory(x); return a != nil && a == memory(y) }

// memory returns what an item points to, or nil if it is not a pointer.
//
//go:norace
func memory(x any) unsafe.Pointer {
	v := reflect.ValueOf(x)
	if v.Kind() != reflect.Pointer || v.Type().Elem().Size() == 0 {
		return nil
	}
	return v.UnsafePointer()
}

// mostContent bounds the bytes of a buffer that are compared.
const mostContent = 4096

// content returns the bytes that an item points to, and those of a buffer. What else is behind pointers
// may be somebody else's.
//
// Same as: reading each field. Safety: the item is a pointer to a value of that size.
//
//go:norace
func content(x any) string {
	a := memory(x)
	if a == nil || engine.Racy { // the race detector judges
		return ""
	}
	s := string(unsafe.Slice((*byte)(a), reflect.TypeOf(x).Elem().Size()))
	switch b := x.(type) {
	case *[]byte:
		s += string((*b)[:min(len(*b), mostContent)])
	case *bytes.Buffer:
		s += string(b.Bytes()[:min(b.Len(), mostContent)])
	}
	return s
}
