package parts

import rt "github.com/ichor-go/ichor/runtime"

// sequential runs a program on one thread and returns its history.
func sequential(o rt.Options, when collecting, prog []op) (seen history, err error) {
	defer catch(&err)
	defer guarded()()
	s, err := open(o, when)
	if err != nil {
		return nil, err
	}
	err = s.do(func(h *heap) error {
		m := newMachine(h, newShared(h, 0), 0)
		h.machines = []*machine[handle]{m}
		for _, o := range prog {
			seen = append(seen, m.step(o))
		}
		h.finish(m)
		return nil
	})
	if err != nil {
		return seen, err
	}
	ran("sequential", len(prog))
	return seen, s.close()
}
