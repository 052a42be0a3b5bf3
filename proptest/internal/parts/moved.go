package parts

import (
	"errors"

	rt "github.com/ichor-go/ichor/runtime"
)

// moved runs a program on one thread. In the step with the given index, which is an OpLeave,
// it moves to another runtime: the heap is shared, and opened as a worker would open it. It
// returns the program's history.
func moved(o rt.Options, prog []Op, at int) (seen History, err error) {
	defer Catch(&err)
	defer Guarded()()
	s, err := OpenToMove(o)
	if err != nil {
		return nil, err
	}
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
		return seen, err
	}
	ran("moved", len(prog))
	return seen, errors.Join(s.Close(), behind.Finish())
}
