package objects

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

type cellMachine struct {
	t    rapid.TB
	th   *rt.Thread
	c    Cell
	mark int // of the integer that the cell holds
	next int
	held []rt.Ref
}

func newCellMachine(t rapid.TB, th *rt.Thread) machine {
	v := newBig(th, 0)
	m := &cellMachine{t: t, th: th, c: must(NewCell(th, v))}
	th.DecRef(v)
	return m
}

// fresh returns a new reference to the next integer.
func (m *cellMachine) fresh() rt.Ref {
	m.next++
	return newBig(m.th, m.next)
}

func (m *cellMachine) ops() map[string]func(a, b int) {
	return map[string]func(a, b int){
		"store": func(_, _ int) {
			v := m.fresh()
			must0(m.t, m.c.Store(m.th, v))
			m.th.DecRef(v)
			m.mark = m.next
		},
		"steal": func(_, _ int) {
			must0(m.t, m.c.StoreSteal(m.th, m.fresh()))
			m.mark = m.next
		},
		"swap": func(_, _ int) {
			v := m.fresh()
			old := must(m.c.Swap(m.th, v))
			m.th.DecRef(v)
			if bigOf(m.th, old) != m.mark {
				m.t.Fatalf("swapped out another value than in the model")
			}
			m.held = append(m.held, old)
			m.mark = m.next
		},
		"swap for itself": func(_, _ int) {
			v, _ := m.c.At(m.th)
			old := must(m.c.Swap(m.th, v))
			if old != v {
				m.t.Fatalf("swapped out another value than was there")
			}
			m.th.DecRef(old)
		},
		"compare and swap": func(a, _ int) {
			old, _ := m.c.At(m.th)
			want := a%2 == 0
			if !want {
				old = newBig(m.th, m.mark) // equal, but another object
				defer m.th.DecRef(old)
			}
			v := m.fresh()
			done, err := m.c.CompareAndSwap(m.th, old, v)
			must0(m.t, err)
			m.th.DecRef(v)
			if done != want {
				m.t.Fatalf("compare and swap: %v, want %v", done, want)
			}
			if done {
				m.mark = m.next
			}
		},
		"add": func(a, b int) {
			m.next += b
			got, err := m.c.Add(m.th, int64(m.next-m.mark))
			if m.mark = m.next; err != nil || got != bigBase+int64(m.mark) {
				m.t.Fatalf("the sum is %d, %v; want %d", got, err, bigBase+int64(m.mark))
			}
		},
		"drop": func(_, _ int) {
			m.th.DecRefs(m.held)
			m.held = nil
		},
		"checkpoint": func(_, _ int) { m.th.Checkpoint() },
	}
}

func (m *cellMachine) check() {
	r, found := m.c.At(m.th)
	got := must(m.c.Load(m.th))
	if !found || got != r || bigOf(m.th, r) != m.mark {
		m.t.Fatalf("the cell holds another value than in the model")
	}
	m.th.DecRef(got)
	audit(m.t, m.th, append(slices.Clone(m.held), m.c)...)
}

func (m *cellMachine) close() { m.th.DecRefs(append(m.held, m.c)) }

func TestCellModel(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) { checkMachine(t, o, newCellMachine) })
}

func FuzzCell(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(fuzzMachine(f, newCellMachine))
}

func TestCellErrors(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			v := newBig(th, 1)
			c, none := must(NewCell(th, v)), Cell(rt.None)
			_, empty := NewCell(th, rt.Nil)
			_, wrong := none.Load(th)
			_, nowhere := Cell(rt.Nil).Load(th)
			_, swapNil := c.Swap(th, rt.Nil)
			_, swapWrong := none.Swap(th, v)
			doneNil, casNil := c.CompareAndSwap(th, v, rt.Nil)
			doneOld, casOld := c.CompareAndSwap(th, rt.Nil, v)
			doneWrong, casWrong := Cell(smallInt(1)).CompareAndSwap(th, v, v)
			if doneNil || doneOld || doneWrong {
				t.Error("a compare and swap that has failed was done")
			}
			for _, x := range []struct {
				got  error
				want string
			}{
				{empty, "ichor: new cell: value: nil reference"},
				{wrong, "ichor: want cell, got None"},
				{nowhere, "ichor: want cell, got nil reference"},
				{swapNil, "ichor: cell: value: nil reference"},
				{swapWrong, "ichor: want cell, got None"},
				{casNil, "ichor: cell: value: nil reference"},
				{casOld, "ichor: cell: value to compare with: nil reference"},
				{casWrong, "ichor: want cell, got int"},
				{c.Store(th, rt.Nil), "ichor: cell: value: nil reference"},
				{none.Store(th, v), "ichor: want cell, got None"},
				{c.StoreSteal(th, rt.Nil), "ichor: cell: value: nil reference"},
				{none.StoreSteal(th, v), "ichor: want cell, got None"},
			} {
				if x.got == nil || x.got.Error() != x.want {
					t.Errorf("got  %v\nwant %s", x.got, x.want)
				}
			}
			if _, found := none.At(th); found {
				t.Error("an object that is not a cell holds something")
			}
			cellSums(t, th)
			audit(t, th, v, c)
			th.DecRefs([]rt.Ref{v, c})
		})
		if o.Checked {
			return
		}
		o.MemoryLimit = 1 << 20
		clean(t, o, func(th *rt.Thread) {
			c := must(NewCell(th, smallInt(1)))
			held := append(hog(t, th), c)
			var err error
			for i := 0; err == nil && i < 10_000; i++ {
				var x Cell
				if x, err = NewCell(th, held[0]); err == nil {
					held = append(held, x)
				}
			}
			if !errors.Is(err, rt.ErrMemoryLimit) {
				t.Errorf("got %v, want the memory limit", err)
			}
			if got, err := c.Add(th, bigBase); got != 0 || !errors.Is(err, rt.ErrMemoryLimit) {
				t.Errorf("got %d, %v, want the memory limit", got, err)
			}
			audit(t, th, held...)
			th.DecRefs(held)
		})
	})
}

// cellSums adds to a cell at both ends of the range of Int.
func cellSums(t *testing.T, th *rt.Thread) {
	const most, least = math.MaxInt64, math.MinInt64
	c := must(NewCell(th, rt.None))
	for _, x := range []struct {
		v, delta, sum int64
		overflows     bool
	}{
		{1, 2, 3, false}, {1, -2, -1, false}, {5, 0, 5, false}, {rt.MaxInt, 1, rt.MaxInt + 1, false}, {rt.MaxInt + 1, -1, rt.MaxInt, false},
		{most - 1, 1, most, false}, {most, 1, 0, true}, {most, most, 0, true}, {1, most, 0, true}, {most, least, -1, false},
		{least + 1, -1, least, false}, {least, -1, 0, true}, {least, least, 0, true}, {-1, least, 0, true}, {0, least, least, false},
		{most, 0, most, false}, {least, 0, least, false},
	} {
		ok(c.StoreSteal(th, must(NewInt(th, x.v))))
		got, err := c.Add(th, x.delta)
		var e *OverflowError
		if got != x.sum || (err != nil) != x.overflows || err != nil && (!errors.As(err, &e) || e.Value != x.v || e.Delta != x.delta) {
			t.Errorf("%d and %d are %d, %v", x.v, x.delta, got, err)
		}
		want := x.sum
		if x.overflows {
			want = x.v
		}
		r, _ := c.At(th)
		if v, isInt := Int(r).Value(th); !isInt || v != want {
			t.Errorf("after %d was added to %d, there is %s", x.delta, x.v, Format(th, r))
		}
	}
	ok(c.StoreSteal(th, must(NewInt(th, most))))
	ok(second(c.Add(th, 0)))
	for want, err := range map[string]error{
		"ichor: the sum of 9223372036854775807 and 1 does not fit in 64 bits": second(c.Add(th, 1)),
		"ichor: want cell, got None":                                          second(Cell(rt.None).Add(th, 1)),
		"ichor: want cell, got nil reference":                                 second(Cell(rt.Nil).Add(th, 1)),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	ok(c.Store(th, rt.True))
	if _, err := c.Add(th, 1); err == nil || err.Error() != "ichor: want int, got bool" {
		t.Errorf("added to a boolean: %v", err)
	}
	th.DecRef(c)
}

// TestCellChaos has threads make all calls on one cell at once. Borrowed references stay
// good, and the counts are right in the end.
func TestCellChaos(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			var c Cell
			must0(t, r.Do(func(th *rt.Thread) error {
				v := newBig(th, 0)
				defer th.DecRef(v)
				c = must(NewCell(th, v))
				return nil
			}))
			run(t, r, 4, func(th *rt.Thread, w int) error {
				rnd := rand.New(rand.NewPCG(6, uint64(w)))
				var b borrower
				for i := range scaled(200_000) {
					v := newBig(th, i)
					var got rt.Ref
					var err error
					switch rnd.IntN(6) {
					case 0:
						got = must(c.Load(th))
					case 1:
						old, _ := c.At(th)
						if err = b.borrow(th, old); err == nil {
							_, err = c.CompareAndSwap(th, old, v)
						}
					case 2:
						err = c.Store(th, v)
					case 3:
						th.IncRef(v)
						err = c.StoreSteal(th, v)
					case 4:
						got = must(c.Swap(th, v))
					case 5:
						old, _ := c.At(th)
						err = b.borrow(th, old)
					}
					// A borrow ends with the thread's own write under the GIL, where the
					// overwritten value is freed at once.
					if o.Mode == rt.GIL {
						b.refs, b.marks = b.refs[:0], b.marks[:0]
					}
					if got != rt.Nil && bigOf(th, got) < 0 {
						err = fmt.Errorf("got %s, which no thread stored", Format(th, got))
					}
					th.DecRefs([]rt.Ref{v, got})
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
				audit(t, th, c)
				th.DecRef(c)
				return nil
			}))
		})
	})
}

// TestCellChain has threads put distinct integers into a cell by Swap and CompareAndSwap.
// Each comes out once, or is in the cell at the end.
func TestCellChain(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			const workers = 4
			n := scaled(50_000)
			var c Cell
			must0(t, r.Do(func(th *rt.Thread) error {
				v := newBig(th, workers*n)
				defer th.DecRef(v)
				c = must(NewCell(th, v))
				return nil
			}))
			out := make([][]int, workers)
			run(t, r, workers, func(th *rt.Thread, w int) error {
				for i := range n {
					v := newBig(th, w*n+i)
					if i%2 == 0 {
						old := must(c.Swap(th, v))
						out[w] = append(out[w], bigOf(th, old))
						th.DecRef(old)
					}
					for done := i%2 == 0; !done; {
						old := must(c.Load(th))
						done = must(c.CompareAndSwap(th, old, v))
						if done {
							out[w] = append(out[w], bigOf(th, old))
						}
						th.DecRef(old)
					}
					th.DecRef(v)
					if i%16 == 0 {
						th.Checkpoint()
					}
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				last, _ := c.At(th)
				all := append(slices.Concat(out...), bigOf(th, last))
				slices.Sort(all)
				for i, mark := range all {
					if i != mark {
						t.Fatalf("%d values came out; in order, the one at %d is %d", len(all), i, mark)
					}
				}
				audit(t, th, c)
				th.DecRef(c)
				return nil
			}))
		})
	})
}

// TestCellCounter has threads count in one cell by CompareAndSwap and Add. No step is lost.
func TestCellCounter(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			const workers = 4
			n := scaled(50_000)
			var c Cell
			must0(t, r.Do(func(th *rt.Thread) error {
				v := newBig(th, 0)
				defer th.DecRef(v)
				c = must(NewCell(th, v))
				return nil
			}))
			run(t, r, workers, func(th *rt.Thread, w int) error {
				for i := range n {
					if i%2 == 0 {
						if sum := must(c.Add(th, 1)); sum <= bigBase || sum > bigBase+workers*int64(n) {
							return fmt.Errorf("counted to %d", sum)
						}
					}
					for done := i%2 == 0; !done; {
						old, _ := c.At(th)
						v := newBig(th, bigOf(th, old)+1)
						done = must(c.CompareAndSwap(th, old, v))
						th.DecRef(v)
					}
					if i%16 == 0 {
						th.Checkpoint()
					}
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				v, _ := c.At(th)
				if got := bigOf(th, v); got != workers*n {
					t.Errorf("counted to %d, want %d", got, workers*n)
				}
				audit(t, th, c)
				th.DecRef(c)
				return nil
			}))
		})
	})
}

// TestCellCycles: garbage cycles through cells are collected, and live ones are not.
func TestCellCycles(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			self := must(NewCell(th, rt.None))
			must0(t, self.Store(th, self))
			a := must(NewCell(th, rt.None))
			l := must(NewList(th, a, self))
			b := must(NewCell(th, l))
			must0(t, a.StoreSteal(th, b))
			th.DecRefs([]rt.Ref{self, l})
			if got := th.Collect(); got.Garbage != 0 {
				t.Errorf("collected %+v while the cycle is held", got)
			}
			audit(t, th, a)
			th.DecRef(a)
			if got := th.Collect(); got.Garbage != 4 || got.Freed != 4 {
				t.Errorf("collected %+v, want 4 containers", got)
			}
		})
	})
}

// TestCellImmortal: an immortal cell, by address or in place, holds mortals like any other
// cell, and gives up the counts of replaced ones.
func TestCellImmortal(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			var born Cell
			must0(t, th.Immortally(func() error {
				born = must(NewCell(th, rt.None))
				return nil
			}))
			inPlace := must(NewCell(th, rt.None))
			must0(t, th.Immortalize(inPlace))
			for i, c := range []Cell{born, inPlace} {
				for range 3 {
					must0(t, c.StoreSteal(th, newBig(th, i)))
				}
				old := must(c.Swap(th, rt.True))
				if bigOf(th, old) != i {
					t.Errorf("swapped out %s", Format(th, old))
				}
				th.DecRef(old)
				audit(t, th)
				must0(t, c.StoreSteal(th, newBig(th, i))) // Close gives it up
			}
		})
	})
}
