//go:build explore

package explore

import (
	"context"
	"errors"
	"fmt"

	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// frozenList returns a frozen list of n items.
func (s *stage) frozenList(n int) *rt.Frozen {
	t := s.t[0]
	l := must(objects.NewList(t))
	for range n {
		ok(l.Append(t, rt.None))
	}
	f := must(t.Freeze(l))
	t.DecRef(l)
	return f
}

// readsFrozen reads a frozen list, and again after a safe point: it must be loaded and complete.
func readsFrozen(t *rt.Thread, again bool) func(root rt.Ref) error {
	return func(root rt.Ref) error {
		for range 2 {
			loaded := false
			for _, f := range t.Runtime().Frozen() {
				loaded = loaded || f.Contains(root)
			}
			if !loaded {
				panic("the graph in use is not loaded")
			}
			if !again {
				return nil
			}
			t.Checkpoint()
		}
		return nil
	}
}

// Scenarios of leases on frozen graphs, against unloading.
var leaseScenarios = []scenario{
	{"use against unload", "abg", func(s *stage) {
		s.enter(2)
		s.stops = true
		f := s.frozenList(1)
		s.run(0, func(t *rt.Thread) {
			if err := f.Use(t, readsFrozen(t, true)); err != nil && !errors.Is(err, rt.ErrUnloaded) {
				panic(err)
			}
		})
		s.run(1, func(t *rt.Thread) {
			if err := t.Unload(f); err != nil && !errors.Is(err, rt.ErrInUse) {
				panic(err)
			}
		})
	}},
	{"use against an unload that waits", "abg", func(s *stage) {
		s.enter(2)
		s.stops = true
		f := s.frozenList(1)
		s.run(0, func(t *rt.Thread) {
			if err := f.Use(t, readsFrozen(t, true)); err != nil && !errors.Is(err, rt.ErrUnloaded) {
				panic(err)
			}
		})
		s.run(1, func(t *rt.Thread) { ok(t.UnloadContext(context.Background(), f)) })
		s.also = func() error {
			if n := len(s.r.Frozen()); n > 0 {
				return fmt.Errorf("%d graphs are loaded", n)
			}
			return nil
		}
	}},
	{"use against an unload that is given up", "abg", func(s *stage) {
		s.enter(2)
		s.stops = true
		f := s.frozenList(1)
		ctx, cancel := context.WithCancel(context.Background())
		s.run(0, func(t *rt.Thread) {
			err := f.Use(t, func(root rt.Ref) error { cancel(); return readsFrozen(t, true)(root) })
			if err != nil && !errors.Is(err, rt.ErrUnloaded) {
				panic(err)
			}
		})
		s.run(1, func(t *rt.Thread) {
			if err := t.UnloadContext(ctx, f); err != nil && !errors.Is(err, context.Canceled) {
				panic(err)
			}
		})
		s.last = func(t *rt.Thread) error {
			if len(s.r.Frozen()) > 0 { // then nothing has changed
				return errors.Join(f.Use(t, readsFrozen(t, false)), t.Unload(f))
			}
			return nil
		}
	}},
	{"use of the current graph against swap", "abg", func(s *stage) {
		s.enter(2)
		s.stops = true
		c, next := must(rt.NewCurrent(s.frozenList(1))), must(objects.NewList(s.t[0]))
		s.own(next)
		s.run(0, func(t *rt.Thread) { ok(c.Use(t, readsFrozen(t, true))) })
		s.run(1, func(t *rt.Thread) { ok(c.Swap(t, next)) })
		s.also = func() error {
			if n := len(s.r.Frozen()); n != 1 {
				return fmt.Errorf("%d graphs are loaded", n)
			}
			return nil
		}
	}},
	{"swap against swap", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		c := must(rt.NewCurrent(s.frozenList(1)))
		for i := range 2 {
			s.run(i, func(t *rt.Thread) { ok(c.Swap(t, rt.EmptyTuple)) })
		}
		s.also = func() error {
			if n := len(s.r.Frozen()); n != 1 {
				return fmt.Errorf("%d graphs are loaded", n)
			}
			return nil
		}
	}},
	{"attach that is given up against a stop", "ab", func(s *stage) {
		s.enter(1)
		s.stops = true
		ctx, cancel := context.WithCancel(context.Background())
		s.run(0, func(t *rt.Thread) { t.StopTheWorld(func() { point.Sleep(1); cancel() }) })
		s.threads = append(s.threads, func() {
			if t, err := s.r.AttachContext(ctx); err == nil {
				t.Detach()
			}
		})
	}},
}
