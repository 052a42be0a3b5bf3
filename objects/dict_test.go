package objects

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/atomic"
	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// A keyMaker makes a new reference to the key with a number, each time another
// object where the kind has objects, and names it: keys with one name are equal.
type keyMaker func(th *rt.Thread, n int) (key rt.Ref, name string)

// anyKey makes keys of every kind.
func anyKey(th *rt.Thread, n int) (rt.Ref, string) {
	kind, v := n%12, n/12
	text := strconv.Itoa(v)
	switch kind {
	case 0, 1:
		return smallInt(v), "int " + text
	case 2:
		return newBig(th, v), "big " + text
	case 3:
		return must(NewString(th, text)), "string " + text
	case 4:
		return must(Intern(th, text)), "string " + text
	case 5:
		return must(NewBytes(th, []byte(text))), "bytes " + text
	case 6:
		return must(NewFloat(th, float64(v))), "float " + text
	case 7:
		odd := []float64{math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 0.5}
		i := v % len(odd)
		if i == 0 {
			return must(NewFloat(th, odd[0])), "float 0" // equal to the other zero
		}
		return must(NewFloat(th, odd[i])), fmt.Sprint("float ", odd[i])
	case 8:
		return must(newNumber(th, []byte(text))), "number " + text
	case 9:
		r := []rt.Ref{rt.None, rt.True, rt.False, rt.EmptyTuple, rt.EmptyString, rt.EmptyBytes}[v%6]
		return r, "singleton " + r.String()
	}
	var items []rt.Ref
	var names []string
	for i := range v%3 + 1 {
		r, name := anyKey(th, v/3+i)
		items, names = append(items, r), append(names, name)
	}
	return must(NewTupleSteal(th, items...)), "(" + strings.Join(names, ",") + ")"
}

// Hashes of numbers can be undone, so keys with any hash are at hand.
const oneHash = 0xabad1dea

// unmix undoes mix.
func unmix(x uint64) uint64 {
	inverse := func(c uint64) uint64 {
		y := c
		for range 6 {
			y *= 2 - c*y
		}
		return y
	}
	x ^= x >> 33
	x *= inverse(0xc4ceb9fe1a85ec53)
	x ^= x >> 33
	x *= inverse(0xff51afd7ed558ccd)
	return x ^ x>>33
}

// sameHashKey makes ints and floats that all have one 32-bit hash.
func sameHashKey(th *rt.Thread, n int) (rt.Ref, string) {
	n %= 1000
	high := uint64(n/2 + 1)
	x := unmix(high<<32 | high ^ oneHash)
	if n%2 == 0 {
		return must(NewInt(th, int64(x^intMark))), "int " + strconv.Itoa(n)
	}
	return must(NewFloat(th, math.Float64frombits(x^floatMark))), "float " + strconv.Itoa(n)
}

// nearHashKey makes ints whose hashes have the same low 12 bits.
func nearHashKey(th *rt.Thread, n int) (rt.Ref, string) {
	n %= 4000
	x := unmix(uint64(n)<<12 | 0x5a5)
	return must(NewInt(th, int64(x^intMark))), strconv.Itoa(n)
}

func TestCollidingKeys(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		seen := map[uint64]bool{}
		for n := range 1000 {
			k, _ := sameHashKey(th, n)
			l, _ := nearHashKey(th, n)
			if h := must(Hash(th, k)); h != oneHash {
				t.Fatalf("key %d has hash %#x", n, h)
			}
			if h := must(Hash(th, l)); h&0xfff != 0x5a5 {
				t.Fatalf("key %d has hash %#x", n, h)
			}
			if v, ok := IntOf(th, l); !ok || seen[uint64(v)] {
				t.Fatalf("key %d twice", n)
			} else {
				seen[uint64(v)] = true
			}
			th.DecRefs([]rt.Ref{k, l})
		}
	})
}

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
		return &dictMachine{t: t, th: th, key: key, dict: Dict(must(NewDict(th)))}
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

// remove deletes or pops a key, which need not be there.
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
			m.t.Fatalf("deleting a key says wrongly whether it was there")
		}
	}
	if i >= 0 {
		m.entries = slices.Delete(m.entries, i, i+1)
	}
}

// nth is the number of a key: a small range, so that keys meet again.
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
		"pop": func(a, _ int) { m.remove(nth(a), true) },
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
				m.t.Fatalf("a key is there or not, unlike in the model")
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
			other := &dictMachine{t: m.t, th: th, key: m.key, dict: Dict(must(NewDict(th))), marks: m.marks}
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
			th.DecRef(rt.Ref(other.dict))
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
				if x.Len(th) != 0 || x.Has(th, rt.None) || len(x.Snapshot(th, nil)) > 0 {
					m.t.Fatalf("what is no dict has entries")
				}
			}
			list := must(NewList(th))
			tuple := must(NewTuple(th, rt.None, list))
			nested := must(NewTuple(th, tuple))
			for _, bad := range []rt.Ref{list, tuple, nested, rt.Ref(d), rt.Nil} {
				wantError[*UnhashableError](m.t, d.Set(th, bad, rt.None))
				_, err := d.Get(th, bad)
				wantError[*UnhashableError](m.t, err)
				_, err = d.Pop(th, bad)
				wantError[*UnhashableError](m.t, err)
				_, err = d.Delete(th, bad)
				wantError[*UnhashableError](m.t, err)
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
		audit(m.t, m.th, rt.Ref(m.dict))
	}
}

func (m *dictMachine) close() {
	audit(m.t, m.th, rt.Ref(m.dict))
	m.th.DecRef(rt.Ref(m.dict))
}

func TestDictModel(t *testing.T) {
	for name, key := range map[string]keyMaker{"anyKey": anyKey, "nearHash": nearHashKey, "sameHash": sameHashKey} {
		t.Run(name, func(t *testing.T) {
			forAllModes(t, func(t *testing.T, o rt.Options) { checkMachine(t, o, newDictMachine(key)) })
		})
	}
}

func FuzzDict(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		fuzzMachine(t, input, newDictMachine(anyKey))
		fuzzMachine(t, input, newDictMachine(sameHashKey))
	})
}

// TestDictGrowth takes a dict through every width of its index and back.
func TestDictGrowth(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			d := Dict(must(NewDict(th)))
			const n = 70_000 // more than two bytes number
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
			audit(t, th, rt.Ref(d))
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
			audit(t, th, rt.Ref(d))
			before := th.Runtime().Memory().BlockBytes
			for i := 0; i < n; i += 3 {
				k := newBig(th, i)
				th.DecRef(must(d.Pop(th, k)))
				th.DecRef(k)
			}
			audit(t, th, rt.Ref(d))
			th.Checkpoint()
			if m := th.Runtime().Memory(); d.Len(th) != 0 || m.BlockBytes >= before {
				t.Errorf("%d entries, and %d bytes of %d, are left when all is deleted", d.Len(th), m.BlockBytes, before)
			}
			th.DecRef(rt.Ref(d))
		})
	})
}

// TestDictOrder: deleting and inserting again moves a key to the end,
// overwriting does not, and a key stays the object that came first.
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
				if got := Format(th, rt.Ref(d)); got != `{"a":4,"b":2,"c":3}` {
					t.Error(got)
				}
				_, err := d.Delete(th, first)
				s.Check(err)
				s.Check(d.Set(th, first, smallInt(5)))
				if got := Format(th, rt.Ref(d)); got != `{"b":2,"c":3,"a":5}` {
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
					{noKey, `no key "x\ty"`},
					{noPop, "no key 3"},
					{d.Set(th, rt.Ref(d), rt.None), "dict cannot be a key: want int, float, number, string, bytes, bool, None, or a tuple of these"},
					{d.Set(th, tuple, rt.None), "a tuple with something in it that is no key cannot be a key: want int, float, number, string, bytes, bool, None, or a tuple of these"},
					{d.Set(th, rt.None, rt.Nil), "ichor: dict: nil reference as a value"},
					{Dict(rt.None).Set(th, rt.None, rt.None), "want dict, got None"},
					{d.Update(th, Dict(smallInt(1))), "want dict, got int"},
				} {
					if c.got == nil || c.got.Error() != c.want {
						t.Errorf("got  %v\nwant %s", c.got, c.want)
					}
				}
			}))
		})
	})
}

// TestDictMemoryLimit: calls that fail change nothing, deleting works without
// memory, and Update sets all or nothing.
func TestDictMemoryLimit(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		o.MemoryLimit = 1 << 20
		clean(t, o, func(th *rt.Thread) {
			d, other := Dict(must(NewDict(th))), Dict(must(NewDict(th)))
			for i := range 20 {
				must0(t, other.Set(th, smallInt(i+1000), rt.True))
			}
			held := append(hog(t, th), rt.Ref(d), rt.Ref(other))
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
			if _, err := NewDict(th); !errors.Is(err, rt.ErrMemoryLimit) {
				t.Errorf("new dict: %v", err)
			}
			if d.Len(th) != n || other.Len(th) != 20 {
				t.Errorf("%d and %d entries, want %d and 20", d.Len(th), other.Len(th), n)
			}
			audit(t, th, held...)
			for i := range 19 {
				if gone, err := other.Delete(th, smallInt(i+1000)); !gone || err != nil {
					t.Errorf("delete without memory: %v, %v", gone, err)
				}
			}
			if !other.Has(th, smallInt(1019)) || other.Len(th) != 1 {
				t.Error("the last entry is lost")
			}
			audit(t, th, held...)
			th.DecRefs(held)
		})
	})
}

// TestDeepTupleKeys compares keys that are nested too deep for a recursion.
func TestDeepTupleKeys(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			key := func(innermost int) rt.Ref {
				r := smallInt(innermost)
				for range max(scaled(1_000_000), 20_000) {
					r = must(NewTupleSteal(th, r, rt.None))
				}
				return r
			}
			a, b, c := key(1), key(1), key(2)
			d := Dict(must(NewDict(th)))
			must0(t, d.Set(th, a, rt.True))
			if !d.Has(th, b) || d.Has(th, c) {
				t.Error("equal deep keys differ, or different ones are equal")
			}
			th.DecRefs([]rt.Ref{a, b, c, rt.Ref(d)})
		})
	})
}

// TestDictChaos has threads do everything to two dicts at once. Even keys are
// never deleted, so they are always found.
func TestDictChaos(t *testing.T) {
	for _, c := range []struct {
		name  string
		key   keyMaker
		steps int
	}{{"anyKey", anyKey, 100_000}, {"sameHash", sameHashKey, 12_000}} { // whose probes are long
		t.Run(c.name, func(t *testing.T) {
			forModes(t, func(t *testing.T, o rt.Options) {
				withRuntime(t, o, func(r *rt.Runtime) { chaosDicts(t, r, c.key, scaled(c.steps)) })
			})
		})
	}
}

func chaosDicts(t *testing.T, r *rt.Runtime, key keyMaker, steps int) {
	const (
		workers = 4
		kept    = 20
	)
	var dicts [2]Dict
	keep := map[string]bool{}
	must0(t, r.Do(func(th *rt.Thread) error {
		for i := range dicts {
			dicts[i] = Dict(must(NewDict(th)))
			for n := range kept {
				k, name := key(th, n)
				keep[name] = true
				ok(dicts[i].SetSteal(th, k, newBig(th, n)))
				th.DecRef(k)
			}
		}
		return nil
	}))
	run(t, r, workers, func(th *rt.Thread, worker int) error {
		rnd := rand.New(rand.NewPCG(2, uint64(worker)))
		var b borrower
		for i := range steps {
			d, other := dicts[i%2], dicts[1-i%2]
			k, name := key(th, rnd.IntN(300))
			var err error
			if worker < 2 {
				err = changeDict(th, rnd, d, other, k, keep[name])
			} else {
				err = readDict(th, rnd, d, k, keep[name], &b)
			}
			th.DecRef(k)
			if err == nil && rnd.IntN(32) == 0 {
				err = b.giveBack(th)
			}
			if err != nil {
				return err
			}
		}
		return b.giveBack(th)
	})
	must0(t, r.Do(func(th *rt.Thread) error {
		audit(t, th, rt.Ref(dicts[0]), rt.Ref(dicts[1]))
		th.DecRefs([]rt.Ref{rt.Ref(dicts[0]), rt.Ref(dicts[1])})
		return nil
	}))
}

// readDict reads something, and checks it: all values are boxed integers, and
// what is kept is found.
func readDict(th *rt.Thread, rnd *rand.Rand, d Dict, k rt.Ref, kept bool, b *borrower) error {
	switch rnd.IntN(4) {
	case 0:
		v, found := d.Lookup(th, k)
		if found {
			return b.borrow(th, v)
		}
		if kept {
			return fmt.Errorf("key %s is lost", Format(th, k))
		}
	case 1:
		v, err := d.Get(th, k)
		if err == nil {
			err = b.borrow(th, v)
			th.DecRef(v)
		} else if !kept {
			err = unless[*KeyError](err)
		}
		return err
	case 2:
		if n := d.Len(th); n < 10 || n > 300 {
			return fmt.Errorf("length is %d", n)
		}
	case 3:
		if rnd.IntN(8) > 0 {
			return nil
		}
		for k, v := range d.All(th) {
			if _, err := Hash(th, k); err != nil {
				return err
			}
			if err := b.borrow(th, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func changeDict(th *rt.Thread, rnd *rand.Rand, d, other Dict, k rt.Ref, kept bool) error {
	v := newBig(th, rnd.IntN(1000))
	defer th.DecRef(v)
	switch op := rnd.IntN(16); {
	case op == 0:
		return d.Update(th, other)
	case op < 8 || kept:
		return d.Set(th, k, v)
	case op < 12:
		_, err := d.Delete(th, k)
		return err
	}
	r, err := d.Pop(th, k)
	if err == nil && bigOf(th, r) < 0 {
		err = fmt.Errorf("popped %s, which nobody stored", Format(th, r))
	}
	th.DecRef(r)
	return unless[*KeyError](err)
}

// TestUpdateBothWays is TestExtendBothWays for dicts.
func TestUpdateBothWays(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			var dicts [2]Dict
			must0(t, r.Do(func(th *rt.Thread) error {
				dicts[0], dicts[1] = Dict(must(NewDict(th))), Dict(must(NewDict(th)))
				return nil
			}))
			run(t, r, 2, func(th *rt.Thread, w int) error {
				for i := range scaled(100_000) {
					d, other := dicts[w], dicts[1-w]
					ok(d.Set(th, smallInt(w+2*(i%5)), rt.None))
					if err := d.Update(th, other); err != nil {
						return err
					}
					if n := d.Len(th); n > 10 {
						return fmt.Errorf("%d entries of 10 keys", n)
					}
					th.Checkpoint()
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				th.DecRefs([]rt.Ref{rt.Ref(dicts[0]), rt.Ref(dicts[1])})
				return nil
			}))
		})
	})
}

// TestTables fills tables of every capacity up to 600, and of those around the
// widths of the index: each entry's number fits its place, and the index has
// free places left.
func TestTables(t *testing.T) {
	sizes := []int{21_844, 21_845, 21_846, 43_690, 43_691, 65_534, 65_535, 65_536, 65_537, 65_600}
	for n := range 600 {
		sizes = append(sizes, n+1)
	}
	clean(t, rt.Options{}, func(th *rt.Thread) {
		d := must(NewDict(th))
		defer th.DecRef(d)
		for _, n := range sizes {
			r, b, err := newTable(th, d, n)
			must0(t, err)
			room, s := int(b.Word(dictCap)), unpackShape(b.Word(dictShape))
			if room < n || s.log2 > 0 && 3*room > 2<<s.log2 || s.log2 == 0 && room > linearMax {
				t.Fatalf("a table for %d has %d entries and 2^%d places", n, room, s.log2)
			}
			for i := range room {
				insert(b, smallInt(i), rt.True, hashInt(int64(i)))
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

// TestDictOwnWrites has each thread write keys of its own: it sees what it wrote,
// while all others' writes rebuild the table.
func TestDictOwnWrites(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			var d Dict
			must0(t, r.Do(func(th *rt.Thread) error {
				d = Dict(must(NewDict(th)))
				return nil
			}))
			run(t, r, 4, func(th *rt.Thread, w int) error {
				mine := map[int]int{}
				rnd := rand.New(rand.NewPCG(3, uint64(w)))
				for i := range scaled(40_000) {
					n := rnd.IntN(50)*4 + w
					k := smallInt(n)
					if rnd.IntN(3) == 0 {
						gone, err := d.Delete(th, k)
						if _, want := mine[n]; err != nil || gone != want {
							return fmt.Errorf("worker %d: delete of %d: %v, %v", w, n, gone, err)
						}
						delete(mine, n)
					} else {
						ok(d.SetSteal(th, k, newBig(th, i)))
						mine[n] = i
					}
					n = rnd.IntN(50)*4 + w
					v, found := d.Lookup(th, smallInt(n))
					if want, there := mine[n]; found != there || found && bigOf(th, v) != want {
						return fmt.Errorf("worker %d does not see its own write", w)
					}
					if total := d.Len(th); total < len(mine) || total > 200 {
						return fmt.Errorf("worker %d set %d keys, there are %d", w, len(mine), total)
					}
					if i%16 == 0 {
						th.Checkpoint()
					}
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				audit(t, th, rt.Ref(d))
				th.DecRef(rt.Ref(d))
				return nil
			}))
		})
	})
}

// TestDictClear has a thread clear and fill again what others read.
func TestDictClear(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			var d Dict
			must0(t, r.Do(func(th *rt.Thread) error {
				d = Dict(must(NewDict(th)))
				return nil
			}))
			run(t, r, 3, func(th *rt.Thread, w int) error {
				for i := range scaled(20_000) {
					k := newBig(th, i%20)
					if w == 0 {
						ok(d.SetSteal(th, k, newBig(th, i%20)))
						if i%20 == 19 {
							ok(d.Clear(th))
						}
					} else if v, found := d.Lookup(th, k); found && bigOf(th, v) != i%20 {
						return fmt.Errorf("key %d has the value %d", i%20, bigOf(th, v))
					} else if n := d.Len(th); n > 20 {
						return fmt.Errorf("length is %d", n)
					}
					th.DecRef(k)
					if i%16 == 0 {
						th.Checkpoint()
					}
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				th.DecRef(rt.Ref(d))
				return nil
			}))
		})
	})
}

// TestDictLinearizable has one thread insert and delete one key, and readers
// whose every Len and Lookup must fit a state of the dict that they have not left
// behind. It is what dictLen's comment claims. It finds a delete whose stores are in
// the wrong order in every run on two cores, a find that does not ask whether an entry
// is published in two runs of three.
func TestDictLinearizable(t *testing.T) {
	for _, base := range []int{3, 30} { // without and with an index
		t.Run(fmt.Sprint("base=", base), func(t *testing.T) {
			forModes(t, func(t *testing.T, o rt.Options) {
				withRuntime(t, o, func(r *rt.Runtime) { linearizableDict(t, r, base) })
			})
		})
	}
}

func linearizableDict(t *testing.T, r *rt.Runtime, base int) {
	var d Dict
	must0(t, r.Do(func(th *rt.Thread) error {
		d = Dict(must(NewDict(th)))
		for i := range base {
			ok(d.Set(th, smallInt(i), rt.None))
		}
		return nil
	}))
	line, total, key := &timeline{}, scaled(300_000), smallInt(base)
	var over atomic.Bool
	run(t, r, 3, func(th *rt.Thread, w int) error {
		if w == 0 {
			defer over.Store(true)
			for i := range total {
				line.write(func() { ok(d.SetSteal(th, key, newBig(th, i))) })
				line.write(func() { must(d.Delete(th, key)) })
				if i%64 == 0 {
					th.Checkpoint()
				}
			}
			return nil
		}
		seer := witness{l: line}
		look := func() (func(int64) bool, string) {
			v, found := d.Lookup(th, key)
			if !found {
				return func(s int64) bool { return s%2 == 0 }, "no key"
			}
			n := int64(bigOf(th, v))
			return func(s int64) bool { return s == 2*n+1 }, fmt.Sprintf("value %d", n)
		}
		count := func() (func(int64) bool, string) {
			n := d.Len(th)
			return func(s int64) bool { return n == base+int(s%2) }, fmt.Sprintf("length %d", n)
		}
		for i := 0; !over.Load(); i++ {
			if err := errors.Join(seer.see(look), seer.see(count), seer.see(count), seer.see(look)); err != nil {
				return err
			}
			if _, found := d.Lookup(th, smallInt(i%base)); !found {
				return fmt.Errorf("key %d is lost", i%base)
			}
			if i%64 == 0 {
				th.Checkpoint()
			}
		}
		return nil
	})
	must0(t, r.Do(func(th *rt.Thread) error {
		audit(t, th, rt.Ref(d))
		th.DecRef(rt.Ref(d))
		return nil
	}))
}
