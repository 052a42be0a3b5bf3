package locks

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/atomic"
)

// queued returns the number of waiters for the lock.
func (g *GIL) queued() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for w := g.head; w != nil; w = w.next {
		n++
	}
	return n
}

func TestGILAlone(t *testing.T) {
	g := NewGIL(0)
	if g.interval != DefaultInterval {
		t.Errorf("interval %v", g.interval)
	}
	for range 3 {
		g.Acquire()
		g.Yield()
		g.Release()
	}
	s := g.Stats()
	if s.Acquires != 3 || s.Switches != 0 || s.DropRequests != 0 || s.Waited != 0 || s.Held <= 0 {
		t.Errorf("stats %+v", s)
	}
	if g.timer != nil {
		t.Error("a timer without a wait")
	}
}

func TestGILMisuse(t *testing.T) {
	g := NewGIL(0)
	mustPanic(t, "nobody holds the GIL: GIL.Release; want the goroutine that holds it", g.Release)
	mustPanic(t, "nobody holds the GIL: GIL.Yield; want the goroutine that holds it", g.Yield)
	g.Acquire() // still usable
	g.Release()
	mustPanic(t, "nobody holds the GIL: GIL.Release; want the goroutine that holds it", g.Release)
}

// TestGILOrder: a waiter with k others ahead of it gets the lock with switch k+1, even
// if earlier holders queue up again.
func TestGILOrder(t *testing.T) {
	watchdog(t)
	const n = 8
	g := NewGIL(time.Hour)
	var order []int
	var wg sync.WaitGroup
	g.Acquire()
	for i := range n {
		wg.Go(func() {
			g.Acquire()
			if s := g.Stats().Switches; s != uint64(i+1) {
				t.Errorf("waiter %d served by switch %d", i, s)
			}
			order = append(order, i)
			g.Yield()
			order = append(order, n+1+i)
			g.Release()
		})
		await(func() bool { return g.queued() == i+1 })
	}
	g.Yield()
	order = append(order, n)
	g.Release()
	wg.Wait()
	var want []int
	for i := range 2*n + 1 {
		want = append(want, i)
	}
	if !slices.Equal(order, want) {
		t.Errorf("order %v", order)
	}
	if s := g.Stats(); s.Acquires != 2*n+2 || s.Switches != 2*n+1 {
		t.Errorf("stats %+v", s)
	}
}

// TestGILDropRequest moves the clock by hand: it calls the timer's function.
func TestGILDropRequest(t *testing.T) {
	watchdog(t)
	const hour = time.Hour
	g := NewGIL(hour)
	g.Acquire()
	g.expire(now() + 10*hour)
	if g.DropRequested() {
		t.Fatal("drop requested without a waiter")
	}
	var wg sync.WaitGroup
	ran := make(chan int)
	for i := range 2 {
		wg.Go(func() {
			g.Acquire()
			ran <- i
			<-ran
			g.Release()
		})
		await(func() bool { return g.queued() == i+1 })
	}
	first := g.head.since // no other goroutine touches the queue now
	g.expire(first + hour - 1)
	if g.DropRequested() {
		t.Fatal("drop requested before the interval was over")
	}
	g.expire(first + hour)
	g.expire(first + 2*hour)
	if !g.DropRequested() {
		t.Fatal("no drop request after an interval")
	}
	if s := g.Stats(); s.DropRequests != 1 {
		t.Fatalf("%d drop requests", s.DropRequests)
	}
	g.mu.Lock()
	g.since = 0 // a value that now never returns
	g.mu.Unlock()
	done := make(chan bool)
	go func() {
		g.Yield()
		g.Release()
		close(done)
	}()
	if i := <-ran; i != 0 {
		t.Errorf("waiter %d first", i)
	}
	if g.DropRequested() {
		t.Error("the drop request outlived the switch")
	}
	// The switch restarts the second waiter's interval.
	g.mu.Lock()
	if g.since == 0 {
		t.Error("the hold does not begin with the switch")
	}
	g.since += 3 * hour
	since := g.since
	g.mu.Unlock()
	g.expire(since + hour - 1)
	if g.DropRequested() {
		t.Error("drop requested though a switch has happened")
	}
	g.expire(since + hour)
	if !g.DropRequested() {
		t.Error("no drop request an interval after the switch")
	}
	ran <- 0
	<-ran
	ran <- 0
	<-done
	wg.Wait()
	g.timer.Stop()
}

// TestGILTimer: with the real timer, every holder that spins gets drop requests as
// long as there are waiters.
func TestGILTimer(t *testing.T) {
	watchdog(t)
	g := NewGIL(100 * time.Microsecond)
	var wg sync.WaitGroup
	var ended atomic.Int32
	const n = 3
	for range n {
		wg.Go(func() {
			for range 5 {
				g.Acquire()
				await(func() bool { return g.DropRequested() || ended.Load() == n-1 })
				g.Yield()
				g.Release()
			}
			ended.Inc()
		})
	}
	wg.Wait()
	if s := g.Stats(); s.DropRequests == 0 || s.Switches < s.DropRequests {
		t.Errorf("stats %+v", s)
	}
}

func TestGILExcludes(t *testing.T) {
	watchdog(t)
	g := NewGIL(50 * time.Microsecond)
	n := rounds(5000)
	const goroutines = 6
	sum, yields := 0, uint64(0)
	stop := make(chan bool)
	var wg, watcher sync.WaitGroup
	watcher.Go(func() {
		for last := uint64(0); ; {
			select {
			case <-stop:
				return
			default:
			}
			s := g.Stats()
			if s.Acquires < last || s.Switches > s.Acquires {
				t.Errorf("stats %+v", s)
			}
			last = s.Acquires
		}
	})
	for range goroutines {
		wg.Go(func() {
			for i := range n {
				g.Acquire()
				sum++
				if i%4 == 0 || g.DropRequested() {
					yields++
					g.Yield()
				}
				g.Release()
			}
		})
	}
	wg.Wait()
	close(stop)
	watcher.Wait()
	if sum != goroutines*n {
		t.Errorf("sum %d", sum)
	}
	s := g.Stats()
	if free := uint64(goroutines * n); s.Acquires < free || s.Acquires > free+yields {
		t.Errorf("%d acquires, %d calls of Acquire, %d of Yield", s.Acquires, free, yields)
	}
	if g.held || g.head != nil || g.DropRequested() {
		t.Error("not free at the end")
	}
}

func BenchmarkGIL(b *testing.B) {
	b.Run("contended=no", func(b *testing.B) {
		g := NewGIL(0)
		for b.Loop() {
			g.Acquire()
			g.Release()
		}
	})
	b.Run("contended=yes", func(b *testing.B) {
		g := NewGIL(0)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				g.Acquire()
				g.Release()
			}
		})
	})
}

// TestGILStall makes a goroutine wait for a lock that it holds itself: the stall is reported.
func TestGILStall(t *testing.T) {
	g := NewGIL(time.Microsecond)
	told := make(chan time.Duration, 8)
	g.OnStall(time.Millisecond, func(waited time.Duration) {
		select {
		case told <- waited:
		default:
		}
	})
	g.Acquire()
	done := make(chan struct{})
	go func() {
		g.Acquire()
		g.Release()
		close(done)
	}()
	first, second := <-told, <-told
	if first <= 0 || second <= 0 {
		t.Errorf("waits of %s and %s were reported", first, second)
	}
	g.Release()
	<-done
	g.OnStall(0, nil)
}

// TestGILHolder checks the holder after each step.
func TestGILHolder(t *testing.T) {
	watchdog(t)
	g := NewGIL(time.Hour)
	want := func(who any) {
		t.Helper()
		if got := g.Holder(); got != who {
			t.Errorf("held by %v, want %v", got, who)
		}
	}
	want(nil)
	g.AcquireFor("first")
	want("first")
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.AcquireFor("second")
		want("second")
		g.Yield() // to the first, which has queued up again meanwhile
		want("second")
		g.Release()
	}()
	await(func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.head != nil
	})
	g.Yield()
	want("first")
	g.Release()
	<-done
	want(nil)
	g.Acquire()
	want(nil)
	g.Release()
}

// TestGILStatsOfAHolder reads the counters while another goroutine holds the lock: if a counter is
// not written under mu, the race detector reports it.
func TestGILStatsOfAHolder(t *testing.T) {
	watchdog(t)
	g := NewGIL(time.Hour)
	for i := range uint64(20) {
		done := make(chan struct{})
		go func() {
			g.AcquireFor("holder")
			<-done
			g.Release()
			done <- struct{}{}
		}()
		await(func() bool { return g.Holder() != nil })
		if s := g.Stats(); s.Acquires != i+1 || s.Switches != 0 || s.Held < 0 {
			t.Errorf("hold %d: %+v", i, s)
		}
		done <- struct{}{}
		await(func() bool { return g.Holder() == nil })
		<-done
	}
}

// TestGILTryAcquire: it takes a free lock in the given name, and does not take a held one.
func TestGILTryAcquire(t *testing.T) {
	watchdog(t)
	g := NewGIL(0)
	if g.Waiter() != nil || !g.TryAcquireFor("a") || g.TryAcquireFor("b") {
		t.Error("the free lock cannot be taken once")
	}
	if g.Holder() != "a" || g.Stats().Acquires != 1 {
		t.Errorf("held by %v, %+v", g.Holder(), g.Stats())
	}
	done := make(chan bool)
	go func() {
		g.AcquireFor("c")
		done <- true
	}()
	await(func() bool { return g.Waiter() == "c" })
	g.Release()
	<-done
	if g.Waiter() != nil || g.Holder() != "c" {
		t.Errorf("held by %v, waited for by %v", g.Holder(), g.Waiter())
	}
	g.Release()
	if !g.TryAcquireFor("d") {
		t.Error("the lock is not free again")
	}
	g.Release()
}

// TestGILIsTakenOnce: while a goroutine holds the GIL, no other one gets it.
func TestGILIsTakenOnce(t *testing.T) {
	g := NewGIL(time.Hour)
	g.Acquire()
	if g.TryAcquireFor(nil) {
		t.Error("TryAcquireFor has taken it, too")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := g.AcquireContext(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("AcquireContext returns %v", err)
	}
	g.Release()
	if !g.TryAcquireFor(nil) {
		t.Error("it is not free again")
	}
	g.Release()
}
