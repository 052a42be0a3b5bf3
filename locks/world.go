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
// State — condition — invariant — transition (who):
//
//	running  — flag == 0, no askers — nobody is waiting —
//	           to stopping by Stop (asker)
//	stopping — flag == 1, stopped false — some askers wait; members that come
//	           to Enter or Pause wait — to stopped by Stop (the first asker); to running
//	           when the context of the only asker ends (that asker)
//	stopped  — flag == 1, stopped true — no member but the first asker's is between the
//	           return of Enter and a call of Exit, Pause or Stop —
//	           to running or, if more askers wait, to stopping by Start (asker)
//
// State of an asker — condition — invariant — transition (who, under mu):
//
//	queued — in askers, not the first — it is told of nothing —
//	         to first by Start, or when the context of the first one ends (first asker);
//	         to gone when its own context ends (asker)
//	first  — askers[0], stopped false — it is told whenever a member stops —
//	         to stopped by Stop, to gone when its context ends (asker)
//	stopped — askers[0], stopped true — the world is its own — to gone by Start (asker)
//	gone   — not in askers — nothing of its stop is left
//
// Any goroutine may use it.
type World struct {
	_    [cacheLine]byte
	flag point.Uint32 // 1 while there are askers; written under mu, read by all
	_    [cacheLine]byte

	mu      point.Mutex
	members []*Member // under mu
	stopped point.Bool
	askers  []*asker      // under mu: in the order in which they came
	since   time.Duration // under mu: when the world was stopped last
	stats   WorldStats    // under mu

	stallAfter time.Duration // under mu
	stall      func(m *Member, waited time.Duration)
}

// asker is a goroutine that stops the world, or waits to do so.
type asker struct {
	m    *Member // nil: a stranger
	look *signal // it is the first, and is to look whether anybody is inside
}

// WorldStats is what a World has counted since it was made.
type WorldStats struct {
	Stops      uint64        // stops that came about
	Waited     time.Duration // sum over stops, from the call until the world stood still
	MaxWaited  time.Duration // the longest of these
	Stopped    time.Duration // sum over finished stops, from standing still until Start
	MaxStopped time.Duration // the longest of these
}

// NewWorld returns a running world without members. Any goroutine.
func NewWorld() *World { return &World{} }

// Join adds a member, which is outside. The name is for messages. Any
// goroutine.
func (w *World) Join(name string) *Member {
	m := &Member{w: w, name: name, wake: newSignal()}
	w.mu.Lock()
	w.members = append(w.members, m)
	w.mu.Unlock()
	return m
}

// Part removes a member. It panics if the member is not outside, or of another
// world. Whoever owns the member.
func (w *World) Part(m *Member) {
	w.mustOwn(m)
	m.change(outside, parted)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.members = slices.DeleteFunc(w.members, func(x *Member) bool { return x == m })
}

// Stop returns once no member but m is inside, and keeps it so until Start. The
// asker m is inside, or nil if the asker is no member. Several askers take turns
// in the order in which they came; an asker that waits for its turn counts as stopped, so
// Stop is a safe point of m. The goroutine that has stopped the world must not stop it
// again. It returns how long it has waited. The owner of m, or any goroutine with nil.
func (w *World) Stop(m *Member) (waited time.Duration) {
	waited, _ = w.StopContext(context.Background(), m) // which never ends
	return waited
}

// StopContext is Stop that waits until ctx ends. The error is then context.Cause(ctx): the
// world is not stopped, its members that waited for this stop run again, and m is inside,
// after it has waited for the end of another asker's stop if there is one. The owner of m,
// or any goroutine with nil.
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

// Waits reports whether Stop by m would have to wait at this moment: for members that are
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

// Start ends what Stop began; m is the same. Afterwards m is inside, as if it
// had been all along. All members that wait at this moment are let in even if
// another asker's turn comes next, so a member waits for one stop at most from
// each arrival and cannot be starved by askers. It panics if m has not stopped
// the world. It returns for how long the world has stood still. The asker.
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

// letIn lets in all members that wait. Under mu.
func (w *World) letIn() {
	for _, x := range w.members {
		if x.state.CompareAndSwap(paused, inside) {
			x.wake.send()
		}
	}
}

// drop takes a out of the queue of askers. Under mu.
func (w *World) drop(a *asker) {
	w.askers = slices.DeleteFunc(w.askers, func(x *asker) bool { return x == a })
	if len(w.askers) == 0 {
		w.flag.Store(0)
	}
	w.tell() // the next one
}

// giveUp undoes what a, whose context has ended, has asked for. Its member is inside again
// at once, or after the end of the stop under way. Under mu, which it unlocks.
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

// tell has the first asker, if it still waits, look again. Under mu.
func (w *World) tell() {
	if len(w.askers) > 0 && !w.stopped.Load() {
		w.askers[0].look.send()
	}
}

// Stopped reports whether the world stands still, for assertions. Any goroutine.
func (w *World) Stopped() bool { return w.stopped.Load() }

// Members returns the names of the members that are inside at this moment, for
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

// String says how many members there are, and what they do. Any goroutine.
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

// OnStall has fn called for each member that keeps a stop waiting for longer than
// after, and again after twice that time, four times, and so on. It is called
// by the asker's goroutine with no lock held; it must return, and must not call
// Stop or Start. No fn, or after of zero or less, switches it off. Any goroutine;
// stops that have begun keep what they began with.
func (w *World) OnStall(after time.Duration, fn func(m *Member, waited time.Duration)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if fn == nil {
		after = 0
	}
	w.stallAfter, w.stall = after, fn
}

// awaitStop waits until a is the first asker and no member is inside, or until ctx ends.
// Under mu, which is released while it waits. No member comes in meanwhile, as flag is set.
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
			defer timer.Stop()
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

// report calls fn for each member that is inside, with mu unlocked meanwhile.
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
		fault.Throw(fault.Misuse{What: "member of another world", On: m.describe(), Want: "a member that this world has let join"})
	}
}
