//go:build explore

package explore

import (
	"fmt"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// wantLen checks the length of the dict at the end.
func (s *stage) wantLen(d objects.Dict, want func() int) {
	s.last = func(t *rt.Thread) error {
		if n := d.Len(t); n != want() {
			return fmt.Errorf("%d entries, want %d", n, want())
		}
		return nil
	}
}

// The calls of a dict that read an entry and change it in one step.
var dictCallScenarios = []scenario{
	{"dict load or store against itself", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(0)
		var got [2]rt.Ref
		stored := 0
		for i := range 2 {
			s.run(i, func(t *rt.Thread) {
				v := boxed(t, int64(i))
				x, loaded, err := d.LoadOrStore(t, key(0), v)
				ok(err)
				if !loaded {
					stored++
				}
				got[i] = x
				t.DecRef(v)
				look(t, x)
				t.Checkpoint()
			})
		}
		s.also = func() error {
			if stored != 1 || got[0] != got[1] {
				return fmt.Errorf("%d have stored, and got %s", stored, got)
			}
			return nil
		}
	}},
	{"dict load or store against delete", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(1)
		loaded := false
		s.run(0, func(t *rt.Thread) {
			v := boxed(t, 7)
			x, was, err := d.LoadOrStore(t, key(0), v)
			ok(err)
			if loaded = was; was == (x == v) {
				panic("a call returned a value, and reported that there was none")
			}
			t.DecRef(v)
			look(t, x)
			t.Checkpoint()
		})
		s.run(1, func(t *rt.Thread) {
			if !must(d.Delete(t, key(0))) {
				panic("the key was never there")
			}
			t.Checkpoint()
		})
		s.last = func(t *rt.Thread) error {
			n := d.Len(t)
			// A loaded value was deleted. A stored value was stored after the deletion.
			if loaded != (n == 0) || n > 1 {
				return fmt.Errorf("loaded: %v, and there are %d entries", loaded, n)
			}
			return nil
		}
	}},
	{"dict swap against swap", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(0)
		none := 0
		for i := range 2 {
			s.run(i, func(t *rt.Thread) {
				v := boxed(t, int64(i))
				old, loaded, err := d.Swap(t, key(0), v)
				ok(err)
				if !loaded {
					none++
				} else {
					look(t, old)
				}
				t.DecRef(v)
				t.Checkpoint()
			})
		}
		s.also = func() error {
			if none != 1 {
				return fmt.Errorf("%d were the first", none)
			}
			return nil
		}
	}},
	{"dict swap against compare and swap, through gates", "a", func(s *stage) {
		s.enter(2)
		objects.SetGatesFrom(4)
		d := s.dictOf(1)
		x := must(d.Get(s.t[0], key(0)))
		s.own(x)
		var old rt.Ref
		done := false
		s.run(0, func(t *rt.Thread) {
			r, _, err := d.Swap(t, key(0), rt.True)
			ok(err)
			old = r
			look2(t, r)
		})
		s.run(1, func(t *rt.Thread) { done = must(d.CompareAndSwap(t, key(0), x, rt.False)) })
		s.also = func() error {
			if done != (old == rt.False) || !done && old != x {
				return fmt.Errorf("swapped out %s, and compared: %v", old, done)
			}
			return nil
		}
	}},
	{"dict compare and swap against itself", "ab", func(s *stage) {
		s.enter(2)
		objects.SetGatesFrom(4)
		d := s.dictOf(1)
		x := must(d.Get(s.t[0], key(0)))
		s.own(x)
		n := 0
		for i := range 2 {
			s.run(i, func(t *rt.Thread) {
				v := boxed(t, int64(i+1))
				if must(d.CompareAndSwap(t, key(0), x, v)) {
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
	{"dict compare and swap against a table's replacement, through gates", "a", func(s *stage) {
		s.enter(2)
		objects.SetGatesFrom(4)
		d := s.dictOf(8) // eight entries fill the table
		x := must(d.Get(s.t[0], key(0)))
		s.own(x)
		s.run(0, func(t *rt.Thread) {
			if !must(d.CompareAndSwap(t, key(0), x, rt.True)) {
				panic("it failed, although no other call changed the value")
			}
		})
		s.run(1, func(t *rt.Thread) { ok(d.Set(t, key(100), rt.None)) })
		s.last = func(t *rt.Thread) error {
			if v, _ := d.Lookup(t, key(0)); v != rt.True || d.Len(t) != 9 {
				return fmt.Errorf("%d entries, the first one is %s", d.Len(t), objects.Format(t, v))
			}
			return nil
		}
	}},
	{"dict compare and delete against set and length, through gates", "a", func(s *stage) {
		s.enter(2)
		objects.SetGatesFrom(4)
		d := s.dictOf(2)
		x := must(d.Get(s.t[0], key(0)))
		s.own(x)
		gone := false
		s.run(0, func(t *rt.Thread) { gone = must(d.CompareAndDelete(t, key(0), x)); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) {
			ok(d.Set(t, key(0), rt.True))
			if n := d.Len(t); n != 2 {
				panic(fmt.Sprintf("%d entries after a set: the new value must not be deleted", n))
			}
		})
		s.last = func(t *rt.Thread) error {
			if v, _ := d.Lookup(t, key(0)); v != rt.True || d.Len(t) != 2 {
				return fmt.Errorf("the key has %s, it was deleted before: %v", objects.Format(t, v), gone)
			}
			return nil
		}
	}},
	{"dict compare and delete against length", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(3)
		x := must(d.Get(s.t[0], key(0)))
		s.own(x)
		s.run(0, func(t *rt.Thread) {
			if must(d.CompareAndDelete(t, key(1), x)) || !must(d.CompareAndDelete(t, key(0), x)) {
				panic("another value was taken for it")
			}
			t.Checkpoint()
		})
		s.run(1, func(t *rt.Thread) {
			if n := d.Len(t); n < 2 || n > 3 || n == 2 && d.Has(t, key(0)) {
				panic(fmt.Sprintf("%d entries", n))
			}
			t.Checkpoint()
		})
		s.wantLen(d, func() int { return 2 })
	}},
	{"dict pop first against pop first", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(3)
		var got [2]rt.Ref
		for i := range 2 {
			s.run(i, func(t *rt.Thread) {
				k, v, err := d.PopFirst(t)
				ok(err)
				got[i] = k
				look(t, v)
				t.Checkpoint()
			})
		}
		s.last = func(t *rt.Thread) error {
			if got != [2]rt.Ref{key(0), key(1)} && got != [2]rt.Ref{key(1), key(0)} || d.Len(t) != 1 || !d.Has(t, key(2)) {
				return fmt.Errorf("popped %s, %d are left", got, d.Len(t))
			}
			return nil
		}
	}},
	{"dict pop first against get", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(2)
		s.run(0, func(t *rt.Thread) {
			k, v, err := d.PopFirst(t)
			ok(err)
			if k != key(0) {
				panic(fmt.Sprintf("popped %s", k))
			}
			look(t, v)
			t.Checkpoint()
		})
		s.run(1, func(t *rt.Thread) {
			if !d.Has(t, key(0)) && d.Len(t) != 1 {
				panic("a popped key is counted")
			}
			readKey(t, d, 0)
			readKey(t, d, 1)
			t.Checkpoint()
		})
	}},
	{"dict pop first of a boxed key against get", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(0)
		k := boxed(s.t[0], 5)
		ok(d.Set(s.t[0], k, k))
		s.t[0].DecRef(k)
		s.run(0, func(t *rt.Thread) {
			k, v, err := d.PopFirst(t)
			ok(err)
			look(t, k)
			look(t, v)
			t.Checkpoint()
		})
		s.run(1, func(t *rt.Thread) {
			same := boxed(t, 5)
			if v, err := d.Get(t, same); err == nil {
				look(t, v)
			}
			t.DecRef(same)
			t.Checkpoint()
		})
	}},
	{"dict lookup of a string against its deletion", "ab", func(s *stage) {
		s.enter(2)
		d := s.dictOf(0)
		for i, text := range []string{"coffee", "tea"} {
			k := must(objects.NewString(s.t[0], text))
			ok(d.SetSteal(s.t[0], k, boxed(s.t[0], int64(i))))
			s.t[0].DecRef(k)
		}
		s.run(0, func(t *rt.Thread) {
			k, v, err := d.PopFirst(t)
			ok(err)
			t.DecRef(k)
			look(t, v)
			t.Checkpoint()
		})
		s.run(1, func(t *rt.Thread) {
			if v, found := d.LookupString(t, "coffee"); found {
				t.IncRef(v)
				look(t, v)
			}
			if _, found := d.LookupString(t, "tea"); !found {
				panic("a key is lost")
			}
			t.Checkpoint()
		})
	}},
}

// look2 reads an int or a boolean, and gives its reference up.
func look2(t *rt.Thread, r rt.Ref) {
	if r == rt.True || r == rt.False {
		return
	}
	look(t, r)
}
