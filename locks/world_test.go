package locks

import (
	"fmt"
	goruntime "runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/atomic"
)

func (m *Member) is(state uint32) func() bool {
	return func() bool { return m.state.Load() == state }
}

// asked reports whether there have been n askers in all.
func (w *World) asked(n uint64) func() bool {
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		came := w.stats.Stops + uint64(len(w.askers))
		if w.stopped.Load() {
			came-- // the first one already counts as a stop
		}
		return came == n
	}
}

func TestStopWaitsForMembers(t *testing.T) {
	watchdog(t)
	for _, leave := range []struct {
		how string
		do  func(*Member)
	}{
		{"exit", (*Member).Exit},
		{"pause", (*Member).Pause},
		{"ask", func(m *Member) { m.w.Stop(m); m.w.Start(m) }},
	} {
		w := NewWorld()
		a, b := w.Join("a"), w.Join("b")
		a.Enter()
		b.Enter()
		stopped, restart, done := make(chan bool), make(chan bool), make(chan bool)
		go func() {
			w.Stop(a)
			close(stopped)
			<-restart
			w.Start(a)
			a.Exit()
			close(done)
		}()
		await(b.Stopping)
		if w.Stopped() {
			t.Errorf("%s: stopped while b is inside", leave.how)
		}
		if got := w.Members(); !slices.Equal(got, []string{"b"}) && !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%s: inside: %v", leave.how, got)
		}
		left := make(chan bool)
		go func() {
			leave.do(b)
			close(left)
		}()
		<-stopped
		if !w.Stopped() || len(w.Members()) != 0 {
			t.Errorf("%s: stopped %v, inside %v", leave.how, w.Stopped(), w.Members())
		}
		close(restart)
		<-done
		<-left
		if w.Stopped() || b.Stopping() {
			t.Errorf("%s: not running after Start", leave.how)
		}
		if s := w.Stats(); s.Stops == 0 || s.Waited < s.MaxWaited || s.Stopped < s.MaxStopped || s.MaxStopped <= 0 {
			t.Errorf("%s: stats %+v", leave.how, s)
		}
	}
}

func TestEnterWaitsForStart(t *testing.T) {
	watchdog(t)
	w := NewWorld()
	m := w.Join("m")
	w.Stop(nil)
	entered := make(chan bool)
	go func() {
		m.Enter()
		if w.Stopped() {
			t.Error("entered a stopped world")
		}
		close(entered)
	}()
	waits := m.is(paused)
	await(func() bool { return waits() || isClosed(entered) })
	w.Start(nil)
	<-entered
	m.Exit()
}

// isClosed reports whether a channel without senders is closed.
func isClosed(c chan bool) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestStopLooksAgain: when one member leaves, the wait for another goes on.
func TestStopLooksAgain(t *testing.T) {
	watchdog(t)
	for range rounds(100) {
		w := NewWorld()
		a, b := w.Join("a"), w.Join("b")
		a.Enter()
		b.Enter()
		var left atomic.Bool
		stopped := make(chan bool)
		go func() {
			w.Stop(nil)
			if !left.Load() {
				t.Error("stopped with a member inside")
			}
			close(stopped)
		}()
		await(a.Stopping)
		b.Exit()
		for range 10 { // give the asker time to return too early
			goruntime.Gosched()
		}
		left.Store(true)
		a.Exit()
		<-stopped
		w.Start(nil)
	}
}

// TestExitTellsUnderLock: an asker holds mu between its look at the states and its sleep,
// so Exit must take mu before it wakes the asker.
func TestExitTellsUnderLock(t *testing.T) {
	watchdog(t)
	w := NewWorld()
	m := w.Join("m")
	m.Enter()
	var told atomic.Bool
	var wg sync.WaitGroup
	w.mu.Lock()
	w.flag.Store(1)
	wg.Go(func() {
		m.Exit()
		told.Store(true)
	})
	await(m.is(outside))
	for range 100 { // give Exit time to wake the asker too early
		goruntime.Gosched()
	}
	if told.Load() {
		t.Error("Exit woke an asker that may not be asleep yet")
	}
	w.mu.Unlock()
	wg.Wait()
}

// TestStartLetsWaitersIn: a member that has waited for this stop is let in even if another
// asker is queued; that asker has to wait for the member.
func TestStartLetsWaitersIn(t *testing.T) {
	watchdog(t)
	w := NewWorld()
	m := w.Join("m")
	w.Stop(nil)
	entered, leave, stopped := make(chan bool), make(chan bool), make(chan bool)
	go func() {
		m.Enter()
		close(entered)
		<-leave
		m.Exit()
	}()
	await(m.is(paused))
	go func() {
		w.Stop(nil)
		close(stopped)
	}()
	await(w.asked(2))
	w.Start(nil)
	<-entered
	if w.Stopped() {
		t.Error("stopped with m inside")
	}
	close(leave)
	<-stopped
	w.Start(nil)
}

// TestStopAgainstStop: askers that are all inside count as stopped for one
// another. Each stops the world in turn, in order.
func TestStopAgainstStop(t *testing.T) {
	watchdog(t)
	w := NewWorld()
	const n = 5
	var order []int
	var wg sync.WaitGroup
	first := w.Join("first")
	first.Enter()
	w.Stop(first)
	for i := range n {
		m := w.Join(fmt.Sprint(i))
		// Start lets it in between two stops; here the test does.
		m.state.Store(inside)
		wg.Go(func() {
			w.Stop(m)
			order = append(order, i)
			w.Start(m)
			m.Exit()
		})
		await(w.asked(uint64(i + 2)))
	}
	w.Start(first)
	first.Exit()
	wg.Wait()
	if !slices.Equal(order, []int{0, 1, 2, 3, 4}) {
		t.Errorf("turns %v", order)
	}
	if s := w.Stats(); s.Stops != n+1 {
		t.Errorf("%d stops", s.Stops)
	}
}

// TestJoinTogether: members that join and part concurrently are counted.
func TestJoinTogether(t *testing.T) {
	watchdog(t)
	w := NewWorld()
	const goroutines, times = 4, 100
	members := make([][]*Member, goroutines)
	var wg sync.WaitGroup
	for i := range members {
		wg.Go(func() {
			for range times {
				w.Part(w.Join("passing"))
				members[i] = append(members[i], w.Join("m")) // the last call: an access without the lock would be a race
			}
		})
	}
	wg.Wait()
	if len(w.members) != goroutines*times {
		t.Errorf("%d members, want %d", len(w.members), goroutines*times)
	}
	for _, m := range slices.Concat(members...) {
		w.Part(m)
	}
	if len(w.members) != 0 {
		t.Errorf("%d members are left", len(w.members))
	}
}

// TestTightStops: members make progress however fast stops follow each other.
func TestTightStops(t *testing.T) {
	watchdog(t)
	w := NewWorld()
	var over atomic.Bool
	var askers, members sync.WaitGroup
	for range 2 {
		askers.Go(func() {
			for !over.Load() {
				w.Stop(nil)
				w.Start(nil)
			}
		})
	}
	for i := range 2 {
		m := w.Join(fmt.Sprint(i))
		members.Go(func() {
			for range rounds(500) {
				m.Enter()
				m.Exit()
			}
			w.Part(m)
		})
	}
	members.Wait()
	over.Store(true)
	askers.Wait()
}

// TestWorldHammer has members write plain words while inside, and askers write
// all of them while the world is stopped. The race detector and the sums reveal a
// member that runs during a stop.
func TestWorldHammer(t *testing.T) {
	watchdog(t)
	const goroutines = 4
	w := NewWorld()
	n := rounds(4000)
	var slots [goroutines]struct {
		in  bool
		sum int
		_   [cacheLine]byte
	}
	stopped := 0
	stop := func(m *Member, self int) {
		w.Stop(m)
		if !w.Stopped() {
			t.Error("not stopped after Stop")
		}
		for i := range slots {
			if slots[i].in && i != self {
				t.Errorf("member %d is inside a stopped world", i)
			}
			slots[i].sum++
		}
		stopped++
		w.Start(m)
	}
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			m := w.Join(fmt.Sprint(g))
			s := &slots[g]
			for i := range n {
				m.Enter()
				s.in = true
				s.sum++
				for range i % 3 {
					if m.Stopping() {
						s.in = false
						m.Pause()
						s.in = true
					}
				}
				if i%64 == g {
					s.in = false
					stop(m, g)
				}
				s.in = false
				m.Exit()
				if i%512 == 0 {
					w.Part(m)
					m = w.Join(fmt.Sprint(g))
				}
			}
			w.Part(m)
		})
	}
	wg.Go(func() {
		for range n / 8 {
			stop(nil, -1)
		}
	})
	wg.Wait()
	for i := range slots {
		if slots[i].sum != n+stopped {
			t.Errorf("slot %d: %d, want %d", i, slots[i].sum, n+stopped)
		}
	}
	if len(w.members) != 0 || w.flag.Load() != 0 || w.Stats().Stops != uint64(stopped) {
		t.Errorf("%d members, flag %d, stats %+v", len(w.members), w.flag.Load(), w.Stats())
	}
}

// TestDekker races one Enter against one Stop, again and again.
func TestDekker(t *testing.T) {
	watchdog(t)
	w := NewWorld()
	m := w.Join("m")
	shared := 0
	n := rounds(20000)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range n {
			m.Enter()
			shared++
			m.Exit()
		}
	})
	wg.Go(func() {
		for range n {
			w.Stop(nil)
			shared++
			w.Start(nil)
		}
	})
	wg.Wait()
	if shared != 2*n {
		t.Errorf("%d, want %d", shared, 2*n)
	}
}

func TestOnStall(t *testing.T) {
	watchdog(t)
	w := NewWorld()
	slow, quick := w.Join("slow"), w.Join("quick")
	slow.Enter()
	quick.Enter()
	quick.Exit()
	calls := 0
	called := make(chan bool)
	w.OnStall(time.Millisecond, func(m *Member, waited time.Duration) {
		if m.Name() != "slow" || waited <= 0 {
			t.Errorf("stalled by %s for %v", m.Name(), waited)
		}
		if got := w.Members(); !slices.Equal(got, []string{"slow"}) {
			t.Errorf("inside: %v", got)
		}
		if calls++; calls == 3 {
			close(called)
			await(slow.is(outside))
		}
	})
	go func() {
		<-called
		slow.Exit()
	}()
	w.Stop(nil)
	w.Start(nil)
	if calls != 3 {
		t.Errorf("%d calls", calls)
	}
	w.OnStall(0, nil)
	w.Stop(nil)
	w.Start(nil)
}

// TestStopTimes sums the results of Stop and Start.
func TestStopTimes(t *testing.T) {
	w := NewWorld()
	var waited, stopped time.Duration
	for range 10 {
		waited += w.Stop(nil)
		stopped += w.Start(nil)
	}
	if s := w.Stats(); s.Waited != waited || s.Stopped != stopped || stopped <= 0 {
		t.Errorf("waited %v, stopped %v; the counters say %+v", waited, stopped, s)
	}
}

// TestJoinIsSeen stops the world while a member joins: if a write is not under mu, the race
// detector reports it.
func TestJoinIsSeen(t *testing.T) {
	watchdog(t)
	for range 20 {
		w := NewWorld()
		done := make(chan *Member)
		go func() {
			m := w.Join("late")
			done <- m
		}()
		await(func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.members) == 1
		})
		w.Part(<-done)
	}
}

// TestWaits: Stop would wait for other members that are inside, and for its turn.
func TestWaits(t *testing.T) {
	watchdog(t)
	w := NewWorld()
	a, b := w.Join("a"), w.Join("b")
	a.Enter()
	if w.Waits(a) {
		t.Error("it would wait for itself")
	}
	if !w.Waits(b) {
		t.Error("it would not wait for the one that is inside")
	}
	b.Enter()
	if !w.Waits(a) {
		t.Error("it would not wait for the other one")
	}
	b.Exit()
	w.Stop(a)
	if !w.Waits(b) {
		t.Error("it would not wait for its turn")
	}
	w.Start(a)
	a.Exit()
	if w.Waits(b) {
		t.Error("it would wait for no thread")
	}
}
