package proptest

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"slices"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
)

// session is one run of programs on a runtime of its own.
type session struct {
	rt      *rt.Runtime
	checked bool
	origins origins
	headers Headers
	nodes   census
	frozen  frozenGraphs
	opts    rt.Options
	moves   bool // the program moves to another runtime: see moved
}

// collecting says whether collections start by themselves.
type collecting bool

const (
	onDemand collecting = false // only by an operation
	byItself collecting = true  // at every opportunity
)

func open(o rt.Options, when collecting) (*session, error) {
	if o.AddressSpace == 0 {
		o.AddressSpace = 64 << 20
	}
	if o.SwitchInterval == 0 {
		o.SwitchInterval = 10 * time.Microsecond // a program ends long before the default of 5 ms
	}
	o.CollectAfter = -1
	if when == byItself {
		o.CollectAfter, o.PauseBudget = 1, 1
	}
	s := &session{checked: o.Checked, origins: newOrigins()}
	s.nodes.fates = map[uint32]*fate{}
	for i := range s.nodes.bags {
		s.nodes.bags[i] = map[uint32]handle{}
	}
	o.OnError = func(err error) { s.nodes.failed(&failure{propAlive, err.Error()}) }
	r, err := rt.New(o)
	if err != nil {
		return nil, err
	}
	s.rt, s.opts = r, o
	sessions.Store(r, s)
	return s, nil
}

// heap returns the domain of a thread that can stop the world at any time.
func (s *session) heap(t *rt.Thread) *heap {
	h := &heap{t: t, origins: s.origins, headers: &s.headers, nodes: &s.nodes, frozen: &s.frozen, moves: s.moves, alone: func(f func()) { f() }}
	h.replace = func() {
		h.t.Detach()
		goruntime.Gosched()
		h.t = must(s.rt.Attach())
	}
	return h
}

// do runs f with the heap of a new thread. f may replace the thread; do detaches the last one.
func (s *session) do(f func(h *heap) error) error {
	t, err := s.rt.Attach()
	if err != nil {
		return err
	}
	h := s.heap(t)
	if err := f(h); err != nil {
		return err
	}
	h.t.Detach()
	return nil
}

// close demands that only immortals and their contents are left. All threads have
// detached. Checked mode keeps freed objects for a while, so there only Close can tell.
func (s *session) close() error {
	defer sessions.Delete(s.rt)
	m, immortals := s.rt.Memory(), s.headers.containers()
	mortals := m.Objects - m.InPlace
	switch {
	case s.checked:
	case mortals > 0 && immortals == 0, m.Blocks > mortals+immortals: // a container has at most one block
		return &failure{propNone, fmt.Sprintf("%d mortal objects and %d blocks, with %d immortal containers",
			mortals, m.Blocks, immortals)}
	}
	if err := s.frozen.unload(s.rt, immortals > 0); err != nil {
		return err
	}
	err := s.rt.Close()
	var leak *rt.LeakError
	if errors.As(err, &leak) {
		return &failure{propNone, err.Error()}
	}
	if err != nil {
		return err
	}
	s.nodes.check()
	return s.nodes.buried()
}

// catch recovers a panic and stores it as the failure of a property.
func catch(err *error) {
	if p := recover(); p != nil {
		*err = verdict(p)
	}
}

func verdict(p any) error {
	switch p := p.(type) {
	case *failure:
		return p
	}
	property := propAlive
	if fault, ok := p.(interface{ Addr() uintptr }); ok {
		switch {
		case inFrozen(fault.Addr()):
			property = propFrozen
		case inEstate(fault.Addr()):
			property = propStores
		}
	}
	return &failure{property, fmt.Sprintf("a panic: %v\n%s", p, debug.Stack())}
}

// guarded turns memory faults of this goroutine into panics: freed memory may no longer be
// mapped.
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

// finish checks everything, drops it, and checks again that only immortals and their
// contents are left. No other thread is attached.
func (h *heap) finish(shared [roots]handle, box *mailbox[handle], machines []*machine[handle]) {
	held := slices.Concat(shared[:], box.all())
	for _, m := range machines {
		held = append(held, m.everything()...)
	}
	kept, _ := h.nodes.kept()
	h.walk(slices.Concat(held, kept))
	h.held = func() []rt.Ref { return refsOf(held) }
	h.audit()
	h.nodes.close()
	for _, m := range machines {
		m.d = h
		m.dropAll()
	}
	for _, r := range shared {
		h.drop(r)
	}
	for v, ok := box.take(); ok; v, ok = box.take() {
		h.drop(v)
	}
	for bag := range h.nodes.bags {
		for v, ok := h.nodes.take(bag); ok; v, ok = h.nodes.take(bag) {
			h.drop(v)
		}
	}
	held = nil
	h.audit()
	h.t.Collect()
	if c := h.t.Collect(); c.Garbage > 0 {
		panic(&failure{propGarbage, fmt.Sprintf("the second one: %+v", c)})
	}
	h.nodes.check()
	h.nodes.judge(h.walk(h.immortals()))
	h.audit()
}

// immortals returns handles of all immortals.
func (h *heap) immortals() (vs []handle) {
	var rs []rt.Ref
	h.t.Immortals(func(r rt.Ref, _ [4]uint32) { rs = append(rs, r) })
	for _, r := range rs {
		vs = append(vs, h.found(r))
	}
	return vs
}

// sequential runs a program on one thread and returns its history.
func sequential(o rt.Options, when collecting, prog []op) (seen history, err error) {
	defer catch(&err)
	defer guarded()()
	s, err := open(o, when)
	if err != nil {
		return nil, err
	}
	err = s.do(func(h *heap) error {
		box := &mailbox[handle]{}
		m := newMachine(h, makeRoots(h, 0), box, 0)
		h.held = func() []rt.Ref { return refsOf(slices.Concat(m.everything(), m.roots[:], box.all())) }
		for _, o := range prog {
			seen = append(seen, m.step(o))
		}
		h.finish(m.roots, box, []*machine[handle]{m})
		return nil
	})
	if err != nil {
		return seen, err
	}
	ran("sequential", len(prog))
	return seen, s.close()
}

// modelled runs a program on the model and returns its history.
func modelled(prog []op) (seen history) {
	d := &model{}
	box := &mailbox[*value]{}
	m := newMachine(d, makeRoots(d, 0), box, 0)
	d.held = func() []*value { return slices.Concat(m.everything(), m.roots[:], box.all()) }
	for _, o := range prog {
		seen = append(seen, m.step(o))
	}
	return seen
}
