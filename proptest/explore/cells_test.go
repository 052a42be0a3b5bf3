//go:build explore

package explore

import (
	"fmt"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Scenarios of calls that write cells and records.
var cellScenarios = []scenario{
	{"cell swap against load", "ab", func(s *stage) {
		s.enter(2)
		x := boxed(s.t[0], 1)
		c := must(objects.NewCell(s.t[0], x))
		s.t[0].DecRef(x)
		s.own(c)
		s.run(0, func(t *rt.Thread) { look(t, must(objects.Cell(c).Swap(t, rt.None))); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { look(t, must(objects.Cell(c).Load(t))); t.Checkpoint() })
	}},
	{"cell store against load", "ab", func(s *stage) {
		s.enter(2)
		x := boxed(s.t[0], 1)
		c := must(objects.NewCell(s.t[0], x))
		s.t[0].DecRef(x)
		s.own(c)
		s.run(0, func(t *rt.Thread) { ok(objects.Cell(c).Store(t, rt.None)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { look(t, must(objects.Cell(c).Load(t))); t.Checkpoint() })
	}},
	{"cell compare and swap against itself", "ab", func(s *stage) {
		s.enter(2)
		x := boxed(s.t[0], 0)
		c := must(objects.NewCell(s.t[0], x))
		s.own(c, x)
		n := 0
		for i := range 2 {
			s.run(i, func(t *rt.Thread) {
				v := boxed(t, int64(i+1))
				if must(objects.Cell(c).CompareAndSwap(t, x, v)) {
					n++
				}
				t.DecRef(v)
			})
		}
		s.also = func() error {
			if n != 1 {
				return fmt.Errorf("%d have won", n)
			}
			return nil
		}
	}},
	{"record set against get", "ab", func(s *stage) {
		s.enter(2)
		x := boxed(s.t[0], 1)
		p := must(point3.New(s.t[0], x))
		s.t[0].DecRef(x)
		s.own(p)
		s.run(0, func(t *rt.Thread) { ok(objects.Record(p).Set(t, 0, rt.None)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { look(t, must(objects.Record(p).Get(t, 0))); t.Checkpoint() })
	}},
	{"record set against set", "ab", func(s *stage) {
		s.enter(2)
		p := must(point3.New(s.t[0], rt.None))
		s.own(p)
		for i := range 2 {
			s.run(i, func(t *rt.Thread) {
				x := boxed(t, int64(i))
				ok(objects.Record(p).Set(t, 0, x))
				t.DecRef(x)
			})
		}
	}},
	{"record compare and swap against set", "ab", func(s *stage) {
		s.enter(2)
		x := boxed(s.t[0], 0)
		p := must(point3.New(s.t[0], x))
		s.own(p, x)
		done := false
		s.run(0, func(t *rt.Thread) {
			v := boxed(t, 1)
			done = must(p.CompareAndSwap(t, 0, x, v))
			t.DecRef(v)
		})
		s.run(1, func(t *rt.Thread) { ok(p.Set(t, 0, rt.None)); t.Checkpoint() })
		s.last = func(t *rt.Thread) error {
			if v, _ := p.At(t, 0); v != rt.None { // Set ran after the swap, or made it fail
				return fmt.Errorf("the field is %s; it was swapped: %v", objects.Format(t, v), done)
			}
			return nil
		}
	}},
	{"record compare and swap against itself", "ab", func(s *stage) {
		s.enter(2)
		p := must(point3.New(s.t[0], rt.None))
		s.own(p)
		n := 0
		for i := range 2 {
			s.run(i, func(t *rt.Thread) {
				v := boxed(t, int64(i))
				if must(p.CompareAndSwap(t, 0, rt.None, v)) {
					n++
				}
				t.DecRef(v)
			})
		}
		s.also = func() error {
			if n != 1 {
				return fmt.Errorf("%d have won", n)
			}
			return nil
		}
	}},
	{"cell add against itself", "ab", func(s *stage) {
		s.enter(2)
		x := boxed(s.t[0], 0)
		c := must(objects.NewCell(s.t[0], x))
		s.t[0].DecRef(x)
		s.own(c)
		var sums [2]int64
		for i := range 2 {
			s.run(i, func(t *rt.Thread) { sums[i] = must(c.Add(t, 1)) - 1<<40; t.Checkpoint() })
		}
		s.also = func() error {
			if sums != [2]int64{1, 2} && sums != [2]int64{2, 1} {
				return fmt.Errorf("the sums are %d", sums)
			}
			return nil
		}
	}},
}
