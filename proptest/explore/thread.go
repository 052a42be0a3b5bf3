//go:build explore

package explore

import (
	"fmt"
	"iter"
	"runtime"
	"runtime/debug"

	"github.com/ichor-go/ichor/internal/point"
)

// thread is a coroutine.
//
// State — condition — transition (who):
//
//	at a point — op is what comes next — running (execution.step)
//	running    — at a point, done
//	done       — its function has returned or panicked
type thread struct {
	id     int
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool

	op        point.Op
	ready     func() bool // nil: always
	where     []uintptr   // callers of the point, if traced
	done      bool
	abandoned bool  // it is unwound, and its points do nothing
	err       error // it panicked
}

// abandon is the panic that unwinds a thread whose schedule is over before it ended.
type abandon struct{}

func newThread(id int, fn func()) *thread {
	t := &thread{id: id, op: point.Op{Kind: point.Start}}
	t.resume, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			t.done = true
			if p := recover(); p != nil && p != (abandon{}) {
				t.err = fmt.Errorf("thread %d: panic: %v\n%s", id, p, debug.Stack())
			}
		}()
		debug.SetPanicOnFault(true)
		fn()
	})
	return t
}

// pause puts the thread aside.
func (t *thread) pause() {
	if !t.yield(struct{}{}) {
		t.abandoned = true
		panic(abandon{})
	}
}

// callers notes where the point is that the thread has come to.
func (t *thread) callers() {
	var pcs [12]uintptr
	t.where = pcs[:runtime.Callers(4, pcs[:])]
}
