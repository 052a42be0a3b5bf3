//go:build explore

package explore

import (
	"errors"
	"time"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
)

// On reports whether programs are explored: the build has the tag explore.
const On = true

// Run explores a program with at most Config.Bound preemptions, within Config.Time and
// Config.Schedules. build makes it anew for each schedule. Run returns the number of schedules, and
// the first failure with its steps, under the name. Without the tag explore, it runs the program once
// with real goroutines. *Any goroutine.*
func Run(name string, c Config, build func() Fixed) (schedules int64, err error) {
	c, err = c.filled()
	if err != nil {
		return 0, err
	}
	program := func() engine.Program {
		p := build()
		return engine.Program{Threads: p.Threads, Check: p.Check, Tick: p.Tick}
	}
	end := time.Now().Add(c.Time)
	for b := 0; b <= c.Bound; b++ {
		budget := engine.Budget{Until: end}
		if c.Schedules > 0 {
			budget.Schedules = max(1, c.Schedules-schedules)
		}
		r := engine.BoundedWithin(program, b, budget)
		schedules += r.Schedules
		if r.Failure != nil {
			rep := newReport(name, engine.Shorten(program, r.Failure), "found with "+preemptions(b))
			rep.Replay = "" // who draws programs has a way of their own to run one again
			return schedules, errors.New(rep.Text())
		}
		if r.Ended != "" {
			break
		}
	}
	return schedules, nil
}

// Moment returns a number that is greater than all that it has returned before in the schedule. It is
// no synchronization. *A goroutine that is explored.*
//
//go:norace
func Moment() int64 { return int64(me().Sequence()) }

// Draw runs fn under a schedule that rapid draws: at most three preemptions. rapid reduces their number
// and moves them forward after a failure, together with whatever else the test has drawn. Without the
// tag explore, fn runs once with real goroutines. *The test's goroutine.*
func Draw(t *rapid.T, fn func(e *E)) {
	s := &session{fn: fn}
	steps := len(engine.Taken(s.build, nil))
	if r := engine.Drawn(t, s.build, steps); r.Failure != nil {
		rep := newReport("Draw", r.Failure, "found with preemptions that were drawn")
		rep.Replay = ""
		t.Fatal(rep.Text())
	}
}
