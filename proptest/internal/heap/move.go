package heap

import (
	"cmp"
	"errors"
	"slices"

	"github.com/ichor-go/ichor/internal/pagemap"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// OpenToMove is open for a program that moves to another runtime.
func OpenToMove(o rt.Options) (*Session, error) {
	o.Backing = rt.MemfdBacking
	s, err := Open(o, OnDemand)
	if err == nil {
		s.moves = true
	}
	return s, err
}

// Left is the runtime that a program has moved away from, with a machine that still holds the
// references there. The runtime must be unaffected by everything that follows.
type Left struct {
	s *Session
	m *machine.Machine[Handle]
}

// Move shares the heap, opens it, and makes the session continue in the new runtime.
func (s *Session) Move(h *Heap, m *machine.Machine[Handle]) *Left {
	h.Thread.Detach()
	file := property.Must(s.runtime.Share())
	o := s.opts
	o.Backing, o.AddressSpace = rt.AutoBacking, 0
	worker, _, err := rt.OpenShared(file, o)
	property.Check(errors.Join(err, file.Close()))
	l := &Left{
		s: &Session{runtime: s.runtime, opts: s.opts, moves: true, origins: s.origins, nodes: s.nodes.clone()},
		m: m.Clone(),
	}
	l.s.frozen.list = slices.Clone(s.frozen.list)
	slices.SortFunc(s.frozen.list, func(a, b frozenGraph) int { return cmp.Compare(a.f.Start(), b.f.Start()) })
	for i, f := range worker.Frozen() { // in the order of addresses, like the session's list now
		if s.frozen.list[i].hash != hashOf(f) {
			panic(property.Frozen.Broken("a worker finds other bytes in a frozen graph"))
		}
		s.frozen.list[i].f = f
		property.Frozen.Claim(f.Start(), uintptr(f.Bytes()))
	}
	sessions.Store(l.s.runtime, l.s)
	sessions.Store(worker, s)
	s.runtime = worker
	h.Thread = property.Must(worker.Attach())
	return l
}

// NotCopied demands that no page of a shared frozen graph is private to the process.
func (s *Session) NotCopied() error {
	for _, x := range s.runtime.SharedRanges() {
		if !x.Frozen {
			continue
		}
		n, err := pagemap.Read(0, x.Start, x.End)
		if err != nil {
			return err
		}
		if n.Copied > 0 {
			return property.NotCopied.Broken("%d pages are private to the process", n.Copied)
		}
	}
	return nil
}

// Finish checks that everything is unchanged, and ends the runtime.
func (l *Left) Finish() error {
	err := l.s.Do(func(h *Heap) error {
		h.Finish(l.m)
		return nil
	})
	if err != nil {
		return err
	}
	return l.s.Close()
}
