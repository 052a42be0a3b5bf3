//go:build !explore

package shim

import (
	"iter"
	"reflect"
	"runtime"
)

// Go is the statement go.
func Go(fn func()) { go fn() }

// Send is the statement ch <- v.
func Send[T any](ch chan<- T, v T) { ch <- v }

// Recv is the expression <-ch.
func Recv[T any](ch <-chan T) T { return <-ch }

// Recv2 is the expression <-ch with its second value.
func Recv2[T any](ch <-chan T) (T, bool) { v, ok := <-ch; return v, ok }

// Close is the built-in function close.
func Close[T any](ch chan<- T) { close(ch) }

// Len is the built-in function len of a channel.
func Len(ch any) int { return reflect.ValueOf(ch).Len() }

// Cap is the built-in function cap of a channel.
func Cap(ch any) int { return reflect.ValueOf(ch).Cap() }

// Range is the statement for range ch.
func Range[T any](ch <-chan T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v := range ch {
			if !yield(v) {
				return
			}
		}
	}
}

// Case is a case of a select statement.
type Case interface {
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

// Select is the statement select. It returns the index of the case that was taken, and -1 for the
// default.
func Select(hasDefault bool, cases ...Case) int {
	var list []reflect.SelectCase
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
func Gosched() { runtime.Gosched() }
