//go:build explore

package explore

import (
	"fmt"
	"testing"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
	rt "github.com/ichor-go/ichor/runtime"
)

// tornScenario has thread 1 overwrite a value in a dict, through a gate of its table, and
// then an item of a list. Thread 2 replaces the dict's table, which is full.
var tornScenario = scenario{"freeze against overwrites and growth", "a", func(s *stage) {
	s.enter(3)
	s.stops = true
	objects.SetGatesFrom(4)
	first, second := s.dictOf(8), s.listOf(1)
	both := must(objects.NewList(s.t[0], first, second))
	s.own(both)
	s.run(0, func(t *rt.Thread) { freezeUntorn(t, both) })
	s.run(1, func(t *rt.Thread) {
		ok(first.Set(t, key(0), key(1)))
		ok(second.Set(t, 0, key(1)))
	})
	s.run(2, func(t *rt.Thread) { ok(first.Set(t, key(100), key(0))) })
}}

// TestFreezeIsNotTorn runs Freeze with thread 1 inserted after every fourth step, and thread 2
// after each later step.
func TestFreezeIsNotTorn(t *testing.T) {
	build := func() Program { return tornScenario.program(rt.Options{Mode: rt.LockFree}) }
	steps := func(thread int, schedule string) (n int) {
		sch := must(Parse(schedule))
		for _, x := range engine.Taken(build, sch) {
			if int(x.Thread) == thread {
				n++
			}
		}
		return n
	}
	all, runs := steps(0, "0x5000"), 0
	for a := 1; a < all; a += 4 {
		whole := steps(1, fmt.Sprintf("0x%d 1x5000", a))
		for b := 1; a+b < all; b++ {
			runs++
			sch := must(Parse(fmt.Sprintf("0x%d 1x%d 0x%d 2x5000", a, whole, b)))
			if r := Replay(build, sch); r.Failure != nil {
				t.Fatal(r.Failure)
			}
		}
	}
	conclude(t, "%d schedules of Freeze against overwrites and growth", runs)
}

// TestFreezeDuringSet runs Freeze with a change of a record inserted after every fourth step.
// In the middle of that change it inserts a thread that has seen the new value, and sets an item
// of a list.
func TestFreezeDuringSet(t *testing.T) {
	for name, change := range map[string]func(t *rt.Thread, r objects.Record) error{
		"set": func(t *rt.Thread, r objects.Record) error { return r.Set(t, 0, key(1)) },
		"compare and swap": func(t *rt.Thread, r objects.Record) error {
			_, err := r.CompareAndSwap(t, 0, key(0), key(1))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { freezeSeesHalf(t, name, change) })
	}
}

func freezeSeesHalf(t *testing.T, name string, change func(t *rt.Thread, r objects.Record) error) {
	half := scenario{"freeze against half a " + name, "a", func(s *stage) {
		s.enter(3)
		s.stops = true
		first, second := must(point3.New(s.t[0], key(0))), must(objects.NewList(s.t[0], key(0)))
		both := must(objects.NewListSteal(s.t[0], first, second))
		s.own(both)
		s.run(0, func(t *rt.Thread) { freezeUntorn(t, both) })
		s.run(1, func(t *rt.Thread) { ok(change(t, first)) })
		s.run(2, func(t *rt.Thread) {
			if x, _ := first.At(t, 0); x == key(1) {
				ok(second.Set(t, 0, key(1)))
			}
		})
	}}
	build := func() Program { return half.program(rt.Options{Mode: rt.LockFree}) }
	steps := func(thread int, schedule string) (n int) {
		for _, x := range engine.Taken(build, must(Parse(schedule))) {
			if int(x.Thread) == thread {
				n++
			}
		}
		return n
	}
	all, set := steps(0, "0x5000"), steps(1, "1x5000")
	runs := 0
	for a := 1; a < all; a += 4 {
		for b := 1; b < set; b++ {
			runs++
			sch := must(Parse(fmt.Sprintf("0x%d 1x%d 2x5000 0x5000", a, b)))
			if r := Replay(build, sch); r.Failure != nil {
				t.Fatal(r.Failure)
			}
		}
	}
	conclude(t, "%d schedules of Freeze against half a %s", runs, name)
}
