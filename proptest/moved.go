package proptest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ichor-go/ichor/internal/pagemap"
	rt "github.com/ichor-go/ichor/runtime"
)

// left is the runtime that a program has moved away from, with the references that it held
// there. The runtime must be unaffected by everything that follows.
type left struct {
	s   *session
	m   machine[handle]
	box []handle
}

// moved runs a program on one thread. In the step with the given index, which is an opLeave,
// it moves to another runtime: the heap is shared, and opened as a worker would
// open it. It returns the program's history.
func moved(o rt.Options, prog []op, at int) (seen history, err error) {
	defer catch(&err)
	defer guarded()()
	o.Backing = rt.MemfdBacking
	s, err := open(o, onDemand)
	if err != nil {
		return nil, err
	}
	s.moves = true
	var behind left
	err = s.do(func(h *heap) error {
		box := &mailbox[handle]{}
		m := newMachine(h, makeRoots(h, 0), box, 0)
		h.held = func() []rt.Ref { return refsOf(slices.Concat(m.everything(), m.roots[:], box.all())) }
		stay := h.replace
		for i, o := range prog {
			if i == at {
				h.replace = func() { behind = s.move(h, m, box) }
			}
			seen = append(seen, m.step(o))
			h.replace = stay
		}
		h.finish(m.roots, box, []*machine[handle]{m})
		return s.notCopied()
	})
	if err != nil {
		return seen, err
	}
	ran("moved", len(prog))
	return seen, errors.Join(s.close(), behind.finish())
}

// move shares the heap, opens it, and makes the session continue in the new runtime.
func (s *session) move(h *heap, m *machine[handle], box *mailbox[handle]) left {
	h.t.Detach()
	file := must(s.rt.Share())
	o := s.opts
	o.Backing, o.AddressSpace = rt.AutoBacking, 0
	worker, _, err := rt.OpenShared(file, o)
	if err := errors.Join(err, file.Close()); err != nil {
		panic(err)
	}
	l := left{
		s: &session{rt: s.rt, opts: s.opts, checked: s.checked, moves: true, origins: s.origins},
		m: *m, box: box.all(),
	}
	s.nodes.copyTo(&l.s.nodes)
	l.s.frozen.list = slices.Clone(s.frozen.list)
	slices.SortFunc(s.frozen.list, func(a, b frozenGraph) int { return cmp.Compare(a.f.Start(), b.f.Start()) })
	for i, f := range worker.Frozen() { // in the order of addresses, like the session's list now
		if s.frozen.list[i].hash != hashOf(f) {
			panic(&failure{propFrozen, "a frozen graph is another one for a worker"})
		}
		s.frozen.list[i].f = f
		frozenRanges.Store(f, f.Start())
	}
	sessions.Store(l.s.rt, l.s)
	sessions.Store(worker, s)
	s.rt = worker
	h.t = must(worker.Attach())
	return l
}

// copyTo copies c into d. No other goroutine uses d.
func (c *census) copyTo(d *census) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d.fates = map[uint32]*fate{}
	for serial, f := range c.fates {
		now := *f
		d.fates[serial] = &now
	}
	for i, bag := range c.bags {
		d.bags[i] = maps.Clone(bag)
	}
}

// notCopied demands that no page of a shared frozen graph is private to the process.
func (s *session) notCopied() error {
	for _, x := range s.rt.SharedRanges() {
		if !x.Frozen {
			continue
		}
		if n, err := pagemap.Read(0, x.Start, x.End); err != nil || n.Copied > 0 {
			return &failure{propShared, fmt.Sprintf("%d pages, %v", n.Copied, err)}
		}
	}
	return nil
}

// finish checks that everything is unchanged, and ends the runtime.
func (l *left) finish() error {
	err := l.s.do(func(h *heap) error {
		m := &l.m
		box := &mailbox[handle]{items: l.box}
		h.held = func() []rt.Ref { return refsOf(slices.Concat(m.everything(), m.roots[:], box.all())) }
		h.finish(m.roots, box, []*machine[handle]{m})
		return nil
	})
	if err != nil {
		return err
	}
	return l.s.close()
}
