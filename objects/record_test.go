package objects

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

type recordMachine struct {
	t     rapid.TB
	th    *rt.Thread
	typ   *RecordType
	r     Record
	marks []int
	next  int
}

func newRecordMachine(t rapid.TB, th *rt.Thread) machine {
	m := &recordMachine{t: t, th: th, typ: must(DefineRecord("model", "a", "b", "c")), marks: []int{1, 2, 3}, next: 3}
	values := []rt.Ref{newBig(th, 1), newBig(th, 2), newBig(th, 3)}
	m.r = must(m.typ.New(th, values...))
	th.DecRefs(values)
	return m
}

// write calls f with the number of a field, which may not exist, and a new value. f reports
// whether it has stored the value.
func (m *recordMachine) write(a int, f func(i int, v rt.Ref) (bool, error)) {
	i := a%5 - 1
	m.next++
	v := newBig(m.th, m.next)
	done, err := f(i, v)
	m.th.DecRef(v)
	if i < 0 || i >= 3 {
		if wantError[*FieldError](m.t, err); done {
			m.t.Fatalf("a field that is not there was set")
		}
		return
	}
	must0(m.t, err)
	if done {
		m.marks[i] = m.next
	}
}

func (m *recordMachine) ops() map[string]func(a, b int) {
	th, r := m.th, m.r
	return map[string]func(a, b int){
		"set": func(a, _ int) {
			m.write(a, func(i int, v rt.Ref) (bool, error) {
				err := r.Set(th, i, v)
				return err == nil, err
			})
		},
		"swap": func(a, _ int) {
			m.write(a, func(i int, v rt.Ref) (bool, error) {
				old, err := r.Swap(th, i, v)
				if err == nil && bigOf(th, old) != m.marks[i] {
					m.t.Fatalf("swapped out another value than in the model")
				}
				th.DecRef(old)
				return err == nil, err
			})
		},
		"compare and swap": func(a, b int) {
			m.write(a, func(i int, v rt.Ref) (bool, error) {
				old, found := r.At(th, i)
				want := found && b%2 == 0
				if !want {
					old = newBig(th, 1) // perhaps equal, but another object
					defer th.DecRef(old)
				}
				done, err := r.CompareAndSwap(th, i, old, v)
				if done != want {
					m.t.Fatalf("compare and swap: %v, want %v", done, want)
				}
				return done, err
			})
		},
		"checkpoint": func(_, _ int) { th.Checkpoint() },
	}
}

func (m *recordMachine) check() {
	for i, n := range m.marks {
		r, ok := m.r.At(m.th, i)
		got := must(m.r.Get(m.th, i))
		if !ok || got != r || bigOf(m.th, r) != n {
			m.t.Fatalf("a field has another value than in the model")
		}
		m.th.DecRef(got)
	}
	audit(m.t, m.th, m.r)
}

func (m *recordMachine) close() { m.th.DecRef(m.r) }

func FuzzRecord(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(fuzzMachine(f, newRecordMachine))
}

func TestRecordModel(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) { checkMachine(t, o, newRecordMachine) })
}

func TestDefineRecord(t *testing.T) {
	point := must(DefineRecord("point", "x", "y"))
	if again := must(DefineRecord("point", "x", "y")); again != point {
		t.Error("the same definition gives another type")
	}
	if !slices.Equal(point.Fields(), []string{"x", "y"}) || point.Index("y") != 1 || point.Index("z") != -1 || point.Name != "point" {
		t.Errorf("%v", point)
	}
	point.Fields()[0] = "changed"
	if point.Index("x") != 0 {
		t.Error("the caller's copy of the fields is the type's own")
	}
	// Definitions that look alike when their names are concatenated.
	types := map[*RecordType]bool{}
	for _, d := range [][]string{{"p", "x\x00y"}, {"p", "x", "y"}, {"p\x00x", "y"}, {"p", "y", "x"}, {"p"}, {"p", "x\" \"y"}, {"p", "x y"}} {
		y := must(DefineRecord(d[0], d[1:]...))
		if types[y] || !slices.Equal(y.Fields(), d[1:]) {
			t.Errorf("definition %q gives the type of another one", d)
		}
		types[y] = true
	}
	for want, d := range map[string][]string{
		`ichor: define type: it has no name`:                              {"", "x"},
		`ichor: define record p: a field has no name`:                     {"p", "x", ""},
		`ichor: define record p: two fields have the name "x"`:            {"p", "x", "y", "x"},
		`ichor: define record p: field "\xff": not valid UTF-8 at byte 0`: {"p", "\xff"},
	} {
		if _, err := DefineRecord(d[0], d[1:]...); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	var wg sync.WaitGroup
	var got [8]*RecordType
	for i := range got {
		wg.Go(func() { got[i] = must(DefineRecord("by many at once", "x")) })
	}
	wg.Wait()
	for _, y := range got {
		if y != got[0] {
			t.Error("two types of one definition")
		}
	}
}

func TestRecordErrors(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		point, other := must(DefineRecord("point", "x", "y")), must(DefineRecord("other"))
		clean(t, o, func(th *rt.Thread) {
			v := newBig(th, 1)
			p, q := must(point.New(th, v, v)), must(other.New(th))
			_, few := point.New(th, v)
			_, none := point.New(th, v, rt.Nil)
			f := must(th.Freeze(p))
			frozen := Record(f.Root())
			for _, c := range []struct {
				got  error
				want string
			}{
				{few, "ichor: new point: 1 values, want one for each of 2 fields"},
				{none, "ichor: new point: field y: nil reference"},
				{second(q.Get(th, 0)), "ichor: other has no field 0: it has 0 fields"},
				{second(p.Get(th, 2)), "ichor: point has no field 2: it has 2 fields"},
				{second(frozen.Get(th, 2)), "ichor: point has no field 2: it has 2 fields"},
				{Record(rt.Nil).Set(th, 0, v), "ichor: want record, got nil reference"},
				{Record(smallInt(1)).Set(th, 0, v), "ichor: want record, got int"},
				{second(Record(v).Get(th, 0)), "ichor: want record, got int"},
				{second(Record(rt.None).Swap(th, 0, v)), "ichor: want record, got None"},
				{undone(Record(rt.EmptyTuple).CompareAndSwap(th, 0, v, v)), "ichor: want record, got tuple"},
				{p.Set(th, -1, v), "ichor: point has no field -1: it has 2 fields"},
				{p.Set(th, 1, rt.Nil), "ichor: set point.y: nil reference"},
				{second(p.Swap(th, 1, rt.Nil)), "ichor: set point.y: nil reference"},
				{undone(p.CompareAndSwap(th, 1, v, rt.Nil)), "ichor: set point.y: nil reference"},
				{undone(p.CompareAndSwap(th, 1, rt.Nil, v)), "ichor: record: value to compare with: nil reference"},
			} {
				if c.got == nil || c.got.Error() != c.want {
					t.Errorf("got  %v\nwant %s", c.got, c.want)
				}
			}
			for _, err := range []error{frozen.Set(th, 0, v), second(frozen.Swap(th, 0, v)), undone(frozen.CompareAndSwap(th, 0, v, v))} {
				if !errors.Is(err, rt.ErrFrozen) {
					t.Errorf("a frozen record was written: %v", err)
				}
			}
			if _, ok := q.At(th, 0); ok {
				t.Error("a record without fields has one")
			}
			for _, c := range []struct {
				r    rt.Ref
				want *RecordType
			}{{p, point}, {frozen, point}, {q, other}, {v, nil}, {rt.Nil, nil}, {rt.None, nil}, {smallInt(1), nil}} {
				if y := Record(c.r).Type(th); y != c.want || point.Is(th, c.r) != (c.want == point) || other.Is(th, c.r) != (c.want == other) {
					t.Errorf("%s is of record type %v, want %v", Format(th, c.r), y, c.want)
				}
			}
			must0(t, th.Unload(f))
			audit(t, th, v, p, q)
			th.DecRefs([]rt.Ref{v, p, q})
		})
		if o.Checked {
			return
		}
		o.MemoryLimit = 1 << 20
		clean(t, o, func(th *rt.Thread) {
			held := hog(t, th)
			if _, err := point.New(th, held[0], held[0]); !errors.Is(err, rt.ErrMemoryLimit) {
				t.Errorf("got %v, want the memory limit", err)
			}
			audit(t, th, held...)
			th.DecRefs(held)
		})
	})
}

// TestRecordChaos has threads write and read the fields of one record. Only one
// of them writes field 0: it sees its own writes.
func TestRecordChaos(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			typ := must(DefineRecord("shared by all", "own", "any"))
			var rec Record
			must0(t, r.Do(func(th *rt.Thread) error {
				rec = must(typ.New(th, rt.None, rt.None))
				return nil
			}))
			run(t, r, 3, func(th *rt.Thread, w int) error {
				rnd := rand.New(rand.NewPCG(5, uint64(w)))
				for i := range scaled(60_000) {
					field := 1
					if w == 0 {
						field = rnd.IntN(2)
					}
					v := newBig(th, i)
					old, _ := rec.At(th, field)
					switch i % 3 {
					case 0:
						ok(rec.Set(th, field, v))
					case 1:
						th.DecRef(must(rec.Swap(th, field, v)))
					case 2:
						if done := must(rec.CompareAndSwap(th, field, old, v)); !done && field == 0 {
							return fmt.Errorf("a thread's own field has changed")
						}
					}
					th.DecRef(v)
					if got, _ := rec.At(th, 0); w == 0 && field == 0 && bigOf(th, got) != i {
						return fmt.Errorf("a thread does not see its own write")
					}
					got := must(rec.Get(th, 1))
					if bigOf(th, got) < 0 && got != rt.None {
						return fmt.Errorf("read %s, which no thread stored", Format(th, got))
					}
					th.DecRef(got)
					if i%32 == 0 {
						th.Checkpoint()
					}
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				audit(t, th, rec)
				th.DecRef(rec)
				return nil
			}))
		})
	})
}

// TestRecordCounter has threads count in one field by CompareAndSwap, and pass values on
// through another one by Swap. Nothing is lost.
func TestRecordCounter(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			const workers = 4
			n := scaled(20_000)
			typ := must(DefineRecord("counter", "count", "last"))
			var rec Record
			must0(t, r.Do(func(th *rt.Thread) error {
				v, w := newBig(th, 0), newBig(th, workers*n)
				rec = must(typ.New(th, v, w))
				th.DecRefs([]rt.Ref{v, w})
				return nil
			}))
			out := make([][]int, workers)
			run(t, r, workers, func(th *rt.Thread, w int) error {
				for i := range n {
					for done := false; !done; {
						old, _ := rec.At(th, 0)
						v := newBig(th, bigOf(th, old)+1)
						done = must(rec.CompareAndSwap(th, 0, old, v))
						th.DecRef(v)
					}
					v := newBig(th, w*n+i)
					old := must(rec.Swap(th, 1, v))
					out[w] = append(out[w], bigOf(th, old))
					th.DecRefs([]rt.Ref{v, old})
					if i%16 == 0 {
						th.Checkpoint()
					}
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				v, _ := rec.At(th, 0)
				if got := bigOf(th, v); got != workers*n {
					t.Errorf("counted to %d, want %d", got, workers*n)
				}
				last, _ := rec.At(th, 1)
				all := append(slices.Concat(out...), bigOf(th, last))
				slices.Sort(all)
				for i, mark := range all {
					if i != mark {
						t.Fatalf("in order, the value at %d is %d", i, mark)
					}
				}
				audit(t, th, rec)
				th.DecRef(rec)
				return nil
			}))
		})
	})
}
