package parts

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// CheckMoved draws programs in two parts, each with at most ops operations. The second part runs on
// the shared heap.
func CheckMoved(t *testing.T, o rt.Options, ops int) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := DrawOps(t, "before", ops), DrawOps(t, "after", ops)
		prog := slices.Concat(before, []Op{{Code: OpCollect}, {Code: OpLeave}}, after)
		Report(t, moved(o, prog, len(before)+1))
	})
}

// moved runs a program on one thread, and demands the model's history. In the step with the
// given index, which is an OpLeave, the program moves to another runtime: the heap is shared, and
// opened as a worker would open it.
func moved(o rt.Options, prog []Op, at int) (err error) {
	defer Catch(&err)
	defer Guarded()()
	s, err := OpenToMove(o)
	if err != nil {
		return err
	}
	var seen History
	var behind *Left
	err = s.Do(func(h *Heap) error {
		m := New(h, NewShared(h, 0), 0)
		h.Machines = []*Machine[Handle]{m}
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
