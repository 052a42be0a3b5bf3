package objects

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// Hashes of numbers can be inverted, so keys with any hash are easy to make.
const oneHash = 0xabad1dea

type dictEntry struct {
	name string
	mark int // the value is a boxed integer that only the dict holds
}

type dictMachine struct {
	t       rapid.TB
	th      *rt.Thread
	key     keyMaker
	dict    Dict
	entries []dictEntry // in the order of insertion
	marks   int
	steps   int
}

func newDictMachine(key keyMaker) func(t rapid.TB, th *rt.Thread) machine {
	return func(t rapid.TB, th *rt.Thread) machine {
		return &dictMachine{t: t, th: th, key: key, dict: must(NewDict(th))}
	}
}

func (m *dictMachine) index(name string) int {
	return slices.IndexFunc(m.entries, func(e dictEntry) bool { return e.name == name })
}

// model sets a name in the model.
func (m *dictMachine) model(name string, mark int) {
	if i := m.index(name); i >= 0 {
		m.entries[i].mark = mark
		return
	}
	m.entries = append(m.entries, dictEntry{name, mark})
}

func (m *dictMachine) set(n int) {
	k, name := m.key(m.th, n)
	m.marks++
	v := newBig(m.th, m.marks)
	if n%2 == 0 {
		must0(m.t, m.dict.SetSteal(m.th, k, v))
	} else {
		must0(m.t, m.dict.Set(m.th, k, v))
		m.th.DecRef(v)
	}
	m.th.DecRef(k)
	m.model(name, m.marks)
}

// remove deletes or pops a key, which may be absent.
func (m *dictMachine) remove(n int, pop bool) {
	k, name := m.key(m.th, n)
	defer m.th.DecRef(k)
	i := m.index(name)
	if pop {
		v, err := m.dict.Pop(m.th, k)
		if i < 0 {
			wantError[*KeyError](m.t, err)
			return
		}
		must0(m.t, err)
		if bigOf(m.th, v) != m.entries[i].mark {
			m.t.Fatalf("popped another value than the model has")
		}
		m.th.DecRef(v)
	} else {
		gone, err := m.dict.Delete(m.th, k)
		must0(m.t, err)
		if gone != (i >= 0) {
			m.t.Fatalf("a deletion reports wrongly whether the dict had the key")
		}
	}
	if i >= 0 {
		m.entries = slices.Delete(m.entries, i, i+1)
	}
}

// atomic makes one of the calls that look at an entry and change it in one step. The key
// may be absent, and the value is new.
func (m *dictMachine) atomic(n, what int) {
	th, d := m.th, m.dict
	k, name := m.key(th, n)
	m.marks++
	v, i := newBig(th, m.marks), m.index(name)
	defer th.DecRefs([]rt.Ref{k, v})
	var now rt.Ref // the value of the key, borrowed
	if i >= 0 {
		now, _ = d.Lookup(th, k)
	}
	has := func(r rt.Ref) {
		m.t.Helper()
		if i >= 0 && (r != now || bigOf(th, r) != m.entries[i].mark) || i < 0 && !r.IsNil() {
			m.t.Fatalf("a call returns another value than the model has")
		}
	}
	was := func(ok bool, err error) bool {
		m.t.Helper()
		must0(m.t, err)
		if ok != (i >= 0) {
			m.t.Fatalf("a call reports wrongly whether the dict has a key")
		}
		return ok
	}
	switch what % 6 {
	case 0:
		r, loaded, err := d.LoadOrStore(th, k, v)
		if was(loaded, err) {
			has(r)
		} else if m.model(name, m.marks); r != v {
			m.t.Fatalf("the returned value is not the stored one")
		}
		th.DecRef(r)
	case 1:
		r, loaded, err := d.LoadAndDelete(th, k)
		was(loaded, err)
		if has(r); loaded {
			m.entries = slices.Delete(m.entries, i, i+1)
		}
		th.DecRef(r)
	case 2:
		r, loaded, err := d.Swap(th, k, v)
		was(loaded, err)
		has(r)
		th.DecRef(r)
		m.model(name, m.marks)
	case 3:
		if i < 0 {
			now = rt.True
		}
		done, err := d.CompareAndSwap(th, k, now, v)
		if was(done, err) {
			m.model(name, m.marks)
		}
	case 4:
		if i < 0 {
			now = rt.True
		}
		done, err := d.CompareAndDelete(th, k, now)
		if was(done, err) {
			m.entries = slices.Delete(m.entries, i, i+1)
		}
	case 5: // equal, but another object
		mark := 0
		if i >= 0 {
			mark = m.entries[i].mark
		}
		other := newBig(th, mark)
		swapped, err := d.CompareAndSwap(th, k, other, v)
		must0(m.t, err)
		gone, err := d.CompareAndDelete(th, k, other)
		must0(m.t, err)
		if swapped || gone {
			m.t.Fatalf("another object was taken for the value")
		}
		th.DecRef(other)
	}
}

// popFirst pops the oldest entry, if there is one.
func (m *dictMachine) popFirst() {
	k, v, err := m.dict.PopFirst(m.th)
	if len(m.entries) == 0 {
		if err != ErrEmpty || !k.IsNil() || !v.IsNil() {
			m.t.Fatalf("an empty dict gives something up")
		}
		return
	}
	must0(m.t, err)
	if bigOf(m.th, v) != m.entries[0].mark || m.dict.Has(m.th, k) {
		m.t.Fatalf("popped another entry than the oldest, or it is still there")
	}
	m.th.DecRefs([]rt.Ref{k, v})
	m.entries = m.entries[1:]
}

// nth returns the number of a key, from a small range so that keys recur.
func nth(a int) int { return a % 400 }

func (m *dictMachine) ops() map[string]func(a, b int) {
	th, d := m.th, m.dict
	return map[string]func(a, b int){
		"set": func(a, b int) {
			for i := range b%4 + 1 {
				m.set(nth(a + i))
			}
		},
		"fill": func(a, b int) {
			for i := range b % 60 {
				m.set(a + i)
			}
		},
		"delete": func(a, b int) {
			for i := range b%4 + 1 {
				m.remove(nth(a+i), false)
			}
		},
		"pop":    func(a, _ int) { m.remove(nth(a), true) },
		"atomic": func(a, b int) { m.atomic(nth(a), b) },
		"popFirst": func(a, b int) {
			for i := range b % 40 {
				if m.popFirst(); a%2 == 0 {
					m.set(nth(a + i)) // as a queue
				}
			}
		},
		"empty": func(a, b int) {
			for i := range b % 60 {
				m.remove(nth(a+i), i%2 == 0)
			}
		},
		"churn": func(a, b int) {
			for range b % 40 { // dead entries of one key pile up
				m.set(nth(a))
				m.remove(nth(a), false)
			}
		},
		"get": func(a, _ int) {
			k, name := m.key(th, nth(a))
			defer th.DecRef(k)
			i := m.index(name)
			v, err := d.Get(th, k)
			seen, ok := d.Lookup(th, k)
			if ok != (i >= 0) || d.Has(th, k) != ok {
				m.t.Fatalf("the dict and the model disagree on whether there is a key")
			}
			if i < 0 {
				wantError[*KeyError](m.t, err)
				return
			}
			must0(m.t, err)
			if v != seen || bigOf(th, v) != m.entries[i].mark {
				m.t.Fatalf("a key has another value than in the model")
			}
			th.DecRef(v)
		},
		"clear": func(a, _ int) {
			if a%4 == 0 {
				must0(m.t, d.Clear(th))
				m.entries = nil
			}
		},
		"update": func(a, b int) {
			if b%8 == 0 {
				must0(m.t, d.Update(th, d))
				return
			}
			other := &dictMachine{t: m.t, th: th, key: m.key, dict: must(NewDict(th)), marks: m.marks}
			for i := range b % 30 {
				other.set(nth(a + 3*i))
			}
			for i := range b % 5 {
				other.remove(nth(a+3*i), false)
			}
			must0(m.t, d.Update(th, other.dict))
			for _, e := range other.entries {
				m.model(e.name, e.mark)
			}
			m.marks = other.marks
			th.DecRef(other.dict)
		},
		"all": func(a, _ int) {
			// The loop sees the entries as they are now, whatever its body does.
			want, i := slices.Clone(m.entries), 0
			for _, v := range d.All(th) {
				if i >= len(want) || bigOf(th, v) != want[i].mark {
					m.t.Fatalf("the loop differs from the model")
				}
				if i++; i == 3 {
					m.remove(nth(a), false)
					m.set(nth(a + 1))
					th.Checkpoint()
				}
				if i == 100 {
					return
				}
			}
			if i != len(want) {
				m.t.Fatalf("the loop ends early")
			}
		},
		"misuse": func(_, b int) {
			for _, not := range []rt.Ref{rt.Nil, rt.None, smallInt(1), rt.EmptyTuple} {
				x := Dict(not)
				wantError[*rt.TypeError](m.t, x.Set(th, rt.None, rt.None))
				wantError[*rt.TypeError](m.t, x.Clear(th))
				wantError[*rt.TypeError](m.t, x.Update(th, d))
				wantError[*rt.TypeError](m.t, d.Update(th, x))
				_, err := x.Get(th, rt.None)
				wantError[*rt.TypeError](m.t, err)
				_, err = x.Pop(th, rt.None)
				wantError[*rt.TypeError](m.t, err)
				_, err = x.Delete(th, rt.None)
				wantError[*rt.TypeError](m.t, err)
				_, _, err = x.PopFirst(th)
				wantError[*rt.TypeError](m.t, err)
				for _, err := range x.atomics(th, rt.None) {
					wantError[*rt.TypeError](m.t, err)
				}
				if x.Len(th) != 0 || x.Has(th, rt.None) || len(x.Snapshot(th, nil)) > 0 {
					m.t.Fatalf("an object that is not a dict has entries")
				}
			}
			list := must(NewList(th))
			tuple := must(NewTuple(th, rt.None, list))
			nested := must(NewTuple(th, tuple))
			for _, bad := range []rt.Ref{list, tuple, nested, d, rt.Nil} {
				wantError[*UnhashableError](m.t, d.Set(th, bad, rt.None))
				_, err := d.Get(th, bad)
				wantError[*UnhashableError](m.t, err)
				_, err = d.Pop(th, bad)
				wantError[*UnhashableError](m.t, err)
				_, err = d.Delete(th, bad)
				wantError[*UnhashableError](m.t, err)
				for _, err := range d.atomics(th, bad) {
					wantError[*UnhashableError](m.t, err)
				}
			}
			th.DecRefs([]rt.Ref{list, tuple, nested})
			k, _ := m.key(th, nth(b))
			if d.Set(th, k, rt.Nil) == nil {
				m.t.Fatalf("a nil reference was stored")
			}
			th.DecRef(k)
		},
		"checkpoint": func(_, _ int) { th.Checkpoint() },
	}
}

func (m *dictMachine) check() {
	if m.dict.Len(m.th) != len(m.entries) {
		m.t.Fatalf("the length differs from the model's")
	}
	pairs := m.dict.Snapshot(m.th, nil)
	if len(pairs) != 2*len(m.entries) {
		m.t.Fatalf("the number of entries differs from the length")
	}
	for i, e := range m.entries {
		k, v := pairs[2*i], pairs[2*i+1]
		if bigOf(m.th, v) != e.mark {
			m.t.Fatalf("an entry's value or place differs from the model's")
		}
		if got, ok := m.dict.Lookup(m.th, k); !ok || got != v {
			m.t.Fatalf("an entry is not found by its own key")
		}
	}
	m.th.DecRefs(pairs)
	if m.steps++; m.steps%8 == 0 {
		audit(m.t, m.th, m.dict)
	}
}

func (m *dictMachine) close() {
	audit(m.t, m.th, m.dict)
	m.th.DecRef(m.dict)
}

func TestDictModel(t *testing.T) {
	for name, key := range map[string]keyMaker{"anyKey": anyKey, "nearHash": nearHashKey, "sameHash": sameHashKey} {
		t.Run(name, func(t *testing.T) {
			forAllModes(t, func(t *testing.T, o rt.Options) { checkMachine(t, o, newDictMachine(key)) })
		})
	}
}

// TestKeyed runs tests of dicts with tables that are KEYED from the first entry on.
func TestKeyed(t *testing.T) {
	oneGoroutine(t)
	withKeyed(t)
	for name, test := range map[string]func(*testing.T){
		"model": func(t *testing.T) {
			forAllModes(t, func(t *testing.T, o rt.Options) { checkMachine(t, o, newDictMachine(anyKey)) })
		},
		"growth": TestDictGrowth, "order": TestDictOrder, "tables": TestTables, "one place": TestOneKeyHasOnePlace,
		"small updates": TestSmallUpdates, "linearizable": TestDictLinearizable, "chaos": TestDictChaos,
		"gates": TestGates, "version": TestDictVersion, "limit": TestDictMemoryLimit, "freeze": TestFreezeIsNeverTorn,
		"deep keys": TestDeepTupleKeys,
	} {
		t.Run(name, test)
	}
}

func FuzzDict(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(fuzzMachine(f, newDictMachine(anyKey), newDictMachine(sameHashKey)))
}

// TestDictGrowth takes a dict through every width of its index and back.
func TestDictGrowth(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			d := must(NewDict(th))
			n := 70_000 // more than two bytes can number
			if racesOnly() {
				n = 7000
			}
			look := func(from, to int, there bool) {
				t.Helper()
				for i := from; i < to; i++ {
					k := newBig(th, i)
					if v, ok := d.Lookup(th, k); ok != there || ok && v != smallInt(i) {
						t.Fatalf("key %d of %d: found %v, want %v", i, d.Len(th), ok, there)
					}
					th.DecRef(k)
				}
			}
			marks := []int{1, 7, 8, 9, 10, 84, 85, 86, 254, 255, 256, 257, 21844, 21846, 65534, 65535, 65536, 65537, n}
			for i := range n {
				k := newBig(th, i)
				must0(t, d.Set(th, k, smallInt(i)))
				th.DecRef(k)
				if slices.Contains(marks, i+1) {
					look(max(0, i-300), i+1, true)
					look(0, min(300, i+1), true)
					look(i+1, i+2, false)
				}
			}
			look(0, n, true)
			audit(t, th, d)
			for i := range n { // every third stays, so tables are rebuilt on the way
				if k := newBig(th, i); i%3 != 0 {
					if gone, err := d.Delete(th, k); !gone || err != nil {
						t.Fatalf("key %d: %v, %v", i, gone, err)
					}
					th.DecRef(k)
				} else {
					th.DecRef(k)
				}
				if i%16 == 0 {
					th.Checkpoint()
				}
			}
			want := 0
			for _, v := range d.All(th) {
				if v != smallInt(want) {
					t.Fatalf("value %s stands where %d should", v, want)
				}
				want += 3
			}
			if got := d.Len(th); got != (n+2)/3 {
				t.Fatalf("%d entries, want %d", got, (n+2)/3)
			}
			audit(t, th, d)
			before := th.Runtime().Memory().BlockBytes
			for i := 0; i < n; i += 3 {
				k := newBig(th, i)
				th.DecRef(must(d.Pop(th, k)))
				th.DecRef(k)
			}
			audit(t, th, d)
			th.Checkpoint()
			if m := th.Runtime().Memory(); d.Len(th) != 0 || m.BlockBytes >= before {
				t.Errorf("%d entries, and %d bytes of %d, are left after all keys were deleted", d.Len(th), m.BlockBytes, before)
			}
			th.DecRef(d)
		})
	})
}

// TestDictOrder: deleting a key and inserting it again moves it to the end. Overwriting
// does not, and the key object stays the first one.
func TestDictOrder(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			must0(t, th.Scope(func(s *rt.Scope) {
				d := Dict(s.Own(NewDict(th)))
				first := s.Own(NewString(th, "a"))
				s.Check(d.Set(th, first, smallInt(1)))
				s.Check(d.Set(th, s.Own(NewString(th, "b")), smallInt(2)))
				s.Check(d.Set(th, s.Own(NewString(th, "c")), smallInt(3)))
				s.Check(d.Set(th, s.Own(NewString(th, "a")), smallInt(4)))
				for k := range d.All(th) {
					if k != first {
						t.Error("overwriting a value replaced the key")
					}
					break
				}
				if got := Format(th, d); got != `{"a":4,"b":2,"c":3}` {
					t.Error(got)
				}
				_, err := d.Delete(th, first)
				s.Check(err)
				s.Check(d.Set(th, first, smallInt(5)))
				if got := Format(th, d); got != `{"b":2,"c":3,"a":5}` {
					t.Error(got)
				}
			}))
		})
	})
}

func TestDictErrors(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			must0(t, th.Scope(func(s *rt.Scope) {
				d := Dict(s.Own(NewDict(th)))
				_, noKey := d.Get(th, s.Own(NewString(th, "x\ty")))
				_, noPop := d.Pop(th, smallInt(3))
				tuple := s.Own(NewTuple(th, s.Own(NewDict(th))))
				for _, c := range []struct {
					got  error
					want string
				}{
					{noKey, `ichor: no key "x\ty"`},
					{noPop, "ichor: no key 3"},
					{d.Set(th, d, rt.None), "ichor: dict cannot be a key: want int, float, number, string, bytes, bool, None, or a tuple of these"},
					{d.Set(th, tuple, rt.None), "ichor: a tuple with an item of another kind cannot be a key: want int, float, number, string, bytes, bool, None, or a tuple of these"},
					{d.Set(th, rt.None, rt.Nil), "ichor: dict: value: nil reference"},
					{Dict(rt.None).Set(th, rt.None, rt.None), "ichor: want dict, got None"},
					{d.Update(th, Dict(smallInt(1))), "ichor: want dict, got int"},
				} {
					if c.got == nil || c.got.Error() != c.want {
						t.Errorf("got  %v\nwant %s", c.got, c.want)
					}
				}
			}))
		})
	})
}

// TestDictMemoryLimit: calls that fail change nothing, deleting needs no memory, and Update
// sets all entries or none.
func TestDictMemoryLimit(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		o.MemoryLimit = 1 << 20
		clean(t, o, func(th *rt.Thread) {
			d, other := must(NewDict(th)), must(NewDict(th))
			const entries = 25 // for a table of a size that growth has not given back
			for i := range entries {
				must0(t, other.Set(th, smallInt(i+1000), rt.True))
			}
			held := append(hog(t, th), d, other)
			var err error
			n := -1
			for err == nil {
				n++
				err = d.Set(th, smallInt(n), rt.None)
			}
			v := held[0]
			for i, err := range []error{err, d.Set(th, smallInt(n), v), d.SetSteal(th, smallInt(n), v), d.Update(th, other), other.Update(th, d)} {
				if !errors.Is(err, rt.ErrMemoryLimit) && (n > 0 || i < 4) {
					t.Errorf("call %d: got %v, want the memory limit", i, err)
				}
			}
			for err = nil; err == nil && len(held) < 100_000; {
				var r rt.Ref
				if r, err = NewDict(th); err == nil {
					held = append(held, r)
				}
			}
			if !errors.Is(err, rt.ErrMemoryLimit) {
				t.Errorf("new dict: %v", err)
			}
			if d.Len(th) != n || other.Len(th) != entries {
				t.Errorf("%d and %d entries, want %d and %d", d.Len(th), other.Len(th), n, entries)
			}
			audit(t, th, held...)
			for i := range entries - 1 {
				if gone, err := other.Delete(th, smallInt(i+1000)); !gone || err != nil {
					t.Errorf("delete without memory: %v, %v", gone, err)
				}
			}
			if !other.Has(th, smallInt(1000+entries-1)) || other.Len(th) != 1 {
				t.Error("the last entry is lost")
			}
			audit(t, th, held...)
			th.DecRefs(held)
		})
	})
}

// TestTables fills tables of every capacity up to 600, and of the capacities around each
// change of the index's form. Each entry's number fits its place, and the index keeps free
// places.
func TestTables(t *testing.T) {
	sizes := []int{21_844, 21_845, 21_846, 43_690, 43_691, 65_534, 65_535, 65_536, 65_537, 65_600}
	if racesOnly() {
		sizes = nil
	}
	for n := range 600 {
		sizes = append(sizes, n+1)
	}
	clean(t, rt.Options{}, func(th *rt.Thread) {
		d := must(NewDict(th))
		defer th.DecRef(d)
		for _, n := range sizes {
			r, b, err := newTable(th, d, n, false)
			must0(t, err)
			room, s := int(b.Word(dictCap)), shapeOf(b)
			if room < n || s.mask > 0 && 3*room > 2*int(s.mask+1) || s.mask == 0 && room > linearMax {
				t.Fatalf("a table for %d has %d entries and %d places", n, room, s.mask+1)
			}
			for i := range room {
				insert(b, vacant(b, hashIn(th, b, smallInt(i), hashInt(int64(i)))), smallInt(i), rt.True)
			}
			for i := range room + 10 {
				e, v, found := find(th, b, smallInt(i), hashInt(int64(i)))
				if found != (i < room) || found && (v != rt.True || b.Ref(e+entryKey) != smallInt(i)) {
					t.Fatalf("a table for %d: key %d of %d is found: %v", n, i, room, found)
				}
			}
			th.FreeBlock(r)
		}
	})
}
