// Package trials runs the programs of proptest.Conformance.
//
// # Files in reading order
//
//	check.go      what is drawn and checked
//	validate.go   subjects that are wrong themselves
//	trial.go      programs of one thread
//	disturbed.go  the same, with the heap shared in the middle, or with a call that fails
//	forged.go     images that were changed
//	threads.go    programs of several threads, and histories
//	explored.go   short programs of several threads, under all schedules
package trials

import (
	goruntime "runtime"
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/proptest/internal/counts"
	"github.com/ichor-go/ichor/proptest/internal/linear"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// Subject is a type of objects, and a model of them. It has the fields of proptest.Subject,
// which documents them.
type Subject[M any] struct {
	New     func(t *rt.Thread) (rt.Ref, error)
	Model   M
	Ops     []Op[M]
	Freezes bool
}

// Op is an operation on objects of a subject. It has the fields of proptest.Op, which
// documents them.
type Op[M any] struct {
	Name         string
	Do           func(t *rt.Thread, r rt.Ref, n int) (seen any, err error)
	Derive       func(t *rt.Thread, r rt.Ref, n int) (rt.Ref, error)
	Model        func(m M, n int) (after M, seen any)
	Writes       bool
	Linearizable bool
}

// Config says how to run programs of a subject.
type Config struct {
	Options  rt.Options
	Threads  int   // number of threads that run concurrently
	Ops      int   // bounds the operations of one thread
	Injected error // what injected errors are
}

// trials runs the programs of a subject.
type trials[M any] struct {
	Subject[M]
	config Config

	t *testing.T // of the check

	failing *rt.Options // the mode in which a program has failed, and in which alone it is shrunk

	first, last error // the first failure of a check, and that of its last run

	runs, steps, hits aligned.Int64
	verdicts          linear.Verdicts
}

// newTrials returns trials with the options that all of them share.
func newTrials[M any](s Subject[M], c Config) *trials[M] {
	if c.Options.AddressSpace == 0 {
		c.Options.AddressSpace = 4 << 20
	}
	c.Options.Backing, c.Options.CollectAfter = rt.AutoBacking, -1
	return &trials[M]{Subject: s, config: c}
}

// Check draws programs of a subject, runs them on objects and on their models, and fails t
// if a property does not hold.
func Check[M any](t *testing.T, s Subject[M], c Config) {
	x := newTrials(s, c)
	t.Run("programs", func(t *testing.T) { x.check(t, x.programs) })
	if goruntime.GOOS == "linux" {
		t.Run("moved", func(t *testing.T) { x.check(t, x.moved) })
	}
	t.Run("faults", func(t *testing.T) { x.check(t, x.faults) })
	if s.Freezes {
		t.Run("images", func(t *testing.T) { x.check(t, x.forged) })
	}
	t.Run("threads", func(t *testing.T) { x.check(t, x.threads) })
	t.Run("histories", func(t *testing.T) {
		if len(x.linearizable()) == 0 {
			t.Skip("the subject has no operation that is Linearizable")
		}
		x.check(t, x.histories)
	})
}

// check has rapid draw and shrink, and logs how much was done.
func (x *trials[M]) check(t *testing.T, trial func(t *rapid.T)) {
	x.runs.Store(0)
	x.steps.Store(0)
	x.hits.Store(0)
	x.t, x.first = t, nil
	defer func() {
		if x.first != nil && x.last == nil { // rapid has run the program again, and calls it flaky
			t.Logf("the first failure, which did not happen again:\n%v", x.first)
		}
	}()
	rapid.Check(t, func(t *rapid.T) {
		x.last = nil
		trial(t)
	})
	t.Logf("%d runs, %d operations, %d errors injected", x.runs.Load(), x.steps.Load(), x.hits.Load())
	counts.Add("Conformance's runs", int(x.runs.Load()))
	counts.Add("Conformance's operations", int(x.steps.Load()))
	if err := x.verdicts.Err(); err != nil {
		t.Error(err)
	}
}

// report fails a run, and remembers why.
func (x *trials[M]) report(t *rapid.T, err error) {
	if x.last = err; x.first == nil {
		x.first = err
	}
	property.Report(t, err)
}
