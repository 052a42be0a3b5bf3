package locks

import (
	"context"
	"fmt"
	"time"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// DefaultInterval is CPython's switch interval.
const DefaultInterval = 5 * time.Millisecond

// GIL is a global lock that its holder gives up on request. Waiters get it in the
// order of their arrival: a waiter with k others ahead of it gets the lock with the
// (k+1)-th switch at the latest, whatever else happens. A waiter leaves the queue when
// its context ends.
//
// State — condition — invariant — transition (by):
//
//	free      — !held — no waiters, no drop request —
//	            to held by Acquire (any goroutine)
//	held      — held, head == nil — no drop request —
//	            to free by Release (holder); to waited-for by Acquire (a waiter)
//	waited-for — held, head != nil, drop == 0 — the timer is armed —
//	            to asked-for by the timer; to held or waited-for by Release or Yield (holder);
//	            to held by the end of a context (the last waiter)
//	asked-for — held, head != nil, drop == 1 — some waiter has waited for an
//	            interval without a switch — to held or waited-for by Release or Yield
//	            (holder); to held by the end of a context (the last waiter)
//
// State of a waiter — condition — invariant — transition (by, under mu):
//
//	queued — in the queue — ready is not sent —
//	         to served by Release or Yield (holder); to gone by the end of its context (waiter)
//	served — it is the holder — ready is sent, or about to be — final: it has the lock
//	gone   — in no queue — ready is never sent — final: it does not have the lock
//
// Acquires = number of times that a free lock was taken + Switches.
//
// Any goroutine may use it.
type GIL struct {
	interval time.Duration
	_        [cacheLine]byte
	drop     point.Uint32 // 1: drop requested; written under mu, read by the holder at safe points
	_        [cacheLine]byte

	mu         point.Mutex // guards all fields below; never held during a wait
	held       bool
	holder     any           // the holder's argument to AcquireFor
	armed      bool          // the timer will call expire
	since      time.Duration // when the holder got the lock
	head, tail *gilWaiter    // tail is valid only if head is not nil
	timer      *time.Timer   // created by the first wait
	stats      GILStats
	times      gilTimes

	stallAfter time.Duration
	stall      func(waited time.Duration)
	watcher    *time.Timer // a new one for each drop request
}

// gilWaiter is a goroutine in the queue for the lock.
type gilWaiter struct {
	since      time.Duration
	who        any
	prev, next *gilWaiter
	queued     bool
	ready      signal
}

// GILStats holds the counters of a GIL since its creation.
type GILStats struct {
	Acquires     uint64        // times that a goroutine became the holder
	Switches     uint64        // of these, times that a holder handed the lock over to a waiter
	DropRequests uint64        // drop requests made
	Held         time.Duration // sum over all holds, including the current one
	Waited       time.Duration // sum over all waits that ended with the lock
	MaxWait      time.Duration // the longest of these
}

// NewGIL returns a free lock. An interval of zero or less means DefaultInterval. Any
// goroutine.
func NewGIL(interval time.Duration) *GIL {
	if interval <= 0 {
		interval = DefaultInterval
	}
	return &GIL{interval: interval}
}

// Acquire takes the lock, and waits for its turn if the lock is held. It is not reentrant.
// Any goroutine that does not hold it.
func (g *GIL) Acquire() { g.AcquireFor(nil) }

// TryAcquireFor takes the lock if it is free, with who as its holder, and reports whether it
// did. It never waits. Any goroutine that does not hold it.
func (g *GIL) TryAcquireFor(who any) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held && !(mutant.On && mutant.Is(mutant.GILShared)) {
		return false
	}
	g.take(who)
	return true
}

// take makes who the holder of the lock, which is free. Under mu.
func (g *GIL) take(who any) {
	g.held, g.holder = true, who
	g.since = now()
	g.stats.Acquires++
}

// AcquireFor is Acquire with a name: Holder and Waiter return who. Any goroutine that does not
// hold it.
func (g *GIL) AcquireFor(who any) {
	_ = g.AcquireContext(context.Background(), who) // which never ends
}

// AcquireContext is AcquireFor with a limit: it waits until ctx ends. The error is then
// context.Cause(ctx): the caller does not hold the lock, and has left the queue. If the
// lock was handed over at the same moment, the caller holds it and there is no error. Any
// goroutine that does not hold it.
func (g *GIL) AcquireContext(ctx context.Context, who any) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	g.mu.Lock()
	if !g.held || mutant.On && mutant.Is(mutant.GILShared) {
		g.take(who)
		g.mu.Unlock()
		return nil
	}
	w := g.enqueue(now(), who)
	g.mu.Unlock()
	if w.ready.wait(ctx, nil) == sent || !g.leave(w) {
		return nil
	}
	return context.Cause(ctx)
}

// Release gives up the lock, to the first waiter if there is one. It panics if
// no goroutine holds the lock. Holder only.
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
	w.ready.send()
}

// DropRequested reports whether a waiter has asked for the lock: the holder should
// call Yield at its next safe point. It costs one load. Any goroutine.
func (g *GIL) DropRequested() bool { return g.drop.Load() != 0 }

// Yield hands the lock over to the first waiter and takes it again behind all
// goroutines that wait now, so at least one of them has run when it returns. It
// does nothing without waiters. It does not test for a drop request. It panics if
// no goroutine holds the lock. Holder only.
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
	w.ready.send()
	self.ready.wait(context.Background(), nil)
}

// Holder returns the current holder's argument to AcquireFor, for messages; nil if the
// lock is free. Any goroutine.
func (g *GIL) Holder() any {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.holder
}

// Waiter returns the first waiter's argument to AcquireFor, for messages; nil if there
// are no waiters. Any goroutine.
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

// String returns the holder and the number of waiters as text. Any goroutine.
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

// mustBeHeld panics, and unlocks mu, if no goroutine holds the lock. Under mu.
func (g *GIL) mustBeHeld() {
	if !g.held {
		g.mu.Unlock()
		fault.Throw(fault.Misuse{What: "nobody holds the GIL", Want: "the goroutine that holds it"})
	}
}

// enqueue appends a waiter, which arrived at t, to the queue. Under mu.
func (g *GIL) enqueue(t time.Duration, who any) *gilWaiter {
	w := &gilWaiter{since: t, who: who, queued: true, ready: newSignal()}
	if g.head == nil {
		g.head = w
	} else {
		g.tail.next, w.prev = w, g.tail
	}
	g.tail = w
	g.arm(g.interval)
	return w
}

// unlink takes a waiter out of the queue. Under mu.
func (g *GIL) unlink(w *gilWaiter) {
	if w.prev == nil {
		g.head = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		g.tail = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
}

// leave takes w, whose context has ended, out of the queue. It reports false if the lock
// has been handed over to w meanwhile; it then waits for the wake-up, which is certain to
// come.
func (g *GIL) leave(w *gilWaiter) bool {
	g.mu.Lock()
	if !w.queued {
		g.mu.Unlock()
		w.ready.wait(context.Background(), nil)
		return false
	}
	g.unlink(w)
	if g.head == nil {
		g.withdraw()
	}
	g.mu.Unlock()
	return true
}

// withdraw cancels the drop request, if there is one. Under mu.
func (g *GIL) withdraw() {
	if g.drop.Load() != 0 {
		g.drop.Store(0)
		if g.watcher != nil {
			g.watcher.Stop()
		}
	}
}

// handOver makes the first waiter the holder. The caller wakes it after unlocking
// mu. Under mu.
func (g *GIL) handOver(t time.Duration) *gilWaiter {
	w := g.head
	g.unlink(w)
	g.times.holds.Add(t - g.since)
	g.since, g.holder = t, w.who
	g.stats.Acquires++
	g.stats.Switches++
	waited := t - w.since
	g.times.waits.Add(waited)
	g.stats.Waited += waited
	g.stats.MaxWait = max(g.stats.MaxWait, waited)
	g.withdraw()
	if g.head != nil {
		g.arm(g.interval)
	}
	return w
}

// arm makes sure that a call of expire is due, unless the drop request is already set. A
// switch does not touch a running timer: expire notices by itself that it is too early.
// So a switch costs no timer operation. Under mu.
func (g *GIL) arm(after time.Duration) {
	if g.armed || g.drop.Load() != 0 {
		return
	}
	if point.On && point.Explored() {
		g.drop.Store(1) // an explored run has no timer: the interval is over at once
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
// without a switch. The waiters behind it arrived later, so its interval ends first.
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
		g.watch(g.stats.DropRequests, now(), g.stallAfter)
	}
}

// OnStall registers fn for stalls: a holder has kept the lock for longer than after since
// the drop request. fn is called again after twice that time, four times, and so on, by a
// goroutine of its own, without any lock held. A goroutine that waits for a lock that it
// holds itself shows up this way. A nil fn switches the reports off. Any goroutine.
func (g *GIL) OnStall(after time.Duration, fn func(waited time.Duration)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stallAfter, g.stall = after, fn
}

// watch reports a stall once patience has passed, if the drop request with this number,
// made at asked, is still set. Under mu.
func (g *GIL) watch(request uint64, asked, patience time.Duration) {
	g.watcher = time.AfterFunc(patience, func() { g.stalled(request, asked, patience) })
}

// stalled runs at the end of a watch.
func (g *GIL) stalled(request uint64, asked, patience time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.drop.Load() == 0 || g.stats.DropRequests != request || g.stall == nil {
		return
	}
	fn := g.stall
	g.watch(request, asked, 2*patience)
	g.mu.Unlock()
	defer g.mu.Lock()
	fn(now() - asked)
}
