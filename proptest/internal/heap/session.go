package heap

import (
	"errors"
	goruntime "runtime"
	"time"

	"github.com/ichor-go/ichor/proptest/internal/headers"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// Session is a runtime for one run of programs, with what the threads know about its objects.
type Session struct {
	runtime *rt.Runtime
	opts    rt.Options
	origins origins
	headers headers.Samples
	nodes   *census
	frozen  frozenGraphs
	moves   bool // the program moves to another runtime, so no object may hold code
}

// Collecting says whether collections start by themselves.
type Collecting bool

// When collections start.
const (
	OnDemand Collecting = false // only by an operation
	ByItself Collecting = true  // at every opportunity
)

// Open makes a runtime for a run of programs.
func Open(o rt.Options, when Collecting) (*Session, error) {
	if o.AddressSpace == 0 {
		o.AddressSpace = 64 << 20
	}
	if o.SwitchInterval == 0 {
		o.SwitchInterval = 10 * time.Microsecond // a program ends long before the default of 5 ms
	}
	o.CollectAfter = -1
	if when == ByItself {
		o.CollectAfter, o.PauseBudget = 1, 1
	}
	s := &Session{origins: newOrigins(), nodes: newCensus()}
	o.OnError = func(err error) { s.nodes.failed(property.Alive.Broken("%v", err)) }
	r, err := rt.New(o)
	if err != nil {
		return nil, err
	}
	s.runtime, s.opts = r, o
	sessions.Store(r, s)
	return s, nil
}

// heap returns the domain of a thread that can stop the world at any time.
func (s *Session) heap(t *rt.Thread) *Heap {
	h := &Heap{Thread: t, s: s, Alone: func(f func()) { f() }}
	h.Replace = func() {
		h.Thread.Detach()
		goruntime.Gosched()
		h.Thread = property.Must(s.runtime.Attach())
	}
	return h
}

// Attach returns the heap of a new thread.
func (s *Session) Attach() *Heap { return s.heap(property.Must(s.runtime.Attach())) }

// Do runs f with the heap of a new thread. f may replace the thread; Do detaches
// the last one.
func (s *Session) Do(f func(h *Heap) error) error {
	h := s.Attach()
	if err := f(h); err != nil {
		return err
	}
	h.Thread.Detach()
	return nil
}

// Parallel runs f on n goroutines, each with a heap of its own.
func (s *Session) Parallel(n int, f func(h *Heap, worker int) error) error {
	return property.Parallel(n, func(worker int) error {
		return s.Do(func(h *Heap) error { return f(h, worker) })
	})
}

// Close demands that only immortals and their contents are left, and closes the runtime. All
// threads have detached. In checked mode freed objects are kept for a while, so only the
// runtime's Close can tell what is left.
func (s *Session) Close() error {
	defer sessions.Delete(s.runtime)
	m, immortals := s.runtime.Memory(), s.immortalContainers()
	mortals := m.Objects - m.InPlace
	switch {
	case s.opts.Checked:
	case mortals > 0 && immortals == 0, m.Blocks > mortals+immortals: // a container has at most one block
		return property.NothingLeft.Broken("%d mortal objects and %d blocks, with %d immortal containers",
			mortals, m.Blocks, immortals)
	}
	if err := s.frozen.unload(s.runtime, immortals > 0); err != nil {
		return err
	}
	err := s.runtime.Close()
	var leak *rt.LeakError
	if errors.As(err, &leak) {
		return property.NothingLeft.Broken("%v", err)
	}
	if err != nil {
		return err
	}
	s.nodes.check()
	return s.nodes.buried()
}

// immortalContainers returns the number of immortals that can hold references.
func (s *Session) immortalContainers() int64 {
	return s.headers.Number(func(r rt.Ref, y rt.TypeID) bool {
		switch y {
		case rt.TypeList, rt.TypeDict, rt.TypeTuple, record.ID(), nodeType.ID():
			return r != rt.EmptyTuple
		}
		return false
	})
}

// Finish checks everything, drops what the machines hold, and checks again that only immortals
// and their contents are left. No other thread is attached.
func (h *Heap) Finish(machines ...*machine.Machine[Handle]) {
	h.Machines = machines
	kept, _ := h.s.nodes.kept()
	h.walk(append(machine.HeldBy(machines...), kept...))
	h.Audit()
	h.s.nodes.close()
	machine.DropAll(h, machines...)
	for bag := range h.s.nodes.bags {
		for v, ok := h.s.nodes.take(bag); ok; v, ok = h.s.nodes.take(bag) {
			h.Drop(v)
		}
	}
	h.Audit()
	h.settle() // a finalizer that is due holds its object, and what that refers to
	h.Thread.Collect()
	if c := h.Thread.Collect(); c.Garbage > 0 {
		panic(property.Garbage.Broken("a second collection finds more: %+v", c))
	}
	h.s.nodes.check()
	h.s.nodes.judge(h.walk(h.immortals()))
	h.Audit()
}

// Discard checks and drops what a private machine holds. Other threads may be running.
func (h *Heap) Discard(m *machine.Machine[Handle]) {
	h.s.nodes.check()
	h.walk(machine.HeldBy(m))
	machine.DropAll(h, m)
}

// immortals returns handles of all immortals.
func (h *Heap) immortals() (vs []Handle) {
	var rs []rt.Ref
	h.Thread.Immortals(func(r rt.Ref, _ [4]uint32) { rs = append(rs, r) })
	for _, r := range rs {
		vs = append(vs, h.found(r))
	}
	return vs
}

// Detach detaches the thread, if it is attached.
func (h *Heap) Detach() {
	if h.Thread != nil {
		h.Thread.Detach()
		h.Thread = nil
	}
}

// Attach attaches another thread after Detach.
func (h *Heap) Attach() {
	if h.Thread == nil {
		h.Thread = property.Must(h.s.runtime.Attach())
		h.epoch++
	}
}
