package sched

import (
	"slices"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// cacheLine is the distance that keeps two words from false sharing: a 64-byte line and
// its neighbour, which amd64 fetches along with it.
const cacheLine = 128

// Grace counts grace periods. The states of a goal:
//
//	current  condition: passed < goal == period
//	         invariant: readers that come online cannot see the items that wait for it
//	         to past by Advance (any goroutine); to over by a poll (any goroutine)
//	past     condition: passed < goal < period
//	         invariant: at least one reader may be older, or there was no poll yet
//	         to over by a poll (any goroutine)
//	over     condition: goal <= passed
//	         invariant: no reader sees the items that waited for it; terminal
//
// Any goroutine may use it.
type Grace struct {
	_      [cacheLine]byte
	period point.Uint64 // the current period, at least 1; written by Advance, read by all
	_      [cacheLine]byte
	passed point.Uint64          // the last minimum found; written by polls; only rises
	behind point.Pointer[Reader] // the reader that held up the last poll, or nil; a hint
	vain   point.Uint32          // offline readers that polls have looked at since the last sweep
	_      [cacheLine]byte

	// readers are the readers that polls look at: all but the dormant ones. A published
	// list never changes: Online appends behind the end of all published lists, and
	// removing a reader makes a new list.
	readers point.Pointer[[]*Reader] // replaced under mu
	mu      point.Mutex

	tasks tasks // of execution traces
}

// Reader is one goroutine's entry in a Grace. One goroutine at a time uses it: its
// owner.
//
//	offline  condition: seq == offline
//	         invariant: the reader holds nothing shared, and is in the list
//	         to online by Online (owner); to drowsy by a sweep (under mu)
//	drowsy   condition: seq == drowsy
//	         invariant: as offline, and has not been online since a sweep
//	         to online by Online (owner); to dormant by a sweep (under mu)
//	dormant  condition: seq == dormant
//	         invariant: as offline, but not in the list, or about to leave it or to
//	         come back
//	         to online by Online (owner, under mu)
//	online   condition: 0 < seq <= period
//	         invariant: the reader is in the list; what it holds was not unlinked
//	         before period seq began
//	         to online by Quiescent (owner); to offline by Offline (owner)
//	gone     condition: seq == gone
//	         invariant: the reader is not in the list; terminal
//
// A reader begins as dormant. So the cost of a poll depends on how many readers are
// online, or were a short while ago.
type Reader struct {
	_   [cacheLine]byte
	seq point.Uint64 // written by the owner, and by sweeps while it is not online; read by polls
	_   [cacheLine]byte
	g   *Grace
	but *Reader // the reader that held up the last PassedBut, or nil; owner only
}

// Values of seq for readers that are not online. All but offline are above every
// period, so a poll, which searches for the minimum, need not tell them apart.
const (
	offline uint64 = 0
	drowsy  uint64 = ^uint64(0) - 2
	dormant uint64 = ^uint64(0) - 1
	gone    uint64 = ^uint64(0)
)

func isOnline(seq uint64) bool { return seq != offline && seq < drowsy }

// sweepAfter is how many times polls look at offline readers in vain, for each reader
// in the list, before a sweep. A look costs 1 or 2 ns, and putting a reader back into
// the list about 50 ns. So the looks at a reader before it becomes dormant cost about
// as much as its return. A guess. A variable for tests.
var sweepAfter = 16

// NewGrace returns a Grace without readers, in period 1. Any goroutine.
func NewGrace() *Grace {
	g := &Grace{}
	g.period.Store(1)
	g.readers.Store(new([]*Reader))
	return g
}

// Register returns a new reader, which is offline. Any goroutine.
func (g *Grace) Register() *Reader {
	r := &Reader{g: g}
	r.seq.Store(dormant)
	return r
}

// Unregister removes a reader for good. It panics if the reader is online or does not
// belong to g. Owner only.
func (g *Grace) Unregister(r *Reader) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch s := r.seq.Load(); {
	case isOnline(s):
		fault.Throw(fault.Misuse{What: "reader is online", Want: "a reader that is offline"})
	case s == gone || r.g != g:
		fault.Throw(fault.Misuse{What: "reader is not registered here", Want: "a reader of this Grace"})
	}
	r.seq.Store(gone)
	old := *g.readers.Load()
	if i := slices.Index(old, r); i >= 0 {
		next := slices.Delete(slices.Clone(old), i, i+1)
		g.readers.Store(&next)
	}
	g.behind.CompareAndSwap(r, nil)
}

// Online announces that the reader is about to look at shared data. It panics if the
// reader is online already. Owner only.
func (r *Reader) Online() {
	for {
		switch s := r.seq.Load(); s {
		case offline, drowsy: // a sweep may turn offline into drowsy, or drowsy into dormant
			if r.seq.CompareAndSwap(s, r.g.period.Load()) {
				return
			}
		case dormant:
			r.comeBack()
			return
		case gone:
			fault.Throw(fault.Misuse{What: "reader was unregistered", Want: "a reader that is registered"})
		default:
			fault.Throw(fault.Misuse{What: "reader is online", Want: "a reader that is offline: one goroutine at a time on a reader"})
		}
	}
}

// comeBack brings a dormant reader online. The list is changed before the reader's
// number: if a poll's list lacks the reader, the poll has loaded the period before the
// reader does, because polls load the period before the list. So the reader is later
// than everything that such a poll declares passed, as any reader that comes online
// unnoticed by a poll.
func (r *Reader) comeBack() {
	g := r.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if !(mutant.On && mutant.Is(mutant.ReaderAsleep)) {
		next := append(*g.readers.Load(), r)
		g.readers.Store(&next)
	}
	r.seq.Store(g.period.Load())
}

// Offline announces that the reader holds nothing any more and will not look. It does
// nothing if the reader is offline already. Owner only.
func (r *Reader) Offline() {
	if isOnline(r.seq.Load()) {
		r.seq.Store(offline)
	}
}

// Quiescent announces that the reader holds nothing at this moment. It panics if the
// reader is offline. Owner only.
func (r *Reader) Quiescent() {
	if r.seq.Load() != r.g.period.Load() {
		r.catchUp()
	}
}

// catchUp is the slow path of Quiescent.
func (r *Reader) catchUp() {
	if !isOnline(r.seq.Load()) {
		fault.Throw(fault.Misuse{What: "reader is offline", Want: "a reader that is online"})
	}
	r.seq.Store(r.g.period.Load())
}

// Advance starts a new period and returns its number, which is the goal of everything
// that was unlinked before the call. Any goroutine.
func (g *Grace) Advance() uint64 { return g.period.Inc() }

// Passed reports whether each online reader has been quiescent, or has come online,
// since Advance returned the goal. Repeated calls cost two or three loads, whatever the
// answer, as long as the same reader holds the goal up. Any goroutine.
func (g *Grace) Passed(goal uint64) bool {
	if goal <= g.passed.Load() || mutant.On && mutant.Is(mutant.GraceAtOnce) {
		return true
	}
	if g.behind.Load().holdsUp(goal) {
		return false
	}
	// The period is loaded first: a reader that comes online after this poll has looked
	// at it cannot see what was unlinked before the period began.
	return g.poll(g.period.Load()) >= goal
}

// PassedBut is Passed as if r were offline: for items that r's owner has unlinked and
// does not look at any more itself. Owner of r only.
func (g *Grace) PassedBut(r *Reader, goal uint64) bool {
	if goal <= g.passed.Load() {
		return true
	}
	if r.but.holdsUp(goal) {
		return false
	}
	low := g.period.Load()
	low, r.but = g.lowest(low, r)
	return low >= goal
}

// holdsUp reports whether the reader, which may be nil, keeps a goal from passing.
func (r *Reader) holdsUp(goal uint64) bool {
	if r == nil {
		return false
	}
	s := r.seq.Load()
	return s != offline && s < goal
}

// Periods returns how many periods Advance has begun, and how many of these are known
// to be over. Any goroutine.
func (g *Grace) Periods() (begun, over uint64) {
	passed := g.passed.Load()
	return g.period.Load() - 1, max(passed, 1) - 1
}

// poll looks at all readers, and returns the highest goal known to have passed. low is
// the period that was current before the call.
func (g *Grace) poll(low uint64) uint64 {
	low, last := g.lowest(low, nil)
	if g.behind.Load() != last {
		g.behind.Store(last)
	}
	for {
		old := g.passed.Load()
		if low <= old {
			return old
		}
		if g.passed.CompareAndSwap(old, low) {
			if g.tasks.some.Load() {
				g.tasks.end(low)
			}
			return low
		}
	}
}

// lowest returns the minimum of low and the numbers of the online readers other than
// but. It also returns the reader with that number, or nil if the minimum is low.
func (g *Grace) lowest(low uint64, but *Reader) (uint64, *Reader) {
	var last *Reader
	vain := 0
	list := *g.readers.Load()
	for _, r := range list {
		s := r.seq.Load()
		if !isOnline(s) {
			vain++
		} else if s < low && r != but && !(mutant.On && mutant.Is(mutant.ReaderForgotten)) {
			low, last = s, r
		}
	}
	if vain > 0 && int(g.vain.Add(uint32(vain))) > sweepAfter*len(list) {
		g.sweep()
	}
	return low, last
}

// sweep makes readers dormant that have been offline since the last sweep.
func (g *Grace) sweep() {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := *g.readers.Load()
	if int(g.vain.Load()) <= sweepAfter*len(old) {
		return // another poll has just swept
	}
	g.vain.Store(0)
	next := make([]*Reader, 0, len(old))
	for _, r := range old {
		switch s := r.seq.Load(); {
		case s == offline:
			r.seq.CompareAndSwap(offline, drowsy)
		case s == drowsy && r.seq.CompareAndSwap(drowsy, dormant):
			continue
		}
		next = append(next, r)
	}
	g.readers.Store(&next)
}
