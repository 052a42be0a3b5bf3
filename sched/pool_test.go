package sched

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/atomic"
)

// states counts the calls of open and close.
type states struct {
	mu     sync.Mutex
	opened map[int]int
	closed map[int]int
}

func newStates() *states { return &states{opened: map[int]int{}, closed: map[int]int{}} }

func (s *states) open(_ context.Context, worker int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened[worker]++
	return worker, nil
}

func (s *states) close(worker int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed[worker]++
}

func (s *states) check(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		if s.opened[i] != 1 || s.closed[i] != 1 {
			t.Errorf("worker %d: opened %d times, closed %d times", i, s.opened[i], s.closed[i])
		}
	}
	if len(s.opened) != n {
		t.Errorf("%d states, want %d", len(s.opened), n)
	}
}

var errA, errB = errors.New("a"), errors.New("b")

func TestRun(t *testing.T) {
	watchdog(t)
	st := newStates()
	var ran [5]bool
	err := Run(t.Context(), 5, st.open, st.close, func(_ context.Context, s, worker int) error {
		if s != worker {
			t.Errorf("worker %d has the state of %d", worker, s)
		}
		ran[worker] = true
		return nil
	})
	if err != nil || ran != [5]bool{true, true, true, true, true} {
		t.Errorf("err %v, ran %v", err, ran)
	}
	st.check(t, 5)
	for _, n := range []int{0, -1} {
		if err := Run[int](t.Context(), n, nil, nil, nil); err == nil || !strings.HasPrefix(err.Error(), "ichor: ") {
			t.Errorf("%d workers: %v", n, err)
		}
	}
	if err := Run[int](t.Context(), 2, nil, nil, func(context.Context, int, int) error { return nil }); err != nil {
		t.Error(err)
	}
}

// TestRunErrors: the first error stops the other workers, and errors that repeat it are
// dropped.
func TestRunErrors(t *testing.T) {
	watchdog(t)
	st := newStates()
	err := Run(t.Context(), 4, st.open, st.close, func(ctx context.Context, _, worker int) error {
		if worker == 1 {
			return errA
		}
		<-ctx.Done()
		switch {
		case context.Cause(ctx) != errA:
			return fmt.Errorf("cause %v", context.Cause(ctx))
		case worker == 2:
			return fmt.Errorf("worker: %w", context.Cause(ctx))
		default:
			return ctx.Err()
		}
	})
	if err != errA {
		t.Errorf("err %v", err)
	}
	st.check(t, 4)

	err = Run(t.Context(), 2, st.open, nil, func(ctx context.Context, _, worker int) error {
		if worker == 0 {
			return errA
		}
		<-ctx.Done()
		return errB
	})
	if !errors.Is(err, errA) || !errors.Is(err, errB) || err.Error() != "a\nb" {
		t.Errorf("err %v", err)
	}
	// Nothing was cancelled, so this is an error like any other.
	err = Run(t.Context(), 2, st.open, nil, func(_ context.Context, _, worker int) error {
		if worker == 0 {
			return context.Canceled
		}
		return nil
	})
	if err != context.Canceled {
		t.Errorf("err %v", err)
	}
}

// TestRunEnds: the workers' context is cancelled when Run returns.
func TestRunEnds(t *testing.T) {
	watchdog(t)
	var seen context.Context
	err := Run[int](t.Context(), 1, nil, nil, func(ctx context.Context, _, _ int) error {
		seen = ctx
		return ctx.Err()
	})
	if err != nil || seen.Err() == nil {
		t.Errorf("err %v; then the context says %v", err, seen.Err())
	}
}

func TestRunOpenFails(t *testing.T) {
	watchdog(t)
	var closed atomic.Int32
	err := Run(t.Context(), 3,
		func(_ context.Context, worker int) (int, error) {
			if worker == 2 {
				return 0, errA
			}
			return 1, nil
		},
		func(s int) { closed.Add(int32(s)) },
		func(ctx context.Context, _, worker int) error {
			if worker == 2 {
				t.Error("fn ran without a state")
			}
			<-ctx.Done()
			return nil
		})
	if err != errA || closed.Load() != 2 {
		t.Errorf("err %v, %d closed", err, closed.Load())
	}
}

func TestRunCancelled(t *testing.T) {
	watchdog(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	started := make(chan bool)
	go func() {
		<-started
		cancel(errA)
	}()
	st := newStates()
	fn := func(ctx context.Context, _, worker int) error {
		if worker == 0 {
			close(started)
		}
		<-ctx.Done()
		return []error{nil, context.Cause(ctx), ctx.Err()}[worker]
	}
	if err := Run(ctx, 3, st.open, st.close, fn); err != errA {
		t.Errorf("err %v", err)
	}
	st.check(t, 3)
	if err := Run(ctx, 3, st.open, st.close, fn); err != errA {
		t.Errorf("err %v", err)
	}
	st.check(t, 3) // open was not called again
}

func caught(fn func()) (p *Panic) {
	defer func() { p, _ = recover().(*Panic) }()
	fn()
	return nil
}

func explode() { panic(errB) }

// TestRunPanics: the caller gets the panic, with the worker's stack, after all workers
// have ended.
func TestRunPanics(t *testing.T) {
	watchdog(t)
	st := newStates()
	var ended atomic.Int32
	p := caught(func() {
		_ = Run(t.Context(), 3, st.open, st.close, func(ctx context.Context, _, worker int) error {
			if worker == 1 {
				explode()
			}
			<-ctx.Done()
			ended.Inc()
			return errA
		})
	})
	if p == nil || p.Value != errB || p.Worker != 1 || ended.Load() != 2 {
		t.Fatalf("panic %v, %d others ended", p, ended.Load())
	}
	st.check(t, 3)
	for _, want := range []string{"worker 1 panicked: b", "sched.explode"} {
		if !strings.Contains(p.Error(), want) || !strings.Contains(p.String(), want) {
			t.Errorf("%q is not in %s", want, p)
		}
	}
	if !errors.Is(p, errB) {
		t.Error("the panic does not unwrap to its value")
	}
	if (&Panic{Value: 1}).Unwrap() != nil {
		t.Error("Unwrap returns a value that is not an error")
	}
}

func TestRunPanicsElsewhere(t *testing.T) {
	watchdog(t)
	none := func(context.Context, int, int) error { return nil }
	closed := 0
	p := caught(func() {
		_ = Run(t.Context(), 1, func(context.Context, int) (int, error) { panic("open") }, func(int) { closed++ }, none)
	})
	if p == nil || p.Value != "open" || closed != 0 {
		t.Errorf("panic %v, closed %d", p, closed)
	}
	p = caught(func() {
		_ = Run(t.Context(), 1, nil, func(int) { panic("close") }, none)
	})
	if p == nil || p.Value != "close" {
		t.Errorf("panic %v", p)
	}
	// If a worker panics twice, the first panic counts.
	p = caught(func() {
		_ = Run(t.Context(), 1, nil, func(int) { panic("close") },
			func(context.Context, int, int) error { panic("fn") })
	})
	if p == nil || p.Value != "fn" {
		t.Errorf("panic %v", p)
	}
	p = caught(func() {
		_ = Run(t.Context(), 1, nil, nil, func(context.Context, int, int) error { panic(nil) })
	})
	if p == nil {
		t.Error("panic(nil) is lost")
	}
}

func TestRunGoexit(t *testing.T) {
	watchdog(t)
	st := newStates()
	err := Run(t.Context(), 3, st.open, st.close, func(ctx context.Context, _, worker int) error {
		if worker == 2 {
			goruntime.Goexit()
		}
		<-ctx.Done()
		return nil
	})
	if !errors.Is(err, ErrGoexit) || !strings.Contains(err.Error(), "worker 2") {
		t.Errorf("err %v", err)
	}
	st.check(t, 3)
	err = Run(t.Context(), 1, func(context.Context, int) (int, error) { goruntime.Goexit(); return 0, nil },
		func(int) { t.Error("close was called although open failed") }, nil)
	if !errors.Is(err, ErrGoexit) {
		t.Errorf("err %v", err)
	}
	p := caught(func() {
		_ = Run(t.Context(), 1, nil, func(int) { panic("close") },
			func(context.Context, int, int) error { goruntime.Goexit(); return nil })
	})
	if p == nil || p.Value != "close" {
		t.Errorf("panic %v", p)
	}
}
