package experiment

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"go.uber.org/atomic"

	rt "github.com/ichor-go/ichor/runtime"
)

// A lane with a pace does no more than it is asked for, in the smallest batches.
func TestPace(t *testing.T) {
	const rate = 500
	s, err := OpsPerSecond(t.Context(), Budget{Duration: 50 * ms}, 1, 2, func(l *Lane) error {
		l.Pace(rate, nil)
		for l.Next() {
			if l.N() != 2 {
				return errors.New("a batch is greater than its unit")
			}
			if since := time.Since(l.Due()); since < 0 {
				return errors.New("a batch began before it was due")
			}
		}
		return nil
	})
	// The first batch is due at once. So a lane that begins late may have done all that was due.
	if most := int64(math.Ceil(rate*s.Load.Elapsed.Seconds())) + 2; err != nil || s.Ops > most || s.Ops < 2 || s.Load.Elapsed < 50*ms {
		t.Errorf("%d operations in %v, of no more than %d; %v", s.Ops, s.Load.Elapsed, most, err)
	}
	// One that is due as the sample ends is not begun, even if the wait took too long.
	if s, err := OpsPerSecond(t.Context(), Budget{Duration: 20 * ms}, 1, 1, func(l *Lane) error {
		l.Pace(50, func(d time.Duration) { time.Sleep(d + ms) })
		for l.Next() {
		}
		return nil
	}); err != nil || s.Ops != 1 {
		t.Errorf("%d operations, of one in 20 ms; %v", s.Ops, err)
	}
	// An operation that is due after the sample does not hold it up, however far off it is.
	for _, rate := range []float64{1. / 3600, 1e-12, 1e-300, math.SmallestNonzeroFloat64} {
		if s, err := OpsPerSecond(t.Context(), Budget{Duration: 5 * ms}, 1, 1, func(l *Lane) error {
			l.Pace(rate, nil)
			for l.Next() {
			}
			return nil
		}); err != nil || s.Ops != 1 || s.Load.Elapsed < 5*ms {
			t.Errorf("at %v a second, %d operations in %v; %v", rate, s.Ops, s.Load.Elapsed, err)
		}
	}
	if s, err := NsPerOp(t.Context(), Budget{Ops: 4}, 1, func(l *Lane) error {
		l.Pace(1000, nil)
		for l.Next() {
		}
		return nil
	}); err != nil || s.Ops != 4 || s.Load.Elapsed < 3*ms {
		t.Errorf("four operations, one a millisecond, took %v; %v", s.Load.Elapsed, err)
	}
}

// An operation that is late because of another has a latency since it was due that shows it, and
// the sample says how many operations are missing.
func TestPaceUnreachable(t *testing.T) {
	const slow = 10 * ms // in place of 1 ms
	s, err := NsPerOp(t.Context(), Budget{Ops: 5}, 1, func(l *Lane) error {
		l.Pace(1000, nil)
		for l.Next() {
			time.Sleep(slow)
			l.Took(time.Since(l.Due()))
		}
		return nil
	})
	// The fifth is due after 4 ms, and is over after 50.
	if most := time.Duration(s.Extra[MaxNs]); err != nil || most < 5*slow-4*ms {
		t.Errorf("the last of five operations took %v; %v", most, err)
	}
	if s.Load.Behind < 0.8 { // 5 of at least 50
		t.Errorf("behind by %v", s.Load.Behind)
	}
	lanes := []Lane{{end: 10 * ms}, {ops: 9, end: 10 * ms}, {ops: 9, end: 10 * ms, pace: pace{rate: 1000}}, {ops: 4, end: 12 * ms, pace: pace{rate: 1000, first: 2 * ms}}}
	if got := behind(lanes); math.Abs(got-0.6) > 1e-9 || math.IsNaN(got) {
		t.Errorf("behind by %v", got)
	}
}

// What a lane with a pace is asked for begins with its first batch, also if the time is over by then.
func TestLatePace(t *testing.T) {
	l := &Lane{unit: 1, target: time.Hour, budget: Budget{Duration: time.Second}, start: time.Now().Add(-time.Hour), stopped: new(atomic.Bool)}
	l.Pace(1, nil)
	if !l.Next() || l.pace.first < time.Hour || l.Due() != l.start.Add(l.pace.first) || time.Since(l.Due()) > time.Hour/2 {
		t.Errorf("the first batch was due at %v", l.pace.first)
	}
	if l.Next() || l.ops != 1 {
		t.Errorf("%d operations", l.ops)
	}
}

// A lane that waits for its time is stopped.
func TestPaceStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	batches := 0
	_, err := OpsPerSecond(ctx, Budget{Duration: time.Hour}, 1, 1, func(l *Lane) error {
		l.Pace(1./3600, nil)
		for l.Next() {
			batches++
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || batches != 1 {
		t.Errorf("%d batches, %v", batches, err)
	}
}

// A role with a rate waits without its turn: under the GIL, a reader runs between two writes. If the
// reader gets no core for half a second, this fails although nothing is wrong.
func TestRoleRate(t *testing.T) {
	var wrote, read atomic.Bool
	first := make(chan struct{})
	w := Workload{
		Name: "paced", Question: "?", Axes: []Axis{{Mode, []any{ModeGIL}}},
		Roles: []Role{{Name: "readers", Threads: 1, Work: func(l *Lane, t *rt.Thread, _ Config, _ rt.Ref) error {
			t.Blocking(func() { <-first })
			for l.Next() {
				t.Checkpoint()
			}
			read.Store(true)
			return nil
		}}, {Name: "writers", Threads: 1, Rate: 2, Work: func(l *Lane, t *rt.Thread, _ Config, _ rt.Ref) error {
			for l.Next() {
				if !wrote.Swap(true) {
					close(first)
				} else if !read.Load() {
					return errors.New("no reader ran while the writer waited")
				}
			}
			return nil
		}}},
	}
	s := &stage{workload: &w, config: Cfg(Mode, ModeGIL)}
	err := s.open(t.Context())
	if err == nil {
		_, err = s.sample(t.Context(), Budget{Ops: 2}, 1)
	}
	if err := errors.Join(err, s.close()); err != nil {
		t.Fatal(err)
	}
}
