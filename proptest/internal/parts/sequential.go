package parts

import rt "github.com/ichor-go/ichor/runtime"

// sequential runs a program on one thread and returns its history.
func sequential(o rt.Options, when Collecting, prog []Op) (seen History, err error) {
	defer Catch(&err)
	defer Guarded()()
	s, err := Open(o, when)
	if err != nil {
		return nil, err
	}
	err = s.Do(func(h *Heap) error {
		m := New(h, NewShared(h, 0), 0)
		h.Machines = []*Machine[Handle]{m}
		for _, o := range prog {
			seen = append(seen, m.Step(o))
		}
		h.Finish(m)
		return nil
	})
	if err != nil {
		return seen, err
	}
	ran("sequential", len(prog))
	return seen, s.Close()
}
