package parts

import (
	"context"
	goruntime "runtime"
	"slices"

	"go.uber.org/atomic"

	rt "github.com/ichor-go/ichor/runtime"
)

// concurrent runs each program on a goroutine of its own, and samples headers on one
// more. Each program has a part that works on shared objects, and a part whose history the
// model predicts. Threads collect at every opportunity.
func concurrent(o rt.Options, progs []program) (err error) {
	defer catch(&err)
	defer guarded()()
	s, err := open(o, byItself)
	if err != nil {
		return err
	}
	var shared *shared[handle]
	if err := s.do(func(h *heap) error { shared = newShared(h, 0); return nil }); err != nil {
		return err
	}
	n := len(progs)
	machines := make([]*machine[handle], n)
	var (
		arrived, left atomic.Int32
		start         = make(chan struct{})
		ticks         = make(chan struct{}, 1)
	)
	err = s.parallel(n+1, func(h *heap, worker int) error {
		if worker == n {
			for open := true; open; _, open, _ = rt.RecvContext(context.Background(), h.t, ticks) {
				h.sample()
			}
			return nil
		}
		defer func() {
			if left.Inc() == int32(n) {
				close(ticks)
			}
		}()
		last := serialsOf(worker + 1)
		machines[worker] = newMachine(h, shared, last)
		if arrived.Inc() == int32(n) {
			close(start)
		}
		if _, _, err := rt.RecvContext(context.Background(), h.t, start); err != nil {
			return err
		}
		return perform(h, machines[worker], progs[worker], last.asPrivate(), ticks)
	})
	if err != nil {
		return err
	}
	err = s.do(func(h *heap) error {
		h.finish(machines...)
		return nil
	})
	if err != nil {
		return err
	}
	ops := 0
	for _, p := range progs {
		ops += len(p.own) + len(p.shared)
	}
	ran("concurrent", ops)
	return s.close()
}

// foretold returns the part of a program that the model predicts even while other threads
// run and collections start by themselves. That part borrows nothing, because safe
// points are unpredictable, and does not ask which objects have died.
func foretold(prog []op) []op {
	return slices.DeleteFunc(slices.Clone(prog), func(o op) bool {
		switch o.code {
		case opUse, opFollow, opCollect, opRescue:
			return true
		}
		return false
	})
}

// perform runs both parts of a program alternately: one on m, the other on a private machine
// whose nodes have the serials after last.
func perform(h *heap, m *machine[handle], p program, last serial, ticks chan<- struct{}) error {
	own := foretold(p.own)
	mine := newMachine(h, newShared(h, last), last)
	var seen history
	for i := range max(len(own), len(p.shared)) {
		if i < len(p.shared) {
			m.step(p.shared[i])
		}
		if i < len(own) {
			seen = append(seen, mine.step(own[i]))
		}
		if i%8 == 0 {
			select {
			case ticks <- struct{}{}:
			default:
			}
		}
		goruntime.Gosched()
	}
	if d := seen.diff(modelled(own), own); d != "" {
		return propAgree.broken("%s", d)
	}
	h.discard(mine)
	return nil
}
