package objects

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// listItem is an item of the model. An item with a mark is a boxed integer that only the
// list holds.
type listItem struct {
	ref  rt.Ref
	mark int // -1 for an item of the pool
}

type listMachine struct {
	t     rapid.TB
	th    *rt.Thread
	list  List
	model []listItem
	pool  []rt.Ref // held by the test
	marks int
	steps int
}

func newListMachine(t rapid.TB, th *rt.Thread) machine {
	inner := must(NewList(th, rt.None))
	return &listMachine{
		t: t, th: th,
		list: must(NewList(th)),
		pool: []rt.Ref{inner, must(NewString(th, "text")), newBig(th, 1<<30), smallInt(7), rt.None, rt.EmptyTuple},
	}
}

func (m *listMachine) fresh() listItem {
	m.marks++
	return listItem{newBig(m.th, m.marks), m.marks}
}

func (m *listMachine) pooled(b int) listItem { return listItem{m.pool[b%len(m.pool)], -1} }

// index returns a valid index, and now and then one out of range.
func (m *listMachine) index(a int) int {
	switch n := len(m.model); {
	case a%16 == 15:
		return [...]int{-1, n, n + 1, math.MaxInt, math.MinInt}[a/16%5]
	case n == 0:
		return 0
	default:
		return a % n
	}
}

func (m *listMachine) wantIndexError(err error, i int) {
	m.t.Helper()
	var e *IndexError
	if !errors.As(err, &e) || e.Index != i || e.Len != len(m.model) {
		m.t.Logf("got %v for index %d of %d", err, i, len(m.model))
		m.t.Fatalf("wrong error for an index")
	}
}

func (m *listMachine) wantEmpty(r rt.Ref, err error) {
	m.t.Helper()
	if err != ErrEmpty || !r.IsNil() {
		m.t.Logf("got %s and %v, want ErrEmpty", r, err)
		m.t.Fatalf("wrong error for an empty list")
	}
}

func (m *listMachine) same(r rt.Ref, want listItem) {
	m.t.Helper()
	if r != want.ref || want.mark >= 0 && bigOf(m.th, r) != want.mark {
		m.t.Fatalf("the list has another item than the model")
	}
}

func (m *listMachine) ops() map[string]func(a, b int) {
	th, l := m.th, m.list
	return map[string]func(a, b int){
		"append": func(_, b int) {
			it := m.pooled(b)
			must0(m.t, l.Append(th, it.ref))
			m.model = append(m.model, it)
		},
		"appendSteal": func(_, b int) {
			for range b%8 + 1 {
				it := m.fresh()
				must0(m.t, l.AppendSteal(th, it.ref))
				m.model = append(m.model, it)
			}
		},
		"grow": func(a, _ int) {
			for range a % 300 {
				it := m.fresh()
				must0(m.t, l.AppendSteal(th, it.ref))
				m.model = append(m.model, it)
			}
		},
		"set": func(a, b int) {
			i, it := m.index(a), m.fresh()
			if b%2 == 0 {
				th.DecRef(it.ref)
				it = m.pooled(b / 2)
			}
			err := l.Set(th, i, it.ref)
			if it.mark >= 0 {
				th.DecRef(it.ref)
			}
			if i < 0 || i >= len(m.model) {
				m.wantIndexError(err, i)
				return
			}
			must0(m.t, err)
			m.model[i] = it
		},
		"pop": func(a, _ int) {
			for range a%8 + 1 {
				r, err := l.Pop(th)
				n := len(m.model) - 1
				if n < 0 {
					m.wantEmpty(r, err)
					return
				}
				must0(m.t, err)
				m.same(r, m.model[n])
				th.DecRef(r)
				m.model = m.model[:n]
			}
		},
		"popFirst": func(a, _ int) {
			for range a%8 + 1 {
				r, err := l.PopFirst(th)
				if len(m.model) == 0 {
					m.wantEmpty(r, err)
					return
				}
				must0(m.t, err)
				m.same(r, m.model[0])
				th.DecRef(r)
				m.model = m.model[1:]
			}
		},
		"snapshot": func(a, _ int) {
			n := a % 3
			items := l.Snapshot(th, slices.Clone(m.pool[:n]))
			if len(items) != n+len(m.model) || !slices.Equal(items[:n], m.pool[:n]) {
				m.t.Fatalf("a snapshot has another length than the model")
			}
			for i, it := range m.model {
				m.same(items[n+i], it)
			}
			th.DecRefs(items[n:])
		},
		"insert": func(a, b int) {
			i, it := m.index(a), m.fresh()
			if b%4 == 0 {
				i = len(m.model)
			}
			err := l.Insert(th, i, it.ref)
			th.DecRef(it.ref)
			if i < 0 || i > len(m.model) {
				m.wantIndexError(err, i)
				return
			}
			must0(m.t, err)
			m.model = append(m.model, listItem{})
			copy(m.model[i+1:], m.model[i:])
			m.model[i] = it
		},
		"remove": func(a, _ int) {
			i := m.index(a)
			err := l.Remove(th, i)
			if i < 0 || i >= len(m.model) {
				m.wantIndexError(err, i)
				return
			}
			must0(m.t, err)
			m.model = append(m.model[:i], m.model[i+1:]...)
		},
		"removeFirst": func(a, _ int) {
			for range min(a%100, len(m.model)) {
				must0(m.t, l.Remove(th, 0))
				m.model = m.model[1:]
			}
		},
		"removeLast": func(a, _ int) {
			for range min(a%100, len(m.model)) {
				must0(m.t, l.Remove(th, len(m.model)-1))
				m.model = m.model[:len(m.model)-1]
			}
		},
		"queue": func(a, _ int) {
			for range a % 50 {
				it := m.fresh()
				must0(m.t, l.AppendSteal(th, it.ref))
				m.model = append(m.model, it)
				if a%2 == 0 {
					must0(m.t, l.Remove(th, 0))
				} else {
					r := must(l.PopFirst(th))
					m.same(r, m.model[0])
					th.DecRef(r)
				}
				m.model = m.model[1:]
			}
		},
		"clear": func(a, _ int) {
			if a%4 == 0 {
				must0(m.t, l.Clear(th))
				m.model = nil
			}
		},
		"extend": func(a, b int) {
			if len(m.model) > 2000 {
				return
			}
			if a%3 == 0 {
				must0(m.t, l.Extend(th, l))
				m.model = append(m.model, m.model...)
				return
			}
			var items []rt.Ref
			for range b % 40 {
				it := m.fresh()
				items = append(items, it.ref)
				m.model = append(m.model, it)
			}
			other := must(NewListSteal(th, items...))
			must0(m.t, l.Extend(th, other))
			th.DecRef(other)
		},
		"get": func(a, _ int) {
			i := m.index(a)
			r, err := l.Get(th, i)
			at, ok := l.At(th, i)
			if i < 0 || i >= len(m.model) {
				m.wantIndexError(err, i)
				if ok {
					m.t.Fatalf("At finds an item that is not there")
				}
				return
			}
			must0(m.t, err)
			m.same(r, m.model[i])
			if at != r {
				m.t.Fatalf("At and Get differ")
			}
			th.DecRef(r)
		},
		"all": func(a, _ int) {
			// The loop sees the items as they are now, whatever its body does.
			want, n := slices.Clone(m.model), 0
			for i, r := range l.All(th) {
				if i != n || n >= len(want) {
					m.t.Fatalf("the loop is out of step")
				}
				m.same(r, want[i])
				if n++; n == a%64 {
					it := m.pooled(a)
					must0(m.t, l.Append(th, it.ref))
					must0(m.t, l.Remove(th, 0))
					m.model = append(m.model[1:], it)
					th.Checkpoint()
				}
				if n == 200 {
					return
				}
			}
			if n != len(want) {
				m.t.Fatalf("the loop ends early")
			}
		},
		"misuse": func(a, _ int) {
			for _, not := range []rt.Ref{rt.Nil, rt.None, smallInt(1), m.pool[1]} {
				x := List(not)
				wantError[*rt.TypeError](m.t, x.Append(th, rt.None))
				wantError[*rt.TypeError](m.t, x.Set(th, 0, rt.None))
				wantError[*rt.TypeError](m.t, x.Insert(th, 0, rt.None))
				wantError[*rt.TypeError](m.t, x.Remove(th, 0))
				wantError[*rt.TypeError](m.t, x.Clear(th))
				wantError[*rt.TypeError](m.t, x.Extend(th, l))
				wantError[*rt.TypeError](m.t, l.Extend(th, x))
				_, err := x.Pop(th)
				wantError[*rt.TypeError](m.t, err)
				_, err = x.PopFirst(th)
				wantError[*rt.TypeError](m.t, err)
				_, err = x.Get(th, 0)
				wantError[*rt.TypeError](m.t, err)
				if _, ok := x.At(th, 0); ok || x.Len(th) != 0 || len(x.Snapshot(th, nil)) > 0 {
					m.t.Fatalf("an object that is not a list has items")
				}
				for range x.All(th) {
					m.t.Fatalf("an object that is not a list has items to loop over")
				}
			}
			if l.Append(th, rt.Nil) == nil || l.Insert(th, 0, rt.Nil) == nil || l.Set(th, 0, rt.Nil) == nil {
				m.t.Fatalf("a nil reference was stored")
			}
			if _, err := NewList(th, m.pool[0], rt.Nil); err == nil {
				m.t.Fatalf("a list was made of a nil reference")
			}
		},
		"checkpoint": func(_, _ int) { th.Checkpoint() },
	}
}

func (m *listMachine) check() {
	n := len(m.model)
	if m.list.Len(m.th) != n {
		m.t.Fatalf("the length differs from the model's")
	}
	step := 1
	if n > 300 {
		step = n / 97
	}
	for i := 0; i < n; i += step {
		r, ok := m.list.At(m.th, i)
		if !ok {
			m.t.Fatalf("an item is missing")
		}
		m.same(r, m.model[i])
	}
	if m.steps++; m.steps%8 == 0 {
		m.audit()
	}
}

func (m *listMachine) audit() {
	audit(m.t, m.th, append([]rt.Ref{m.list}, m.pool...)...)
}

func (m *listMachine) close() {
	m.audit()
	m.th.DecRef(m.list)
	m.th.DecRefs(m.pool)
}

func TestListModel(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) { checkMachine(t, o, newListMachine) })
}

func FuzzList(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(fuzzMachine(f, newListMachine))
}

func TestListErrors(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			l, none := must(NewList(th, rt.None)), must(NewList(th))
			defer th.DecRefs([]rt.Ref{l, none})
			_, err := l.Get(th, 3)
			for _, c := range []struct {
				got  error
				want string
			}{
				{err, "ichor: index 3 is out of range: the list has 1 items"},
				{l.Set(th, -1, rt.True), "ichor: index -1 is out of range: the list has 1 items"},
				{l.Remove(th, math.MaxInt), fmt.Sprintf("ichor: index %d is out of range: the list has 1 items", math.MaxInt)},
				{List(rt.True).Append(th, rt.True), "ichor: want list, got bool"},
				{l.Extend(th, List(rt.Nil)), "ichor: want list, got nil reference"},
				{l.Append(th, rt.Nil), "ichor: list: item: nil reference"},
				{second(List(rt.EmptyTuple).PopFirst(th)), "ichor: want list, got tuple"},
				{second(none.Pop(th)), "ichor: nothing to pop: the container is empty"},
				{second(none.PopFirst(th)), "ichor: nothing to pop: the container is empty"},
			} {
				if c.got == nil || c.got.Error() != c.want {
					t.Errorf("got  %v\nwant %s", c.got, c.want)
				}
			}
		})
	})
}

// TestListMemoryLimit has every call that allocates run into the limit. The list is
// unchanged, and the references are still the caller's.
func TestListMemoryLimit(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		o.MemoryLimit = 1 << 20
		clean(t, o, func(th *rt.Thread) {
			v := newBig(th, 1)
			n := 20_000 // a block of this size is not a slot of a span, which may have a free one
			l, other := must(NewList(th, slices.Repeat([]rt.Ref{v}, n)...)), must(NewList(th))
			held := append(hog(t, th), v, l, other)
			for ; ; n++ {
				if err := l.Append(th, v); err != nil {
					break
				}
			}
			for i, err := range []error{l.Append(th, v), l.AppendSteal(th, v), l.Insert(th, 0, v), l.Insert(th, n, v), l.Extend(th, l), other.Extend(th, l)} {
				if !errors.Is(err, rt.ErrMemoryLimit) {
					t.Errorf("call %d: got %v, want the memory limit", i, err)
				}
			}
			if _, err := NewList(th, v); !errors.Is(err, rt.ErrMemoryLimit) {
				t.Errorf("new list: got %v, want the memory limit", err)
			}
			if l.Len(th) != n || other.Len(th) != 0 {
				t.Errorf("%d and %d items, want %d and none", l.Len(th), other.Len(th), n)
			}
			audit(t, th, held...)
			must0(t, l.Clear(th)) // the runtime goes on
			th.DecRefs(held)
		})
	})
}

// TestListDeepFree frees lists that are nested too deep for recursion, and the same born
// immortal.
func TestListDeepFree(t *testing.T) {
	littleStack(t)
	forModes(t, func(t *testing.T, o rt.Options) {
		build := func(th *rt.Thread) rt.Ref {
			var r rt.Ref = must(NewString(th, "innermost"))
			for range levels {
				r = must(NewListSteal(th, r))
			}
			return r
		}
		clean(t, o, func(th *rt.Thread) {
			th.DecRef(build(th))
		})
		clean(t, o, func(th *rt.Thread) {
			must0(t, th.Immortally(func() error { build(th); return nil }))
			deep := build(th)
			must0(t, th.Immortalize(deep))
		})
	})
}

// TestChangedInRegion changes containers that are older than a region while objects are
// born in it. The region is discarded, the storage of the containers is not.
func TestChangedInRegion(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			l, d := must(NewList(th)), must(NewDict(th))
			failed := errors.New("changed its mind")
			err := th.Immortally(func() error {
				for i := range 1000 {
					ok(l.Append(th, smallInt(i)))
					ok(d.Set(th, smallInt(i), smallInt(i)))
				}
				ok(l.Insert(th, 0, rt.None))
				return failed
			})
			if err != failed {
				t.Errorf("got %v", err)
			}
			for range 20 { // reuses the memory of the region
				th.DecRef(parse(t, th, `[[1,2,3],{"a":"b"}]`))
				err := th.Immortally(func() error {
					must(NewBytes(th, make([]byte, 1<<16)))
					return failed
				})
				if err != failed {
					t.Errorf("got %v", err)
				}
			}
			for i := range 1000 {
				r, _ := l.At(th, i+1)
				v, _ := d.Lookup(th, smallInt(i))
				if r != smallInt(i) || v != r {
					t.Fatalf("item %d is lost", i)
				}
			}
			audit(t, th, l, d)
			th.DecRefs([]rt.Ref{l, d})
		})
	})
}
