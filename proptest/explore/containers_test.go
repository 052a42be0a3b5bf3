//go:build explore

package explore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// boxed returns a new reference to an int that has a count.
func boxed(t *rt.Thread, n int64) rt.Ref { return must(objects.NewInt(t, 1<<40+n)) }

func key(n int64) rt.Ref {
	r, _ := rt.Int(n)
	return r
}

// listOf makes a list that holds the only references to n boxed ints.
func (s *stage) listOf(n int) objects.List {
	l := must(objects.NewList(s.t[0]))
	for i := range n {
		ok(objects.List(l).AppendSteal(s.t[0], boxed(s.t[0], int64(i))))
	}
	s.own(l)
	return objects.List(l)
}

// dictOf makes a dict that holds the only references to n boxed ints.
func (s *stage) dictOf(n int) objects.Dict {
	d := must(objects.NewDict(s.t[0]))
	for i := range n {
		ok(objects.Dict(d).SetSteal(s.t[0], key(int64(i)), boxed(s.t[0], int64(i))))
	}
	s.own(d)
	return objects.Dict(d)
}

// read takes a reference to item i, reads the int and gives the reference up.
func read(t *rt.Thread, l objects.List, i int) {
	if r, err := l.Get(t, i); err == nil {
		look(t, r)
	}
}

// look reads an int and gives its reference up.
func look(t *rt.Thread, r rt.Ref) {
	if v, isInt := objects.Int(r).Value(t); r != rt.None && (!isInt || v < 1<<40) {
		panic(fmt.Sprintf("found %s", objects.Format(t, r)))
	}
	t.DecRef(r)
}

func readKey(t *rt.Thread, d objects.Dict, n int64) {
	if r, err := d.Get(t, key(n)); err == nil {
		look(t, r)
	}
}

// freezeUntorn freezes a list of two lists, dicts or records, and reads their first items. Another
// thread sets the first item of the first one to 1, and then that of the second.
func freezeUntorn(t *rt.Thread, both rt.Ref) {
	f, err := t.Freeze(both)
	if errors.Is(err, rt.ErrChanged) {
		return
	}
	ok(err)
	var seen [2]rt.Ref
	for i := range seen {
		x, _ := objects.List(f.Root()).At(t, i)
		switch t.Kind(x) {
		case rt.TypeList:
			seen[i], _ = objects.List(x).At(t, 0)
		case rt.TypeDict:
			seen[i], _ = objects.Dict(x).Lookup(t, key(0))
		default:
			seen[i], _ = objects.Record(x).At(t, 0)
		}
	}
	if seen[1] == key(1) && seen[0] != key(1) {
		panic("torn: the second one is new and the first one old")
	}
	ok(t.Unload(f))
}

var point3 = must(objects.DefineRecord("explored point", "x"))

// Scenarios of calls that write containers, against readers and against each other.
var containerScenarios = []scenario{
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
