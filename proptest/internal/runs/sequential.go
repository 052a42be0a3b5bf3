package runs

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/internal/heap"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/model"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// CheckSequential draws programs of one thread, with at most ops operations.
func CheckSequential(t *testing.T, o rt.Options, ops int) {
	rapid.Check(t, func(t *rapid.T) {
		prog, when := machine.DrawOps(t, "program", ops), heap.Collecting(rapid.Bool().Draw(t, "collects by itself"))
		if when == heap.ByItself {
			prog = foretold(prog)
		}
		property.Report(t, sequential(o, when, prog))
	})
}

// sequential runs a program on one thread, and demands the model's history.
func sequential(o rt.Options, when heap.Collecting, prog []machine.Op) (err error) {
	defer property.Catch(&err)
	defer property.Guarded()()
	s, err := heap.Open(o, when)
	if err != nil {
		return err
	}
	var seen machine.History
	err = s.Do(func(h *heap.Heap) error {
		m := machine.New(h, machine.NewShared(h, 0), 0)
		h.Machines = []*machine.Machine[heap.Handle]{m}
		for _, o := range prog {
			seen = append(seen, m.Step(o))
		}
		h.Finish(m)
		return nil
	})
	if err != nil {
		return err
	}
	ran("sequential", len(prog))
	if err := s.Close(); err != nil {
		return err
	}
	return agrees(prog, seen)
}

// agrees fails with property (d) if the history of a program differs from the model's.
func agrees(prog []machine.Op, seen machine.History) error {
	if d := seen.Diff(model.Run(prog), prog); d != "" {
		return property.Agree.Broken("%s", d)
	}
	return nil
}
