//go:build explore

package explore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Scenarios of calls that write lists, against readers and against each other.
var listScenarios = []scenario{
	{"list set against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(1)
		s.run(0, func(t *rt.Thread) { ok(l.Set(t, 0, rt.None)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { read(t, l, 0); t.Checkpoint() })
	}},
	{"list pop against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(1)
		s.run(0, func(t *rt.Thread) { look(t, must(l.Pop(t))); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) {
			if _, found := l.At(t, 0); !found && l.Len(t) != 0 {
				panic("an item was removed, and the list is as long as before")
			}
			read(t, l, 0)
			t.Checkpoint()
		})
	}},
	{"list pop and append against JSON", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(2)
		s.run(0, func(t *rt.Thread) {
			look(t, must(l.Pop(t)))
			ok(l.Append(t, rt.True))
			t.Checkpoint()
		})
		s.run(1, func(t *rt.Thread) {
			text := string(must(objects.AppendJSON(t, nil, l)))
			if strings.Count(text, ",") > 1 || strings.Contains(text, "[,") || strings.Contains(text, ",]") {
				panic("the list was written as " + text)
			}
			t.Checkpoint()
		})
	}},
	{"list pop against pop", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(2)
		for i := range 2 {
			s.run(i, func(t *rt.Thread) { look(t, must(l.Pop(t))) })
		}
	}},
	{"list growth against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(6) // six items fill the block
		s.run(0, func(t *rt.Thread) { ok(l.Append(t, rt.None)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { read(t, l, 3); t.Checkpoint() })
	}},
	{"list growth against append", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(5) // the block has room for one more
		for i := range 2 {
			s.run(i, func(t *rt.Thread) { ok(l.Append(t, rt.None)) })
		}
		s.last = func(t *rt.Thread) error {
			if l.Len(t) != 7 {
				return errors.New("an item is lost")
			}
			return nil
		}
	}},
	{"list append and insert against length and get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(2) // the block has room for two more
		s.run(0, func(t *rt.Thread) { ok(l.Append(t, rt.None)); ok(l.Insert(t, 3, rt.None)) })
		s.run(1, func(t *rt.Thread) {
			n := l.Len(t)
			if _, found := l.At(t, n-1); !found {
				panic(fmt.Sprintf("of %d items the last one is not there", n))
			}
		})
	}},
	{"list clear against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(1)
		s.run(0, func(t *rt.Thread) { ok(l.Clear(t)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { read(t, l, 0); t.Checkpoint() })
	}},
	{"list remove against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(2)
		s.run(0, func(t *rt.Thread) { ok(l.Remove(t, 0)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { read(t, l, 1); t.Checkpoint() })
	}},
	{"list pop and append against get and length", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(2)
		s.run(0, func(t *rt.Thread) { look(t, must(l.Pop(t))); ok(l.Append(t, rt.None)) })
		s.run(1, func(t *rt.Thread) {
			r, found := l.At(t, 1)
			if r == rt.None && l.Len(t) != 2 {
				panic("an item was there before its time")
			}
			if found == (r == rt.Nil) {
				panic("the list has an item that was never stored")
			}
		})
	}},
	{"list remove first against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(3)
		s.run(0, func(t *rt.Thread) { ok(l.Remove(t, 0)); ok(l.Remove(t, 0)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) {
			if n := l.Len(t); n < 1 || n > 3 {
				panic(fmt.Sprintf("%d items", n))
			}
			if _, found := l.At(t, 0); !found {
				panic("there is no first item, although there is always one")
			}
			t.Checkpoint()
		})
	}},
	{"list remove first and append against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(2) // item 1 is at first the second int, later possibly the third
		s.run(0, func(t *rt.Thread) {
			ok(l.AppendSteal(t, boxed(t, 2)))
			ok(l.Remove(t, 0))
			ok(l.Set(t, 0, rt.None)) // item 0 is then the second int
		})
		s.run(1, func(t *rt.Thread) {
			r, found := l.At(t, 1)
			if v, _ := objects.Int(r).Value(t); !found || v != 1<<40+1 && v != 1<<40+2 {
				panic(fmt.Sprintf("item 1 is %s", objects.Format(t, r)))
			}
		})
	}},
	{"list remove first and set against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(3)
		s.run(0, func(t *rt.Thread) { ok(l.Remove(t, 0)); ok(l.Set(t, 0, rt.None)) })
		s.run(1, func(t *rt.Thread) {
			if r, found := l.At(t, 1); !found || r == rt.None {
				panic(fmt.Sprintf("item 1 is %s", objects.Format(t, r)))
			}
		})
	}},
	{"list remove first and growth against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(6) // six items fill the block
		s.run(0, func(t *rt.Thread) { ok(l.Remove(t, 0)); ok(l.Append(t, rt.None)) })
		s.run(1, func(t *rt.Thread) {
			r, found := l.At(t, 4)
			if v, _ := objects.Int(r).Value(t); !found || v != 1<<40+4 && v != 1<<40+5 {
				panic(fmt.Sprintf("item 4 is %s", objects.Format(t, r)))
			}
		})
	}},
	{"list remove first against pop", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(1)
		n := 0
		s.run(0, func(t *rt.Thread) {
			if l.Remove(t, 0) == nil {
				n++
			}
		})
		s.run(1, func(t *rt.Thread) {
			if r, err := l.Pop(t); err == nil {
				n++
				look(t, r)
			}
		})
		s.also = func() error {
			if n != 1 {
				return fmt.Errorf("one item was removed %d times", n)
			}
			return nil
		}
	}},
	{"list remove without memory against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(4)
		objects.RefuseBlocks()
		s.run(0, func(t *rt.Thread) { ok(l.Remove(t, 1)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) {
			n := l.Len(t)
			r, found := l.At(t, 2)
			v, _ := objects.Int(r).Value(t)
			if was, is := v == 1<<40+2, v == 1<<40+3; !found || !was && !is || n == 3 && was || n < 3 || n > 4 {
				panic(fmt.Sprintf("of %d items, item 2 is %s", n, objects.Format(t, r)))
			}
			if _, found := l.At(t, 3); found && v == 1<<40+3 {
				panic("an item was removed, and the list is as long as before")
			}
			t.Checkpoint()
		})
	}},
	{"list remove without memory, and append, against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(3) // the block has room for more
		objects.RefuseBlocks()
		s.run(0, func(t *rt.Thread) { ok(l.Remove(t, 1)); ok(l.AppendSteal(t, boxed(t, 3))) })
		s.run(1, func(t *rt.Thread) {
			r, found := l.At(t, 1)
			if v, _ := objects.Int(r).Value(t); !found || v != 1<<40+1 && v != 1<<40+2 {
				panic(fmt.Sprintf("item 1 is %s", objects.Format(t, r)))
			}
		})
	}},
	{"list shrink against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(30) // in a block with more room
		for l.Len(s.t[0]) > 8 {
			s.t[0].DecRef(must(l.Pop(s.t[0])))
		}
		s.run(0, func(t *rt.Thread) {
			for l.Len(t) > 6 {
				look(t, must(l.Pop(t)))
			}
			t.Checkpoint()
		})
		s.run(1, func(t *rt.Thread) { read(t, l, 3); read(t, l, 7); t.Checkpoint() })
	}},
	{"list extend against extend, crosswise", "ab", func(s *stage) {
		s.enter(2)
		l, m := s.listOf(1), s.listOf(1)
		s.run(0, func(t *rt.Thread) { ok(l.Extend(t, m)) })
		s.run(1, func(t *rt.Thread) { ok(m.Extend(t, l)) })
	}},
	{"a list's death against a reference to its item", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(1)
		s.disown(l)
		x := must(l.Get(s.t[0], 0))
		s.run(0, func(t *rt.Thread) { t.DecRef(l) })
		s.run(1, func(t *rt.Thread) { look(t, x) })
	}},
	{"list pop first against pop first", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(2)
		var got [2]int64
		for i := range 2 {
			s.run(i, func(t *rt.Thread) {
				r := must(l.PopFirst(t))
				got[i], _ = objects.Int(r).Value(t)
				look(t, r)
				t.Checkpoint()
			})
		}
		s.also = func() error {
			if got[0]+got[1] != 1<<41+1 || got[0] == got[1] {
				return fmt.Errorf("popped %d", got)
			}
			return nil
		}
	}},
	{"list pop first against get", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(2)
		s.run(0, func(t *rt.Thread) { look(t, must(l.PopFirst(t))); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) {
			r, found := l.At(t, 0)
			if v, _ := objects.Int(r).Value(t); !found || v != 1<<40 && v != 1<<40+1 {
				panic(fmt.Sprintf("item 0 is %s", objects.Format(t, r)))
			} else if v == 1<<40+1 && l.Len(t) != 1 {
				panic("an item was removed, and the list is as long as before")
			}
			read(t, l, 0)
			t.Checkpoint()
		})
	}},
	{"list snapshot against pop first and append", "ab", func(s *stage) {
		s.enter(2)
		l := s.listOf(2)
		s.run(0, func(t *rt.Thread) { look(t, must(l.PopFirst(t))); ok(l.AppendSteal(t, boxed(t, 2))); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) {
			items, sum := l.Snapshot(t, nil), int64(0)
			for _, r := range items {
				v, _ := objects.Int(r).Value(t)
				sum = sum<<4 | (v - 1<<40 + 1)
			}
			if sum != 0x12 && sum != 0x2 && sum != 0x23 {
				panic(fmt.Sprintf("the items are %x", sum))
			}
			t.Checkpoint()
			for _, r := range items {
				look(t, r)
			}
		})
	}},
}
