package runs

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/internal/heap"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// CheckMoved draws programs in two parts, each with at most ops operations. The second part runs on
// the shared heap.
func CheckMoved(t *testing.T, o rt.Options, ops int) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := machine.DrawOps(t, "before", ops), machine.DrawOps(t, "after", ops)
		prog := slices.Concat(before, []machine.Op{{Code: machine.OpCollect}, {Code: machine.OpLeave}}, after)
		property.Report(t, moved(o, prog, len(before)+1))
	})
}

// moved runs a program on one thread, and demands the model's history. In the step with the
// given index, which is an OpLeave, the program moves to another runtime: the heap is shared, and
// opened as a worker would open it.
func moved(o rt.Options, prog []machine.Op, at int) (err error) {
	defer property.Catch(&err)
	defer property.Guarded()()
	s, err := heap.OpenToMove(o)
	if err != nil {
		return err
	}
	var seen machine.History
	var behind *heap.Left
	err = s.Do(func(h *heap.Heap) error {
		m := machine.New(h, machine.NewShared(h, 0), 0)
		h.Machines = []*machine.Machine[heap.Handle]{m}
		stay := h.Replace
		for i, o := range prog {
			if i == at {
				h.Replace = func() { behind = s.Move(h, m) }
			}
			seen = append(seen, m.Step(o))
			h.Replace = stay
		}
		h.Finish(m)
		return s.NotCopied()
	})
	if err != nil {
		return err
	}
	ran("moved", len(prog))
	if err := s.Close(); err != nil {
		return err
	}
	if err := behind.Finish(); err != nil {
		return err
	}
	return agrees(prog, seen)
}
