package runtime

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"testing"
	"testing/synctest"

	"go.uber.org/atomic"
)

// swapTo freezes a graph of n leaves behind a node, and makes it current.
func swapTo(th *Thread, c *Current, n int) error {
	return th.Scope(func(s *Scope) {
		root := s.Own(wideOf(th, n), nil)
		s.Check(c.Swap(th, root))
	})
}

func wideOf(th *Thread, n int) Ref {
	var slots []Ref
	for range n {
		slots = append(slots, newWide(th))
	}
	return newWide(th, slots...)
}

// newCurrent returns a Current of a graph of n objects behind the root.
func newCurrent(t *testing.T, r *Runtime, n int) *Current {
	t.Helper()
	c, err := DoValue(r, func(th *Thread) (*Current, error) {
		x := wideOf(th, n)
		defer th.DecRef(x)
		f, err := th.Freeze(x)
		if err != nil {
			return nil, err
		}
		return NewCurrent(f)
	})
	must0(t, err)
	return c
}

// sizeOf returns how many objects are behind the root, after reading each.
func sizeOf(th *Thread, root Ref) int {
	h := th.Home(root)
	n := int(th.Body(root).Word(0))
	for i := range n {
		if x := h.Ref(th.Body(root).LoadRef(1 + i)); th.TypeOf(x) != wideType || th.Body(x).Word(0) != 0 {
			return -1
		}
	}
	return n
}

func (c *Current) wantSize(t *testing.T, want int) {
	t.Helper()
	must0(t, c.rt.Do(func(th *Thread) error {
		return c.Use(th, func(root Ref) error {
			if n := sizeOf(th, root); n != want {
				t.Errorf("the current graph has %d objects, want %d", n, want)
			}
			return nil
		})
	}))
}

func TestCurrent(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		bubble(t, o, func(t *testing.T, r *Runtime) {
			c := newCurrent(t, r, 1)
			c.wantSize(t, 1)
			must0(t, r.Do(func(th *Thread) error { return swapTo(th, c, 2) }))
			c.wantSize(t, 2)
			if err := r.Unload(c.now.Load()); !errors.Is(err, ErrInUse) {
				t.Errorf("the current graph was unloaded: %v", err)
			}
			f := frozenWide(t, r)
			must0(t, c.Replace(t.Context(), f))
			c.wantSize(t, 1)
			if n := len(r.Frozen()); n != 1 {
				t.Errorf("%d graphs are loaded", n)
			}
			if err := r.Unload(f); !errors.Is(err, ErrInUse) {
				t.Errorf("the current graph was unloaded: %v", err)
			}
			if err := r.UnloadContext(t.Context(), f); !errors.Is(err, ErrInUse) {
				t.Errorf("the current graph was unloaded: %v", err)
			}
			if err := r.Do(func(th *Thread) error { return c.Use(th, func(Ref) error { return errEnough }) }); err != errEnough {
				t.Errorf("the function's error is %v", err)
			}
			for range 2 {
				must0(t, c.Close(t.Context()))
			}
			if n := len(r.Frozen()); n != 0 {
				t.Errorf("%d graphs are loaded", n)
			}
			g := frozenWide(t, r)
			must0(t, r.Do(func(th *Thread) error {
				if err := c.Use(th, nil); err != ErrCurrentClosed {
					t.Errorf("use: %v", err)
				}
				x := newNode(th) // a node cannot be frozen
				defer th.DecRef(x)
				if err := c.Swap(th, x); err != ErrCurrentClosed {
					t.Errorf("swap: %v", err)
				}
				return nil
			}))
			if err := c.Replace(t.Context(), g); err != ErrCurrentClosed {
				t.Errorf("replace: %v", err)
			}
			must0(t, r.Unload(g)) // it belongs to the caller
		})
	})
}

// TestCurrentTakes checks that a Current takes a graph that is loaded in its runtime and
// belongs to no other Current.
func TestCurrentTakes(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, r *Runtime) {
		other := newRuntime(t, Options{})
		foreign, gone := frozenWide(t, other), frozenWide(t, r)
		must0(t, r.Unload(gone))
		c := newCurrent(t, r, 1)
		for _, f := range []*Frozen{nil, gone, foreign} {
			if err := c.Replace(t.Context(), f); !errors.Is(err, ErrUnloaded) {
				t.Errorf("replaced: %v", err)
			}
		}
		for _, f := range []*Frozen{nil, gone} {
			if _, err := NewCurrent(f); !errors.Is(err, ErrUnloaded) {
				t.Errorf("made: %v", err)
			}
		}
		if err := c.Replace(t.Context(), c.now.Load()); !errors.Is(err, ErrInUse) {
			t.Errorf("replaced by itself: %v", err)
		}
		if _, err := NewCurrent(c.now.Load()); !errors.Is(err, ErrInUse) {
			t.Errorf("made of another's: %v", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errEnough)
		f := frozenWide(t, r)
		if err := c.Replace(ctx, f); !errors.Is(err, errEnough) || f.kept.Load() {
			t.Errorf("replaced by a call that was given up: %v", err)
		}
		if err := c.Close(ctx); !errors.Is(err, errEnough) {
			t.Errorf("closed by a call that was given up: %v", err)
		}
		must0(t, r.Do(func(th *Thread) error {
			if err := c.SwapContext(ctx, th, EmptyString); !errors.Is(err, errEnough) {
				t.Errorf("swapped by a call that was given up: %v", err)
			}
			x := newNode(th) // a node cannot be frozen
			defer th.DecRef(x)
			if err := c.Swap(th, x); !errors.Is(err, ErrNotFreezable) {
				t.Errorf("swapped: %v", err)
			}
			return nil
		}))
		c.wantSize(t, 1)
		must0(t, errors.Join(other.Unload(foreign), other.Close()))
		wantIn(t, panics(t, func() {
			th := must(r.Attach())
			th.Detach()
			_ = c.Swap(th, None)
		}), "the thread is not attached: Current.Swap")
	})
}

// TestSwapInsideUse checks that a call that would wait for itself is an error, and changes
// nothing.
func TestSwapInsideUse(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		bubble(t, o, func(t *testing.T, r *Runtime) {
			c, f := newCurrent(t, r, 1), frozenWide(t, r)
			must0(t, r.Do(func(th *Thread) error {
				return c.Use(th, func(Ref) error {
					if err := swapTo(th, c, 2); !errors.Is(err, ErrInUse) {
						t.Errorf("swap: %v", err)
					}
					ctx, cancel := context.WithCancel(t.Context())
					if o.Checked { // checked mode knows the goroutine
						th.Blocking(func() {
							for range 2 {
								if err := c.Replace(ctx, f); !errors.Is(err, ErrInUse) {
									t.Errorf("replace: %v", err)
								}
								if err := c.Close(ctx); !errors.Is(err, ErrInUse) {
									t.Errorf("close: %v", err)
								}
							}
						})
					} else {
						replaced := later(func() error { return c.Replace(ctx, f) })
						th.Blocking(func() {
							_, over := replaced()
							if over {
								t.Error("the graph was unloaded")
							}
						})
						must0(t, swapTo(th, c, 3)) // the graph in use is not the current one any more
						cancel()
						th.Blocking(func() {
							if err, _ := replaced(); !errors.Is(err, context.Canceled) {
								t.Errorf("replace: %v", err)
							}
						})
					}
					cancel()
					return nil
				})
			}))
			c.wantSize(t, map[bool]int{true: 1, false: 3}[o.Checked])
			must0(t, c.Close(t.Context()))
		})
	})
}

// TestSwapWaits checks that Swap waits for the last reader of the old graph, and that readers
// that come meanwhile get the new one.
func TestSwapWaits(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		for name, end := range map[string]func(){"return": func() {}, "panic": func() { panic("mine") }, "Goexit": goruntime.Goexit} {
			bubble(t, o, func(t *testing.T, r *Runtime) {
				c := newCurrent(t, r, 1)
				x := newReader(r, c.Use)
				swapped := later(func() error { return r.Do(func(th *Thread) error { return swapTo(th, c, 2) }) })
				synctest.Wait()
				c.wantSize(t, 2)
				y := newReader(r, c.Use)
				if _, over := swapped(); over {
					t.Errorf("%s: unloaded beside a reader", name)
				}
				second := later(func() error { return r.Do(func(th *Thread) error { return swapTo(th, c, 3) }) })
				synctest.Wait()
				x.end <- end
				if err, over := swapped(); err != nil || !over {
					t.Errorf("%s: returned %t: %v", name, over, err)
				}
				if _, over := second(); over {
					t.Errorf("%s: the second swap does not wait", name)
				}
				closed := later(func() error { return c.Close(t.Context()) })
				if _, over := closed(); over {
					t.Errorf("%s: closed beside a reader", name)
				}
				y.end <- end
				for _, result := range []func() (error, bool){second, closed} {
					if err, over := result(); err != nil || !over {
						t.Errorf("%s: returned %t: %v", name, over, err)
					}
				}
				if n := len(r.Frozen()); n > 0 {
					t.Errorf("%s: %d graphs are loaded", name, n)
				}
			})
		}
	})
}

// TestSwapLeavesTheOld checks that later calls unload an old graph that could not be unloaded
// at first.
func TestSwapLeavesTheOld(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		bubble(t, o, func(t *testing.T, r *Runtime) {
			c := newCurrent(t, r, 1)
			old := c.now.Load()
			var holder Ref
			must0(t, r.Do(func(th *Thread) error { holder = newNode(th, old.Root()); return nil }))
			x := newReader(r, c.Use)
			ctx, cancel := context.WithCancelCause(t.Context())
			replaced := later(func() error { return c.Replace(ctx, frozenWide(t, r)) })
			synctest.Wait()
			cancel(errEnough)
			err, over := replaced()
			var still *StillLoadedError
			if !over || !errors.As(err, &still) || !errors.Is(err, errEnough) || still.Frozen != old {
				t.Errorf("returned %t: %v", over, err)
			}
			wantIn(t, fmt.Sprint(err), "ichor: swap: the new graph is current, and the old one stays loaded: unload given up: enough")
			swap := func(want int) {
				t.Helper()
				must0(t, r.Do(func(th *Thread) error { return swapTo(th, c, 2) }))
				c.wantSize(t, 2)
				if n := len(r.Frozen()); n != want {
					t.Errorf("%d graphs are loaded, want %d", n, want)
				}
			}
			swap(2)
			x.leave()
			swap(2)
			if err := c.Close(t.Context()); !errors.As(err, new(*ReferredError)) {
				t.Errorf("close: %v", err)
			}
			must0(t, r.Do(func(th *Thread) error { th.DecRef(holder); return nil }))
			must0(t, c.Close(t.Context()))
			if n := len(r.Frozen()); n != 0 || len(c.old) > 0 {
				t.Errorf("%d graphs are loaded, %d are to be unloaded", n, len(c.old))
			}
		})
	})
}

// TestSwapTriesAgain checks that the next swap unloads a graph that was left.
func TestSwapTriesAgain(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			f := must(th.Freeze(EmptyString))
			c := must(NewCurrent(f))
			must0(t, th.Scope(func(s *Scope) {
				x := s.Own(wideOf(th, 1), nil)
				s.Check(c.Swap(th, x))
				s.Own(c.now.Load().Root(), nil)
				if err := c.Swap(th, x); !errors.Is(err, ErrInUse) || !errors.As(err, new(*StillLoadedError)) {
					t.Errorf("swap: %v", err)
				}
			}))
			if n := len(c.old); n != 1 {
				t.Errorf("%d graphs are to be unloaded", n)
			}
			must0(t, swapTo(th, c, 3))
			if n := len(c.old); n != 0 || len(th.rt.Frozen()) != 1 {
				t.Errorf("%d graphs are to be unloaded", n)
			}
		})
	})
}

// TestSwapAfterClose checks that nothing is left of a swap that finds the Current closed after
// it has frozen.
func TestSwapAfterClose(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		c := must(NewCurrent(must(th.Freeze(EmptyString))))
		trap = trapdoor{"Copy", 1, func() { c.now.Store(nil) }}
		defer func() { trap = trapdoor{} }()
		x, _, err := th.New(closingType, 8)
		must0(t, err)
		if err := c.Swap(th, x); err != ErrCurrentClosed {
			t.Errorf("swap: %v", err)
		}
		th.DecRef(x)
		if n := len(th.rt.Frozen()); n != 1 {
			t.Errorf("%d graphs are loaded", n)
		}
	})
}

var closingType = must(DefineType(Type{Name: "closing", Freezing: &Freezing{
	Copy: func(c *Copy) error { trap.step("Copy"); return CopyBody(8)(c) },
}}))

// TestSwapUnderLoad has threads read, end in the middle, and swap, all at the same time: each
// reader sees a whole graph.
func TestSwapUnderLoad(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		c := newCurrent(t, r, 0)
		rounds := 200
		if testing.Short() || o.Checked {
			rounds = 20
		}
		var swapped, swappers atomic.Int32
		swappers.Store(2)
		must0(t, r.Run(t.Context(), 6, func(_ context.Context, th *Thread, worker int) error {
			if worker < 2 {
				defer swappers.Dec()
				for i := range rounds {
					if err := swapTo(th, c, i%50); err != nil {
						return err
					}
					swapped.Inc()
				}
				return nil
			}
			for n := 0; swappers.Load() > 0; n++ {
				func() {
					defer func() { _ = recover() }()
					err := c.Use(th, func(root Ref) error {
						before := sizeOf(th, root)
						if n%2 == 0 {
							th.Blocking(goruntime.Gosched)
						} else {
							th.Checkpoint()
						}
						if after := sizeOf(th, root); before < 0 || before != after {
							t.Errorf("a graph of %d objects, and of %d", before, after)
						}
						if n%3 == 0 {
							panic("mine")
						}
						return nil
					})
					if err != nil {
						t.Errorf("a reader was refused: %v", err)
					}
				}()
				th.Checkpoint()
			}
			return nil
		}))
		if n := swapped.Load(); n != int32(2*rounds) || len(r.Frozen()) != 1 {
			t.Errorf("%d swaps, %d graphs are loaded", n, len(r.Frozen()))
		}
		must0(t, errors.Join(c.Close(t.Context()), r.Close()))
	})
}
