package locks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// World is a set of members that can be stopped together.
//
// State — condition — invariant — transition (by):
//
//	running  — flag == 0, no askers — no member waits —
//	           to stopping by Stop (asker)
//	stopping — flag == 1, stopped false — some askers wait; members that come
//	           to Enter or Pause wait — to stopped by Stop (the first asker); to running
//	           when the context of the only asker ends (that asker)
//	stopped  — flag == 1, stopped true — no member but the first asker's is between the
//	           return of Enter and a call of Exit, Pause or Stop —
//	           to running or, if more askers wait, to stopping by Start (asker)
//
// State of an asker — condition — invariant — transition (by, under mu):
//
//	queued — in askers, not the first — its signal is not sent —
//	         to first by Start, or when the context of the first one ends (first asker);
//	         to gone when its own context ends (asker)
//	first  — askers[0], stopped false — its signal is sent whenever a member stops —
//	         to stopped by Stop, to gone when its context ends (asker)
//	stopped — askers[0], stopped true — the world is stopped for it — to gone by Start (asker)
//	gone   — not in askers — nothing of its stop is left
//
// Any goroutine may use it.
type World struct {
	_    [cacheLine]byte
	flag point.Uint32 // 1 while there are askers; written under mu, read by all members
	_    [cacheLine]byte

	mu      point.Mutex
	members []*Member // under mu
	stopped point.Bool
	askers  []*asker      // under mu: in order of arrival
	since   time.Duration // under mu: when the world was last stopped
	stats   WorldStats    // under mu

	stallAfter time.Duration // under mu
	stall      func(m *Member, waited time.Duration)
}

// asker is a goroutine that stops the world, or waits to do so.
type asker struct {
	m    *Member // nil if the goroutine is no member
	look *signal // sent when the first asker has to look whether a member is inside
}

// WorldStats holds the counters of a World since its creation.
type WorldStats struct {
	Stops      uint64        // completed stops
	Waited     time.Duration // sum over stops, from the call until the world was stopped
	MaxWaited  time.Duration // the longest of these
	Stopped    time.Duration // sum over finished stops, from when the world was stopped until Start
	MaxStopped time.Duration // the longest of these
}

// NewWorld returns a running world without members. Any goroutine.
func NewWorld() *World { return &World{} }

// Join adds a member and returns it. The member is outside. The name is for messages. Any
// goroutine.
func (w *World) Join(name string) *Member {
	m := &Member{w: w, name: name, wake: newSignal()}
	w.mu.Lock()
	w.members = append(w.members, m)
	w.mu.Unlock()
	return m
}

// Part removes a member for good. It panics if the member is not outside, or belongs to
// another world. The member's owner only.
func (w *World) Part(m *Member) {
	w.mustOwn(m)
	m.change(outside, parted)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.members = slices.DeleteFunc(w.members, func(x *Member) bool { return x == m })
}

// Stop returns once no member but m is inside. Members that want to enter then wait until
// Start. The caller's own member m is inside; m is nil if the caller is no member. Several
// askers take turns in the order of their arrival. An asker that waits for its turn counts
// as stopped, so Stop is a safe point of m. A goroutine that has stopped the world must not
// stop it again before Start. Stop returns how long it has waited. The owner of m, or any
// goroutine if m is nil.
func (w *World) Stop(m *Member) (waited time.Duration) {
	waited, _ = w.StopContext(context.Background(), m) // which never ends
	return waited
}

// StopContext is Stop with a limit: it waits until ctx ends. The error is then
// context.Cause(ctx). The world is not stopped by this call, and members that waited for
// this stop run again. m is inside; if another asker's stop is under way, StopContext
// first waits for its end. The owner of m, or any goroutine if m is nil.
func (w *World) StopContext(ctx context.Context, m *Member) (waited time.Duration, err error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	asked := now()
	a := &asker{m: m}
	if m != nil {
		w.mustOwn(m)
		m.change(inside, asking)
		a.look = &m.wake
	} else {
		own := newSignal()
		a.look = &own
	}
	w.mu.Lock()
	w.askers = append(w.askers, a)
	w.flag.Store(1)
	w.tell() // the stop under way may be waiting for m
	if err := w.awaitStop(ctx, a); err != nil {
		w.giveUp(a) // which unlocks mu
		return 0, err
	}
	defer w.mu.Unlock()
	a.look.clear()
	w.since = now()
	waited = w.since - asked
	w.stats.Stops++
	w.stats.Waited += waited
	w.stats.MaxWaited = max(w.stats.MaxWaited, waited)
	w.stopped.Store(true)
	return waited, nil
}

// Waits reports whether a Stop by m would have to wait now: for members that are
// inside, or for its turn. Any goroutine.
func (w *World) Waits(m *Member) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.askers) > 0 {
		return true
	}
	for _, x := range w.members {
		if x != m && x.state.Load() == inside {
			return true
		}
	}
	return false
}

// Start ends a stop; m is the argument of that Stop. Afterwards m is inside. All members
// that wait at this moment are let in, even if another asker's turn comes next. So a member
// waits for at most one stop per arrival, and askers cannot starve it. Start panics if m
// has not stopped the world. It returns how long the world was stopped. The asker.
func (w *World) Start(m *Member) (stopped time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped.Load() || w.askers[0].m != m {
		fault.Throw(fault.Misuse{What: "the world was not stopped by this member", On: m.describe(), Want: "the member that called Stop"})
	}
	stopped = now() - w.since
	w.stats.Stopped += stopped
	w.stats.MaxStopped = max(w.stats.MaxStopped, stopped)
	w.stopped.Store(false)
	w.letIn()
	if m != nil {
		m.state.Store(inside)
	}
	w.drop(w.askers[0])
	return stopped
}

// letIn lets all waiting members in. Under mu.
func (w *World) letIn() {
	for _, x := range w.members {
		if x.state.CompareAndSwap(paused, inside) {
			x.wake.send()
		}
	}
}

// drop removes a from the queue of askers. Under mu.
func (w *World) drop(a *asker) {
	w.askers = slices.DeleteFunc(w.askers, func(x *asker) bool { return x == a })
	if len(w.askers) == 0 {
		w.flag.Store(0)
	}
	w.tell() // the next one
}

// giveUp withdraws a, whose context has ended. Its member is inside again at once, or
// after the end of the stop under way. Under mu, which it unlocks.
func (w *World) giveUp(a *asker) {
	a.look.clear()
	w.drop(a)
	if len(w.askers) == 0 {
		w.letIn()
	}
	if a.m == nil {
		w.mu.Unlock()
		return
	}
	if !w.stopped.Load() {
		a.m.state.Store(inside)
		w.mu.Unlock()
		return
	}
	a.m.state.Store(paused)
	w.mu.Unlock()
	a.m.wake.wait(context.Background(), nil)
}

// tell makes the first asker look again, if it still waits. Under mu.
func (w *World) tell() {
	if len(w.askers) > 0 && !w.stopped.Load() {
		w.askers[0].look.send()
	}
}

// Stopped reports whether the world is stopped, for assertions. Any goroutine.
func (w *World) Stopped() bool { return w.stopped.Load() }

// Members returns the names of the members that are inside now, for
// messages. The asker of a stop does not count. Any goroutine.
func (w *World) Members() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for _, m := range w.members {
		if m.state.Load() == inside {
			names = append(names, m.name)
		}
	}
	return names
}

// String returns the number of members and the world's state as text. Any goroutine.
func (w *World) String() string {
	inside := len(w.Members())
	w.mu.Lock()
	defer w.mu.Unlock()
	state := "running"
	switch {
	case w.stopped.Load():
		state = "stopped by " + w.askers[0].m.describe()
	case len(w.askers) > 0:
		state = "being stopped"
	}
	return fmt.Sprintf("world of %d members, %d inside, %s", len(w.members), inside, state)
}

// Stats returns a consistent copy of the counters. Any goroutine.
func (w *World) Stats() WorldStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

// OnStall registers fn for stalls: it is called for each member that keeps a stop waiting
// for longer than after, and again after twice that time, four times, and so on. The
// asker's goroutine calls it, without any lock held. fn must return, and must not call
// Stop or Start. A nil fn, or an after of zero or less, switches the reports off. A stop
// that has begun keeps the fn that it began with. Any goroutine.
func (w *World) OnStall(after time.Duration, fn func(m *Member, waited time.Duration)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if fn == nil {
		after = 0
	}
	w.stallAfter, w.stall = after, fn
}

// awaitStop waits until a is the first asker and no member is inside, or until ctx ends.
// It runs under mu, and releases it while it waits. No member comes in meanwhile, because
// flag is set.
func (w *World) awaitStop(ctx context.Context, a *asker) error {
	after, fn := w.stallAfter, w.stall
	var timer *time.Timer
	var began time.Duration
	for {
		first := w.askers[0] == a || mutant.On && mutant.Is(mutant.TurnIgnored)
		if first && (!w.anyInside() || mutant.On && mutant.Is(mutant.StopEarly)) {
			return nil
		}
		if first && after > 0 && timer == nil && !(point.On && point.Explored()) {
			began = now()
			timer = time.NewTimer(after)
		}
		w.mu.Unlock()
		how := a.look.wait(ctx, timer)
		w.mu.Lock()
		switch how {
		case ended:
			return context.Cause(ctx)
		case late:
			w.report(fn, began)
			timer.Reset(after)
			after *= 2
		}
	}
}

// report calls fn for each member that is inside. It runs under mu, and releases it for
// the calls.
func (w *World) report(fn func(*Member, time.Duration), began time.Duration) {
	var slow []*Member
	for _, m := range w.members {
		if m.state.Load() == inside {
			slow = append(slow, m)
		}
	}
	w.mu.Unlock()
	defer w.mu.Lock()
	waited := now() - began
	for _, m := range slow {
		fn(m, waited)
	}
}

func (w *World) anyInside() bool {
	for _, m := range w.members {
		if m.state.Load() == inside {
			return true
		}
	}
	return false
}

func (w *World) mustOwn(m *Member) {
	if m.w != w {
		fault.Throw(fault.Misuse{What: "member of another world", On: m.describe(), Want: "a member that has joined this world"})
	}
}
