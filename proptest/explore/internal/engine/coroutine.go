//go:build explore && !race

package engine

import (
	"iter"
	"unsafe"

	"github.com/ichor-go/ichor/internal/point"
)

// Racy reports whether the race detector judges schedules.
const Racy = false

// worker is a coroutine that runs one thread after the other.
type worker struct {
	thread Thread
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	gone   bool // its thread has called Goexit
	active bool // it runs, or waits for a thread that it runs
}

// newThread returns a thread on an idle worker.
func (e *Execution) newThread() *Thread {
	g := e.engine
	var w *worker
	if n := len(g.idle); n > 0 {
		w = g.idle[n-1]
		g.idle = g.idle[:n-1]
	} else {
		w = &worker{}
		w.resume, w.stop = iter.Pull(func(yield func(struct{}) bool) {
			w.yield = yield
			point.Mark()
			for {
				w.run()
				if !yield(struct{}{}) {
					return
				}
			}
		})
	}
	w.thread = Thread{w: w}
	return &w.thread
}

// run runs a thread's function.
func (w *worker) run() {
	normal := false
	defer func() {
		p := recover()
		w.gone = !normal && p == nil
		w.thread.ended(p)
		if w.gone {
			w.yield(struct{}{}) // the coroutine ends when it is stopped
		}
	}()
	w.thread.fn()
	normal = true
}

func (t *Thread) launch() {}

// at takes the thread to a point, and returns when it is to continue. A thread that may continue itself
// does so without a switch. One that may not runs the next one from where it is, unless that one is
// among those that wait for it to return: so that most turns take one switch, not two by way of the
// search. The processor predicts no return behind a switch, so this function switches by itself, and
// what calls it in the way of a switch is as little as can be.
func (t *Thread) at(op point.Op) {
	if t.abandoned {
		t.idles()
		return
	}
	t.arrives(op)
	e := t.e
	for w := e.leave(t); w != nil; w = e.back(t, w) {
		if w == t.w {
			w.yield(struct{}{})
		} else {
			w.resume()
		}
	}
	t.proceeds(op)
}

// pass gives the turn away, and returns when the thread has it again.
func (e *Execution) pass(t *Thread) {
	for w := e.leave(t); w != nil; w = e.back(t, w) {
		if w == t.w {
			w.yield(struct{}{})
		} else {
			w.resume()
		}
	}
}

// leave returns the coroutine to switch to from a thread that has come to a point: that of the next
// thread, or its own, which gives the turn back to who runs it. It returns nil if the thread goes on.
func (e *Execution) leave(t *Thread) *worker {
	if t.starting || len(e.fresh) > 0 {
		return t.w
	}
	n := e.decide()
	if n == t {
		return nil
	}
	e.next = n
	return e.to(t)
}

// to is leave once the next thread is known.
func (e *Execution) to(t *Thread) *worker {
	n := e.next
	switch {
	case n == nil, len(e.fresh) > 0:
		return t.w
	case n == t:
		e.next = nil
		return nil
	case n.w.active: // it goes on when this one gives the turn back
		return t.w
	}
	e.next, e.cur = nil, n
	n.w.active = true
	return n.w
}

// back is leave after a switch to w, which has given the turn back to t.
func (e *Execution) back(t *Thread, w *worker) *worker {
	if w == t.w {
		if t.abandoned {
			t.quit()
		}
		return nil
	}
	w.active = false
	if w.thread.done {
		w.left()
		if e.next == nil && len(e.fresh) == 0 {
			e.next = e.decide()
		}
	}
	return e.to(t)
}

// ask reports whether the condition of a thread holds.
func (e *Execution) ask(t *Thread) bool { return t.ready() }

// switchTo runs a thread until it gives the turn away.
func (e *Execution) switchTo(t *Thread) {
	e.cur = t
	w := t.w
	w.active = true
	w.resume()
	w.active = false
	if t.done {
		w.left()
	}
}

// left ends the coroutine of a thread that has called Goexit.
func (w *worker) left() {
	if w.gone {
		go w.stop() // ends its caller as well
	}
}

// unwind unwinds a thread that has not ended, and gives its worker back.
func (e *Execution) unwind(t *Thread) {
	if !t.done {
		t.abandoned = true
		e.switchTo(t)
	}
}

// recycle gives back the workers of an execution.
func (e *Execution) recycle() {
	for _, t := range e.threads {
		if t.w != nil && t.done && !t.w.gone {
			e.engine.idle = append(e.engine.idle, t.w)
		}
	}
}

// close ends all workers.
func (g *Engine) close() {
	for _, w := range g.idle {
		w.stop()
	}
	g.idle = nil
}

func joined(e *Execution) { _ = e.handover }

// handover is what a switch needs: nothing but the coroutines.
type handover struct{}

func raceErrors() int { return 0 }

// Release and Acquire order what comes before Release with what comes after Acquire, for the race
// detector.
func Release(unsafe.Pointer) {}
func Acquire(unsafe.Pointer) {}
