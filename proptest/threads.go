package proptest

import (
	"context"
	goruntime "runtime"
	"slices"

	"go.uber.org/atomic"

	rt "github.com/ichor-go/ichor/runtime"
)

// interleaved runs several threads on one goroutine, in the order of the turns.
// Lock-free mode only: under the GIL the threads would wait for each other. After a thread
// ends, its machine gets another one at its next turn.
func interleaved(o rt.Options, threads int, turns []turn) (err error) {
	defer catch(&err)
	defer guarded()()
	s, err := open(o, onDemand)
	if err != nil {
		return err
	}
	heaps := make([]*heap, threads)
	machines := make([]*machine[handle], threads)
	var shared [roots]handle
	box := &mailbox[handle]{}
	held := func() []rt.Ref {
		rs := refsOf(slices.Concat(shared[:], box.all()))
		for _, m := range machines {
			rs = append(rs, refsOf(m.everything())...)
		}
		return rs
	}
	for i := range heaps {
		h := s.heap(must(s.rt.Attach()))
		h.held = held
		h.replace = func() { h.detach() }
		h.alone = func(f func()) {
			var running []*heap
			for _, x := range heaps {
				if x != h && x.t != nil {
					running = append(running, x)
					x.detach()
				}
			}
			f()
			for _, x := range running {
				x.attach(s.rt)
			}
		}
		heaps[i] = h
	}
	shared = makeRoots(heaps[0], 0)
	for i := range machines {
		machines[i] = newMachine(heaps[i], shared, box, uint32(i+1)<<serialShift)
	}
	for _, x := range turns {
		i := int(x.thread) % threads
		heaps[i].attach(s.rt)
		machines[i].step(x.op)
	}
	for _, h := range heaps[1:] {
		h.detach()
	}
	heaps[0].attach(s.rt)
	heaps[0].finish(shared, box, machines)
	heaps[0].detach()
	ran("interleaved", len(turns))
	return s.close()
}

func (h *heap) detach() {
	if h.t != nil {
		h.t.Detach()
		h.t = nil
	}
}

func (h *heap) attach(r *rt.Runtime) {
	if h.t == nil {
		h.t = must(r.Attach())
		h.epoch++
	}
}

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
	var shared [roots]handle
	if err := s.do(func(h *heap) error { shared = makeRoots(h, 0); return nil }); err != nil {
		return err
	}
	n := len(progs)
	machines := make([]*machine[handle], n)
	box := &mailbox[handle]{}
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
		machines[worker] = newMachine(h, shared, box, uint32(worker+1)<<serialShift)
		if arrived.Inc() == int32(n) {
			close(start)
		}
		if _, _, err := rt.RecvContext(context.Background(), h.t, start); err != nil {
			return err
		}
		return h.perform(machines[worker], progs[worker], ticks)
	})
	if err != nil {
		return err
	}
	err = s.do(func(h *heap) error {
		h.finish(shared, box, machines)
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

// parallel runs f on n goroutines, each attached, and waits for all of them. After a failure
// it does not wait, because the failure may keep the other goroutines from ever ending;
// it then abandons them.
func (s *session) parallel(n int, f func(h *heap, worker int) error) error {
	ended := make(chan error, n)
	for i := range n {
		go func() {
			var err error
			defer func() { ended <- err }()
			defer catch(&err)
			defer guarded()()
			err = s.do(func(h *heap) error { return f(h, i) })
		}()
	}
	for range n {
		if err := <-ended; err != nil {
			return err
		}
	}
	return nil
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

// perform runs both parts of a program alternately.
func (h *heap) perform(m *machine[handle], p program, ticks chan<- struct{}) error {
	own := foretold(p.own)
	box := &mailbox[handle]{}
	serial := m.serial | serialOwn
	mine := newMachine(h, makeRoots(h, serial), box, serial)
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
		return &failure{propAgree, d}
	}
	h.nodes.check()
	h.walk(slices.Concat(mine.everything(), mine.roots[:], box.all()))
	mine.dropAll()
	for _, r := range slices.Concat(mine.roots[:], box.all()) {
		h.drop(r)
	}
	return nil
}
