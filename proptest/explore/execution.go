//go:build explore

package explore

import (
	"fmt"
	"time"

	"github.com/ichor-go/ichor/internal/point"
)

// maxThreads bounds the threads of a program.
const maxThreads = 4

// Program is a program to explore. It is built anew for each schedule.
type Program struct {
	Threads []func()
	Check   func() error // checks what must be true when all threads have ended; may be nil

	// Tick is the advance of the clock whenever a thread reads it.
	Tick time.Duration
}

// execution is one run of a program under one schedule.
type execution struct {
	threads   []*thread
	running   *thread
	last      int // the thread that took the last step; -1 before the first
	schedule  Schedule
	clocks    *clocks
	err       error
	trace     *trace // nil: nothing is recorded
	now, tick time.Duration
	fine      bool // an unlock is a point as well
}

// pick chooses the thread that takes the next step, among the enabled ones. There is at
// least one. It returns -1 to give up the schedule.
type pick func(e *execution, enabled []int) int

// execute runs a program. It returns false if the schedule was given up.
func execute(p Program, c *clocks, limit int, fine bool, tr *trace, choose pick) (e *execution, whole bool) {
	e = &execution{last: -1, clocks: c, trace: tr, fine: fine, now: time.Second, tick: p.Tick}
	c.begin(len(p.Threads))
	for i, fn := range p.Threads {
		e.threads = append(e.threads, newThread(i, fn))
	}
	defer e.abandon()
	for _, t := range e.threads {
		e.step(t) // up to its first point
	}
	var buf [maxThreads]int
	for e.err == nil {
		enabled := e.enabled(buf[:0])
		switch {
		case len(enabled) == 0 && e.over():
			if p.Check != nil {
				e.err = p.Check()
			}
			return e, true
		case len(enabled) == 0:
			e.err = fmt.Errorf("deadlock: %s", e.positions())
		case len(e.schedule) >= limit:
			e.err = fmt.Errorf("livelock: no end after %d steps: %s", limit, e.positions())
		default:
			i := choose(e, enabled)
			if i < 0 {
				return e, false
			}
			if tr != nil {
				tr.note(e.threads[i])
			}
			e.last = i
			e.schedule = append(e.schedule, uint8(i))
			e.step(e.threads[i])
		}
	}
	return e, true
}

// step runs a thread up to its next point.
func (e *execution) step(t *thread) {
	e.running = t
	point.Run(e, func() { t.resume() })
	if t.err != nil && e.err == nil {
		e.err = t.err
	}
}

func (e *execution) over() bool {
	for _, t := range e.threads {
		if !t.done {
			return false
		}
	}
	return true
}

// enabled appends the threads that can take a step. A sleeping thread waits until another one
// has taken a step, if another can.
func (e *execution) enabled(list []int) []int {
	sleepers := 0
	for _, t := range e.threads {
		switch {
		case t.done || t.ready != nil && !t.ready():
		case t.asleep() && e.last == t.id:
			sleepers++
		default:
			list = append(list, t.id)
		}
	}
	if len(list) == 0 && sleepers > 0 {
		list = append(list, e.last)
	}
	return list
}

// asleep reports whether the thread waits without a condition.
func (t *thread) asleep() bool { return t.op.Kind == point.Waiting && t.ready == nil }

// abandon unwinds the threads that have not ended.
func (e *execution) abandon() {
	for _, t := range e.threads {
		if !t.done {
			e.running = t
			point.Run(e, t.stop)
		}
	}
}

// Point implements point.Explorer.
func (e *execution) Point(op point.Op, ready func() bool) {
	t := e.running
	if t.abandoned {
		if ready != nil && !ready() {
			panic(abandon{})
		}
		return
	}
	t.op, t.ready = op, ready
	if e.trace != nil {
		t.callers()
	}
	t.pause()
	t.ready = nil
	e.learn(t, op)
}

// Note implements point.Explorer.
func (e *execution) Note(op point.Op) {
	t := e.running
	switch {
	case t.abandoned:
	case op.Kind == point.Release && e.fine:
		e.Point(op, nil)
	default:
		e.learn(t, op)
	}
}

// Now implements point.Explorer.
func (e *execution) Now() time.Duration {
	e.now += e.tick
	return e.now
}

// learn records an access when it happens.
func (e *execution) learn(t *thread, op point.Op) {
	if err := e.clocks.access(t.id, op); err != nil && e.err == nil {
		e.err = fmt.Errorf("thread %d: %w", t.id, err)
		if e.trace != nil {
			t.callers()
			e.err = fmt.Errorf("%w, at %s", e.err, place(t.where))
		}
	}
}

// positions returns the next step of each thread, as text.
func (e *execution) positions() string {
	s := ""
	for i, t := range e.threads {
		if i > 0 {
			s += ", "
		}
		switch {
		case t.done:
			s += fmt.Sprintf("thread %d has ended", i)
		default:
			s += fmt.Sprintf("thread %d before %s", i, kinds[t.op.Kind])
			if len(t.where) > 0 {
				s += " at " + place(t.where)
			}
		}
	}
	return s
}
