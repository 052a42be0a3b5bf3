package proptest

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"slices"
	"time"

	"go.uber.org/atomic"

	rt "github.com/ichor-go/ichor/runtime"
	"github.com/ichor-go/ichor/sched"
)

// session is one run of programs on a runtime of its own.
type session struct {
	rt      *rt.Runtime
	checked bool
	origins origins
	headers Headers
}

func open(o rt.Options) (*session, error) {
	if o.AddressSpace == 0 {
		o.AddressSpace = 64 << 20
	}
	if o.SwitchInterval == 0 {
		o.SwitchInterval = 10 * time.Microsecond // a program is over long before the usual 5 ms
	}
	r, err := rt.New(o)
	if err != nil {
		return nil, err
	}
	return &session{rt: r, checked: o.Checked, origins: newOrigins()}, nil
}

// heap returns the domain of a thread that may stop the world as it is.
func (s *session) heap(t *rt.Thread) *heap {
	return &heap{t: t, origins: s.origins, headers: &s.headers, alone: func(f func()) { f() }}
}

// close demands that nothing is left but immortals and what they hold. All
// threads have detached. In checked mode, where what is freed is kept for a while,
// it is up to Close alone.
func (s *session) close() error {
	m, immortals := s.rt.Memory(), s.headers.containers()
	mortals := m.Objects - m.InPlace
	switch {
	case s.checked:
	case mortals > 0 && immortals == 0, m.Blocks > mortals+immortals: // a container has one block at most
		return &failure{propNone, fmt.Sprintf("%d mortal objects and %d blocks, with %d immortal containers",
			mortals, m.Blocks, immortals)}
	}
	err := s.rt.Close()
	var leak *rt.LeakError
	if errors.As(err, &leak) {
		return &failure{propNone, err.Error()}
	}
	return err
}

// catch turns a panic into the failure of a property.
func catch(err *error) {
	if p := recover(); p != nil {
		*err = verdict(p)
	}
}

func verdict(p any) error {
	switch p := p.(type) {
	case *sched.Panic:
		err := verdict(p.Value)
		var f *failure
		if errors.As(err, &f) {
			f.detail += "\n" + string(p.Stack)
		}
		return err
	case *failure:
		return p
	}
	return &failure{propAlive, fmt.Sprintf("a panic: %v\n%s", p, debug.Stack())}
}

// guarded has memory faults of this goroutine panic: what is freed may be gone
// from the address space.
func guarded() (undo func()) {
	old := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(old) }
}

func (m *machine[V]) everything() []V {
	var vs []V
	for _, v := range m.regs {
		if v != *new(V) {
			vs = append(vs, v)
		}
	}
	return vs
}

// finish checks everything, drops it, and checks again. Nobody else is attached.
func (h *heap) finish(shared [roots]handle, machines []*machine[handle]) {
	held := shared[:]
	for _, m := range machines {
		held = append(held, m.everything()...)
	}
	h.walk(slices.Clone(held))
	h.held = func() []rt.Ref { return refsOf(held) }
	h.audit()
	for _, m := range machines {
		m.d = h
		m.dropAll()
	}
	for _, r := range shared {
		h.drop(r)
	}
	held = nil
	h.audit()
}

// sequential runs a program on one thread and returns what it saw.
func sequential(o rt.Options, prog []op) (seen history, err error) {
	defer catch(&err)
	defer guarded()()
	s, err := open(o)
	if err != nil {
		return nil, err
	}
	err = s.rt.Do(func(t *rt.Thread) error {
		h := s.heap(t)
		m := &machine[handle]{d: h, roots: makeRoots(h)}
		h.held = func() []rt.Ref { return refsOf(append(m.everything(), m.roots[:]...)) }
		for _, o := range prog {
			seen = append(seen, m.step(o))
		}
		h.finish(m.roots, []*machine[handle]{m})
		return nil
	})
	if err != nil {
		return seen, err
	}
	return seen, s.close()
}

// modelled runs a program on the model and returns what it saw.
func modelled(prog []op) (seen history) {
	d := &model{}
	m := machine[*value]{d: d, roots: makeRoots(d)}
	for _, o := range prog {
		seen = append(seen, m.step(o))
	}
	return seen
}

// interleaved runs several threads on one goroutine, in the order of the turns.
// Lock-free mode only: under the GIL they would wait for each other.
func interleaved(o rt.Options, threads int, turns []turn) (err error) {
	defer catch(&err)
	defer guarded()()
	s, err := open(o)
	if err != nil {
		return err
	}
	heaps := make([]*heap, threads)
	machines := make([]*machine[handle], threads)
	var shared [roots]handle
	held := func() []rt.Ref {
		rs := refsOf(shared[:])
		for _, m := range machines {
			rs = append(rs, refsOf(m.everything())...)
		}
		return rs
	}
	for i := range heaps {
		heaps[i] = s.heap(must(s.rt.Attach()))
		heaps[i].held = held
		heaps[i].alone = func(f func()) {
			others(heaps, i, func(h *heap) { h.t.Detach() })
			f()
			others(heaps, i, func(h *heap) {
				h.t = must(s.rt.Attach())
				h.epoch++
			})
		}
	}
	shared = makeRoots(heaps[0])
	for i := range machines {
		machines[i] = &machine[handle]{d: heaps[i], roots: shared}
	}
	for _, x := range turns {
		machines[int(x.thread)%threads].step(x.op)
	}
	others(heaps, 0, func(h *heap) { h.t.Detach() })
	heaps[0].alone = func(f func()) { f() }
	heaps[0].finish(shared, machines)
	heaps[0].t.Detach()
	return s.close()
}

func others(heaps []*heap, i int, f func(*heap)) {
	for k, h := range heaps {
		if k != i {
			f(h)
		}
	}
}

// concurrent runs each program on a thread of its own, and one more thread that
// samples headers. Each program has a part that works on what all share, and
// one whose history the model foretells.
func concurrent(o rt.Options, progs []program) (err error) {
	defer catch(&err)
	defer guarded()()
	s, err := open(o)
	if err != nil {
		return err
	}
	var shared [roots]handle
	if err := s.rt.Do(func(t *rt.Thread) error { shared = makeRoots(s.heap(t)); return nil }); err != nil {
		return err
	}
	n := len(progs)
	machines := make([]*machine[handle], n)
	var (
		arrived, left atomic.Int32
		start         = make(chan struct{})
		ticks         = make(chan struct{}, 1)
	)
	err = s.parallel(n+1, func(t *rt.Thread, worker int) error {
		h := s.heap(t)
		if worker == n {
			for open := true; open; _, open = rt.Recv(t, ticks) {
				h.sample()
			}
			return nil
		}
		defer func() {
			if left.Inc() == int32(n) {
				close(ticks)
			}
		}()
		machines[worker] = &machine[handle]{d: h, roots: shared}
		if arrived.Inc() == int32(n) {
			close(start)
		}
		rt.Recv(t, start)
		return h.perform(machines[worker], progs[worker], ticks)
	})
	if err != nil {
		return err
	}
	err = s.rt.Do(func(t *rt.Thread) error {
		s.heap(t).finish(shared, machines)
		return nil
	})
	if err != nil {
		return err
	}
	return s.close()
}

// parallel is Runtime.Run, but does not wait for the others once a worker has
// failed: what broke its property may keep them from ever ending. They are left to
// themselves.
func (s *session) parallel(n int, f func(t *rt.Thread, worker int) error) error {
	ended := make(chan error, n+1) // whoever sends never waits
	go func() {
		var err error
		defer func() { ended <- err }()
		defer catch(&err)
		err = s.rt.Run(context.Background(), n, func(_ context.Context, t *rt.Thread, worker int) error {
			defer guarded()()
			defer func() {
				if p := recover(); p != nil {
					ended <- verdict(p)
					panic(p)
				}
			}()
			return f(t, worker)
		})
	}()
	return <-ended
}

// perform runs both parts of a program in turns. In the part that is the
// thread's own nothing is borrowed: a safe point of the other part would end
// the borrow, which the model cannot know.
func (h *heap) perform(m *machine[handle], p program, ticks chan<- struct{}) error {
	own := slices.DeleteFunc(slices.Clone(p.own), func(o op) bool { return o.code == opUse })
	mine := &machine[handle]{d: h, roots: makeRoots(h)}
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
	h.walk(append(mine.everything(), mine.roots[:]...))
	mine.dropAll()
	for _, r := range mine.roots {
		h.drop(r)
	}
	return nil
}
