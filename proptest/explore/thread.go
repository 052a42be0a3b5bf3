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
// State — condition — transition (by):
//
//	at a point — op is the next access — to running (execution.step)
//	running    — it is the one thread that runs — to at a point, to done (itself)
//	done       — its function has returned or panicked — final
type thread struct {
	id     int
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool

	op        point.Op
	ready     func() bool // nil: always
	where     []uintptr   // callers of the point, for a trace
	done      bool
	abandoned bool  // it is being unwound; its points do nothing
	err       error // the error of its panic
}

// abandon is the panic that unwinds a thread that has not ended when its schedule is over.
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

// pause suspends the thread.
func (t *thread) pause() {
	if !t.yield(struct{}{}) {
		t.abandoned = true
		panic(abandon{})
	}
}

// callers records the place of the thread's current point.
func (t *thread) callers() {
	var pcs [12]uintptr
	t.where = pcs[:runtime.Callers(4, pcs[:])]
}
