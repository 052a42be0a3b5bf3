//go:build !explore

package explore

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"
)

// The stress test runs the function so many times, if it can in so much time.
const (
	stressRuns = 1000
	stressTime = time.Second
)

// E is the exploration that a function is part of.
type E struct {
	group  sync.WaitGroup
	mu     sync.Mutex
	errors []string
	logs   []string

	histories []*History
	clock     atomic.Int64
}

// TestWith is Test with a configuration. Without the tag explore it runs the function many times,
// and explores nothing. *Any goroutine.*
func TestWith(t testing.TB, c Config, fn func(e *E)) {
	t.Helper()
	c, err := c.filled()
	if err != nil {
		t.Fatal(err)
	}
	began, runs := time.Now(), 0
	for runs < stressRuns && time.Since(began) < min(stressTime, c.Time) {
		runs++
		if e := run(fn); len(e.errors) > 0 {
			for _, text := range e.logs {
				t.Log(text)
			}
			for _, text := range e.errors {
				t.Error(text)
			}
			t.Fatalf("explore: run %d of a stress test has failed; a build with -tags explore finds the schedule", runs)
		}
	}
	t.Logf("explore: nothing was explored, for want of -tags explore; %d runs with real goroutines", runs)
}

// run runs fn once.
func run(fn func(e *E)) *E {
	e := &E{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(e)
	}()
	<-done
	e.group.Wait()
	for _, h := range e.histories {
		if err := h.check(); err != nil {
			e.errors = append(e.errors, err.Error())
		}
	}
	return e
}

// Draw runs fn under a schedule that rapid draws: at most three preemptions. rapid reduces their number
// and moves them forward after a failure, together with whatever else the test has drawn. Without the
// tag explore, fn runs once with real goroutines. *The test's goroutine.*
func Draw(t *rapid.T, fn func(e *E)) {
	for _, text := range run(fn).errors {
		t.Error(text)
	}
}

// Go starts a goroutine. *Any goroutine of the exploration.*
func (e *E) Go(name string, fn func()) {
	e.group.Add(1)
	go func() {
		defer e.group.Done()
		fn()
	}()
}

// Wait waits until all goroutines that Go has started have ended. *Any goroutine of the exploration
// that Go has not started.*
func (e *E) Wait() { e.group.Wait() }

// Fatalf fails the schedule, and ends the calling goroutine. *Any goroutine of the exploration.*
func (e *E) Fatalf(format string, args ...any) {
	e.Errorf(format, args...)
	runtime.Goexit()
}

// Errorf fails the schedule. *Any goroutine of the exploration.*
func (e *E) Errorf(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.errors = append(e.errors, fmt.Sprintf(format, args...))
}

// Sometimes says that cond must be true in at least one schedule. The test fails if it never is. A
// stress test does not check that. *Any goroutine of the exploration.*
func (e *E) Sometimes(name string, cond bool) {}

// Logf adds a line to the trace of a failing schedule. *Any goroutine of the exploration.*
func (e *E) Logf(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.logs = append(e.logs, fmt.Sprintf(format, args...))
}

// History returns a history, which is checked against a model at the end of the run. *Any goroutine
// of the exploration.*
func (e *E) History(m porcupine.Model) *History {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := &History{model: m, e: e}
	e.histories = append(e.histories, h)
	return h
}

// Call makes a call and records it: what goes in, what the call returns, and when it began and ended.
// *Any goroutine of the exploration.*
func (h *History) Call(in any, call func() (out any)) any {
	began := h.e.clock.Add(1)
	out := call()
	ended := h.e.clock.Add(1)
	h.e.mu.Lock()
	defer h.e.mu.Unlock()
	h.add(len(h.calls), "a goroutine", in, out, began, ended)
	return out
}
