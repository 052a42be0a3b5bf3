package locks

import (
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
//	running  — flag == 0, serving == tickets — nobody is waiting —
//	           to stopping by Stop (asker)
//	stopping — flag == 1, stopped false — askers hold tickets; members that come
//	           to Enter or Pause wait — to stopped by Stop (the asker whose turn it is)
//	stopped  — flag == 1, stopped true — no member but the asker is between the
//	           return of Enter and a call of Exit, Pause or Stop —
//	           to running or, if more askers wait, to stopping by Start (asker)
type World struct {
	_    [cacheLine]byte
	flag point.Uint32 // 1 while any asker holds a ticket; written under mu, read by all
	_    [cacheLine]byte

	mu      point.Mutex
	quiet   point.Cond // askers: for their turn, and for members to stop
	run     point.Cond // members: to be let in
	members []*Member  // under mu
	stopped point.Bool
	tickets uint64        // under mu: askers so far
	serving uint64        // under mu: the ticket whose turn it is
	asker   *Member       // under mu: who stopped the world, if it is stopped; nil may be a stranger
	since   time.Duration // under mu: when the world was stopped last
	stats   WorldStats    // under mu

	stallAfter time.Duration // under mu
	stall      func(m *Member, waited time.Duration)
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
func NewWorld() *World {
	w := &World{}
	w.quiet.L = &w.mu
	w.run.L = &w.mu
	return w
}

// Join adds a member, which is outside. The name is for messages. Any
// goroutine.
func (w *World) Join(name string) *Member {
	m := &Member{w: w, name: name}
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
// in the order in which they came; who waits for its turn counts as stopped, so
// Stop is a safe point of m. Who has stopped the world must not stop it again.
// It returns how long it has waited. The owner of m, or any goroutine with nil.
func (w *World) Stop(m *Member) (waited time.Duration) {
	asked := now()
	if m != nil {
		w.mustOwn(m)
		m.change(inside, asking)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ticket := w.tickets
	w.tickets++
	w.flag.Store(1)
	w.quiet.Broadcast() // the stop under way may be waiting for m
	for w.serving != ticket && !(mutant.On && mutant.Is(mutant.TurnIgnored)) {
		w.quiet.Wait()
	}
	if !(mutant.On && mutant.Is(mutant.StopEarly)) {
		w.awaitQuiet()
	}
	w.asker = m
	w.since = now()
	waited = w.since - asked
	w.stats.Stops++
	w.stats.Waited += waited
	w.stats.MaxWaited = max(w.stats.MaxWaited, waited)
	w.stopped.Store(true)
	return waited
}

// Waits reports whether Stop by m would have to wait at this moment: for members that are
// inside, or for its turn. Any goroutine.
func (w *World) Waits(m *Member) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.serving != w.tickets {
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
	if !w.stopped.Load() || w.asker != m {
		fault.Throw(fault.Misuse{What: "the world was not stopped by this member", On: m.describe(), Want: "the member that called Stop"})
	}
	stopped = now() - w.since
	w.stats.Stopped += stopped
	w.stats.MaxStopped = max(w.stats.MaxStopped, stopped)
	w.stopped.Store(false)
	for _, x := range w.members {
		x.state.CompareAndSwap(paused, inside)
	}
	if m != nil {
		m.state.Store(inside)
	}
	w.serving++
	if w.serving == w.tickets {
		w.flag.Store(0)
	} else {
		w.quiet.Broadcast()
	}
	w.run.Broadcast()
	return stopped
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
		state = "stopped by " + w.asker.describe()
	case w.serving != w.tickets:
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

// awaitQuiet waits until no member is inside. Under mu, which is released while
// it waits. A member that was seen stopped stays so, as flag is set.
func (w *World) awaitQuiet() {
	if !w.anyInside() {
		return
	}
	after, fn := w.stallAfter, w.stall
	if after <= 0 || point.On && point.Explored() {
		for w.anyInside() {
			w.quiet.Wait()
		}
		return
	}
	began, patience, late := now(), after, false
	timer := time.AfterFunc(patience, func() {
		w.mu.Lock()
		late = true
		w.quiet.Broadcast()
		w.mu.Unlock()
	})
	defer timer.Stop()
	for w.anyInside() {
		if !late {
			w.quiet.Wait()
			continue
		}
		late = false
		w.report(fn, began)
		timer.Reset(patience)
		patience *= 2
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
