package parts

import (
	"errors"

	rt "github.com/ichor-go/ichor/runtime"
)

// moved runs a program on one thread. In the step with the given index, which is an opLeave,
// it moves to another runtime: the heap is shared, and opened as a worker would open it. It
// returns the program's history.
func moved(o rt.Options, prog []op, at int) (seen history, err error) {
	defer catch(&err)
	defer guarded()()
	s, err := openToMove(o)
	if err != nil {
		return nil, err
	}
	var behind *left
	err = s.do(func(h *heap) error {
		m := newMachine(h, newShared(h, 0), 0)
		h.machines = []*machine[handle]{m}
		stay := h.replace
		for i, o := range prog {
			if i == at {
				h.replace = func() { behind = s.move(h, m) }
			}
			seen = append(seen, m.step(o))
			h.replace = stay
		}
		h.finish(m)
		return s.notCopied()
	})
	if err != nil {
		return seen, err
	}
	ran("moved", len(prog))
	return seen, errors.Join(s.close(), behind.finish())
}
