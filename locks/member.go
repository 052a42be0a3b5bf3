package locks

import (
	"context"
	"fmt"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// The states of a member.
//
// State — condition — invariant — transition (by):
//
//	outside — not running — the world may be stopped —
//	          to inside by Enter, to parted by Part (owner)
//	inside  — running — no stop is complete, or the member is about to see the flag and
//	          wait — to outside by Exit, to paused by Enter and Pause if the flag is
//	          set, to asking by Stop (owner)
//	paused  — sleeps in Enter, Pause or a Stop that was given up — there are askers, the last
//	          of which lets it in — to inside by Start, or by the end of the context of the
//	          only asker (asker, under mu); to outside by the end of the context of
//	          EnterContext (owner, under mu)
//	asking  — between the calls of Stop and Start — counts as stopped; runs only if the
//	          world is stopped and it is the asker — to inside by Start (owner); to inside,
//	          or paused while the world is stopped, by the end of its context (owner, under mu)
//	parted  — has left its world — final
const (
	outside uint32 = iota
	inside
	paused
	asking
	parted
)

var stateNames = [...]string{"outside", "inside", "paused", "asking", "parted"}

// Member is one goroutine's part in a World. One goroutine at a time uses it:
// the member's owner.
type Member struct {
	_     [cacheLine]byte
	state point.Uint32 // written by the owner, and under mu by Start; read by askers
	_     [cacheLine]byte
	w     *World
	name  string
	wake  signal // sent when it is let in, or has to look as the first asker; empty while it is inside
}

// Name returns the name given to World.Join. Any goroutine.
func (m *Member) Name() string { return m.name }

// String returns the member's name and its state as text. Any goroutine.
func (m *Member) String() string { return m.describe() + ", " + stateNames[m.state.Load()] }

// State returns the member's state as text: outside, inside, paused, asking or parted. Any
// goroutine.
func (m *Member) State() string { return stateNames[m.state.Load()] }

// Enter takes the member inside. It waits while the world is stopped or being stopped. It
// panics if the member is not outside. Owner only.
func (m *Member) Enter() {
	_ = m.EnterContext(context.Background()) // which never ends
}

// EnterContext is Enter with a limit: it waits until ctx ends. The error is then
// context.Cause(ctx), and the member is outside. Owner only.
func (m *Member) EnterContext(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.change(outside, inside)
	// First the state, then the flag: see the package comment.
	if m.w.flag.Load() != 0 && !(mutant.On && mutant.Is(mutant.EnterEarly)) {
		return m.pause(ctx)
	}
	return nil
}

// Exit takes the member outside. It never waits. It panics if the member is not inside.
// Owner only.
func (m *Member) Exit() {
	m.change(inside, outside)
	if w := m.w; w.flag.Load() != 0 {
		// Under mu: an asker that saw this member inside is asleep by now.
		w.mu.Lock()
		w.tell()
		w.mu.Unlock()
	}
}

// Stopping reports whether an asker wants to stop the world. It is the test at a safe
// point; if it reports true, call Pause. It costs one load of a word that seldom changes.
// Any goroutine.
func (m *Member) Stopping() bool { return m.w.flag.Load() != 0 }

// Pause is the slow half of a safe point. The member counts as outside until the world
// runs again, and then is inside. Pause returns at once if there is no asker. It panics
// if the member is not inside. Owner only.
func (m *Member) Pause() {
	_ = m.pause(context.Background()) // which never ends
}

// pause is Pause with a limit: when ctx ends, the member goes outside and the error is
// context.Cause(ctx).
func (m *Member) pause(ctx context.Context) error {
	w := m.w
	w.mu.Lock()
	if w.flag.Load() == 0 {
		defer w.mu.Unlock()
		if s := m.state.Load(); s != inside {
			m.misuse(s, inside)
		}
		return nil
	}
	if !m.state.CompareAndSwap(inside, paused) {
		defer w.mu.Unlock()
		m.misuse(m.state.Load(), inside)
	}
	w.tell()
	w.mu.Unlock()
	if m.wake.wait(ctx, nil) == sent {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.state.CompareAndSwap(paused, outside) {
		return context.Cause(ctx)
	}
	m.wake.clear() // it has been let in meanwhile
	return nil
}

// change makes one of the owner's transitions. It panics if the state is not from.
func (m *Member) change(from, to uint32) {
	if !m.state.CompareAndSwap(from, to) {
		m.misuse(m.state.Load(), from)
	}
}

func (m *Member) misuse(state, want uint32) {
	fault.Throw(fault.Misuse{
		What: "member is " + stateNames[state], On: m.describe(),
		Want: stateNames[want] + ": one goroutine at a time on a member",
	})
}

func (m *Member) describe() string {
	if m == nil {
		return "a stranger"
	}
	return fmt.Sprintf("member %q", m.name)
}
