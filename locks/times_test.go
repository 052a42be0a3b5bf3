package locks

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// These tests run in a bubble. Its clock advances when all goroutines in it wait. So times are
// exact, and a goroutine that waits forever is found.

func TestGILInterval(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{-1: DefaultInterval, 0: DefaultInterval, 1: 1, time.Hour: time.Hour} {
		if got := NewGIL(given).interval; got != want {
			t.Errorf("interval %d for %d", got, given)
		}
	}
}

// TestGILTimes checks the sums of holds and waits.
func TestGILTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGIL(time.Hour)
		want := func(held, waited, longest time.Duration) {
			t.Helper()
			if s := g.Stats(); s.Held != held || s.Waited != waited || s.MaxWait != longest {
				t.Errorf("held %v, waited %v, at most %v: want %v, %v, %v", s.Held, s.Waited, s.MaxWait, held, waited, longest)
			}
		}
		time.Sleep(time.Second)
		g.Acquire()
		time.Sleep(2 * time.Second)
		want(2*time.Second, 0, 0) // including the current hold
		g.Release()
		time.Sleep(time.Second)
		want(2*time.Second, 0, 0)
		g.Acquire()
		for range 2 {
			go func() {
				g.Acquire()
				time.Sleep(10 * time.Second)
				g.Release()
			}()
		}
		synctest.Wait()
		time.Sleep(3 * time.Second)
		g.Yield() // both have waited for 3 s; the second waits for another 10
		want(25*time.Second, 36*time.Second, 20*time.Second)
		time.Sleep(time.Second)
		g.Release()
		want(26*time.Second, 36*time.Second, 20*time.Second)
	})
}

// gilWait starts a goroutine that waits for the lock and holds it for so long.
func gilWait(g *GIL, hold time.Duration) {
	go func() {
		g.Acquire()
		time.Sleep(hold)
		g.Release()
	}()
	synctest.Wait()
}

// TestGILPatience: the drop request comes one interval after the first waiter, whatever came
// before it and whoever comes after it, and one timer is enough.
func TestGILPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 10 * time.Second
		g := NewGIL(interval)
		is := func(dropped, armed bool) {
			t.Helper()
			synctest.Wait()
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.DropRequested() != dropped || g.armed != armed {
				t.Errorf("drop requested %t, armed %t: want %t, %t", g.DropRequested(), g.armed, dropped, armed)
			}
		}
		g.Acquire()
		gilWait(g, 0)
		is(false, true)
		timer := g.timer
		g.Yield() // in time, so the timer fires in vain
		is(false, true)
		time.Sleep(interval)
		is(false, false)

		gilWait(g, 0)
		time.Sleep(interval / 2)
		gilWait(g, 0)
		time.Sleep(interval/2 - 1)
		is(false, true)
		time.Sleep(time.Nanosecond)
		is(true, false)
		gilWait(g, 0) // there is a request already
		is(true, false)
		g.Yield()
		time.Sleep(interval)
		is(false, false)

		gilWait(g, 0)
		time.Sleep(interval)
		is(true, false)
		g.Release() // with the last waiter served, no request is needed
		is(false, false)
		if g.timer != timer {
			t.Error("more timers than one")
		}
		if g.watcher != nil {
			t.Error("a watch is running without a waiter")
		}
	})
}

// TestGILStallTimes: a holder that does not yield is reported after so long, then after twice
// that, and so on, and not once it has yielded.
func TestGILStallTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval, patience = 10 * time.Second, time.Second
		g := NewGIL(interval)
		var told []time.Duration
		g.OnStall(patience, func(waited time.Duration) {
			g.Stats() // no lock is held
			told = append(told, waited)
		})
		g.Acquire()
		gilWait(g, 0)
		time.Sleep(interval + 10*patience)
		g.Yield()
		if g.watcher.Stop() {
			t.Error("a watch is still running")
		}
		time.Sleep(100 * patience)
		if want := []time.Duration{patience, 3 * patience, 7 * patience}; !slices.Equal(told, want) {
			t.Errorf("%v was reported, want %v", told, want)
		}

		// A watcher that fires late sees that there is no stall.
		watch := func(request uint64) {
			g.mu.Lock()
			g.watch(request, now(), patience)
			g.mu.Unlock()
			time.Sleep(100 * patience)
			synctest.Wait()
		}
		told = nil
		watch(g.stats.DropRequests) // the holder has yielded to this request
		g.OnStall(time.Hour, g.stall)
		gilWait(g, 0)
		time.Sleep(interval)
		synctest.Wait()
		watch(g.stats.DropRequests - 1) // there is a newer request
		g.OnStall(0, nil)
		watch(g.stats.DropRequests) // no fn is registered
		if told != nil {
			t.Errorf("%v was reported", told)
		}
		g.Release()
	})
}

// TestWorldTimes checks the sums of the times before and during stops.
func TestWorldTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorld()
		m := w.Join("m")
		var total WorldStats
		for _, d := range []time.Duration{3, 7, 5} {
			m.Enter()
			go func() {
				time.Sleep(d)
				m.Exit()
			}()
			if got := w.Stop(nil); got != d {
				t.Errorf("waited %d, want %d", got, d)
			}
			time.Sleep(10 * d)
			if got := w.Start(nil); got != 10*d {
				t.Errorf("stopped for %d, want %d", got, 10*d)
			}
			total.Stops++
			total.Waited += d
			total.Stopped += 10 * d
			total.MaxWaited, total.MaxStopped = max(total.MaxWaited, d), max(total.MaxStopped, 10*d)
			for range 2 {
				if got := w.Stats(); got != total {
					t.Errorf("stats %+v, want %+v", got, total)
				}
			}
		}
	})
}

// TestWorldTurns: Start wakes the asker whose turn it is, although no member enters or
// leaves.
func TestWorldTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorld()
		w.Stop(nil)
		go func() {
			w.Stop(nil)
			w.Start(nil)
		}()
		synctest.Wait()
		w.Start(nil)
		synctest.Wait()
		if got := w.Stats().Stops; got != 2 || w.Stopped() {
			t.Errorf("%d stops, stopped %t", got, w.Stopped())
		}
	})
}

// TestWorldStallTimes: fn is called after so long, then after twice that, and so on, for each
// member that is inside.
func TestWorldStallTimes(t *testing.T) {
	for _, patience := range []time.Duration{1, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := NewWorld()
			slow, slower, quick := w.Join("slow"), w.Join("slower"), w.Join("quick")
			slow.Enter()
			slower.Enter()
			quick.Enter()
			go func() { // must not make the call of fn early
				time.Sleep(patience / 2)
				quick.Exit()
			}()
			synctest.Wait()
			var told []time.Duration
			w.OnStall(patience, func(m *Member, waited time.Duration) {
				told = append(told, waited)
				if waited == 2*patience && m == slow {
					m.Exit()
				}
				if waited == 4*patience {
					m.Exit()
				}
			})
			if waited := w.Stop(nil); waited != 4*patience {
				t.Errorf("waited %v", waited)
			}
			w.Start(nil)
			if want := []time.Duration{patience, patience, 2 * patience, 2 * patience, 4 * patience}; !slices.Equal(told, want) {
				t.Errorf("%v was reported, want %v", told, want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // no fn
		w := NewWorld()
		m := w.Join("m")
		m.Enter()
		w.OnStall(time.Second, nil)
		go func() {
			time.Sleep(time.Minute)
			m.Exit()
		}()
		w.Stop(nil)
		w.Start(nil)
	})
}

// TestPauseForNobody: without an asker Pause returns at once.
func TestPauseForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewWorld().Join("m")
		m.Enter()
		m.Pause()
		m.Pause()
		m.Exit()
	})
}
