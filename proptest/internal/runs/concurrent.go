package runs

import (
	"context"
	goruntime "runtime"
	"slices"
	"testing"

	"go.uber.org/atomic"
	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/internal/heap"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// CheckConcurrent draws a program for each of several threads, with at most ops operations in either
// part.
func CheckConcurrent(t *testing.T, o rt.Options, threads, ops int) {
	rapid.Check(t, func(t *rapid.T) {
		progs := make([]machine.Program, threads)
		for i := range progs {
			progs[i] = machine.DrawProgram(t, "thread", ops)
		}
		property.Report(t, concurrent(o, progs))
	})
}

// concurrent runs each program on a goroutine of its own, and samples headers on one
// more. Each program has a part that works on shared objects, and a part whose history the
// model predicts. Threads collect at every opportunity.
func concurrent(o rt.Options, progs []machine.Program) (err error) {
	defer property.Catch(&err)
	defer property.Guarded()()
	s, err := heap.Open(o, heap.ByItself)
	if err != nil {
		return err
	}
	var shared *machine.Shared[heap.Handle]
	if err := s.Do(func(h *heap.Heap) error { shared = machine.NewShared(h, 0); return nil }); err != nil {
		return err
	}
	n := len(progs)
	machines := make([]*machine.Machine[heap.Handle], n)
	var (
		arrived, left atomic.Int32
		start         = make(chan struct{})
		ticks         = make(chan struct{}, 1)
	)
	err = s.Parallel(n+1, func(h *heap.Heap, worker int) error {
		if worker == n {
			for open := true; open; _, open, _ = rt.RecvContext(context.Background(), h.Thread, ticks) {
				h.Sample()
			}
			return nil
		}
		defer func() {
			if left.Inc() == int32(n) {
				close(ticks)
			}
		}()
		last := machine.SerialsOf(worker)
		machines[worker] = machine.New(h, shared, last)
		if arrived.Inc() == int32(n) {
			close(start)
		}
		if _, _, err := rt.RecvContext(context.Background(), h.Thread, start); err != nil {
			return err
		}
		return perform(h, machines[worker], progs[worker], last.AsPrivate(), ticks)
	})
	if err != nil {
		return err
	}
	err = s.Do(func(h *heap.Heap) error {
		h.Finish(machines...)
		return nil
	})
	if err != nil {
		return err
	}
	ops := 0
	for _, p := range progs {
		ops += len(p.Own) + len(p.Shared)
	}
	ran("concurrent", ops)
	return s.Close()
}

// foretold returns the part of a program that the model predicts even while other threads
// run and collections start by themselves. That part borrows nothing, because safe
// points are unpredictable, and does not ask which objects have died.
func foretold(prog []machine.Op) []machine.Op {
	return slices.DeleteFunc(slices.Clone(prog), func(o machine.Op) bool {
		switch o.Code {
		case machine.OpUse, machine.OpFollow, machine.OpCollect, machine.OpRescue:
			return true
		}
		return false
	})
}

// perform runs both parts of a program alternately: one on m, the other on a private machine
// whose nodes have the serials after last.
func perform(h *heap.Heap, m *machine.Machine[heap.Handle], p machine.Program, last machine.Serial, ticks chan<- struct{}) error {
	own := foretold(p.Own)
	mine := machine.New(h, machine.NewShared(h, last), last)
	var seen machine.History
	for i := range max(len(own), len(p.Shared)) {
		if i < len(p.Shared) {
			m.Step(p.Shared[i])
		}
		if i < len(own) {
			seen = append(seen, mine.Step(own[i]))
		}
		if i%8 == 0 {
			select {
			case ticks <- struct{}{}:
			default:
			}
		}
		goruntime.Gosched()
	}
	if err := agrees(own, seen); err != nil {
		return err
	}
	h.Discard(mine)
	return nil
}
