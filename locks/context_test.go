package locks

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var errEnough = errors.New("enough")

// given starts fn with a context, in a bubble. It returns a function that ends the context, and
// one that returns fn's result.
func given(t *testing.T, fn func(context.Context) error) (end func(), result func() error) {
	ctx, cancel := context.WithCancelCause(t.Context())
	over := make(chan error, 1)
	go func() { over <- fn(ctx) }()
	synctest.Wait()
	return func() { cancel(errEnough) }, func() error {
		synctest.Wait()
		select {
		case err := <-over:
			return err
		default:
			return errors.New("it still waits")
		}
	}
}

func endedContext() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errEnough)
	return ctx
}

func TestGILContextThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGIL(time.Hour)
		for held := range 2 {
			if held > 0 {
				g.Acquire()
			}
			before := g.Stats()
			if err := g.AcquireContext(endedContext(), "who"); err != errEnough {
				t.Errorf("error %v", err)
			}
			if s := g.Stats(); s.Acquires != before.Acquires || g.queued() > 0 || g.timer != nil {
				t.Errorf("stats %+v, %d in the queue", s, g.queued())
			}
			if g.Holder() != nil {
				t.Error("it holds the lock")
			}
		}
		g.Release()
	})
}

// TestGILContext removes each waiter from a queue of three. The others keep their order, and a
// new waiter goes behind them.
func TestGILContext(t *testing.T) {
	for gone := range 3 {
		synctest.Test(t, func(t *testing.T) {
			g := NewGIL(time.Hour)
			g.Acquire()
			var order []int
			var ends []func()
			var results []func() error
			wait := func(i int) {
				end, result := given(t, func(ctx context.Context) error {
					if err := g.AcquireContext(ctx, i); err != nil {
						return err
					}
					order = append(order, i)
					g.Release()
					return nil
				})
				ends, results = append(ends, end), append(results, result)
			}
			for i := range 3 {
				wait(i)
			}
			time.Sleep(time.Second)
			ends[gone]()
			if err := results[gone](); err != errEnough {
				t.Errorf("waiter %d of 3: %v", gone, err)
			}
			if n := g.queued(); n != 2 {
				t.Errorf("waiter %d of 3 has left, and %d are in the queue", gone, n)
			}
			wait(3)
			g.Release()
			want := slices.Delete([]int{0, 1, 2, 3}, gone, gone+1)
			for _, i := range want {
				if err := results[i](); err != nil {
					t.Errorf("waiter %d, behind or before %d: %v", i, gone, err)
				}
			}
			if !slices.Equal(order, want) {
				t.Errorf("order %v, want %v", order, want)
			}
			if s := g.Stats(); s.Acquires != 4 || s.Switches != 3 || s.Waited != 2*time.Second {
				t.Errorf("stats %+v", s)
			}
			if g.held || g.head != nil || g.tail != nil {
				t.Error("it is not free")
			}
			for _, end := range ends {
				end()
			}
		})
	}
}

// TestGILContextAndDropRequest: the request stands as long as a goroutine waits, and no stall is
// reported after it is over.
func TestGILContextAndDropRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 10 * time.Second
		g := NewGIL(interval)
		told := 0
		g.OnStall(time.Second, func(time.Duration) { told++ })
		g.Acquire()
		acquire := func(ctx context.Context) error { return g.AcquireContext(ctx, nil) }
		var ends [2]func()
		for i := range ends {
			ends[i], _ = given(t, acquire)
		}
		time.Sleep(interval)
		synctest.Wait()
		ends[0]()
		synctest.Wait()
		if !g.DropRequested() {
			t.Error("the request is gone, although a waiter is left")
		}
		ends[1]()
		synctest.Wait()
		if g.DropRequested() {
			t.Error("there is a request, although no waiter is left")
		}
		if g.watcher.Stop() {
			t.Error("a watch is running")
		}
		time.Sleep(time.Hour)
		if told > 0 {
			t.Errorf("%d stalls were reported", told)
		}

		end, _ := given(t, acquire) // the next waiter waits for the same interval
		time.Sleep(interval - 1)
		synctest.Wait()
		if g.DropRequested() {
			t.Error("a request too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if s := g.Stats(); !g.DropRequested() || s.DropRequests != 2 {
			t.Errorf("no request, or %d", s.DropRequests)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if told != 1 {
			t.Errorf("%d stalls were reported, want 1", told)
		}
		end()
		synctest.Wait()
		g.Release()
	})
}

// TestGILContextTooLate: a waiter that gets the lock at the moment its context ends holds it.
func TestGILContextTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGIL(time.Hour)
		g.Acquire()
		end, result := given(t, func(ctx context.Context) error { return g.AcquireContext(ctx, "late") })
		g.mu.Lock()
		end() // it wakes, and waits for mu
		w := g.handOver(now())
		g.mu.Unlock()
		w.ready.send()
		if err := result(); err != nil || g.Holder() != "late" {
			t.Errorf("error %v, held by %v", err, g.Holder())
		}
		if len(w.ready.ch) > 0 {
			t.Error("the lock was handed over twice")
		}
		g.Release()
	})
}

func TestEnterContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorld()
		m := w.Join("m")
		is := func(state uint32) {
			t.Helper()
			synctest.Wait()
			if got := m.state.Load(); got != state || len(m.wake.ch) > 0 {
				t.Errorf("it is %s, with %d wake-ups", stateNames[got], len(m.wake.ch))
			}
		}
		if err := m.EnterContext(endedContext()); err != errEnough {
			t.Errorf("error %v", err)
		}
		is(outside)
		w.Stop(nil)
		end, result := given(t, m.EnterContext)
		is(paused)
		end()
		if err := result(); err != errEnough {
			t.Errorf("error %v", err)
		}
		is(outside)
		if !w.Stopped() {
			t.Error("the stop is over")
		}
		w.Start(nil)
		is(outside)

		// It is let in at the moment when its context ends.
		w.Stop(nil)
		end, result = given(t, m.EnterContext)
		w.mu.Lock()
		end()
		w.letIn()
		w.mu.Unlock()
		if err := result(); err != nil {
			t.Errorf("error %v", err)
		}
		is(inside)
		w.Start(nil)
		m.Exit()
		if err := m.EnterContext(t.Context()); err != nil {
			t.Errorf("without a stop of the world: %v", err)
		}
		is(inside)
	})
}

// TestStopContext: a stop that was given up leaves no trace.
func TestStopContext(t *testing.T) {
	for _, stranger := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := NewWorld()
			slow, waits, asker := w.Join("slow"), w.Join("waits"), w.Join("asker")
			asker.Enter()
			by, want := asker, []string{"slow", "waits", "asker"}
			if stranger {
				asker.Exit()
				by, want = nil, want[:2]
			}
			stop := func(ctx context.Context) error {
				waited, err := w.StopContext(ctx, by)
				if err != nil && waited != 0 {
					t.Errorf("it has waited for %v", waited)
				}
				return err
			}
			if err := stop(endedContext()); err != errEnough {
				t.Errorf("error %v", err)
			}
			if slow.Stopping() || by != nil && by.state.Load() != inside {
				t.Error("a stop is requested, although no asker is left")
			}
			slow.Enter()
			end, result := given(t, stop)
			go waits.Enter()
			synctest.Wait()
			if !waits.is(paused)() {
				t.Error("a member has entered")
			}
			w.mu.Lock()
			end()
			w.tell() // as a member would that stops at this moment
			w.mu.Unlock()
			if err := result(); err != errEnough {
				t.Errorf("error %v", err)
			}
			if got := w.Members(); slow.Stopping() || w.Stopped() || !slices.Equal(got, want) {
				t.Errorf("stopping %t, stopped %t, inside %v", slow.Stopping(), w.Stopped(), got)
			}
			slow.Exit()
			waits.Exit()
			if len(slow.wake.ch)+len(waits.wake.ch)+len(asker.wake.ch) > 0 {
				t.Error("there is a wake-up, but no sleeper")
			}
			if s := w.Stats(); s.Stops != 0 {
				t.Errorf("stats %+v", s)
			}
			w.Stop(by)
			end, result = given(t, func(ctx context.Context) error { _, err := w.StopContext(ctx, nil); return err })
			end()
			if err := result(); err != errEnough {
				t.Errorf("error %v", err)
			}
			if len(asker.wake.ch) > 0 {
				t.Error("there is a wake-up for the asker that has stopped the world")
			}
			w.Start(by)
		})
	}
}

// TestStopContextInTheQueue: an asker that gives up its turn disturbs no other asker, and goes
// back inside when the world runs.
func TestStopContextInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorld()
		second, third := w.Join("second"), w.Join("third")
		second.Enter()
		third.Enter()
		stop := func(m *Member) func(context.Context) error {
			return func(ctx context.Context) error { _, err := w.StopContext(ctx, m); return err }
		}
		go func() { w.Stop(nil) }()
		synctest.Wait()
		end2, result2 := given(t, stop(second))
		_, result3 := given(t, stop(third)) // now no member is inside
		if !w.Stopped() {
			t.Fatal("the first stop has not succeeded")
		}
		fourth := w.Join("fourth")
		_, result4 := given(t, fourth.EnterContext)
		end2()
		synctest.Wait()
		if !fourth.is(paused)() {
			t.Error("a member has entered a stopped world")
		}
		if err := result2(); err == errEnough || !second.is(paused)() {
			t.Errorf("with the world stopped, the one that gave up is %s: %v", stateNames[second.state.Load()], err)
		}
		w.Start(nil)
		if err := result2(); err != errEnough || !second.is(inside)() {
			t.Errorf("error %v, %s", err, stateNames[second.state.Load()])
		}
		if w.Stopped() {
			t.Error("stopped with a member inside")
		}
		if err := result4(); err != nil {
			t.Errorf("the fourth: %v", err)
		}
		fourth.Exit()
		second.Exit()
		if err := result3(); err != nil || !w.Stopped() {
			t.Errorf("the third: %v, stopped %t", err, w.Stopped())
		}
		w.Start(third)
	})
}

// TestStopContextOfTheFirst: the next asker gets its turn when the first one gives up.
func TestStopContextOfTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorld()
		first, slow := w.Join("first"), w.Join("slow")
		first.Enter()
		slow.Enter()
		end, result := given(t, func(ctx context.Context) error { _, err := w.StopContext(ctx, first); return err })
		_, stopped := given(t, func(context.Context) error { w.Stop(nil); return nil })
		end()
		if err := result(); err != errEnough || !first.is(inside)() {
			t.Errorf("error %v, %s", err, stateNames[first.state.Load()])
		}
		slow.Exit()
		first.Exit() // at once: the world is not stopped
		if err := stopped(); err != nil || !w.Stopped() {
			t.Errorf("the second: %v, stopped %t", err, w.Stopped())
		}
		w.Start(nil)
	})
}

// TestStopContextTurn: the first asker gives up when all members that it waited for have stopped.
// The second must be woken, although no member enters or leaves any more.
func TestStopContextTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorld()
		slow := w.Join("slow")
		slow.Enter()
		end, result := given(t, func(ctx context.Context) error { _, err := w.StopContext(ctx, nil); return err })
		_, stopped := given(t, func(context.Context) error { w.Stop(nil); return nil })
		w.mu.Lock()
		end()                     // the first wakes, and waits for mu
		slow.state.Store(outside) // without waking any asker
		w.mu.Unlock()
		if err := result(); err != errEnough {
			t.Errorf("error %v", err)
		}
		if err := stopped(); err != nil || !w.Stopped() {
			t.Errorf("the second: %v, stopped %t", err, w.Stopped())
		}
		w.Start(nil)
	})
}
