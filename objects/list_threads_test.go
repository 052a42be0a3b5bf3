package objects

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/atomic"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestListChaos has threads make all calls on two lists at once.
func TestListChaos(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			var lists [2]List
			must0(t, r.Do(func(th *rt.Thread) error {
				lists[0], lists[1] = must(NewList(th)), must(NewList(th))
				return nil
			}))
			const workers = 4
			run(t, r, workers, func(th *rt.Thread, worker int) error {
				rnd := rand.New(rand.NewPCG(1, uint64(worker)))
				var b borrower
				for i := range scaled(200_000) {
					l, other := lists[i%2], lists[1-i%2]
					var err error
					if worker < 2 {
						err = changeList(th, rnd, l, other)
					} else {
						err = readList(th, rnd, l, &b)
					}
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
				audit(t, th, lists[0], lists[1])
				th.DecRefs([]rt.Ref{lists[0], lists[1]})
				return nil
			}))
		})
	})
}

// readList makes a random read, and checks it: all items are boxed integers.
func readList(th *rt.Thread, rnd *rand.Rand, l List, b *borrower) error {
	i := rnd.IntN(64)
	switch rnd.IntN(6) {
	case 5:
		for _, r := range l.Snapshot(th, nil) {
			if err := b.borrow(th, r); err != nil {
				return err
			}
			th.DecRef(r) // still borrowed: the list's own count is retired
		}
	case 0:
		if r, found := l.At(th, i); found {
			return b.borrow(th, r)
		}
	case 1:
		r, err := l.Get(th, i)
		if err == nil {
			err = b.borrow(th, r)
			th.DecRef(r)
		}
		return unless[*IndexError](err)
	case 2:
		if n := l.Len(th); n < 0 || n > 1<<16 {
			return fmt.Errorf("length is %d", n)
		}
	case 3:
		for _, r := range l.All(th) {
			if err := b.borrow(th, r); err != nil {
				return err
			}
		}
	case 4:
		text, err := AppendJSON(th, nil, l)
		if err == nil && !jsontext.Value(text).IsValid() {
			err = fmt.Errorf("bad JSON: %s", text)
		}
		return err
	}
	return nil
}

// changeList makes a random change. The index may be out of range by the time of the call.
func changeList(th *rt.Thread, rnd *rand.Rand, l, other List) error {
	if l.Len(th) > 200 || other.Len(th) > 200 {
		return l.Clear(th)
	}
	i := rnd.IntN(64)
	v := newBig(th, i)
	defer th.DecRef(v)
	var err error
	switch rnd.IntN(8) {
	case 0, 1:
		err = l.Append(th, v)
	case 2:
		err = l.Set(th, i, v)
	case 3:
		var r rt.Ref
		if i%2 == 0 {
			r, err = l.Pop(th)
		} else {
			r, err = l.PopFirst(th)
		}
		if err == nil && bigOf(th, r) < 0 {
			err = fmt.Errorf("popped %s, which no thread stored", Format(th, r))
		}
		th.DecRef(r)
		if err == ErrEmpty {
			err = nil
		}
	case 4:
		err = l.Insert(th, i, v)
	case 5:
		err = l.Remove(th, i)
	case 6:
		err = l.Extend(th, other)
	case 7:
		if i == 0 {
			err = l.Clear(th)
		}
	}
	return unless[*IndexError](err)
}

// TestExtendBothWays has threads extend two lists by each other. Locking the two in the
// order of the arguments would deadlock.
func TestExtendBothWays(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			var lists [2]List
			must0(t, r.Do(func(th *rt.Thread) error {
				lists[0], lists[1] = must(NewList(th, rt.None)), must(NewList(th))
				return nil
			}))
			run(t, r, 2, func(th *rt.Thread, w int) error {
				for range scaled(100_000) {
					l, other := lists[w], lists[1-w]
					if err := l.Extend(th, other); err != nil {
						return err
					}
					if l.Len(th) > 20 {
						ok(l.Clear(th))
						ok(l.Append(th, rt.None))
					}
					th.Checkpoint()
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				th.DecRefs([]rt.Ref{lists[0], lists[1]})
				return nil
			}))
		})
	})
}

// TestListOwnWrites has each thread write a slot of its own, while all push, pop, insert
// and remove after those slots. No write is lost.
func TestListOwnWrites(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			const workers = 4
			var l List
			must0(t, r.Do(func(th *rt.Thread) error {
				l = must(NewList(th, rt.None, rt.None, rt.None, rt.None))
				return nil
			}))
			run(t, r, workers, func(th *rt.Thread, w int) error {
				for i := range scaled(20_000) {
					v := newBig(th, i)
					ok(l.Set(th, w, v))
					th.DecRef(v)
					switch i % 4 {
					case 0:
						ok(l.Append(th, smallInt(i)))
					case 1:
						ok(l.Insert(th, workers, smallInt(i)))
					case 2:
						ok(l.Remove(th, workers))
					case 3:
						th.DecRef(must(l.Pop(th)))
					}
					if got, found := l.At(th, w); !found || got != v || bigOf(th, got) != i {
						return fmt.Errorf("worker %d does not see its own write", w)
					}
					if n := l.Len(th); n < workers || n > 3*workers {
						return fmt.Errorf("length is %d", n)
					}
					if i%16 == 0 {
						th.Checkpoint()
					}
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				audit(t, th, l)
				th.DecRef(l)
				return nil
			}))
		})
	})
}

// TestListAppendOnly has one thread append, while readers must see a prefix that never
// shrinks.
func TestListAppendOnly(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			var l List
			must0(t, r.Do(func(th *rt.Thread) error {
				l = must(NewList(th))
				return nil
			}))
			total := scaled(100_000)
			run(t, r, 3, func(th *rt.Thread, w int) error {
				if w == 0 {
					for i := range total {
						ok(l.AppendSteal(th, newBig(th, i)))
						th.Checkpoint()
					}
					return nil
				}
				for seen := 0; seen < total; th.Checkpoint() {
					n := l.Len(th)
					if n < seen {
						return fmt.Errorf("%d items after %d were seen", n, seen)
					}
					seen = n
					for _, i := range []int{0, n / 2, n - 1} {
						if r, found := l.At(th, i); n > 0 && (!found || bigOf(th, r) != i) {
							return fmt.Errorf("item %d of %d is not what was appended", i, n)
						}
					}
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				audit(t, th, l)
				th.DecRef(l)
				return nil
			}))
		})
	})
}

// TestListLinearizable has one thread push and pop one item, while readers check each
// result against the states that the list may have. It finds slot and length stored in the
// wrong order in every run on two cores. Bugs that need a reader to pause for two writes,
// such as an At that looks at the length only once, show too rarely to count on.
func TestListLinearizable(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			const base = 3
			var l List
			must0(t, r.Do(func(th *rt.Thread) error {
				l = must(NewList(th, rt.None, rt.None, rt.None))
				return nil
			}))
			line, total := &timeline{}, scaled(500_000)
			var over atomic.Bool
			run(t, r, 3, func(th *rt.Thread, w int) error {
				if w == 0 {
					defer over.Store(true)
					for i := range total {
						line.write(func() { ok(l.AppendSteal(th, newBig(th, i))) })
						line.write(func() { th.DecRef(must(l.Pop(th))) })
						if i%64 == 0 {
							th.Checkpoint()
						}
					}
					return nil
				}
				seer := witness{l: line}
				for i := 0; !over.Load(); i++ {
					err := seer.see(func() (func(int64) bool, string) {
						r, found := l.At(th, base)
						if !found {
							return func(s int64) bool { return s%2 == 0 }, "no item"
						}
						n := int64(bigOf(th, r))
						return func(s int64) bool { return s == 2*n+1 }, fmt.Sprintf("item %d", n)
					})
					if err == nil {
						err = seer.see(func() (func(int64) bool, string) {
							n := l.Len(th)
							return func(s int64) bool { return n == base+int(s%2) }, fmt.Sprintf("length %d", n)
						})
					}
					if err != nil {
						return err
					}
					if i%64 == 0 {
						th.Checkpoint()
					}
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				th.DecRef(l)
				return nil
			}))
		})
	})
}
