package runtime

import (
	"context"
	"errors"
	"io"
	goruntime "runtime"
	"testing"
	"testing/synctest"

	"go.uber.org/atomic"
)

var errEnough = errors.New("enough")

// bubble runs f with a new runtime in a synctest bubble, where a test can tell that a goroutine
// waits.
func bubble(t *testing.T, o Options, f func(t *testing.T, r *Runtime)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRuntime(t, o)
		f(t, r)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// later runs fn on another goroutine. result returns its error, and whether it has returned
// yet.
func later(fn func() error) (result func() (err error, over bool)) {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return func() (error, bool) {
		synctest.Wait()
		select {
		case err := <-done:
			return err, true
		default:
			return nil, false
		}
	}
}

// frozenWide returns a frozen graph of two objects.
func frozenWide(t *testing.T, r *Runtime) *Frozen {
	t.Helper()
	f, err := DoValue(r, func(th *Thread) (*Frozen, error) {
		x := newWide(th, newWide(th))
		defer th.DecRef(x)
		return th.Freeze(x)
	})
	must0(t, err)
	return f
}

// reader is a goroutine in Use, which ends when it is told to.
type reader struct {
	end    chan func()
	result func() (error, bool)
}

// newReader begins a Use that stays in Blocking until it is told how to end.
func newReader(r *Runtime, use func(t *Thread, fn func(Ref) error) error) reader {
	x := reader{end: make(chan func())}
	x.result = later(func() error {
		return r.Do(func(th *Thread) error {
			defer func() { _ = recover() }()
			return use(th, func(Ref) error {
				var end func()
				th.Blocking(func() { end = <-x.end })
				end()
				return nil
			})
		})
	})
	synctest.Wait()
	return x
}

func (x reader) leave() { x.end <- func() {}; synctest.Wait() }

func isLoaded(f *Frozen) bool { return f.departure.Load() == nil && f.rt.frozenAt(Ref{f.start}) == f }

// TestUse checks that a graph stays loaded until the function ends, in whatever way.
func TestUse(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		for name, end := range map[string]func() error{
			"return": func() error { return nil },
			"error":  func() error { return errEnough },
			"panic":  func() error { panic("mine") },
			"Goexit": func() error { goruntime.Goexit(); return nil },
		} {
			bubble(t, o, func(t *testing.T, r *Runtime) {
				f := frozenWide(t, r)
				used := later(func() error {
					return r.Do(func(th *Thread) error {
						defer func() {
							_ = recover()
							if len(th.leases) > 0 {
								t.Errorf("%s: the lease is still out", name)
							}
						}()
						return f.Use(th, func(root Ref) error {
							if root != f.Root() {
								t.Errorf("the root is %s", root)
							}
							for range 2 { // the second time with the same lease
								th.Checkpoint()
								if err := th.Unload(f); !errors.Is(err, ErrInUse) {
									t.Errorf("%s: unload inside: %v", name, err)
								}
							}
							if err := th.UnloadContext(context.Background(), f); !errors.Is(err, ErrInUse) {
								t.Errorf("%s: it would have waited for itself: %v", name, err)
							}
							th.Blocking(func() {
								if err := r.Unload(f); !errors.Is(err, ErrInUse) {
									t.Errorf("%s: unload outside: %v", name, err)
								}
							})
							return end()
						})
					})
				})
				if err, over := used(); name == "error" && err != errEnough || !over && name != "Goexit" {
					t.Errorf("%s: %v", name, err)
				}
				if !isLoaded(f) {
					t.Errorf("%s: it is not loaded", name)
				}
				must0(t, r.Unload(f))
				must0(t, r.Do(func(th *Thread) error {
					if err := f.Use(th, nil); !errors.Is(err, ErrUnloaded) {
						t.Errorf("used after Unload: %v", err)
					}
					return nil
				}))
			})
		}
	})
}

// TestUseOfAnother checks that a lease needs a graph of the same runtime, and an attached
// thread, and keeps no other graph loaded.
func TestUseOfAnother(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		bubble(t, o, func(t *testing.T, r *Runtime) {
			f, g := frozenWide(t, r), frozenWide(t, r)
			other := newRuntime(t, o)
			must0(t, other.Do(func(th *Thread) error {
				if err := f.Use(th, nil); !errors.Is(err, ErrUnloaded) {
					t.Errorf("by a thread of another runtime: %v", err)
				}
				return nil
			}))
			must0(t, other.Close())
			th := must(r.Attach())
			must0(t, f.Use(th, func(Ref) error {
				wantIn(t, panics(t, th.Detach), "detach inside Use")
				must0(t, th.Unload(g))
				return f.Use(th, func(Ref) error { return nil })
			}))
			must0(t, th.Unload(f))
			th.Detach()
			wantIn(t, panics(t, func() { _ = f.Use(th, nil) }), "the thread is not attached: Frozen.Use")
		})
	})
}

// TestUseInAnyOrder ends leases in the order in which they began, as coroutines can.
func TestUseInAnyOrder(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		x := newWide(th)
		f, g := must(th.Freeze(x)), must(th.Freeze(x))
		th.DecRef(x)
		th.leases = append(th.leases, lease{f: f}, lease{f: g}, lease{f: f})
		for _, end := range []*Frozen{f, f, g} {
			if err := th.Unload(end); !errors.Is(err, ErrInUse) {
				t.Errorf("%v: unload: %v", end, err)
			}
			th.endLease(end)
		}
		must0(t, errors.Join(th.Unload(f), th.Unload(g)))
	})
}

// TestUnloadContextWaits checks that UnloadContext waits for all leases, however they end, and
// lets no new ones begin.
func TestUnloadContextWaits(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		bubble(t, o, func(t *testing.T, r *Runtime) {
			f := frozenWide(t, r)
			readers := []reader{newReader(r, f.Use), newReader(r, f.Use), newReader(r, f.Use)}
			unloaded := later(func() error { return r.UnloadContext(t.Context(), f) })
			second := later(func() error { return r.UnloadContext(t.Context(), f) })
			ways := []func(){func() {}, func() { panic("mine") }, goruntime.Goexit}
			for i, x := range readers {
				if _, over := unloaded(); over {
					t.Fatalf("unloaded beside %d readers", len(readers)-i)
				}
				must0(t, r.Do(func(th *Thread) error {
					if err := f.Use(th, nil); !errors.Is(err, ErrUnloaded) {
						t.Errorf("a new reader: %v", err)
					}
					if err := th.Unload(f); !errors.Is(err, ErrInUse) {
						t.Errorf("unload: %v", err)
					}
					return nil
				}))
				if f.Types() != nil {
					t.Error("a new reader without a thread")
				}
				x.end <- ways[i]
			}
			for _, result := range []func() (error, bool){unloaded, second} {
				if err, over := result(); err != nil || !over {
					t.Errorf("returned %t: %v", over, err)
				}
			}
			if err := r.Unload(f); !errors.Is(err, ErrUnloaded) {
				t.Errorf("once more: %v", err)
			}
			if err := r.UnloadContext(t.Context(), f); !errors.Is(err, ErrUnloaded) {
				t.Errorf("once more: %v", err)
			}
		})
	})
}

// TestUnloadContextGivesUp checks that everything is as before when the context ends, and that
// another call goes on waiting.
func TestUnloadContextGivesUp(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		bubble(t, o, func(t *testing.T, r *Runtime) {
			f := frozenWide(t, r)
			x := newReader(r, f.Use)
			var cancels []context.CancelCauseFunc
			var results []func() (error, bool)
			for range 2 {
				ctx, cancel := context.WithCancelCause(t.Context())
				cancels = append(cancels, cancel)
				results = append(results, later(func() error { return r.UnloadContext(ctx, f) }))
				synctest.Wait()
			}
			for i, cancel := range cancels {
				if isLoaded(f) {
					t.Error("it is not leaving")
				}
				cancel(errEnough)
				if err, over := results[i](); !over || !errors.Is(err, errEnough) || err.Error() != "ichor: unload given up: enough" {
					t.Errorf("returned %t: %v", over, err)
				}
			}
			if !isLoaded(f) {
				t.Error("it is still leaving")
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := r.Do(func(th *Thread) error { return th.UnloadContext(ctx, f) }); !errors.Is(err, context.Canceled) {
				t.Errorf("a context that has ended: %v", err)
			}
			y := newReader(r, f.Use)
			third := later(func() error { return r.UnloadContext(t.Context(), f) })
			x.leave() // the earlier calls have counted this lease
			if _, over := third(); over {
				t.Error("unloaded beside a reader")
			}
			y.leave()
			if err, over := third(); !over || err != nil {
				t.Errorf("returned %t: %v", over, err)
			}
		})
	})
}

// TestUnloadContextRefused checks that anything else that keeps a graph loaded is an error
// after the wait, and that everything is as before.
func TestUnloadContextRefused(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		bubble(t, o, func(t *testing.T, r *Runtime) {
			f := frozenWide(t, r)
			var holder Ref
			must0(t, r.Do(func(th *Thread) error { holder = newNode(th, f.Root(), f.Root()); return nil }))
			x := newReader(r, f.Use)
			unloaded := later(func() error { return r.UnloadContext(t.Context(), f) })
			if _, over := unloaded(); over {
				t.Error("unloaded beside a reader")
			}
			x.leave()
			var referred *ReferredError
			if err, over := unloaded(); !over || !errors.As(err, &referred) {
				t.Fatalf("returned %t: %v", over, err)
			}
			if want := (ReferredError{2, "node", holder}); *referred != want {
				t.Errorf("it is %+v, want %+v", *referred, want)
			}
			if !isLoaded(f) {
				t.Error("it is still leaving")
			}
			must0(t, r.Do(func(th *Thread) error {
				th.DecRef(holder)
				return th.Scope(func(s *Scope) {
					s.Own(f.Root(), nil)
					if err := th.UnloadContext(t.Context(), f); !errors.Is(err, ErrInUse) {
						t.Errorf("a scope owns it: %v", err)
					}
				})
			}))
			must0(t, r.UnloadContext(t.Context(), f))
			must0(t, r.Do(func(th *Thread) error {
				for _, f := range []*Frozen{f, nil} {
					if err := th.UnloadContext(t.Context(), f); !errors.Is(err, ErrUnloaded) {
						t.Errorf("unloaded twice, or nil: %v", err)
					}
				}
				return nil
			}))
		})
	})
}

// TestUnloadFindsHolds checks that Unload finds a reference that a scope owns or a call holds,
// whatever other threads and calls hold.
func TestUnloadFindsHolds(t *testing.T) {
	r := newRuntime(t, Options{})
	f := frozenWide(t, r)
	th := must(r.Attach())
	inUse := func(what string) {
		t.Helper()
		for range 30 { // threads are searched in any order
			if err := th.Unload(f); !errors.Is(err, ErrInUse) {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
	held := []Ref{f.Root(), None}
	th.Hold(&held)
	inUse("on hold before another reference")
	th.Unhold(&held)
	var others []*Thread
	for range 3 {
		others = append(others, must(r.Attach()))
	}
	for _, x := range others {
		x.member.Exit() // as in Blocking
	}
	must0(t, th.Scope(func(s *Scope) {
		s.Own(f.Root(), nil)
		inUse("owned by a scope of one thread")
	}))
	for _, x := range others {
		x.member.Enter()
		x.Detach()
	}
	must0(t, th.Unload(f))
	th.Detach()
	must0(t, r.Close())
}

// TestUnloadContextEnds checks that a call that a safe point ends takes back its departure.
func TestUnloadContextEnds(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		for name, end := range ends {
			o.OnError = func(error) { end() }
			bubble(t, o, func(t *testing.T, r *Runtime) {
				f := frozenWide(t, r)
				f.use()
				called := later(func() error {
					return r.Do(func(th *Thread) error {
						x := newFaulty(th, Nil, Nil)
						defer th.DecRef(x)
						defer func() { _ = recover() }()
						trap = trapdoor{"Traverse", 1, func() { // in the stop, before it waits
							th.Later(func(*Thread) { panic("mine") })
						}}
						return th.UnloadContext(t.Context(), f)
					})
				})
				if _, over := called(); !over && name != "Goexit" {
					t.Errorf("%s: it has not ended", name)
				}
				if trap.n > 0 || !isLoaded(f) {
					t.Errorf("%s: traversed %t, departure %v", name, trap.n <= 0, f.departure.Load())
				}
				f.unuse()
				must0(t, r.Unload(f))
			})
		}
	})
}

// waitingWriter writes when it receives a value.
type waitingWriter chan bool

func (w waitingWriter) Write(p []byte) (int, error) { <-w; return len(p), nil }

// TestUnloadContextWaitsForWriteTo checks that UnloadContext waits for WriteTo, which has no
// thread.
func TestUnloadContextWaitsForWriteTo(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		bubble(t, o, func(t *testing.T, r *Runtime) {
			f, err := DoValue(r, func(th *Thread) (*Frozen, error) {
				x, _, err := th.New(icyType, 8)
				if err != nil {
					return nil, err
				}
				defer th.DecRef(x)
				return th.Freeze(x)
			})
			must0(t, err)
			w := make(waitingWriter)
			written := later(func() error { _, err := f.WriteTo(w); return err })
			x := newReader(r, f.Use)
			if err := r.Unload(f); !errors.Is(err, ErrInUse) {
				t.Errorf("unload: %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			first := later(func() error { return r.UnloadContext(ctx, f) })
			unloaded := later(func() error { return r.UnloadContext(t.Context(), f) })
			synctest.Wait()
			x.leave()
			if _, err := f.WriteTo(io.Discard); !errors.Is(err, ErrUnloaded) {
				t.Errorf("a new reader: %v", err)
			}
			cancel()
			if err, over := first(); !over || !errors.Is(err, context.Canceled) {
				t.Errorf("returned %t: %v", over, err)
			}
			if _, over := unloaded(); over {
				t.Error("unloaded beside WriteTo")
			}
			close(w)
			for _, result := range []func() (error, bool){written, unloaded} {
				if err, over := result(); !over || err != nil {
					t.Errorf("returned %t: %v", over, err)
				}
			}
		})
	})
}

// TestDeparture checks the corner cases that threads meet only by chance.
func TestDeparture(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, r *Runtime) {
		f := frozenWide(t, r)
		if (*departure)(nil).join() || unloaded.join() {
			t.Error("a call waits without a departure")
		}
		d := &departure{over: make(chan struct{}), calls: 1}
		f.departure.Store(d)
		if !d.join() {
			t.Error("a second call does not join the departure")
		}
		f.giveUp(nil)
		f.giveUp(d)
		if isLoaded(f) {
			t.Error("the first call ended the departure that the second waits for")
		}
		f.giveUp(d)
		if !isLoaded(f) || d.join() {
			t.Error("the last call left the departure in place")
		}
		d.calls = 1
		d.end()
		d.end()
		if d.join() || !isClosed(d.over) {
			t.Error("a call joined a departure that is over")
		}

		// The last reader without a thread ends after depart has seen it, before the departure is
		// stored or after that.
		var seen atomic.Bool
		must0(t, r.Do(func(th *Thread) error {
			th.StopTheWorld(func() {
				d := f.newDeparture(nil)
				if !isClosed(d.over) {
					t.Error("a call waits for readers, and there are none")
				}
				f.giveUp(d)
				f.using.Store(1)
				f.departure.Store(nil)
				d, err := th.depart(f, true)
				if d == nil || err != nil || isClosed(d.over) {
					t.Errorf("%v, %v", d, err)
				}
				f.unuse()
				seen.Store(isClosed(d.over))
				f.giveUp(d)
			})
			return nil
		}))
		if !seen.Load() {
			t.Error("the end of the last reader was missed")
		}
		must0(t, r.Unload(f))
	})
}

// TestInUseSaysWhy: the errors that match ErrInUse say what keeps the graph loaded.
func TestInUseSaysWhy(t *testing.T) {
	r := newRuntime(t, Options{})
	f := frozenWide(t, r)
	c := must(NewCurrent(f))
	check := func(err error, want string) {
		t.Helper()
		if !errors.Is(err, ErrInUse) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	const kept = "the graph belongs to a Current, which unloads it"
	check(r.Unload(f), "ichor: unload: "+kept)
	_, err := NewCurrent(f)
	check(err, "ichor: "+kept)
	check(c.Replace(t.Context(), f), "ichor: "+kept)
	const inside = "the caller is inside Use of the current graph, and would wait for itself"
	must0(t, r.Do(func(th *Thread) error {
		return c.Use(th, func(Ref) error {
			check(c.Swap(th, None), "ichor: swap: "+inside)
			return nil
		})
	}))
	must0(t, c.Close(t.Context()))
	f = frozenWide(t, r)
	must0(t, r.Do(func(th *Thread) error {
		return f.Use(th, func(Ref) error {
			check(th.Unload(f), "ichor: "+errRead.Text)
			return nil
		})
	}))
	must0(t, r.Unload(f))
	must0(t, r.Close())
}

// TestLeaseInPaths checks that paths to frozen objects name the threads that use them.
func TestLeaseInPaths(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			pair := newTwin(th, 1, None, None)
			f := must(th.Freeze(pair))
			th.DecRef(pair)
			names := map[Ref]string{f.Root(): "F"}
			loaded := "a loaded frozen graph → frozen graph F"
			wantLines(t, texts(must(th.Paths(f.Root())), names), loaded)
			must0(t, f.Use(th, func(root Ref) error {
				return f.Use(th, func(Ref) error {
					wantLines(t, texts(must(th.Paths(root)), names), "a lease of "+th.name()+" (2 counts) → frozen graph F", loaded)
					return th.Audit()
				})
			}))
			must0(t, th.Unload(f))
		})
	})
}
