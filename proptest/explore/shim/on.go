//go:build explore

package shim

import (
	"fmt"
	"iter"
	"reflect"
	"runtime"
	"unsafe"

	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
)

// Go is the statement go.
//
//go:norace
func Go(fn func()) {
	if t := engine.Me(); t != nil {
		t.Go("", fn)
		return
	}
	go fn()
}

// identity returns what tells a channel apart. All directions of a channel have the same.
//
// Same as: reflect.ValueOf(ch).UnsafePointer(). Safety: a channel is a pointer.
//
//go:norace
func identity[C any](ch *C) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(ch)) }

// Send is the statement ch <- v.
//
//go:norace
func Send[T any](ch chan<- T, v T) {
	if t := engine.Me(); t != nil {
		t.Select(false, []engine.Case{&SendOp[T]{ch, v}}, "send")
		return
	}
	ch <- v
}

// Recv is the expression <-ch.
//
//go:norace
func Recv[T any](ch <-chan T) T {
	v, _ := Recv2(ch)
	return v
}

// Recv2 is the expression <-ch with its second value.
//
//go:norace
func Recv2[T any](ch <-chan T) (T, bool) {
	if t := engine.Me(); t != nil {
		o := &RecvOp[T]{ch: ch}
		t.Select(false, []engine.Case{o}, "receive")
		return o.Value, o.OK
	}
	v, ok := <-ch
	return v, ok
}

// Close is the built-in function close.
//
//go:norace
func Close[T any](ch chan<- T) {
	t := engine.Me()
	if t == nil || ch == nil {
		close(ch)
		return
	}
	o := &SendOp[T]{ch: ch}
	t.Close(identity(&ch), o)
	close(ch)
	t.Closed(identity(&ch), o)
}

// CloseIf closes a channel if f returns true. Both are one step, so that nobody sees what f has done
// before the channel is closed. f has no points.
//
//go:norace
func CloseIf[T any](ch chan<- T, f func() bool) {
	t := engine.Me()
	if t == nil {
		if f() {
			close(ch)
		}
		return
	}
	o := &SendOp[T]{ch: ch}
	t.At(point.AtomicUpdate, identity(&ch), 1, "close")
	if f() {
		t.MarkClosed(identity(&ch), o)
		close(ch)
		t.Closed(identity(&ch), o)
	}
}

// Sees is a point before a load of what else changes when a channel does, as by CloseIf.
//
//go:norace
func Sees[T any](ch <-chan T, what string) {
	if t := engine.Me(); t != nil {
		t.At(point.AtomicLoad, identity(&ch), 1, what)
	}
}

// Changes is a point before a change of what belongs to a channel.
//
//go:norace
func Changes[T any](ch <-chan T, what string) {
	if t := engine.Me(); t != nil {
		t.At(point.AtomicUpdate, identity(&ch), 1, what)
	}
}

// Len is the built-in function len of a channel.
//
//go:norace
func Len(ch any) int {
	v := reflect.ValueOf(ch)
	if t := engine.Me(); t != nil && !v.IsNil() {
		t.Look(v.UnsafePointer(), "len")
	}
	return v.Len()
}

// Cap is the built-in function cap of a channel.
func Cap(ch any) int { return reflect.ValueOf(ch).Cap() }

// Range is the statement for range ch.
func Range[T any](ch <-chan T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for {
			v, ok := Recv2(ch)
			if !ok || !yield(v) {
				return
			}
		}
	}
}

// Case is a case of a select statement.
type Case interface {
	engine.Case
	selectCase() reflect.SelectCase
	received(v reflect.Value, ok bool)
}

// RecvOp is a case that receives.
type RecvOp[T any] struct {
	Value T
	OK    bool
	ch    <-chan T
}

// RecvCase returns the case <-ch.
func RecvCase[T any](ch <-chan T) *RecvOp[T] { return &RecvOp[T]{ch: ch} }

func (o *RecvOp[T]) selectCase() reflect.SelectCase {
	return reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(o.ch)}
}

func (o *RecvOp[T]) received(v reflect.Value, ok bool) {
	o.Value, _ = v.Interface().(T)
	o.OK = ok
}

// Channel, Sends, Room, Do, Give and Text implement engine.Case.
//
//go:norace
func (o *RecvOp[T]) Channel() unsafe.Pointer { return identity(&o.ch) }

//go:norace
func (o *RecvOp[T]) Sends() bool { return false }

//go:norace
func (o *RecvOp[T]) Room() (length, capacity int) { return len(o.ch), cap(o.ch) }

//go:norace
func (o *RecvOp[T]) Do() (done, open bool) {
	select {
	case v, ok := <-o.ch:
		o.Value, o.OK = v, ok
		return true, ok
	default:
		return false, true
	}
}

//go:norace
func (o *RecvOp[T]) Give(engine.Case) {}

//go:norace
func (o *RecvOp[T]) Text(t *engine.Thread) string {
	if !o.OK {
		return "= closed"
	}
	return "= " + t.Text(o.Value)
}

// SendOp is a case that sends.
type SendOp[T any] struct {
	ch chan<- T
	v  T
}

// SendCase returns the case ch <- v.
func SendCase[T any](ch chan<- T, v T) *SendOp[T] { return &SendOp[T]{ch, v} }

func (o *SendOp[T]) selectCase() reflect.SelectCase {
	return reflect.SelectCase{Dir: reflect.SelectSend, Chan: reflect.ValueOf(o.ch), Send: reflect.ValueOf(&o.v).Elem()}
}

func (o *SendOp[T]) received(reflect.Value, bool) {}

// Channel, Sends, Room, Do, Give and Text implement engine.Case.
//
//go:norace
func (o *SendOp[T]) Channel() unsafe.Pointer { return identity(&o.ch) }

//go:norace
func (o *SendOp[T]) Sends() bool { return true }

//go:norace
func (o *SendOp[T]) Room() (length, capacity int) { return len(o.ch), cap(o.ch) }

//go:norace
func (o *SendOp[T]) Do() (done, open bool) {
	select {
	case o.ch <- o.v:
		return true, true
	default:
		return false, true
	}
}

//go:norace
func (o *SendOp[T]) Give(to engine.Case) {
	r := to.(*RecvOp[T])
	r.Value, r.OK = o.v, true
}

//go:norace
func (o *SendOp[T]) Text(t *engine.Thread) string { return fmt.Sprintf("(%s)", t.Text(o.v)) }

// Select is the statement select. It returns the index of the case that was taken, and -1 for the
// default.
//
//go:norace
func Select(hasDefault bool, cases ...Case) int {
	if t := engine.Me(); t != nil {
		list := make([]engine.Case, 0, len(cases))
		for _, c := range cases {
			list = append(list, c)
		}
		return t.Select(hasDefault, list, "select")
	}
	list := make([]reflect.SelectCase, 0, len(cases)+1)
	for _, c := range cases {
		list = append(list, c.selectCase())
	}
	if hasDefault {
		list = append(list, reflect.SelectCase{Dir: reflect.SelectDefault})
	}
	i, v, ok := reflect.Select(list)
	if i == len(cases) {
		return -1
	}
	cases[i].received(v, ok)
	return i
}

// Gosched is runtime.Gosched.
//
//go:norace
func Gosched() {
	if t := engine.Me(); t != nil {
		t.Yield()
		return
	}
	runtime.Gosched()
}
