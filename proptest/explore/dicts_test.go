//go:build explore

package explore

import (
	"errors"
	"fmt"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Scenarios of calls that write dicts, against readers and against each other.
var dictScenarios = []scenario{
	{"dict deletions against length", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(5)
		s.run(0, func(t *rt.Thread) { must(d.Delete(t, key(0))); must(d.Delete(t, key(1))) })
		s.run(1, func(t *rt.Thread) {
			if !d.Has(t, key(0)) && d.Len(t) == 5 {
				panic("a deleted key is counted")
			}
		})
	}},
	{"dict one key out and in against get, with an index", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(10)
		s.run(0, func(t *rt.Thread) { must(d.Delete(t, key(0))); ok(d.Set(t, key(0), rt.None)) })
		s.run(1, func(t *rt.Thread) {
			readKey(t, d, 0)
			if !d.Has(t, key(1)) {
				panic("a key is lost")
			}
		})
	}},
	{"dict update that adds two against get", "ab", func(s *stage) {
		s.enter(2)
		d, from := s.dictOf(8), must(objects.NewDict(s.t[0])) // the table has room for three more
		for i := range 2 {
			ok(objects.Dict(from).Set(s.t[0], key(int64(20+i)), key(1)))
		}
		s.own(from)
		s.run(0, func(t *rt.Thread) { ok(d.Update(t, objects.Dict(from))) })
		s.run(1, func(t *rt.Thread) {
			if n := d.Len(t); n != 8 && n != 10 {
				panic(fmt.Sprintf("%d entries", n))
			}
			if d.Has(t, key(20)) && !d.Has(t, key(21)) {
				panic("only the first half of an update is visible")
			}
			if d.Has(t, key(21)) && !d.Has(t, key(20)) {
				panic("only the second half of an update is visible")
			}
		})
	}},
	{"dict set against get", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(1)
		s.run(0, func(t *rt.Thread) { ok(d.Set(t, key(0), rt.None)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { readKey(t, d, 0); t.Checkpoint() })
	}},
	{"dict delete against get", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(2)
		s.run(0, func(t *rt.Thread) { must(d.Delete(t, key(0))); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { readKey(t, d, 0); t.Checkpoint() })
	}},
	{"dict delete and set against get", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(2)
		s.run(0, func(t *rt.Thread) { must(d.Delete(t, key(0))); ok(d.Set(t, key(0), rt.None)) })
		s.run(1, func(t *rt.Thread) { readKey(t, d, 0) })
	}},
	{"dict growth against get", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(4)
		s.run(0, func(t *rt.Thread) { ok(d.Set(t, key(9), rt.None)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { readKey(t, d, 3); t.Checkpoint() })
	}},
	{"dict set against set", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(1)
		for i := range 2 {
			s.run(i, func(t *rt.Thread) { ok(d.Set(t, key(int64(i)), rt.None)) })
		}
		s.last = func(t *rt.Thread) error {
			if d.Len(t) != 2 {
				return errors.New("a key is lost")
			}
			return nil
		}
	}},
	{"dict pop against pop", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(1)
		n := 0
		for i := range 2 {
			s.run(i, func(t *rt.Thread) {
				if r, err := d.Pop(t, key(0)); err == nil {
					n++
					look(t, r)
				}
			})
		}
		s.also = func() error {
			if n != 1 {
				return fmt.Errorf("popped %d times", n)
			}
			return nil
		}
	}},
	{"dict pop against get", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(2)
		s.run(0, func(t *rt.Thread) { look(t, must(d.Pop(t, key(0)))); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { readKey(t, d, 0); t.Checkpoint() })
	}},
	{"dict clear against get", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(1)
		s.run(0, func(t *rt.Thread) { ok(d.Clear(t)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { readKey(t, d, 0); t.Checkpoint() })
	}},
	{"dict update against overwrites through gates", "a", func(s *stage) {
		s.enter(2)
		objects.SetGatesFrom(4)
		d, from := s.dictOf(0), s.dictOf(2)
		s.run(0, func(t *rt.Thread) { // Update copies key 1 first
			ok(from.Set(t, key(1), key(1)))
			ok(from.Set(t, key(0), key(1)))
		})
		s.run(1, func(t *rt.Thread) {
			ok(d.Update(t, from))
			x, _ := d.Lookup(t, key(1))
			y, _ := d.Lookup(t, key(0))
			if x != key(1) && y == key(1) {
				panic("torn: the later set is visible, and the earlier one is not")
			}
		})
	}},
}
