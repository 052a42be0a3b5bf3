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
// makes itself. Everything that a thread runs in this package is such a function (go:norace), and
// decisions are made by the goroutine that runs the search.

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

// pass gives the turn away, and returns when the thread has it again. A thread that is abandoned
// stays here: what it would do on its way out is no part of the program.
//
//go:norace
func (e *Execution) pass(t *Thread) {
	if e.goesOn(t) {
		return
	}
	runtime.RaceDisable()
	e.handover.back <- struct{}{}
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

// goesOn reports whether the running thread takes the next step as well. In a search in depth, it
// finds that out by itself, which saves two switches.
//
//go:norace
func (e *Execution) goesOn(t *Thread) bool {
	if e.search == nil || e.trace != nil || e.err != nil || e.givenUp || t.starting || t.parked || e.last != t.id || len(e.fresh) > 0 || len(e.schedule) >= e.engine.limit {
		return false
	}
	for _, x := range e.threads {
		if x.ready != nil { // only the thread itself may look
			return false
		}
	}
	e.deciding = true
	e.options, _ = e.enabled(e.options[:0])
	e.deciding = false
	if !e.search.goesOn(e, e.options) {
		return false
	}
	e.take(e.options[e.options.of(t.id)])
	return true
}

// goesOn makes the choice if it is that the running thread goes on, and reports whether it is.
// Otherwise it leaves everything as it was.
//
//go:norace
func (d *dfs) goesOn(e *Execution, options Schedule) bool {
	at := options.of(e.last)
	if at < 0 {
		return false
	}
	if d.depth == len(d.stack) {
		d.push(e, options) // its first option is that the running thread goes on
		d.depth++
		return true
	}
	n := &d.stack[d.depth]
	if len(n.options) != len(options) || n.next >= len(n.options) || n.options[n.next] != options[at] {
		return false
	}
	d.depth++
	return true
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
