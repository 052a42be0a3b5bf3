package sched

import (
	"slices"

	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// cacheLine is the distance that keeps two words from disturbing each other: a
// line of 64 bytes and its neighbour, which amd64 fetches along with it.
const cacheLine = 128

// Grace counts grace periods.
//
// State of a goal — condition — invariant — transition (who):
//
//	current — passed < goal == period — readers that come online cannot see what waits
//	          for it — to past by Advance (anybody), to over by a poll
//	past    — passed < goal < period — at least one reader may be older, or
//	          nobody has looked yet — to over by a poll (anybody)
//	over    — goal <= passed — no reader sees what waited for it — for good
//
// Any goroutine may use it.
type Grace struct {
	_      [cacheLine]byte
	period point.Uint64 // the current period, at least 1; raised by Advance, read by all
	_      [cacheLine]byte
	passed point.Uint64          // the last minimum found; only rises; by polls
	behind point.Pointer[Reader] // the reader that held up the last poll, or nil; a hint
	_      [cacheLine]byte

	readers point.Pointer[[]*Reader] // replaced as a whole under mu
	mu      point.Mutex
}

// Reader is one goroutine's part in a Grace. One goroutine at a time uses it,
// its owner.
//
// State — condition — invariant — transition (who):
//
//	offline — seq == 0 — holds nothing shared — to online by Online (owner)
//	online  — 0 < seq <= period — what it holds was not unlinked before period seq
//	          began — to itself by Quiescent, to offline by Offline (owner)
type Reader struct {
	_   [cacheLine]byte
	seq point.Uint64 // written by the owner, read by polls
	_   [cacheLine]byte
	g   *Grace
}

// NewGrace returns a Grace without readers, in period 1. Any goroutine.
func NewGrace() *Grace {
	g := &Grace{}
	g.period.Store(1)
	g.readers.Store(new([]*Reader))
	return g
}

// Register adds a reader, which is offline. Any goroutine.
func (g *Grace) Register() *Reader {
	r := &Reader{g: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	next := append(slices.Clone(*g.readers.Load()), r)
	g.readers.Store(&next)
	return r
}

// Unregister removes a reader for good. It panics if the reader is online or not
// registered here. Owner only.
func (g *Grace) Unregister(r *Reader) {
	if r.seq.Load() != 0 {
		panic("ichor: Unregister of a reader that is online")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	old := *g.readers.Load()
	i := slices.Index(old, r)
	if i < 0 {
		panic("ichor: Unregister of a reader that is not registered here")
	}
	next := slices.Delete(slices.Clone(old), i, i+1)
	g.readers.Store(&next)
	g.behind.CompareAndSwap(r, nil)
}

// Online announces that the reader is about to look at shared things. It panics
// if it is online already. Owner only.
func (r *Reader) Online() {
	if r.seq.Load() != 0 {
		panic("ichor: Online of a reader that is online")
	}
	r.seq.Store(r.g.period.Load())
}

// Offline announces that the reader holds nothing any more and will not look. It
// does nothing if the reader is offline. Owner only.
func (r *Reader) Offline() { r.seq.Store(0) }

// Quiescent announces that the reader holds nothing at this moment. It panics if
// the reader is offline. Owner only.
func (r *Reader) Quiescent() {
	if r.seq.Load() != r.g.period.Load() {
		r.catchUp()
	}
}

// catchUp is the outlined half of Quiescent.
func (r *Reader) catchUp() {
	if r.seq.Load() == 0 {
		panic("ichor: Quiescent of a reader that is offline")
	}
	r.seq.Store(r.g.period.Load())
}

// Advance starts a new period and returns its number: the goal of everything
// that was unlinked before the call. Any goroutine.
func (g *Grace) Advance() uint64 { return g.period.Inc() }

// Passed reports whether each reader that is online has been quiescent, or has
// come online, since Advance returned the goal. Repeated calls cost two or three
// loads, whatever the answer, as long as the same reader is in the way. Any
// goroutine.
func (g *Grace) Passed(goal uint64) bool {
	if goal <= g.passed.Load() || mutant.On && mutant.Is(mutant.GraceAtOnce) {
		return true
	}
	if r := g.behind.Load(); r != nil {
		if s := r.seq.Load(); s != 0 && s < goal {
			return false
		}
	}
	// The period comes first: whoever comes online after we looked at it cannot see
	// what was unlinked before this period began.
	return g.poll(g.period.Load()) >= goal
}

// Periods returns how many periods have been begun by Advance, and how many of
// these are known to be over. Any goroutine.
func (g *Grace) Periods() (begun, over uint64) {
	passed := g.passed.Load()
	return g.period.Load() - 1, max(passed, 1) - 1
}

// poll looks at all readers, and returns the highest goal known to have passed. It
// is given the period that was current before it looks, low.
func (g *Grace) poll(low uint64) uint64 {
	var last *Reader
	for _, r := range *g.readers.Load() {
		if s := r.seq.Load(); s != 0 && s < low && !(mutant.On && mutant.Is(mutant.ReaderForgotten)) {
			low, last = s, r
		}
	}
	if g.behind.Load() != last {
		g.behind.Store(last)
	}
	for {
		old := g.passed.Load()
		if low <= old {
			return old
		}
		if g.passed.CompareAndSwap(old, low) {
			return low
		}
	}
}
