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
	r     rt.Ref
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

func (m *recordMachine) ops() map[string]func(a, b int) {
	return map[string]func(a, b int){
		"set": func(a, _ int) {
			i := a%5 - 1
			m.next++
			v := newBig(m.th, m.next)
			err := m.typ.Set(m.th, m.r, i, v)
			m.th.DecRef(v)
			if i < 0 || i >= 3 {
				if err == nil {
					m.t.Fatalf("a field that is not there was set")
				}
				return
			}
			must0(m.t, err)
			m.marks[i] = m.next
		},
		"checkpoint": func(_, _ int) { m.th.Checkpoint() },
	}
}

func (m *recordMachine) check() {
	for i, n := range m.marks {
		r, ok := m.typ.At(m.th, m.r, i)
		got := must(m.typ.Get(m.th, m.r, i))
		if !ok || got != r || bigOf(m.th, r) != n {
			m.t.Fatalf("a field has another value than in the model")
		}
		m.th.DecRef(got)
	}
	audit(m.t, m.th, m.r)
}

func (m *recordMachine) close() { m.th.DecRef(m.r) }

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
	// Definitions that look alike when they are strung together.
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
			_, wrong := point.Get(th, q, 0)
			_, outside := point.Get(th, p, 2)
			for _, c := range []struct {
				got  error
				want string
			}{
				{few, "ichor: new point: 1 values, want one for each of 2 fields"},
				{none, "ichor: new point: field y: nil reference"},
				{wrong, "ichor: want point, got other"},
				{outside, "ichor: point has no field 2: it has 2 fields"},
				{point.Set(th, rt.Nil, 0, v), "ichor: want point, got nil reference"},
				{point.Set(th, smallInt(1), 0, v), "ichor: want point, got int"},
				{point.Set(th, p, -1, v), "ichor: point has no field -1: it has 2 fields"},
				{point.Set(th, p, 1, rt.Nil), "ichor: set point.y: nil reference"},
			} {
				if c.got == nil || c.got.Error() != c.want {
					t.Errorf("got  %v\nwant %s", c.got, c.want)
				}
			}
			if _, ok := point.At(th, q, 0); ok {
				t.Error("a record of another type has the field")
			}
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
			var rec rt.Ref
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
					ok(typ.Set(th, rec, field, v))
					th.DecRef(v)
					if got, _ := typ.At(th, rec, 0); w == 0 && field == 0 && bigOf(th, got) != i {
						return fmt.Errorf("a thread does not see its own write")
					}
					got := must(typ.Get(th, rec, 1))
					if bigOf(th, got) < 0 {
						return fmt.Errorf("read %s, which nobody stored", Format(th, got))
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
