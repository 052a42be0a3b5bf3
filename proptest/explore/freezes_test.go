//go:build explore

package explore

import (
	"errors"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Scenarios of Freeze against calls that write what it copies.
var freezeScenarios = []scenario{
	{"freeze against compare and swap in two records", "a", func(s *stage) {
		s.enter(2)
		s.stops = true
		first, second := must(point3.New(s.t[0], key(0))), must(point3.New(s.t[0], key(0)))
		both := must(objects.NewListSteal(s.t[0], first, second))
		s.own(both)
		s.run(0, func(t *rt.Thread) {
			if !must(first.CompareAndSwap(t, 0, key(0), key(1))) || !must(second.CompareAndSwap(t, 0, key(0), key(1))) {
				panic("it failed, although no other call changed the value")
			}
		})
		s.run(1, func(t *rt.Thread) { freezeUntorn(t, both) })
	}},
	{"freeze against an overwrite through a gate, and a set", "a", func(s *stage) {
		s.enter(2)
		s.stops = true
		objects.SetGatesFrom(4)
		first, second := s.dictOf(1), s.listOf(1)
		both := must(objects.NewList(s.t[0], first, second))
		s.own(both)
		s.run(0, func(t *rt.Thread) {
			ok(first.Set(t, key(0), key(1)))
			ok(second.Set(t, 0, key(1)))
		})
		s.run(1, func(t *rt.Thread) { freezeUntorn(t, both) })
	}},
	{"freeze against two sets", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		first, second := must(objects.NewList(s.t[0], key(0))), must(objects.NewList(s.t[0], key(0)))
		both := must(objects.NewListSteal(s.t[0], first, second))
		s.own(both)
		s.run(0, func(t *rt.Thread) {
			ok(objects.List(first).Set(t, 0, key(1)))
			ok(objects.List(second).Set(t, 0, key(1)))
		})
		s.run(1, func(t *rt.Thread) {
			freezeUntorn(t, both)
		})
	}},
	{"freeze against sets of two records", "a", func(s *stage) {
		s.enter(2)
		s.stops = true
		first, second := must(point3.New(s.t[0], key(0))), must(point3.New(s.t[0], key(0)))
		both := must(objects.NewListSteal(s.t[0], first, second))
		s.own(both)
		s.run(0, func(t *rt.Thread) {
			ok(objects.Record(first).Set(t, 0, key(1)))
			ok(objects.Record(second).Set(t, 0, key(1)))
		})
		s.run(1, func(t *rt.Thread) { freezeUntorn(t, both) })
	}},
	{"freeze against set", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		l := s.listOf(1)
		s.run(0, func(t *rt.Thread) { ok(l.Set(t, 0, rt.None)) })
		s.run(1, func(t *rt.Thread) {
			f, err := t.Freeze(l)
			if err == nil {
				read(t, objects.List(f.Root()), 0)
				ok(t.Unload(f))
			} else if !errors.Is(err, rt.ErrChanged) {
				panic(err)
			}
		})
	}},
}
