package trials

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	goruntime "runtime"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
	"go.uber.org/atomic"
	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/proptest/internal/draw"
	"github.com/ichor-go/ichor/proptest/internal/headers"
	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// All threads use the same object. Their programs are drawn before they start.

// historyOps bounds the calls of a thread in a history: the search takes longer with more.
const historyOps = 15

// linearizable returns the indexes of the operations that are Linearizable.
func (x *trials[M]) linearizable() (ops []int) {
	for i, op := range x.Ops {
		if op.Linearizable && op.Do != nil {
			ops = append(ops, i)
		}
	}
	return ops
}

// threads draws a program for each of several threads. The first register of each holds one
// shared object; derived objects are private to a thread.
func (x *trials[M]) threads(t *rapid.T) {
	o := rapid.SampledFrom(modes.All(x.config.Options)).Draw(t, "mode")
	progs := make([]plan, x.config.Threads)
	for i := range progs {
		progs[i] = x.draw(t, "thread", x.config.Ops)
	}
	_, err := x.parallel(o, progs, func(y *trial[M], object rt.Ref, s step) (op porcupine.Operation, seen bool) {
		y.hammer(object, s)
		return op, false
	})
	x.report(t, err)
}

// hammer runs a step on a shared object without comparing its result.
func (y *trial[M]) hammer(object rt.Ref, s step) {
	y.x.steps.Inc()
	own := int(s.what) - len(y.x.Ops)
	switch {
	case own == stepImmortal:
		y.injected(y.t.Immortalize(object))
		y.sample()
	case own == stepFreeze:
		f, err := y.t.Freeze(object)
		if errors.Is(err, rt.ErrChanged) {
			return
		}
		y.injected(err)
		y.injected(y.t.Unload(f))
	case own == stepCollect:
		y.t.Collect()
	case own >= 0:
		y.t.Checkpoint()
	case y.x.Ops[s.what].Derive != nil:
		r, err := y.x.Ops[s.what].Derive(y.t, object, int(s.n))
		if !y.injected(err) {
			y.t.DecRef(r)
		}
	default:
		_, err := y.x.Ops[s.what].Do(y.t, object, int(s.n))
		y.injected(err)
	}
}

// histories draws calls for several threads, and demands that some order of all calls
// gives the same results on the model.
func (x *trials[M]) histories(t *rapid.T) {
	o := rapid.SampledFrom(modes.All(x.config.Options)).Draw(t, "mode")
	aCall := rapid.Custom(func(t *rapid.T) step {
		what := rapid.SampledFrom(x.linearizable()).Draw(t, "what")
		return step{what: uint8(what), n: uint8(rapid.IntRange(0, 15).Draw(t, "n"))}
	})
	progs := make([]plan, x.config.Threads)
	for i := range progs {
		progs[i] = draw.Slice(t, "calls", aCall, historyOps)
	}
	history, err := x.record(o, progs)
	x.report(t, err)
	if x.verdicts.Illegal(x.porcupine(), history) {
		x.picture(history)
		x.report(t, told(property.Linear.Broken("no order of these calls explains them"), o, x.describe(history)))
	}
}

// picture draws a history into the test's folder of artifacts. The last one is of the shrunk program.
func (x *trials[M]) picture(history []porcupine.Operation) {
	if x.t == nil {
		return
	}
	m := x.porcupine()
	_, info := porcupine.CheckOperationsVerbose(m, history, time.Second)
	file := filepath.Join(x.t.ArtifactDir(), "history.html")
	if err := porcupine.VisualizePath(m, info, file); err != nil {
		x.t.Log(err)
		return
	}
	x.t.Logf("a picture of the history is in %s", file)
}

// yields returns a function for Options.Inject that lets other goroutines run at some of the places where
// memory may run out, and never has it run out. Only the checked mode asks there.
func yields() func(rt.Injection) error {
	var n aligned.Int64
	return func(rt.Injection) error {
		if n.Inc()%3 == 0 {
			goruntime.Gosched()
		}
		return nil
	}
}

// record makes the calls on several threads, and returns the history.
func (x *trials[M]) record(o rt.Options, progs []plan) ([]porcupine.Operation, error) {
	began := time.Now()
	return x.parallel(o, progs, func(y *trial[M], object rt.Ref, s step) (op porcupine.Operation, seen bool) {
		y.x.steps.Inc()
		op.Input, op.Call = s, time.Since(began).Nanoseconds()
		out, err := x.Ops[s.what].Do(y.t, object, int(s.n))
		op.Output, op.Return = out, time.Since(began).Nanoseconds()
		return op, !y.injected(err)
	})
}

// porcupine returns the subject's model in the form that package porcupine wants.
func (x *trials[M]) porcupine() porcupine.Model {
	return porcupine.Model{
		DescribeOperation: func(in, out any) string {
			s := in.(step)
			return fmt.Sprintf("%s(%d) = %v", x.Ops[s.what].Name, s.n, out)
		},
		Init:  func() any { return x.Model },
		Equal: reflect.DeepEqual,
		Step: func(state, in, out any) (bool, any) {
			s := in.(step)
			after, want := x.Ops[s.what].Model(state.(M), int(s.n))
			return reflect.DeepEqual(out, want), after
		},
	}
}

// describe returns a history as text.
func (x *trials[M]) describe(history []porcupine.Operation) (lines []string) {
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	for _, h := range history {
		s := h.Input.(step)
		lines = append(lines, fmt.Sprintf("%d to %d ns, thread %d: %s(%d) = %v", h.Call, h.Return, h.ClientId, x.Ops[s.what].Name, s.n, h.Output))
	}
	return lines
}

// parallel runs steps on one object by several threads, and audits at the end. It
// returns the operations that do recorded.
func (x *trials[M]) parallel(o rt.Options, progs []plan, do func(y *trial[M], object rt.Ref, s step) (porcupine.Operation, bool)) ([]porcupine.Operation, error) {
	x.runs.Inc()
	var late atomic.Error
	o.OnError = func(err error) { late.Store(property.Alive.Broken("%v", err)) }
	o.SwitchInterval = 10 * time.Microsecond
	if o.Checked {
		o.Inject = yields()
	}
	r, err := rt.New(o)
	if err != nil {
		return nil, err
	}
	var object rt.Ref
	headers := &headers.Samples{}
	err = r.Do(func(t *rt.Thread) (err error) {
		object, err = x.New(t)
		return err
	})
	if err != nil {
		return nil, err
	}
	lines := []string{}
	for i, p := range progs {
		lines = append(lines, fmt.Sprintf("thread %d: %s", i, x.text(p)))
	}
	histories := make([][]porcupine.Operation, len(progs))
	err = property.Parallel(len(progs), func(worker int) error {
		y := &trial[M]{x: x, t: property.Must(r.Attach()), headers: headers}
		for _, s := range progs[worker] {
			if op, seen := do(y, object, s); seen {
				op.ClientId = worker
				histories[worker] = append(histories[worker], op)
			}
			y.t.Checkpoint()
		}
		y.t.Detach()
		return nil
	})
	if err != nil {
		return nil, told(err, o, lines)
	}
	err = r.Do(func(t *rt.Thread) error {
		y := &trial[M]{x: x, t: t, headers: headers}
		return y.attempt(func() {
			y.regs[0] = &thing[M]{ref: object}
			y.audit()
			y.set(0, nil)
			t.Collect()
			y.audit()
		})
	})
	if err = errors.Join(err, late.Load()); err == nil {
		err = closed(r)
	}
	return slices.Concat(histories...), told(err, o, lines)
}

// text returns a thread's program as text.
func (x *trials[M]) text(p plan) (text string) {
	common := [stepKinds]string{stepImmortal: "immortalize", stepCollect: "collect", stepFreeze: "freeze"}
	for _, s := range p {
		switch own := int(s.what) - len(x.Ops); {
		case own < 0:
			text += fmt.Sprintf("%s(%d) ", x.Ops[s.what].Name, s.n)
		case common[own] != "":
			text += common[own] + " "
		}
	}
	return text
}
