package parts

import (
	"cmp"
	"errors"
	"slices"

	"github.com/ichor-go/ichor/internal/pagemap"
	rt "github.com/ichor-go/ichor/runtime"
)

// openToMove is open for a program that moves to another runtime.
func openToMove(o rt.Options) (*session, error) {
	o.Backing = rt.MemfdBacking
	s, err := open(o, onDemand)
	if err == nil {
		s.moves = true
	}
	return s, err
}

// left is the runtime that a program has moved away from, with a machine that still holds the
// references there. The runtime must be unaffected by everything that follows.
type left struct {
	s *session
	m *machine[handle]
}

// move shares the heap, opens it, and makes the session continue in the new runtime.
func (s *session) move(h *heap, m *machine[handle]) *left {
	h.t.Detach()
	file := Must(s.rt.Share())
	o := s.opts
	o.Backing, o.AddressSpace = rt.AutoBacking, 0
	worker, _, err := rt.OpenShared(file, o)
	Check(errors.Join(err, file.Close()))
	l := &left{
		s: &session{rt: s.rt, opts: s.opts, moves: true, origins: s.origins, nodes: s.nodes.clone()},
		m: m.clone(),
	}
	l.s.frozen.list = slices.Clone(s.frozen.list)
	slices.SortFunc(s.frozen.list, func(a, b frozenGraph) int { return cmp.Compare(a.f.Start(), b.f.Start()) })
	for i, f := range worker.Frozen() { // in the order of addresses, like the session's list now
		if s.frozen.list[i].hash != hashOf(f) {
			panic(propFrozen.broken("a worker finds other bytes in a frozen graph"))
		}
		s.frozen.list[i].f = f
		propFrozen.claim(f.Start(), uintptr(f.Bytes()))
	}
	sessions.Store(l.s.rt, l.s)
	sessions.Store(worker, s)
	s.rt = worker
	h.t = Must(worker.Attach())
	return l
}

// notCopied demands that no page of a shared frozen graph is private to the process.
func (s *session) notCopied() error {
	for _, x := range s.rt.SharedRanges() {
		if !x.Frozen {
			continue
		}
		if n, err := pagemap.Read(0, x.Start, x.End); err != nil || n.Copied > 0 {
			return propShared.broken("%d pages, %v", n.Copied, err)
		}
	}
	return nil
}

// finish checks that everything is unchanged, and ends the runtime.
func (l *left) finish() error {
	err := l.s.do(func(h *heap) error {
		h.finish(l.m)
		return nil
	})
	if err != nil {
		return err
	}
	return l.s.close()
}
