package parts

import (
	goruntime "runtime"
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/internal/aligned"
	rt "github.com/ichor-go/ichor/runtime"
)

// TrialSubject is a type of objects, and a model of them. It has the fields of proptest.Subject,
// which documents them.
type TrialSubject[M any] struct {
	New     func(t *rt.Thread) (rt.Ref, error)
	Model   M
	Ops     []TrialOp[M]
	Freezes bool
}

// TrialOp is an operation on objects of a subject. It has the fields of proptest.Op, which
// documents them.
type TrialOp[M any] struct {
	Name         string
	Do           func(t *rt.Thread, r rt.Ref, n int) (seen any, err error)
	Derive       func(t *rt.Thread, r rt.Ref, n int) (rt.Ref, error)
	Model        func(m M, n int) (after M, seen any)
	Writes       bool
	Linearizable bool
}

// TrialConfig says how to run programs of a subject.
type TrialConfig struct {
	Options  rt.Options
	Threads  int   // that run concurrently
	Ops      int   // bounds the operations of one thread
	Injected error // is what an injected error is
}

// trials runs the programs of a subject.
type trials[M any] struct {
	TrialSubject[M]
	config TrialConfig

	failing *rt.Options // the mode in which a program has failed, and in which alone it is shrunk

	runs, steps, hits aligned.Int64
	verdicts          Verdicts
}

func newTrials[M any](s TrialSubject[M], c TrialConfig) *trials[M] {
	if c.Options.AddressSpace == 0 {
		c.Options.AddressSpace = 4 << 20
	}
	c.Options.Backing, c.Options.CollectAfter = rt.AutoBacking, -1
	return &trials[M]{TrialSubject: s, config: c}
}

// CheckTrials draws programs of a subject, runs them on objects and on their models, and fails t
// if a property does not hold.
func CheckTrials[M any](t *testing.T, s TrialSubject[M], c TrialConfig) {
	x := newTrials(s, c)
	t.Run("programs", func(t *testing.T) { x.check(t, x.programs) })
	if goruntime.GOOS == "linux" {
		t.Run("moved", func(t *testing.T) { x.check(t, x.moved) })
	}
	t.Run("faults", func(t *testing.T) { x.check(t, x.faults) })
	t.Run("threads", func(t *testing.T) { x.check(t, x.threads) })
	t.Run("histories", func(t *testing.T) {
		if len(x.linearizable()) == 0 {
			t.Skip("no operation is said to be linearizable")
		}
		x.check(t, x.histories)
	})
}

// check has rapid draw and shrink, and logs the amount of work done.
func (x *trials[M]) check(t *testing.T, property func(t *rapid.T)) {
	x.runs.Store(0)
	x.steps.Store(0)
	x.hits.Store(0)
	rapid.Check(t, property)
	t.Logf("%d runs, %d operations, %d errors injected", x.runs.Load(), x.steps.Load(), x.hits.Load())
	Add("Conformance's runs", int(x.runs.Load()))
	Add("Conformance's operations", int(x.steps.Load()))
	if err := x.verdicts.Err(); err != nil {
		t.Error(err)
	}
}
