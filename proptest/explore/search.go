//go:build explore

package explore

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
)

// TestWith is Test with a configuration. *Any goroutine.*
func TestWith(t testing.TB, c Config, fn func(e *E)) {
	t.Helper()
	c, err := c.filled()
	if err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, fn: fn, call: callOf(t)}
	if text := os.Getenv(turnsVariable); text != "" {
		s.race(text)
		return
	}
	if text := os.Getenv(Variable); text != "" {
		s.replay(text)
		return
	}
	s.explore(c)
}

// replay runs one schedule.
func (s *session) replay(text string) {
	s.t.Helper()
	sch, err := engine.Parse(text)
	if err == nil {
		err = engine.Fits(s.build, sch)
	}
	if err != nil {
		s.t.Fatalf("explore: %s: %v", Variable, err)
	}
	if r := engine.Replay(s.build, sch); r.Failure != nil {
		s.fail(r.Failure, "the schedule that was asked for")
		return
	}
	s.t.Logf("explore: the schedule that was asked for passes")
}

// sought is what a search has done, for the reader.
type sought struct {
	whole []string // what is complete
	parts []string // what is not
	total engine.Result
	began time.Time
}

func (x *sought) add(r engine.Result, what string) {
	x.total.Schedules += r.Schedules
	x.total.Steps += r.Steps
	x.total.Longest = max(x.total.Longest, r.Longest)
	if r.Ended == "" {
		x.whole = []string{fmt.Sprintf("all %d %s", r.Schedules, what)}
	} else {
		x.parts = append(x.parts, fmt.Sprintf("%d %s (%s)", r.Schedules, what, r.Ended))
	}
}

func (x *sought) String() string {
	text := strings.Join(append(x.whole, x.parts...), ", ")
	return fmt.Sprintf("%s; at most %d steps, %s", text, x.total.Longest, time.Since(x.began).Round(time.Millisecond))
}

// explore runs the search.
func (s *session) explore(c Config) {
	s.t.Helper()
	interrupted, stop := interruption()
	defer stop()
	x := &sought{began: time.Now()}
	end := x.began.Add(c.Time)
	budget := func(until time.Time) engine.Budget {
		b := engine.Budget{Until: until, Stop: interrupted}
		if c.Schedules > 0 {
			b.Schedules = max(1, c.Schedules-x.total.Schedules)
		}
		return b
	}
	run := func(r engine.Result, what string) bool {
		s.t.Helper()
		x.add(r, what)
		if r.Failure != nil {
			s.fail(r.Failure, fmt.Sprintf("found in schedule %d, %s", x.total.Schedules, time.Since(x.began).Round(time.Millisecond)))
		}
		if interrupted() != "" {
			tell(fmt.Sprintf("explore: %s: interrupted after %s\n", s.t.Name(), x))
			os.Exit(1)
		}
		return r.Failure == nil && r.Ended == ""
	}
	switch c.Search {
	case SearchAll:
		run(engine.UnboundedWithin(s.build, budget(end)), "schedules, but for the order of independent steps")
	case SearchPCT:
		run(engine.PCT(s.build, c.Bound+1, c.Seed, budget(end)), "schedules with random priorities")
	case SearchPOS:
		run(engine.POS(s.build, c.Seed, budget(end)), "schedules with random orders")
	default:
		for b := 0; b <= c.Bound; b++ {
			if !run(engine.BoundedWithin(s.build, b, budget(x.began.Add(c.Time*2/3))), "schedules with at most "+preemptions(b)) {
				break
			}
		}
		if len(x.parts) > 0 && !s.t.Failed() && (c.Schedules == 0 || x.total.Schedules < c.Schedules) {
			run(engine.POS(s.build, c.Seed, budget(end)), "schedules with random orders")
		}
	}
	if s.t.Failed() {
		return
	}
	if len(x.parts) > 0 {
		s.t.Logf("explore: no failure, and not everything was explored: %s", x)
	} else {
		s.t.Logf("explore: no failure: %s", x)
	}
	for _, y := range s.sometimes {
		if !y.seen {
			s.t.Errorf("explore: no schedule reaches %q", y.name)
		}
	}
}

func preemptions(n int) string {
	if n == 1 {
		return "1 preemption"
	}
	return fmt.Sprintf("%d preemptions", n)
}

// interruption returns a function that says whether the user has interrupted the program.
func interruption() (interrupted func() string, stop func()) {
	var done atomic.Bool
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt)
	quit := make(chan struct{})
	go func() {
		select {
		case <-ch:
			done.Store(true)
		case <-quit:
		}
	}()
	return func() string {
			if done.Load() {
				return "interrupted"
			}
			return ""
		}, func() {
			signal.Stop(ch)
			close(quit)
		}
}

// fail reports a failure.
func (s *session) fail(f *engine.Failure, how string) {
	s.t.Helper()
	r := newReport(s.t.Name(), s.shorten(f), how)
	s.t.Error(r.Text())
	if err := r.Write(s.t); err != nil {
		s.t.Error(err)
	}
}
