//go:build explore

package engine

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ichor-go/ichor/internal/point"
)

// Program is a program to explore. It is built anew for each schedule.
type Program struct {
	Threads []func()
	Check   func() error // checks what must be true when all threads have ended; may be nil

	// Tick is the advance of the clock whenever a thread reads it.
	Tick time.Duration

	// Unmarked says that the code marks no plain accesses, so that there are no clocks to keep.
	// A program whose first thread starts the others is called after them: see Main.
	Unmarked bool
	// Main says that thread 0 is the program, and the others are its goroutines: those that can
	// never go on after its end have leaked.
	Main bool
}

// defaultSteps bounds the steps of a schedule; a longer one counts as a livelock. A guess: the
// longest scenario has a few hundred steps.
const defaultSteps = 10_000

// idleTicks is how often time moves without a step before nobody is taken to wait for it: tickers
// tick for ever.
const idleTicks = 100

// turn is held during an execution: there is one at a time in a process. Several searches take
// turns, schedule by schedule.
var turn sync.Mutex

// current is the execution whose threads take turns now. Its threads read it.
var current *Execution

// Engine keeps what one execution leaves to the next, so that a schedule costs little memory.
type Engine struct {
	limit     int
	clocks    *clocks
	objects   table
	idle      []*worker
	direct    bool       // threads may make the choices themselves: they look at nothing that the race detector sees written
	reduction *reduction // nil: nobody wants to know who has waked whom
	spare     *Execution // its memory serves the next one
}

func newEngine() *Engine { return &Engine{limit: defaultSteps, clocks: newClocks()} }

// Execution is one run of a program under one schedule.
type Execution struct {
	engine   *Engine
	program  Program
	choose   pick
	direct   bool // see Engine
	threads  []*Thread
	fresh    []*Thread // started, and not yet at their first points
	cur      *Thread   // the thread that runs
	next     *Thread   // the thread to run next
	last     int       // the thread that took the last step; -1 before the first
	live     int       // threads that have not ended
	schedule Schedule
	options  Schedule
	changes  int // steps that may have changed something
	clocks   *clocks
	err      error
	over     bool // all threads have ended
	givenUp  bool
	trace    *trace // nil: nothing is recorded
	now      time.Duration
	timers   timers
	fine     bool // an unlock is a point as well
	sequence uint64
	deciding bool // conditions are being asked, whose points do nothing
	outside  bool // a timer, or code outside of the exploration, acts
	idle     int  // how often time has moved since the last step
	handover handover
}

// pick chooses among the steps that are possible. There is at least one. It returns -1 to give up
// the schedule.
type pick func(e *Execution, options Schedule) int

// execute runs a program. It returns false if the schedule was given up.
func (g *Engine) execute(p Program, fine bool, tr *trace, choose pick) (e *Execution, whole bool) {
	turn.Lock()
	defer turn.Unlock()
	e = &Execution{engine: g, program: p, choose: choose, direct: g.direct, last: -1, trace: tr, fine: fine, now: time.Second}
	if s := g.spare; s != nil {
		clear(s.threads)
		e.schedule, e.options, e.threads, g.spare = s.schedule[:0], s.options[:0], s.threads[:0], nil
	}
	g.objects.begin()
	if !p.Unmarked && !Racy {
		e.clocks = g.clocks
		e.clocks.begin(len(p.Threads))
	}
	races := raceErrors()
	e.run()
	if n := raceErrors() - races; n > 0 && e.err == nil {
		e.err = errRace
	}
	if e.err == nil && !e.givenUp && p.Check != nil {
		e.err = p.Check()
	}
	e.recycle()
	return e, !e.givenUp
}

// run runs the threads until all have ended, or the schedule has.
func (e *Execution) run() {
	current = e
	point.Begin(e)
	defer func() {
		point.End()
		current = nil
	}()
	for i, fn := range e.program.Threads {
		name := "main"
		if !e.program.Main {
			name = fmt.Sprint("thread ", i)
		}
		e.start(nil, name, fn)
	}
	for {
		e.settle()
		if e.next == nil {
			e.next = e.decide()
		}
		if e.next == nil {
			if len(e.fresh) > 0 {
				continue // a timer has started threads
			}
			break
		}
		t := e.next
		e.next = nil
		e.switchTo(t)
	}
	if !e.over {
		e.abandon()
	}
	joined(e)
}

// settle runs new threads up to their first points.
func (e *Execution) settle() {
	for len(e.fresh) > 0 {
		t := e.fresh[0]
		e.fresh = e.fresh[1:]
		t.starting = true
		e.switchTo(t)
		t.starting = false
	}
}

// decide chooses the thread that takes the next step, and records the step. It returns nil when the
// schedule has ended.
//
//go:norace
func (e *Execution) decide() *Thread {
	for e.err == nil && !e.givenUp && !e.over {
		var sleeper int
		e.deciding = true
		e.options, sleeper = e.enabled(e.options[:0])
		e.deciding = false
		if len(e.options) == 0 {
			switch {
			case e.live == 0:
				e.over = true
				return nil
			case e.idle < idleTicks && e.elapse():
				if e.idle++; len(e.fresh) > 0 {
					return nil
				}
				continue
			case sleeper >= 0:
				e.options = append(e.options, Step{Thread: uint16(sleeper)})
			case e.pollOutside():
				continue
			default:
				e.err = e.stuck()
				return nil
			}
		}
		if len(e.schedule) >= e.engine.limit {
			e.err = e.endless()
			return nil
		}
		i := e.choose(e, e.options)
		switch {
		case i < 0:
			e.givenUp = true
		case e.err == nil:
			return e.take(e.options[i])
		}
	}
	return nil
}

// take makes a step the next one.
//
//go:norace
func (e *Execution) take(s Step) *Thread {
	t := e.threads[s.Thread]
	if e.trace != nil {
		e.trace.note(e, t)
	}
	t.alt = int(s.Alt)
	e.idle = 0
	e.last = t.id
	e.schedule = append(e.schedule, s)
	if !reads(t.op.Kind) && t.op.Kind != point.Waiting {
		e.changes++
	}
	e.cur = t
	return t
}

// enabled appends the steps that are possible. A sleeping thread waits until another one has taken
// a step, if another can; a spinning one, until another has changed something.
//
//go:norace
func (e *Execution) enabled(list Schedule) (_ Schedule, sleeper int) {
	sleeper = -1
	for _, t := range e.threads {
		if t.done || t.parked || t.ready != nil && !e.ask(t) {
			continue
		}
		n := 1
		if t.wait != nil {
			if n = t.wait.Alternatives(t); n == 0 {
				continue
			}
		}
		if t.asleep() && e.last == t.id || t.spins(e) {
			sleeper = t.id
			continue
		}
		for alt := range n {
			list = append(list, Step{uint16(t.id), uint16(alt)})
		}
	}
	return list, sleeper
}

// abandon unwinds the threads that have not ended.
func (e *Execution) abandon() {
	for i := 0; i < len(e.threads); i++ { // a thread that unwinds may start another
		e.unwind(e.threads[i])
	}
	e.engine.objects.reset()
}

// Point implements point.Explorer.
//
//go:norace
func (e *Execution) Point(op point.Op, ready func() bool) {
	t := e.cur
	if e.deciding {
		return
	}
	if t.abandoned {
		if ready != nil && !ready() {
			t.quit()
		}
		return
	}
	t.what = ""
	t.ready = ready
	t.at(op)
}

// Note implements point.Explorer.
//
//go:norace
func (e *Execution) Note(op point.Op) {
	t := e.cur
	switch {
	case t.abandoned, e.deciding:
	case op.Kind == point.Release && e.fine:
		e.Point(op, nil)
	default:
		e.learn(t, op)
	}
}

// Now implements point.Explorer.
//
//go:norace
func (e *Execution) Now() time.Duration {
	e.now += e.program.Tick
	return e.now
}

// learn records an access when it happens.
//
//go:norace
func (e *Execution) learn(t *Thread, op point.Op) {
	if e.clocks == nil {
		return
	}
	if err := e.clocks.access(t.id, op); err != nil && e.err == nil {
		e.err = fmt.Errorf("%s: %w", t.name, err)
		if e.trace != nil {
			t.callers()
			e.err = fmt.Errorf("%w, at %s", e.err, place(t.where))
		}
	}
}

// fail ends the schedule with an error, unless it has one.
//
//go:norace
func (e *Execution) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// errRace is the error of a schedule in which the race detector has found a race.
var errRace = errors.New("data race: the report of the race detector is above")

// errLeak begins the error of goroutines that can never go on after the end of the program.
var errLeak = errors.New("leaked goroutine")

// stuck returns the error of a program in which nobody can continue.
func (e *Execution) stuck() error {
	if e.program.Main && e.threads[0].done {
		return fmt.Errorf("%w: the test has ended, and nobody can wake %s", errLeak, e.positions())
	}
	return fmt.Errorf("deadlock: %s", e.positions())
}

// endless returns the error of a schedule that is too long.
func (e *Execution) endless() error {
	if e.program.Main && e.threads[0].done {
		return fmt.Errorf("%w: the test has ended, and after %d steps there are still %s", errLeak, len(e.schedule), e.positions())
	}
	return fmt.Errorf("livelock: no end after %d steps: %s", len(e.schedule), e.positions())
}
