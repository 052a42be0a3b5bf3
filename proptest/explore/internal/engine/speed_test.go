//go:build explore && unix

package engine

import (
	"syscall"
	"testing"
	"time"

	"github.com/ichor-go/ichor/internal/point"
)

// TestSpeed says how many steps the engine takes in a second: for threads that go on, and for threads
// that take turns.
func TestSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("it is a measurement")
	}
	const steps = 4000
	for _, x := range []struct {
		what   string
		choose pick
	}{
		{"steps of a thread that goes on", goOn},
		{"switches between two threads", func(e *Execution, options Schedule) int {
			if len(options) > 1 && int(options[0].Thread) == e.last {
				return 1
			}
			return 0
		}},
	} {
		g := newEngine()
		g.direct = true
		n, began := 0, processorTime(t)
		for processorTime(t)-began < 200*time.Millisecond {
			var w [2]word
			work := func(w *word) func() {
				return func() {
					for range steps {
						point.Update(&w.v)
					}
				}
			}
			e, _ := g.execute(Program{Threads: []func(){work(&w[0]), work(&w[1])}, Unmarked: true}, false, nil, x.choose)
			if e.err != nil {
				t.Fatal(e.err)
			}
			n += len(e.schedule)
			g.spare = e // as in a search
		}
		took := processorTime(t) - began
		g.close()
		t.Logf("%s: %.1f million a second of processor time", x.what, float64(n)/took.Seconds()/1e6)
	}
	began := processorTime(t)
	r := Bounded(func() Program {
		p := adders(2, 500, true)()
		p.Unmarked = true
		return p
	}, 1)
	if r.Failure != nil {
		t.Fatal(r.Failure)
	}
	t.Logf("steps of a search with one preemption: %.1f million a second of processor time", float64(r.Steps)/(processorTime(t)-began).Seconds()/1e6)
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
