//go:build explore && race

package engine

import (
	"runtime"
	"unsafe"

	"github.com/ichor-go/ichor/internal/point"
)

// In builds with -race, a thread is a goroutine, and the race detector judges each schedule. It must
// not take a switch for synchronization: so a switch is a channel operation that it does not see, in a
// function that it does not look into. The only order that it knows is then that which the program
// makes itself. Everything that a thread runs in this package is such a function (go:norace).

// Racy reports whether the race detector judges schedules.
const Racy = true

// worker is what a thread waits for: its turn.
type worker struct {
	wake        chan struct{}
	gone        bool
	asked, says bool // the thread is asked for its condition, and what it says
}

// handover is what the search waits for: that the thread that runs gives the turn back.
type handover struct{ back chan struct{} }

//go:norace
func (e *Execution) newThread() *Thread {
	if e.handover.back == nil {
		e.handover.back = make(chan struct{})
	}
	return &Thread{w: &worker{wake: make(chan struct{})}}
}

// launch starts the goroutine. Its creation is an event that the detector sees.
//
//go:norace
func (t *Thread) launch() { go t.main() }

//go:norace
func (t *Thread) main() {
	runtime.RaceDisable()
	<-t.w.wake
	runtime.RaceEnable()
	point.Mark()
	defer t.end()
	t.fn()
	t.w.gone = true // stands for a normal return here
}

//go:norace
func (t *Thread) end() {
	t.ended(recover())
	Release(unsafe.Pointer(t))
	runtime.RaceDisable()
	t.e.handover.back <- struct{}{}
	runtime.RaceEnable()
}

// at takes the thread to a point, and returns when it is to continue.
//
//go:norace
func (t *Thread) at(op point.Op) {
	if t.abandoned {
		t.idles()
		return
	}
	t.arrives(op)
	t.e.pass(t)
	t.proceeds(op)
}

// pass gives the turn away, and returns when the thread has it again. A thread that is abandoned
// stays here: what it would do on its way out is no part of the program.
//
//go:norace
func (e *Execution) pass(t *Thread) {
	n := e.follower(t)
	if n == t {
		return
	}
	runtime.RaceDisable()
	if n != nil {
		n.w.wake <- struct{}{}
	} else {
		e.handover.back <- struct{}{}
	}
	<-t.w.wake
	for t.w.asked {
		runtime.RaceEnable()
		t.w.says = t.ready()
		runtime.RaceDisable()
		t.w.asked = false
		e.handover.back <- struct{}{}
		<-t.w.wake
	}
	runtime.RaceEnable()
}

// follower returns the thread that takes the next step after one of t, or nil if the search has to
// say so. Where threads may choose by themselves, they need one switch, not two by way of the
// search.
//
//go:norace
func (e *Execution) follower(t *Thread) *Thread {
	if !e.direct || e.trace != nil || e.err != nil || e.givenUp || t.starting || len(e.fresh) > 0 || len(e.schedule) >= e.engine.limit {
		return nil
	}
	for _, x := range e.threads {
		if x.ready != nil { // only the thread itself may look
			return nil
		}
	}
	e.deciding = true
	e.options, _ = e.enabled(e.options[:0])
	e.deciding = false
	if len(e.options) == 0 {
		return nil
	}
	i := e.choose(e, e.options)
	if e.err != nil {
		return nil
	}
	return e.take(e.options[i])
}

// ask reports whether the condition of a thread holds. The thread itself looks, so that the race
// detector sees it look at what it may look at.
//
//go:norace
func (e *Execution) ask(t *Thread) bool {
	t.w.asked = true
	runtime.RaceDisable()
	t.w.wake <- struct{}{}
	<-e.handover.back
	runtime.RaceEnable()
	return t.w.says
}

// switchTo runs a thread until it gives the turn back.
//
//go:norace
func (e *Execution) switchTo(t *Thread) {
	e.cur = t
	runtime.RaceDisable()
	t.w.wake <- struct{}{}
	<-e.handover.back
	runtime.RaceEnable()
}

func (e *Execution) unwind(*Thread) {}
func (e *Execution) recycle()       {}
func (g *Engine) close()            {}

// joined orders what the threads have done before what the caller does.
func joined(e *Execution) {
	for _, t := range e.threads {
		if t.done {
			Acquire(unsafe.Pointer(t))
		}
	}
}

func raceErrors() int { return runtime.RaceErrors() }

// Release and Acquire order what comes before Release with what comes after Acquire, for the race
// detector.
//
//go:norace
func Release(p unsafe.Pointer) { runtime.RaceReleaseMerge(p) }

//go:norace
func Acquire(p unsafe.Pointer) { runtime.RaceAcquire(p) }
