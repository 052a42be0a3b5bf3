//go:build explore

package engine

import (
	"time"
	"unsafe"
)

// timers are what happens at times to come, the earliest first. Time moves when nobody can
// run: to the next timer.
type timers []*Timer

// Timer is something that happens at a time.
type Timer struct {
	when  time.Duration
	fire  Firer
	armed bool
}

// Firer is what happens. It is called between two steps.
type Firer interface{ Fire(e *Execution) }

// Fire implements Firer: the thread has slept.
//
//go:norace
func (t *Thread) Fire(*Execution) { t.Wake() }

// advance moves the clock to the next timer, and fires all that are due. It returns false if there
// is none.
//
//go:norace
func (e *Execution) advance() bool {
	if len(e.timers) == 0 {
		return false
	}
	e.now = max(e.now, e.timers[0].when)
	e.changes++
	for len(e.timers) > 0 && e.timers[0].when <= e.now {
		x := e.timers[0]
		e.timers = e.timers[1:]
		x.armed = false
		x.fire.Fire(e)
	}
	return true
}

// elapse is advance for the search.
//
//go:norace
func (e *Execution) elapse() bool {
	e.outside = true
	moved := e.advance()
	e.outside = false
	return moved
}

// arm has a timer fire after d.
//
//go:norace
func (e *Execution) arm(x *Timer, d time.Duration) {
	x.when, x.armed = e.now+max(d, 0), true
	list := make(timers, 0, len(e.timers)+1)
	i := 0
	for ; i < len(e.timers) && e.timers[i].when <= x.when; i++ {
		list = append(list, e.timers[i])
	}
	list = append(list, x)
	for ; i < len(e.timers); i++ {
		list = append(list, e.timers[i])
	}
	e.timers = list
}

// Arm makes a timer that fires after d.
//
//go:norace
func (t *Thread) Arm(f Firer, d time.Duration) *Timer {
	x := &Timer{fire: f}
	if !t.abandoned {
		t.e.arm(x, d)
	}
	return x
}

// Rearm has a timer fire after d, whether or not it has fired, without a point.
//
//go:norace
func (e *Execution) Rearm(x *Timer, d time.Duration) { e.disarm(x); e.arm(x, d) }

// Disarm keeps a timer from firing, and reports whether it would have.
//
//go:norace
func (t *Thread) Disarm(x *Timer) bool { return t.e.disarm(x) }

// Execution returns the execution of a thread.
//
//go:norace
func (t *Thread) Execution() *Execution { return t.e }

//go:norace
func (e *Execution) disarm(x *Timer) bool {
	if !x.armed {
		return false
	}
	x.armed = false
	list := make(timers, 0, len(e.timers))
	for _, y := range e.timers {
		if y != x {
			list = append(list, y)
		}
	}
	e.timers = list
	return true
}

// Sleep is the model of time.Sleep.
//
//go:norace
func (t *Thread) Sleep(d time.Duration) {
	if d <= 0 {
		t.Yield()
		return
	}
	if t.abandoned {
		t.quit()
	}
	t.what = "Sleep"
	if t.e.trace != nil {
		t.callers()
	}
	t.e.arm(&Timer{fire: t}, d)
	t.park()
}

// freePolls is the number of times that a thread may read the clock, with no change by anybody in
// between, before it counts as waiting for time to pass.
const freePolls = 3

// Elapsed returns the virtual time. A thread that reads it again and again waits for it to pass, and
// sleeps: at first a millisecond, and twice as long each time.
//
//go:norace
func (t *Thread) Elapsed() time.Duration {
	if t.polls++; t.polledAt != t.e.changes {
		t.polls, t.polledAt = 1, t.e.changes
	}
	if t.polls > freePolls && !t.abandoned {
		t.naps++
		t.Sleep(time.Millisecond << min(t.naps, 20))
	}
	return t.e.now
}

// Deliver sends a timer's value.
//
//go:norace
func (e *Execution) Deliver(x Case) { e.perform(nil, x) }

// Begin starts a thread from a timer.
//
//go:norace
func (e *Execution) Begin(name string, fn func()) { e.start(nil, name, fn) }

// Elapsed returns the virtual time.
//
//go:norace
func (e *Execution) Elapsed() time.Duration { return e.now }

// Address returns what tells a value apart.
//
//go:norace
func Address[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

// Ordered returns a function that calls f, and comes after the call of Ordered, for the race detector.
//
//go:norace
func Ordered(f func()) func() {
	o := &ordered{f: f}
	Release(unsafe.Pointer(o))
	return o.call
}

type ordered struct{ f func() }

//go:norace
func (o *ordered) call() {
	Acquire(unsafe.Pointer(o))
	o.f()
}
