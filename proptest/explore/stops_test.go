//go:build explore

package explore

import (
	"errors"
	"fmt"
	"time"

	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// stillImmortal demands that r is immortal, and that its header has not changed since it
// became so.
func (s *stage) stillImmortal(r rt.Ref, at *[4]uint32) {
	s.also = func() error {
		return s.r.Do(func(*rt.Thread) error { return nil })
	}
	s.last = func(t *rt.Thread) (err error) {
		if !t.IsImmortal(r) {
			return errors.New("it is not immortal")
		}
		t.Immortals(func(x rt.Ref, h [4]uint32) {
			if x == r && *at != [4]uint32{} && h != *at {
				err = errors.New("the header of an immortal has changed")
			}
		})
		return err
	}
	s.also = nil
}

// headerOf returns the header of an immortal.
func headerOf(t *rt.Thread, r rt.Ref) (h [4]uint32) {
	t.Immortals(func(x rt.Ref, now [4]uint32) {
		if x == r {
			h = now
		}
	})
	return h
}

// makeImmortal makes r immortal and records its header.
func makeImmortal(t *rt.Thread, r rt.Ref, at *[4]uint32) {
	ok(t.Immortalize(r))
	*at = headerOf(t, r)
}

// Scenarios of immortalizing, collecting and other stops, against all concurrent operations.
var stopScenarios = []scenario{
	{"immortalize against inc", "abg", func(s *stage) {
		s.enter(2)
		s.stops = true
		x, h := s.leaf(1), new([4]uint32)
		s.own(x)
		s.run(0, func(t *rt.Thread) { makeImmortal(t, x, h) })
		s.run(1, func(t *rt.Thread) { t.IncRef(x); t.Checkpoint(); t.DecRef(x); t.Checkpoint() })
		s.stillImmortal(x, h)
	}},
	{"immortalize against dec", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		x, h := s.leaf(2), new([4]uint32)
		s.own(x)
		s.run(0, func(t *rt.Thread) { makeImmortal(t, x, h) })
		s.run(1, func(t *rt.Thread) { t.DecRef(x); t.Checkpoint() })
		s.stillImmortal(x, h)
	}},
	{"immortalize against queue", "b", func(s *stage) {
		s.enter(3)
		s.stops = true
		x, h := s.leaf(3), new([4]uint32)
		s.own(x)
		s.run(0, func(t *rt.Thread) { t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { t.DecRef(x); t.DecRef(x); t.Checkpoint() })
		s.run(2, func(t *rt.Thread) { makeImmortal(t, x, h) })
		s.stillImmortal(x, h)
	}},
	{"immortalize against merge", "b", func(s *stage) {
		s.enter(2)
		s.stops = true
		x, h := s.leaf(2), new([4]uint32)
		s.own(x)
		s.run(0, func(t *rt.Thread) { t.Checkpoint(); t.IncRef(x); t.DecRef(x); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { t.DecRef(x); makeImmortal(t, x, h) })
		s.stillImmortal(x, h)
	}},
	{"immortalize against weak get", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		x, h := s.leaf(1), new([4]uint32)
		s.own(x)
		w := s.weakOf(x)
		s.run(0, func(t *rt.Thread) { makeImmortal(t, x, h) })
		s.run(1, func(t *rt.Thread) { got(t, w); t.Checkpoint() })
		s.stillImmortal(x, h)
	}},
	{"immortalize against the death of a container", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		x, h := s.leaf(2), new([4]uint32)
		s.own(x)
		l := must(objects.NewListSteal(s.t[0], x))
		s.run(0, func(t *rt.Thread) { makeImmortal(t, x, h) })
		s.run(1, func(t *rt.Thread) { t.DecRef(l); t.Checkpoint() })
		s.stillImmortal(x, h)
	}},
	{"immortalize against immortalize", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		x, h := s.leaf(1), new([4]uint32)
		s.own(x)
		s.run(0, func(t *rt.Thread) { makeImmortal(t, x, h) })
		s.run(1, func(t *rt.Thread) { ok(t.Immortalize(x)) })
		s.stillImmortal(x, h)
	}},
	{"immortalize against the owner's end", "b", func(s *stage) {
		s.enter(2)
		s.stops = true
		x, h := s.leaf(2), new([4]uint32)
		s.own(x)
		s.run(0, func(t *rt.Thread) { t.Detach(); s.t[0] = nil })
		s.run(1, func(t *rt.Thread) { t.DecRef(x); makeImmortal(t, x, h) })
		s.stillImmortal(x, h)
	}},
	{"immortalize against retire", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		x, h := s.leaf(2), new([4]uint32)
		s.own(x)
		l := must(objects.NewListSteal(s.t[0], x))
		s.own(l)
		s.run(0, func(t *rt.Thread) { ok(objects.List(l).Set(t, 0, rt.None)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { makeImmortal(t, x, h) })
		s.stillImmortal(x, h)
	}},
	{"collect against dec", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		l := must(objects.NewList(s.t[0]))
		s.t[0].IncRef(l)
		s.run(0, func(t *rt.Thread) { t.Collect() })
		s.run(1, func(t *rt.Thread) { t.DecRef(l); t.Checkpoint(); t.DecRef(l) })
	}},
	{"collect against the last reference to a cycle", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		l := must(objects.NewList(s.t[0]))
		ok(objects.List(l).Append(s.t[0], l))
		s.run(0, func(t *rt.Thread) { t.Collect() })
		s.run(1, func(t *rt.Thread) { t.DecRef(l); t.Checkpoint() })
	}},
	{"collect against weak get of a cycle", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		l := must(objects.NewList(s.t[0]))
		ok(objects.List(l).Append(s.t[0], l))
		w := s.weakOf(l)
		s.t[0].DecRef(l)
		s.run(0, func(t *rt.Thread) { t.Collect() })
		s.run(1, func(t *rt.Thread) { got(t, w); t.Checkpoint() })
	}},
	{"a stop against the end of a thread", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		s.run(0, func(t *rt.Thread) { t.StopTheWorld(func() {}) })
		s.run(1, func(t *rt.Thread) { t.Detach(); s.t[1] = nil })
	}},
	{"a stop against attach", "ab", func(s *stage) {
		s.enter(1)
		s.run(0, func(t *rt.Thread) { t.StopTheWorld(func() {}) })
		s.threads = append(s.threads, func() { must(s.r.Attach()).Detach() })
	}},
	{"a stop against blocking", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		s.run(0, func(t *rt.Thread) { t.StopTheWorld(func() {}) })
		s.run(1, func(t *rt.Thread) { t.Blocking(func() {}) })
	}},
	{"a stop against a stop", "abg", func(s *stage) {
		s.enter(2)
		s.stops = true
		inside := 0
		for i := range 2 {
			s.run(i, func(t *rt.Thread) {
				t.StopTheWorld(func() {
					if inside++; inside > 1 {
						panic("two have stopped the world")
					}
					inside--
				})
			})
		}
	}},
	{"a stop against a container's lock", "ab", func(s *stage) {
		s.enter(3)
		s.stops = true
		l := must(objects.NewList(s.t[0]))
		s.own(l)
		s.run(0, func(t *rt.Thread) { ok(objects.List(l).Append(t, rt.None)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { ok(objects.List(l).Append(t, rt.None)); t.Checkpoint() })
		s.run(2, func(t *rt.Thread) { t.StopTheWorld(func() {}) })
	}},
	{"a grace period against the end of a thread", "ab", func(s *stage) {
		s.enter(2)
		s.stops = true
		x := s.leaf(1)
		l := must(objects.NewListSteal(s.t[0], x))
		s.own(l)
		s.run(0, func(t *rt.Thread) { ok(objects.List(l).Set(t, 0, rt.None)); t.Detach(); s.t[0] = nil })
		s.run(1, func(t *rt.Thread) { t.Checkpoint(); t.Checkpoint() })
	}},
	{"two threads that drop and wait", "ab", func(s *stage) {
		s.enter(2)
		died = tally{}
		waiting := &tally{}
		for i := range 2 {
			x, _, err := s.t[i].New(missedType, 4)
			ok(err)
			s.run(i, func(t *rt.Thread) {
				t.Retire(x)
				t.Blocking(func() {
					if waiting.add(1) == 2 && died.add(0) < 2 {
						panic(fmt.Sprintf("both wait, and %d of 2 that they dropped have died", died.add(0)))
					}
					point.Sleep(time.Microsecond)
					waiting.add(-1)
				})
			})
		}
	}},
}

// missedType is the type of objects whose deaths are counted.
var (
	died       tally
	missedType = must(rt.DefineType(rt.Type{
		Name: "explored and missed",
		Drop: func(*rt.Thread, rt.Ref, rt.Body) { died.add(1) },
	}))
)
