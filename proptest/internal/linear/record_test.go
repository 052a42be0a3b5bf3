package linear

import (
	"fmt"
	goruntime "runtime"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"go.uber.org/atomic"
	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/draw"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// Threads call one object, and record for each call its operands, its result, and when it began
// and ended. Package porcupine searches for an order of all calls, each taking effect at some
// moment between its beginning and its end, in which a single thread would observe the same
// (Herlihy and Wing, TOPLAS 1990; Lowe, CCPE 2017). The calls are drawn before the threads start.

// call is one call: its number and its operands, which the subject interprets.
type call struct{ what, a, b uint8 }

// subject is a kind of object whose histories are checked.
type subject struct {
	calls []string // names, by call.what

	// make makes the object, and anything else that the threads need.
	make func(t *rt.Thread) (arena any)
	// do makes a call. It returns the result, and whether there was anything to do.
	do func(t *rt.Thread, arena, own any, c call) (out any, done bool)
	// own returns state private to a thread; nil if there is none. At the end each thread
	// repeats the call last until it reports that there is nothing to do.
	own  func() any
	last call
	// end gives up everything that make made.
	end func(t *rt.Thread, arena any)

	model porcupine.Model
	skip  func(o rt.Options) bool // nil if the subject has histories in every mode
}

// historyThreads is the number of threads that make a history.
const historyThreads = 3

// callsEach bounds the calls of a thread: the search takes longer with more.
const callsEach = 40

// checkHistories draws calls for several threads, makes them on a runtime of their own, and
// demands that they are linearizable.
func checkHistories(t *testing.T, o rt.Options, s subject) {
	if s.skip != nil && s.skip(o) {
		return
	}
	aCall := rapid.Custom(func(t *rapid.T) call {
		return call{uint8(rapid.IntRange(0, len(s.calls)-1).Draw(t, "what")), rapid.Uint8Range(0, 7).Draw(t, "a"), rapid.Uint8Range(0, 7).Draw(t, "b")}
	})
	var v Verdicts
	rapid.Check(t, func(t *rapid.T) {
		progs := make([][]call, historyThreads)
		for i := range progs {
			progs[i] = draw.Slice(t, "calls", aCall, callsEach)
		}
		seen, err := s.record(o, progs)
		property.Report(t, err)
		if v.Illegal(s.model, seen) {
			property.Report(t, property.Linear.Broken("%s", s.describe(seen)))
		}
	})
	if err := v.Err(); err != nil {
		t.Error(err)
	}
}

// record makes the calls, and returns the history.
func (s *subject) record(o rt.Options, progs [][]call) (seen []porcupine.Operation, err error) {
	o.AddressSpace = 64 << 20
	r, err := rt.New(o)
	if err != nil {
		return nil, err
	}
	var arena any
	err = r.Do(func(t *rt.Thread) error {
		arena = s.make(t)
		return nil
	})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	var ready atomic.Int32
	histories := make([][]porcupine.Operation, len(progs))
	err = property.Parallel(len(progs), func(worker int) error {
		t := property.Must(r.Attach())
		var own any
		if s.own != nil {
			own = s.own()
		}
		ready.Inc()
		for o.Mode == rt.LockFree && int(ready.Load()) < len(progs) {
			goruntime.Gosched()
		}
		note := func(c call) bool {
			call := time.Since(began).Nanoseconds()
			out, done := s.do(t, arena, own, c)
			end := time.Since(began).Nanoseconds()
			if done {
				histories[worker] = append(histories[worker], porcupine.Operation{ClientId: worker, Input: c, Call: call, Output: out, Return: end})
			}
			return done
		}
		for i, c := range progs[worker] {
			note(c)
			if i%8 == 7 {
				t.Checkpoint()
			}
		}
		for s.own != nil && note(s.last) {
		}
		t.Detach()
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.Do(func(t *rt.Thread) error {
		s.end(t, arena)
		return t.Audit()
	})
	if err != nil {
		return nil, property.Counts.Broken("%v", err)
	}
	if err := r.Close(); err != nil {
		return nil, property.NothingLeft.Broken("%v", err)
	}
	return slices.Concat(histories...), nil
}

// describe returns a history as text.
func (s *subject) describe(seen []porcupine.Operation) string {
	text := ""
	slices.SortFunc(seen, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	for _, x := range seen {
		c := x.Input.(call)
		text += fmt.Sprintf("\n  %d to %d, thread %d: %s(%d, %d) = %v", x.Call, x.Return, x.ClientId, s.calls[c.what], c.a, c.b, x.Output)
	}
	return text
}

// boxed is beyond the range of small integers, so that each int is an object.
const boxed = 1 << 40

// values are counted objects that histories pass around: boxed ints.
type values [8]rt.Ref

// newValues returns new references.
func newValues(t *rt.Thread) (v values) {
	for i := range v {
		v[i] = property.Must(objects.NewInt(t, boxed+int64(i)))
	}
	return v
}

// number returns the index of r among the values, -1 if it is none of them.
func (v *values) number(r rt.Ref) int { return slices.Index(v[:], r) }

// taken turns a new reference that a call returned into a number, and gives the reference up.
func (v *values) taken(t *rt.Thread, r rt.Ref, err error) int {
	if err != nil {
		return -1
	}
	n := v.number(r)
	t.DecRef(r)
	return n
}
