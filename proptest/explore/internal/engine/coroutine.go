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

// pass gives the turn away, and returns when the thread has it again. A thread that may continue
// itself does so without a switch. One that may not runs the next one from where it is, unless that
// one is among those that wait for it to return: so that most turns take one switch, not two by way
// of the search.
func (e *Execution) pass(t *Thread) {
	if !t.starting && len(e.fresh) == 0 {
		for e.next = e.decide(); e.next != nil && len(e.fresh) == 0; {
			n := e.next
			if n == t {
				e.next = nil
				return
			}
			w := n.w
			if w.active {
				break // it goes on when this one gives the turn back
			}
			// As in switchTo, but one call less: the processor predicts no return behind a switch.
			e.next, e.cur = nil, n
			w.active = true
			w.resume()
			w.active = false
			if n.done {
				w.left()
				if e.next == nil && len(e.fresh) == 0 {
					e.next = e.decide()
				}
			}
		}
	}
	t.w.yield(struct{}{})
	if t.abandoned {
		t.quit()
	}
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
