package runtime

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/atomic"
)

// An interrupt calls a function when it is copied or traversed.
var (
	interrupt     atomic.Pointer[func()]
	interruptType = must(DefineType(Type{
		Name:    "interrupt",
		Mutable: true,
		Traverse: func(_ Heap, o Body, visit func(Ref)) {
			interrupted()
			visit(o.LoadRef(0))
		},
		Freezing: &Freezing{
			Copy:    func(c *Copy) error { interrupted(); _, err := c.Alloc(8); return err },
			Version: func(Heap, Body) uint64 { interruptVersions++; return uint64(interruptVersions) },
		},
	}))
	interruptVersions int // a new version at each call, so it looks changed
)

func interrupted() {
	if fn := interrupt.Load(); fn != nil {
		(*fn)()
	}
}

func newInterrupt(t *Thread) Ref {
	r, _, err := t.New(interruptType, 8)
	if err != nil {
		panic(err)
	}
	return r
}

// cancelOnce returns a context that ends at the n-th interrupt.
func cancelOnce(n int32) (ctx context.Context, met *atomic.Int32) {
	ctx, cancel := context.WithCancelCause(context.Background())
	met = atomic.NewInt32(0)
	fn := func() {
		if met.Inc() == n {
			cancel(errEnough)
		}
	}
	interrupt.Store(&fn)
	return ctx, met
}

// TestFreezeContext cancels a Freeze at each of its stages.
func TestFreezeContext(t *testing.T) {
	defer func(n int) { restEvery = n }(restEvery)
	restEvery = 2
	const text = "ichor: freeze given up: enough"
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			var all []Ref
			for range 10 {
				all = append(all, newInterrupt(th))
			}
			root := newWide(th, all...)
			for _, x := range []struct {
				name  string
				ctx   func() (context.Context, *atomic.Int32)
				opts  FreezeOptions
				least int32
				most  int32 // number of interrupts in all
			}{
				{"before", func() (context.Context, *atomic.Int32) { return endedContext(), atomic.NewInt32(0) }, FreezeOptions{}, 0, 0},
				{"in the first try", func() (context.Context, *atomic.Int32) { return cancelOnce(3) }, FreezeOptions{}, 3, 5},
				{"in the last try", func() (context.Context, *atomic.Int32) { return cancelOnce(3) }, FreezeOptions{Tries: -1}, 3, 5},
				{"at the end of the first try", func() (context.Context, *atomic.Int32) { return cancelOnce(10) }, FreezeOptions{}, 10, 10},
			} {
				ctx, met := x.ctx()
				ran := false
				th.Later(func(*Thread) { ran = true })
				f, err := th.FreezeContext(ctx, root, x.opts)
				if f != nil || !errors.Is(err, errEnough) || err.Error() != text {
					t.Errorf("%s: %v, %v", x.name, f, err)
				}
				if n := met.Load(); n < x.least || n > x.most || !ran {
					t.Errorf("%s: it has met %d, want %d to %d; a safe point: %t", x.name, n, x.least, x.most, ran)
				}
				if m := th.rt.Memory(); m.Frozen+m.FrozenGraphs > 0 || len(th.holds) > 0 || th.rt.freezing.Load() > 0 {
					t.Errorf("%s: something is left: %+v", x.name, m)
				}
				must0(t, th.Audit(root))
			}
			must0(t, th.Unload(must(th.FreezeContext(t.Context(), root))))
			th.DecRef(root)
		})
	})
}

var looseType = must(DefineType(Type{
	Name:     "loose",
	Mutable:  true,
	Traverse: func(Heap, Body, func(Ref)) {},
	Freezing: &Freezing{Copy: CopyBody(8), Lockless: true, Version: func(Heap, Body) uint64 { return 0 }},
}))

// TestFreezeContextWaits cancels a Freeze that waits for a stop: for its last try, and to
// validate objects whose writers take no lock.
func TestFreezeContextWaits(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		if o.Mode == GIL {
			return // no call waits for a stop
		}
		for _, opts := range []FreezeOptions{{Tries: -1}, {}} {
			bubble(t, o, func(t *testing.T, r *Runtime) {
				rest := busy(t, r)
				ctx, cancel := context.WithCancelCause(t.Context())
				frozen := later(func() error {
					return r.Do(func(th *Thread) error {
						x, _, err := th.New(looseType, 8)
						must0(t, err)
						defer th.DecRef(x)
						f, err := th.FreezeContext(ctx, x, opts)
						if f != nil {
							t.Errorf("frozen: %v", f)
						}
						return err
					})
				})
				wantWaiting(t, frozen)
				cancel(errEnough)
				wantGivenUp(t, frozen, "ichor: freeze given up: enough")
				rest()
				if n := len(r.Frozen()); n > 0 {
					t.Errorf("%d graphs are loaded", n)
				}
			})
		}
	})
}

// TestCollectContext cancels a collection while it waits and while it traces: nothing has
// changed, and the next collection finds all garbage.
func TestCollectContext(t *testing.T) {
	defer func(n int64) { parallelFrom = n }(parallelFrom)
	const text = "ichor: collect given up: enough"
	forModes(t, func(t *testing.T, o Options) {
		for _, workers := range []int{1, 2} {
			parallelFrom, o.CollectWorkers, o.CollectAfter = 0, workers, -1
			bubble(t, o, func(t *testing.T, r *Runtime) {
				const n = 10_000 // in at least five spans
				th := must(r.Attach())
				interrupt.Store(nil)
				for range n {
					x := newInterrupt(th)
					th.Body(x).StoreRef(0, x)
				}
				x := ring(th, 1)[0]
				watch := newWatch(th, x, nil)
				before := r.CollectorStats()
				same := func() {
					t.Helper()
					if s := r.CollectorStats(); s != before {
						t.Errorf("statistics are %+v, want %+v", s, before)
					}
					if y := th.followWeak(watch); y != x {
						t.Errorf("a weak reference to garbage refers to %s", y)
					} else {
						th.DecRef(y)
					}
				}
				ran := false
				th.Later(func(*Thread) { ran = true })
				if c, err := th.CollectContext(endedContext()); err == nil || err.Error() != text || c != (Collected{}) || !ran {
					t.Errorf("%+v, %v, a safe point: %t", c, err, ran)
				}
				same()
				ctx, met := cancelOnce(1)
				c, err := th.CollectContext(ctx)
				if err == nil || err.Error() != text || c.Garbage+c.Freed > 0 {
					t.Errorf("%+v, %v", c, err)
				}
				if k := met.Load(); int(k) > n/2 || int(k) == 0 {
					t.Errorf("it has looked at %d of %d after the end", k, n)
				}
				same()
				if o.Mode == LockFree {
					rest := busy(t, r)
					ctx, cancel := context.WithCancelCause(t.Context())
					th.Blocking(func() { // before there is a stop, for which it would wait
						collected := later(func() error { _, err := r.CollectContext(ctx); return err })
						wantWaiting(t, collected)
						cancel(errEnough)
						wantGivenUp(t, collected, text)
						rest()
					})
					same()
				}
				c, err = th.CollectContext(t.Context())
				if err != nil || c.Freed != n+1 {
					t.Errorf("%+v, %v", c, err)
				}
				th.DecRef(watch)
				th.Detach()
			})
		}
	})
}

// TestCollectContextAfterFinalizers checks that garbage that was finalized is left to the next
// collection, which does not finalize it again.
func TestCollectContextAfterFinalizers(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.CollectAfter = -1
		bubble(t, o, func(t *testing.T, r *Runtime) {
			must0(t, r.Do(func(th *Thread) error {
				ctx, cancel := context.WithCancelCause(t.Context())
				calls := 0
				finalized = func(*Thread, Ref) { calls++; cancel(errEnough) }
				for range 3 {
					x := newFinal(th, Nil)
					th.Body(x).StoreRef(0, x)
				}
				c, err := th.CollectContext(ctx)
				if !errors.Is(err, errEnough) || c.Finalized != 3 || c.Freed != 0 || calls != 3 {
					t.Errorf("%d calls, %+v, %v", calls, c, err)
				}
				must0(t, th.Audit())
				c, err = th.CollectContext(t.Context())
				if err != nil || c.Finalized != 0 || c.Freed != 3 || calls != 3 {
					t.Errorf("%d calls, %+v, %v", calls, c, err)
				}
				return nil
			}))
		})
	})
}

func TestCloseContext(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		synctest.Test(t, func(t *testing.T) {
			r := newRuntime(t, o)
			if err := r.CloseContext(endedContext()); !errors.Is(err, errEnough) {
				t.Errorf("close: %v", err)
			}
			resume := make(chan bool)
			var workers sync.WaitGroup
			for range 2 {
				workers.Go(func() {
					must0(t, r.Do(func(th *Thread) error {
						th.Blocking(func() { <-resume })
						th.DecRef(newLeaf(th))
						return nil
					}))
				})
			}
			synctest.Wait()
			ctx, cancel := context.WithCancelCause(t.Context())
			closing := later(func() error { return r.CloseContext(ctx) })
			wantWaiting(t, closing)
			if _, err := r.Attach(); err != ErrClosed {
				t.Errorf("attached: %v", err)
			}
			for _, err := range []error{r.Close(), r.CloseContext(t.Context())} {
				if err != ErrClosed {
					t.Errorf("closed beside another one: %v", err)
				}
			}
			cancel(errEnough)
			wantGivenUp(t, closing, "ichor: close given up: enough")
			open := func() error { return r.Do(func(*Thread) error { return nil }) }
			must0(t, open())

			closing = later(func() error { return r.CloseContext(t.Context()) })
			wantWaiting(t, closing)
			resume <- true
			wantWaiting(t, closing)
			resume <- true
			if err, over := closing(); err != nil || !over {
				t.Errorf("returned %t: %v", over, err)
			}
			workers.Wait()
			if err := r.CloseContext(t.Context()); err != ErrClosed {
				t.Errorf("closed twice: %v", err)
			}
		})
	})
}

// TestCloseContextAndAttachContext checks that CloseContext does not wait for a thread that has
// given up attaching.
func TestCloseContextAndAttachContext(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		synctest.Test(t, func(t *testing.T) {
			r := newRuntime(t, o)
			open := closed(t, r)
			ctx, cancel := context.WithCancelCause(t.Context())
			attached := later(func() error { _, err := r.AttachContext(ctx); return err })
			wantWaiting(t, attached)
			closing := later(func() error { return r.CloseContext(t.Context()) })
			wantWaiting(t, closing)
			// The attempt to attach ends at once. Close waits for the thread that keeps the
			// others out.
			cancel(errEnough)
			wantGivenUp(t, attached, "ichor: attach given up: enough")
			wantWaiting(t, closing)
			open()
			if err, over := closing(); err != nil || !over {
				t.Errorf("returned %t: %v", over, err)
			}
		})
	})
}
