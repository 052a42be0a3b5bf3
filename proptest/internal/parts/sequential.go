package parts

import (
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// CheckSequential draws programs of one thread, with at most ops operations.
func CheckSequential(t *testing.T, o rt.Options, ops int) {
	rapid.Check(t, func(t *rapid.T) {
		prog, when := DrawOps(t, "program", ops), Collecting(rapid.Bool().Draw(t, "collects by itself"))
		if when == ByItself {
			prog = foretold(prog)
		}
		Report(t, sequential(o, when, prog))
	})
}

// sequential runs a program on one thread, and demands the model's history.
func sequential(o rt.Options, when Collecting, prog []Op) (err error) {
	defer Catch(&err)
	defer Guarded()()
	s, err := Open(o, when)
	if err != nil {
		return err
	}
	var seen History
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
		return err
	}
	ran("sequential", len(prog))
	if err := s.Close(); err != nil {
		return err
	}
	return agrees(prog, seen)
}

// agrees fails with property (d) if the history of a program differs from the model's.
func agrees(prog []Op, seen History) error {
	if d := seen.Diff(Run(prog), prog); d != "" {
		return Agree.Broken("%s", d)
	}
	return nil
}
