package locks

import (
	"fmt"
	"sync"
	"time"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// DefaultInterval is CPython's switch interval.
const DefaultInterval = 5 * time.Millisecond

// GIL is a global lock that its holder gives up on request. Waiters get it in the
// order in which they came: who finds k waiters ahead of it gets the lock with
// the (k+1)-th switch, whatever else happens.
//
// State — condition — invariant — transition (who):
//
//	free      — !held — nobody waits, no drop request —
//	            to held by Acquire (anybody)
//	held      — held, head == nil — no drop request —
//	            to free by Release (holder); to waited-for by Acquire (a waiter)
//	waited-for — held, head != nil, drop == 0 — the timer is armed —
//	            to asked-for by the timer; to held or waited-for by Release or Yield (holder)
//	asked-for — held, head != nil, drop == 1 — the first waiter has waited for an
//	            interval without a switch — to held or waited-for by Release or Yield (holder)
//
// Acquires = takings of a free lock + Switches.
//
// Any goroutine may use it.
type GIL struct {
	interval time.Duration
	_        [cacheLine]byte
	drop     point.Uint32 // 1: drop requested; written under mu, read by the holder at safe points
	_        [cacheLine]byte

	mu         point.Mutex // guards all below; never held while waiting
	held       bool
	holder     any           // what AcquireFor was given by who holds the lock
	armed      bool          // the timer will call expire
	since      time.Duration // when the holder got the lock
	head, tail *gilWaiter    // tail means something while there is a head
	timer      *time.Timer   // made with the first wait
	stats      GILStats

	stallAfter time.Duration
	stall      func(waited time.Duration)
	watcher    *time.Timer // made with each drop request
}

// gilWaiter is a goroutine in the queue for the lock.
type gilWaiter struct {
	since time.Duration
	who   any
	next  *gilWaiter
	ready chan struct{} // holds one, so that handing over never blocks
}

var gilWaiterPool = sync.Pool{New: func() any { return &gilWaiter{ready: make(chan struct{}, 1)} }}

// GILStats is what a GIL has counted since it was made.
type GILStats struct {
	Acquires     uint64        // times that somebody became the holder
	Switches     uint64        // of these, times that a holder handed over to a waiter
	DropRequests uint64        // times that a waiter lost patience
	Held         time.Duration // sum over all holds, the present one included
	Waited       time.Duration // sum over all finished waits
	MaxWait      time.Duration // longest finished wait
}

// NewGIL returns a free lock. An interval of zero or less means DefaultInterval. Any
// goroutine.
func NewGIL(interval time.Duration) *GIL {
	if interval <= 0 {
		interval = DefaultInterval
	}
	return &GIL{interval: interval}
}

// Acquire takes the lock and waits for its turn if need be. It is not reentrant.
// Any goroutine that does not hold it.
func (g *GIL) Acquire() { g.AcquireFor(nil) }

// TryAcquireFor is AcquireFor if the lock is free, and reports whether it is. Any goroutine
// that does not hold it.
func (g *GIL) TryAcquireFor(who any) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held && !(mutant.On && mutant.Is(mutant.GILShared)) {
		return false
	}
	g.take(who)
	return true
}

// take makes who the holder of the free lock. Under mu.
func (g *GIL) take(who any) {
	g.held, g.holder = true, who
	g.since = now()
	g.stats.Acquires++
}

// AcquireFor is Acquire in the name of who, for Holder. Any goroutine that does
// not hold it.
func (g *GIL) AcquireFor(who any) {
	g.mu.Lock()
	if !g.held || mutant.On && mutant.Is(mutant.GILShared) {
		g.take(who)
		g.mu.Unlock()
		return
	}
	w := g.enqueue(now(), who)
	g.mu.Unlock()
	w.wait()
}

// Release gives the lock up, to the first waiter if there is one. It panics if
// nobody holds the lock. Holder only.
func (g *GIL) Release() {
	g.mu.Lock()
	g.mustBeHeld()
	t := now()
	g.stats.Held += t - g.since
	if g.head == nil {
		g.held, g.holder = false, nil
		g.mu.Unlock()
		return
	}
	w := g.handOver(t)
	g.mu.Unlock()
	w.wake()
}

// DropRequested reports whether a waiter has lost patience: the holder should
// call Yield at its next safe point. One load. Any goroutine.
func (g *GIL) DropRequested() bool { return g.drop.Load() != 0 }

// Yield hands the lock over to the first waiter and takes it again behind all
// others that wait now, so somebody else is sure to have run when it returns. It
// does nothing when nobody waits. It does not need a drop request: who calls it
// wants to switch. It panics if nobody holds the lock. Holder only.
func (g *GIL) Yield() {
	g.mu.Lock()
	g.mustBeHeld()
	if g.head == nil {
		g.mu.Unlock()
		return
	}
	t := now()
	g.stats.Held += t - g.since
	self := g.enqueue(t, g.holder)
	w := g.handOver(t)
	g.mu.Unlock()
	w.wake()
	self.wait()
}

// Holder returns what AcquireFor was given by who holds the lock at this moment,
// for messages. Any goroutine.
func (g *GIL) Holder() any {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.holder
}

// Waiter returns what AcquireFor was given by who has waited longest for the lock, for
// messages; nil if nobody waits. Any goroutine.
func (g *GIL) Waiter() any {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.head == nil {
		return nil
	}
	return g.head.who
}

// Stats returns a consistent copy of the counters. Any goroutine.
func (g *GIL) Stats() GILStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.stats
	if g.held {
		s.Held += now() - g.since
	}
	return s
}

// String says who holds the lock, and how many wait. Any goroutine.
func (g *GIL) String() string {
	g.mu.Lock()
	held, holder, waiting := g.held, g.holder, 0
	for w := g.head; w != nil; w = w.next {
		waiting++
	}
	g.mu.Unlock()
	switch {
	case !held:
		return "GIL, free"
	case holder == nil:
		return fmt.Sprintf("GIL, held, %d waiting", waiting)
	}
	return fmt.Sprintf("GIL, held by %v, %d waiting", holder, waiting)
}

// mustBeHeld panics, and unlocks mu, if nobody holds the lock. Under mu.
func (g *GIL) mustBeHeld() {
	if !g.held {
		g.mu.Unlock()
		fault.Throw(fault.Misuse{What: "nobody holds the GIL", Want: "the goroutine that holds it"})
	}
}

// enqueue adds the caller to the queue. Under mu.
func (g *GIL) enqueue(t time.Duration, who any) *gilWaiter {
	w := gilWaiterPool.Get().(*gilWaiter)
	w.since, w.who, w.next = t, who, nil
	if g.head == nil {
		g.head = w
	} else {
		g.tail.next = w
	}
	g.tail = w
	g.arm(g.interval)
	return w
}

// handOver makes the first waiter the holder. The caller wakes it once mu is
// unlocked. Under mu.
func (g *GIL) handOver(t time.Duration) *gilWaiter {
	w := g.head
	g.head = w.next
	g.since, g.holder = t, w.who
	g.stats.Acquires++
	g.stats.Switches++
	waited := t - w.since
	g.stats.Waited += waited
	g.stats.MaxWait = max(g.stats.MaxWait, waited)
	if g.drop.Load() != 0 {
		g.drop.Store(0)
		if g.watcher != nil {
			g.watcher.Stop()
		}
	}
	if g.head != nil {
		g.arm(g.interval)
	}
	return w
}

// arm makes sure that expire will be called, or that it need not be. A switch
// leaves a running timer alone: expire sees by itself that it came too early.
// So a switch costs no timer operation. Under mu.
func (g *GIL) arm(after time.Duration) {
	if g.armed || g.drop.Load() != 0 {
		return
	}
	if point.On && point.Explored() {
		g.drop.Store(1) // the first waiter has lost patience
		g.stats.DropRequests++
		return
	}
	g.armed = true
	if g.timer == nil {
		g.timer = time.AfterFunc(after, func() { g.expire(now()) })
	} else {
		g.timer.Reset(after)
	}
}

// expire sets the drop request if the first waiter has waited for an interval
// without a switch. Those behind it came later, so its interval is over first.
func (g *GIL) expire(t time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = false
	if g.head == nil || g.drop.Load() != 0 {
		return
	}
	if due := max(g.since, g.head.since) + g.interval; t < due {
		g.arm(due - t)
		return
	}
	if !(mutant.On && mutant.Is(mutant.DropForgotten)) {
		g.drop.Store(1)
	}
	g.stats.DropRequests++
	if g.stall != nil {
		g.watch(g.stats.Switches, now(), g.stallAfter)
	}
}

// OnStall has fn called when a holder has not given the lock up for longer than
// after since it was asked to, and again after twice that time, four times, and so
// on. It is called by a goroutine of its own with no lock held. A goroutine that
// waits for a lock which it holds itself shows this way. No fn switches it off.
// Any goroutine.
func (g *GIL) OnStall(after time.Duration, fn func(waited time.Duration)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stallAfter, g.stall = after, fn
}

// watch reports a stall after patience unless there has been a switch since the
// drop request was made, at asked. Under mu.
func (g *GIL) watch(switches uint64, asked, patience time.Duration) {
	g.watcher = time.AfterFunc(patience, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.head == nil || g.stats.Switches != switches || g.stall == nil {
			return
		}
		fn := g.stall
		g.watch(switches, asked, 2*patience)
		g.mu.Unlock()
		defer g.mu.Lock()
		fn(now() - asked)
	})
}

// wake ends the sleep of who is the holder now.
func (w *gilWaiter) wake() {
	if point.On {
		point.Send(w)
	}
	w.ready <- struct{}{}
}

// wait sleeps until the lock is handed over.
func (w *gilWaiter) wait() {
	if point.On {
		point.Receive(w, func() bool { return len(w.ready) > 0 })
	}
	<-w.ready
	w.who = nil
	gilWaiterPool.Put(w)
}
