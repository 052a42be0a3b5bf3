package parts

import (
	"errors"
	goruntime "runtime"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
)

// session is a runtime, and what its threads know about the objects in it.
type session struct {
	rt      *rt.Runtime
	opts    rt.Options
	origins origins
	headers Samples
	nodes   *census
	frozen  frozenGraphs
	moves   bool // the program moves to another runtime, so no object may hold code
}

// collecting says whether collections start by themselves.
type collecting bool

const (
	onDemand collecting = false // only by an operation
	byItself collecting = true  // at every opportunity
)

// open makes a runtime for a run of programs.
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
	s := &session{origins: newOrigins(), nodes: newCensus()}
	o.OnError = func(err error) { s.nodes.failed(propAlive.broken("%v", err)) }
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
	h := &heap{t: t, s: s, alone: func(f func()) { f() }}
	h.replace = func() {
		h.t.Detach()
		goruntime.Gosched()
		h.t = Must(s.rt.Attach())
	}
	return h
}

// attach returns the heap of a new thread.
func (s *session) attach() *heap { return s.heap(Must(s.rt.Attach())) }

// do runs f with the heap of a new thread. f may replace the thread; do detaches the last one.
func (s *session) do(f func(h *heap) error) error {
	h := s.attach()
	if err := f(h); err != nil {
		return err
	}
	h.t.Detach()
	return nil
}

// parallel runs f on n goroutines, each with a heap of its own.
func (s *session) parallel(n int, f func(h *heap, worker int) error) error {
	return parallel(n, func(worker int) error {
		return s.do(func(h *heap) error { return f(h, worker) })
	})
}

// close demands that only immortals and their contents are left. All threads have
// detached. Checked mode keeps freed objects for a while, so there only Close can tell.
func (s *session) close() error {
	defer sessions.Delete(s.rt)
	m, immortals := s.rt.Memory(), s.immortalContainers()
	mortals := m.Objects - m.InPlace
	switch {
	case s.opts.Checked:
	case mortals > 0 && immortals == 0, m.Blocks > mortals+immortals: // a container has at most one block
		return propNone.broken("%d mortal objects and %d blocks, with %d immortal containers",
			mortals, m.Blocks, immortals)
	}
	if err := s.frozen.unload(s.rt, immortals > 0); err != nil {
		return err
	}
	err := s.rt.Close()
	var leak *rt.LeakError
	if errors.As(err, &leak) {
		return propNone.broken("%v", err)
	}
	if err != nil {
		return err
	}
	s.nodes.check()
	return s.nodes.buried()
}

// immortalContainers returns the number of immortals that can hold references.
func (s *session) immortalContainers() int64 {
	return s.headers.number(func(r rt.Ref, y rt.TypeID) bool {
		switch y {
		case rt.TypeList, rt.TypeDict, rt.TypeTuple, record.ID(), nodeType.ID():
			return r != rt.EmptyTuple
		}
		return false
	})
}

// finish checks everything, drops what the machines hold, and checks again that only immortals
// and their contents are left. No other thread is attached.
func (h *heap) finish(machines ...*machine[handle]) {
	h.machines = machines
	kept, _ := h.s.nodes.kept()
	h.walk(append(heldBy(machines...), kept...))
	h.audit()
	h.s.nodes.close()
	dropAll(h, machines...)
	for bag := range h.s.nodes.bags {
		for v, ok := h.s.nodes.take(bag); ok; v, ok = h.s.nodes.take(bag) {
			h.drop(v)
		}
	}
	h.audit()
	h.t.Collect()
	if c := h.t.Collect(); c.Garbage > 0 {
		panic(propGarbage.broken("a second collection finds more: %+v", c))
	}
	h.s.nodes.check()
	h.s.nodes.judge(h.walk(h.immortals()))
	h.audit()
}

// discard checks and drops what a machine holds that shares nothing. Other threads may be running.
func (h *heap) discard(m *machine[handle]) {
	h.s.nodes.check()
	h.walk(heldBy(m))
	dropAll(h, m)
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

// detach detaches the thread, if it is attached.
func (h *heap) detach() {
	if h.t != nil {
		h.t.Detach()
		h.t = nil
	}
}

// attach attaches another thread after detach.
func (h *heap) attach() {
	if h.t == nil {
		h.t = Must(h.s.rt.Attach())
		h.epoch++
	}
}
