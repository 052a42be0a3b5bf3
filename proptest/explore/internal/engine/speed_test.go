//go:build explore && unix

package engine

import (
	"iter"
	"syscall"
	"testing"
	"time"

	"github.com/ichor-go/ichor/internal/point"
)

// rival is a loop that is measured against others. run returns how many steps it has taken.
type rival struct {
	what string
	run  func() int
	best float64 // steps in a second of processor time
}

// TestSpeed says how many steps the engine takes in a second, and how many switches Go makes where
// nothing is explored. They take turns, so that what else the machine does slows all of them down.
func TestSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("it is a measurement")
	}
	g := newEngine()
	defer g.close()
	g.direct = true
	bare, stop := bareSwitches()
	defer stop()
	list := []*rival{
		{what: "switches of Go alone, no exploration", run: bare},
		{what: "steps of a thread that goes on", run: g.stepping(t, pair, goOn)},
		{what: "switches between two threads", run: g.stepping(t, pair, alternate)},
		{what: "switches between two goroutines of a test, at twins", run: g.stepping(t, test, alternate)},
		{what: "steps of a search with one preemption", run: func() int {
			r := Bounded(func() Program {
				p := adders(2, 60, true)()
				p.Unmarked = true
				return p
			}, 1)
			if r.Failure != nil {
				t.Fatal(r.Failure)
			}
			return int(r.Steps)
		}},
	}
	const rounds = 20
	for range rounds {
		for _, x := range list {
			began, n := processorTime(t), 0
			for processorTime(t)-began < 10*time.Millisecond {
				n += x.run()
			}
			x.best = max(x.best, float64(n)/(processorTime(t)-began).Seconds())
		}
	}
	for _, x := range list {
		t.Logf("%s: %.1f million a second of processor time, the best of %d", x.what, x.best/1e6, rounds)
	}
}

// stepsOfSpeed is the number of steps of each thread.
const stepsOfSpeed = 4000

// pair is a program of two threads that never wait.
func pair() Program {
	var w [2]word
	work := func(w *word) func() {
		return func() {
			for range stepsOfSpeed {
				point.Update(&w.v)
			}
		}
	}
	return Program{Threads: []func(){work(&w[0]), work(&w[1])}, Unmarked: true}
}

// test is the same as package explore runs it: thread 0 starts the others and waits for them.
func test() Program {
	main := func() {
		t := Me()
		for range 2 {
			var w uint64
			t.Go("", func() {
				for range stepsOfSpeed {
					if t := Me(); t != nil { // as in package atomic
						t.At(point.AtomicUpdate, Address(&w), 8, "Add")
					}
					w++
				}
			}).Joinable()
		}
		t.Join()
	}
	return Program{Threads: []func(){main}, Main: true, Unmarked: true}
}

// alternate picks another thread than the one that has taken the last step, if it can.
//
//go:norace
func alternate(e *Execution, options Schedule) int {
	if len(options) > 1 && int(options[0].Thread) == e.last {
		return 1
	}
	return 0
}

// stepping returns a function that runs a program once.
func (g *Engine) stepping(t *testing.T, build func() Program, choose pick) func() int {
	return func() int {
		e, _ := g.execute(build(), false, nil, choose)
		if e.err != nil {
			t.Fatal(e.err)
		}
		g.spare = e // as in a search
		return len(e.schedule)
	}
}

// bareSwitches returns a function that switches to and fro between two coroutines, or with -race
// between two goroutines, as the engine does.
func bareSwitches() (run func() int, stop func()) {
	const trips = 4000
	if Racy {
		there, back := make(chan struct{}), make(chan struct{})
		go func() {
			for range there {
				back <- struct{}{}
			}
		}()
		return func() int {
			for range trips {
				there <- struct{}{}
				<-back
			}
			return 2 * trips
		}, func() { close(there) }
	}
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		for yield(struct{}{}) {
		}
	})
	return func() int {
		for range trips {
			next()
		}
		return 2 * trips
	}, stop
}

// processorTime returns the time that the process has spent on processors, of which other processes
// take none away.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
