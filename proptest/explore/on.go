//go:build explore

package explore

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
)

// E is the exploration that a function is part of.
type E struct {
	s         *session
	histories []*History
}

// session is what the schedules of a test have in common.
type session struct {
	t         testing.TB
	fn        func(*E)
	call      int // which call of Test it is in its test
	sometimes []sometimes
}

// sometimes is a condition, and whether it was ever true.
type sometimes struct {
	name string
	seen bool
}

// build returns the program for one schedule.
func (s *session) build() engine.Program {
	e := &E{s: s}
	return engine.Program{Threads: []func(){func() { s.fn(e) }}, Check: e.check, Unmarked: true, Main: true}
}

// check checks what was recorded in a schedule.
func (e *E) check() error {
	for _, h := range e.histories {
		if err := h.check(); err != nil {
			return err
		}
	}
	return nil
}

// History returns a history, which is checked against a model at the end of the schedule. *Any
// goroutine of the exploration.*
//
//go:norace
func (e *E) History(m porcupine.Model) *History {
	h := &History{model: m, e: e}
	e.histories = append(e.histories, h)
	return h
}

// Call makes a call and records it: what goes in, what the call returns, and when it began and ended.
// *Any goroutine of the exploration.*
//
//go:norace
func (h *History) Call(in any, call func() (out any)) any {
	t := me()
	began := t.Sequence()
	out := call()
	h.add(t.ID(), t.Name(), in, out, int64(began), int64(t.Sequence()))
	return out
}

// me returns the thread that calls it.
//
//go:norace
func me() *engine.Thread {
	t := engine.Me()
	if t == nil {
		panic("explore: a goroutine that the exploration does not know uses E: start it with E.Go, or by a go statement of code that the command explore rewrites")
	}
	return t
}

// Go starts a goroutine. *Any goroutine of the exploration.*
//
//go:norace
func (e *E) Go(name string, fn func()) { me().Go(name, fn).Joinable() }

// Wait waits until all goroutines that Go has started have ended. *Any goroutine of the exploration
// that Go has not started.*
//
//go:norace
func (e *E) Wait() { me().Join() }

// Fatalf fails the schedule, and ends the calling goroutine. *Any goroutine of the exploration.*
//
//go:norace
func (e *E) Fatalf(format string, args ...any) { me().Stop(failure(format, args)) }

// Errorf fails the schedule. *Any goroutine of the exploration.*
//
//go:norace
func (e *E) Errorf(format string, args ...any) { me().Fail(failure(format, args)) }

// failure returns what the program says, with the place.
func failure(format string, args []any) error {
	text := fmt.Sprintf(format, args...)
	if _, file, line, ok := runtime.Caller(2); ok {
		text = fmt.Sprintf("%s:%d: %s", filepath.Base(file), line, text)
	}
	return errors.New(text)
}

// Sometimes says that cond must be true in at least one schedule. The test fails if it never
// is. *Any goroutine of the exploration.*
//
//go:norace
func (e *E) Sometimes(name string, cond bool) {
	s := e.s
	for i := range s.sometimes {
		if s.sometimes[i].name == name {
			s.sometimes[i].seen = s.sometimes[i].seen || cond
			return
		}
	}
	s.sometimes = append(s.sometimes, sometimes{name, cond})
}

// Logf adds a line to the trace of a failing schedule. *Any goroutine of the exploration.*
//
//go:norace
func (e *E) Logf(format string, args ...any) {
	if t := me(); t.Traced() {
		t.Logs(fmt.Sprintf(format, args...))
	}
}
