package runtime

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/atomic"
)

func endedContext() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errEnough)
	return ctx
}

// wantGivenUp fails unless a call has returned the error that says that it was given up.
func wantGivenUp(t *testing.T, result func() (error, bool), text string) {
	t.Helper()
	if err, over := result(); !over || !errors.Is(err, errEnough) || err.Error() != text {
		t.Errorf("returned %t: %v, want %q", over, err, text)
	}
}

func wantWaiting(t *testing.T, result func() (error, bool)) {
	t.Helper()
	if err, over := result(); over {
		t.Errorf("it did not wait: %v", err)
	}
}

// closed keeps others from attaching until open is called: a thread holds the GIL, or has
// stopped the world.
func closed(t *testing.T, r *Runtime) (open func()) {
	opened := make(chan bool)
	over := later(func() error {
		return r.Do(func(th *Thread) error {
			th.StopTheWorld(func() { <-opened })
			return nil
		})
	})
	synctest.Wait()
	return func() {
		close(opened)
		if err, over := over(); err != nil || !over {
			t.Errorf("returned %t: %v", over, err)
		}
	}
}

// busy keeps the world from being stopped until rest is called: a thread reaches no safe point.
// Lock-free mode.
func busy(t *testing.T, r *Runtime) (rest func()) {
	rested := make(chan bool)
	over := later(func() error { return r.Do(func(*Thread) error { <-rested; return nil }) })
	synctest.Wait()
	return func() {
		close(rested)
		if err, over := over(); err != nil || !over {
			t.Errorf("returned %t: %v", over, err)
		}
	}
}

func TestAttachContext(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		bubble(t, o, func(t *testing.T, r *Runtime) {
			first := must(r.Attach()).ID()
			for _, th := range slices.Clone(r.mu.threads) {
				th.Detach()
			}
			attach := map[string]func(ctx context.Context) error{
				"AttachContext": func(ctx context.Context) error {
					th, err := r.AttachContext(ctx)
					if err == nil {
						th.Detach()
					}
					return err
				},
				"DoContext": func(ctx context.Context) error {
					return r.DoContext(ctx, func(*Thread) error { t.Error("it was called"); return nil })
				},
				"Run": func(ctx context.Context) error {
					return r.Run(ctx, 3, func(context.Context, *Thread, int) error { t.Error("it was called"); return nil })
				},
				"FreezeContext":      func(ctx context.Context) error { _, err := r.FreezeContext(ctx, None); return err },
				"CollectContext":     func(ctx context.Context) error { _, err := r.CollectContext(ctx); return err },
				"UnloadContext":      func(ctx context.Context) error { return r.UnloadContext(ctx, nil) },
				"a second DoContext": func(ctx context.Context) error { return r.DoContext(ctx, func(*Thread) error { return nil }) },
			}
			for name, attach := range attach {
				text := "ichor: attach given up: enough"
				if name == "Run" {
					text = "enough"
				}
				wantGivenUp(t, later(func() error { return attach(endedContext()) }), text)
				open := closed(t, r)
				ctx, cancel := context.WithCancelCause(t.Context())
				attached := later(func() error { return attach(ctx) })
				wantWaiting(t, attached)
				cancel(errEnough)
				wantGivenUp(t, attached, text)
				if n := r.Memory().Attached; n != 1 {
					t.Errorf("%s: %d threads are attached beside that one", name, n-1)
				}
				open()
			}
			must0(t, r.DoContext(t.Context(), func(th *Thread) error {
				if th.ID() != first {
					t.Errorf("thread %d, and %d was there before", th.ID(), first)
				}
				return nil
			}))
		})
	})
}

// TestRunIsCancelled checks that a Run ends although its workers wait for channels, or to be
// attached.
func TestRunIsCancelled(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		for name, work := range map[string]func(ctx context.Context, th *Thread) error{
			"Recv": func(ctx context.Context, th *Thread) error {
				_, _, err := RecvContext(ctx, th, make(chan Ref))
				return err
			},
			"Send": func(ctx context.Context, th *Thread) error { return SendContext(ctx, th, make(chan int), 1) },
		} {
			bubble(t, o, func(t *testing.T, r *Runtime) {
				ctx, cancel := context.WithCancelCause(t.Context())
				ran := later(func() error {
					return r.Run(ctx, 3, func(ctx context.Context, th *Thread, _ int) error { return work(ctx, th) })
				})
				wantWaiting(t, ran)
				cancel(errEnough)
				wantGivenUp(t, ran, "enough")

				var failed atomic.Int32 // ends the other workers, attached or not
				begun := make(chan bool)
				open := closed(t, r)
				ran = later(func() error {
					return r.Run(t.Context(), 3, func(ctx context.Context, th *Thread, _ int) error {
						if failed.Inc() == 1 {
							<-begun
							return errEnough
						}
						return work(ctx, th)
					})
				})
				wantWaiting(t, ran)
				open()
				wantWaiting(t, ran)
				close(begun)
				wantGivenUp(t, ran, "enough")
				_ = name
			})
		}
	})
}

func TestRecvAndSendContext(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		bubble(t, o, func(t *testing.T, r *Runtime) {
			ch := make(chan int, 1)
			must0(t, r.Do(func(th *Thread) error {
				ran := 0
				due := func() { th.Later(func(*Thread) { ran++ }) }
				ch <- 7
				due()
				if v, ok, err := RecvContext(endedContext(), th, ch); v != 0 || ok || err.Error() != "ichor: receive given up: enough" || len(ch) != 1 {
					t.Errorf("received %d, %t, %v", v, ok, err)
				}
				if v, ok, err := RecvContext(t.Context(), th, ch); v != 7 || !ok || err != nil {
					t.Errorf("received %d, %t, %v", v, ok, err)
				}
				due()
				if err := SendContext(endedContext(), th, ch, 8); err.Error() != "ichor: send given up: enough" || len(ch) != 0 {
					t.Errorf("sent: %v", err)
				}
				if ran != 2 {
					t.Errorf("%d of 2 were safe points", ran)
				}
				must0(t, SendContext(t.Context(), th, ch, 9))
				if v := <-ch; v != 9 {
					t.Errorf("sent %d", v)
				}
				shut := make(chan int)
				close(shut)
				if v, ok, err := RecvContext(t.Context(), th, shut); v != 0 || ok || err != nil {
					t.Errorf("received %d, %t, %v of a channel that is closed", v, ok, err)
				}
				return nil
			}))
			unbuffered := make(chan int)
			type result struct {
				v   int
				ok  bool
				err error
			}
			received := make(chan result, 1)
			call := later(func() error {
				return r.Do(func(th *Thread) error {
					v, ok, err := RecvContext(t.Context(), th, unbuffered)
					received <- result{v, ok, err}
					return SendContext(t.Context(), th, unbuffered, v+1)
				})
			})
			wantWaiting(t, call)
			unbuffered <- 1
			if got := <-received; got != (result{1, true, nil}) {
				t.Errorf("received %+v", got)
			}
			wantWaiting(t, call)
			if v := <-unbuffered; v != 2 {
				t.Errorf("sent %d", v)
			}
			if err, over := call(); err != nil || !over {
				t.Errorf("returned %t: %v", over, err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			call = later(func() error {
				return r.Do(func(th *Thread) error {
					v, ok, err := RecvContext(ctx, th, unbuffered)
					if v != 0 || ok || th.attached != true {
						t.Errorf("received %d, %t", v, ok)
					}
					return err
				})
			})
			wantWaiting(t, call)
			cancel(errEnough)
			wantGivenUp(t, call, "ichor: receive given up: enough")
			ctx, cancel = context.WithCancelCause(t.Context())
			call = later(func() error { return r.Do(func(th *Thread) error { return SendContext(ctx, th, unbuffered, 1) }) })
			wantWaiting(t, call)
			cancel(errEnough)
			wantGivenUp(t, call, "ichor: send given up: enough")
		})
	})
}

// TestReceivedBeforeTheEnd checks that a call whose safe point ends the context neither
// receives nor sends.
func TestReceivedBeforeTheEnd(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.OnError = func(error) { panic("mine") }
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			ch := make(chan int, 2)
			ch <- 1
			th.Later(func(*Thread) { panic("mine") })
			panics(t, func() { _, _, _ = RecvContext(t.Context(), th, ch) })
			th.Later(func(*Thread) { panic("mine") })
			panics(t, func() { _ = SendContext(t.Context(), th, ch, 2) })
			if len(ch) != 1 {
				t.Errorf("%d are in the channel", len(ch))
			}
			return nil
		}))
		must0(t, r.Close())
	})
}

func TestStopTheWorldContext(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		bubble(t, o, func(t *testing.T, r *Runtime) {
			const text = "ichor: stop of the world given up: enough"
			never := func() { t.Error("it was called") }
			must0(t, r.Do(func(th *Thread) error {
				ran := false
				th.Later(func(*Thread) { ran = true })
				if err := th.StopTheWorldContext(endedContext(), never); err == nil || err.Error() != text || !ran {
					t.Errorf("%v, a safe point: %t", err, ran)
				}
				return th.StopTheWorldContext(t.Context(), func() {
					if !th.stopped {
						t.Error("it is not stopped")
					}
				})
			}))
			if o.Mode == GIL {
				return
			}
			rest := busy(t, r)
			ctx, cancel := context.WithCancelCause(t.Context())
			stops := r.stopping.Read()
			stopped := later(func() error {
				return r.Do(func(th *Thread) error {
					err := th.StopTheWorldContext(ctx, never)
					if th.stopped || isOutside(th) {
						t.Errorf("stopped %t, outside %t", th.stopped, isOutside(th))
					}
					th.DecRef(newLeaf(th))
					return err
				})
			})
			wantWaiting(t, stopped)
			cancel(errEnough)
			wantGivenUp(t, stopped, text)
			for i, n := range r.stopping.Read().Counts {
				if n != stops.Counts[i] {
					t.Error("a stop was recorded that did not happen")
				}
			}
			rest()
			must0(t, r.Do(func(th *Thread) error { th.StopTheWorld(func() {}); return nil }))
		})
	})
}

// endingContext ends right after it was asked whether it has ended.
type endingContext struct {
	context.Context
	cancel context.CancelFunc
}

func (c endingContext) Err() error {
	defer c.cancel()
	return c.Context.Err()
}

// TestContextEndsAsTheGILIsTaken checks that a thread whose context ends as it gets the GIL either has it, or
// reports an error and has left it to others: with the contention profile, and without.
func TestContextEndsAsTheGILIsTaken(t *testing.T) {
	for _, rate := range []int{0, 1} {
		r := newRuntime(t, Options{Mode: GIL, ContentionProfileRate: time.Duration(rate)})
		x := must(r.Attach())
		x.leave()
		ctx, cancel := context.WithCancel(context.Background())
		err := x.enterContext(endingContext{ctx, cancel})
		if held := r.gil.Holder() == x; held != (err == nil) {
			t.Errorf("contention profile %d: %v, and the GIL is held: %t", rate, err, held)
		}
		if err != nil && r.gil.Holder() == nil {
			x.enter()
		}
		x.Detach()
		must0(t, r.Close())
	}
}
