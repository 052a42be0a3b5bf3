package runtime

import (
	"cmp"
	"runtime/metrics"
	"slices"
	"sync/atomic"

	"github.com/ichor-go/ichor/internal/durations"
	"github.com/ichor-go/ichor/internal/stat"
	"github.com/ichor-go/ichor/locks"
)

// Stats is the result of ReadStats. The figures of memory and objects in use are as of the
// call; the others are totals since the runtime was made. docs/statistics.md explains each
// figure.
type Stats struct {
	Types  []TypeStats // in descending order of bytes; types without objects are left out
	Memory Memory

	Operations Operations
	Merges     Merges

	Queued      int64 // objects in merge queues
	QueuedBytes int64
	Deferred    int64 // bytes that wait for a grace period: each thread's as of its last safe point, and the orphans'

	GraceBegun uint64 // grace periods begun
	GraceOver  uint64 // those that are known to be over

	Stopping        *metrics.Float64Histogram // from a request to stop the world until it stood still; empty under the GIL
	Pauses          *metrics.Float64Histogram // from then until it ran again; under the GIL, the holder's part of that
	CollectorPauses *metrics.Float64Histogram // for each collection, the sum of its pauses
	GILWaits        *metrics.Float64Histogram // for each time that the GIL was handed over, how long its next holder had waited
	GILHolds        *metrics.Float64Histogram // the same, how long the last holder had held it

	World     locks.WorldStats // zero under the GIL
	GIL       locks.GILStats   // zero in lock-free mode
	Collector CollectorStats

	Pooled   int // states of detached threads
	Interned int // strings in the intern table
	Weak     int // targets of weak references
	Foreign  int // Go values that objects hold
	Left     int // finalizers and callbacks that detached threads have left

	Closed bool // Close has begun: the figures are those of the end
}

// TypeStats says how much the objects of one type have in use.
type TypeStats struct {
	Type string

	Objects int64 // on the counted heap, including those immortal in place
	Bytes   int64 // size of their slots and of their blocks'

	InPlace      int64 // the objects among them that were made immortal in place
	InPlaceBytes int64

	Born int64 // objects born immortal; their bytes are counted by region: Memory.RegionBytes
}

// Operations counts increments and decrements by their cost. Recording them takes time, so it
// is done only in checked mode and in builds with the tag ichorstats. References that the death
// of an object or the collector gives up are included. Nil references are not, and neither are
// immortals that a container or a scope skips without a call.
type Operations struct {
	Counted bool  // Owned and Shared are recorded
	Owned   int64 // plain: on the thread's own objects
	Shared  int64 // atomic: on objects of another owner, or of none

	SkippedCounted bool  // Skipped is recorded, which needs the tag
	Skipped        int64 // on immortals, which are not counted
}

// Merges counts the objects from merge queues (biased counting), by which thread merged them.
// It does not include objects that their owner has dropped while others hold them, which are
// merged at once.
type Merges struct {
	ByOwner int64
	ForAway int64 // by another thread, for a state that was away
	InStop  int64 // with the world stopped
}

// ReadStats returns all statistics. It stops the world and walks the heap for Types: this takes
// 4 us, and 15 to 40 ns more for each object (15 to 40 ms for a million). QuickStats leaves
// Types out. ReadStats releases nothing: retired objects are included. A safe point. Attached
// thread.
func (t *Thread) ReadStats() (s Stats) {
	t.StopTheWorld(func() {
		s = t.rt.QuickStats()
		s.Types = t.readTypes()
	})
	return s
}

// ReadStats is Thread.ReadStats for goroutines that are not attached.
func (r *Runtime) ReadStats() (s Stats, err error) {
	r.mustNotWait(nil)
	err = r.Do(func(t *Thread) error {
		s = t.ReadStats()
		return nil
	})
	return s, err
}

// QuickStats returns all statistics except Types. It does not stop the world or walk the heap.
// So the figures may disagree on what threads do meanwhile: see docs/statistics.md. Any
// goroutine, attached or not, even after Close.
func (r *Runtime) QuickStats() Stats {
	s := Stats{
		Memory:          r.Memory(),
		Operations:      Operations{Counted: stat.On || r.check != nil, SkippedCounted: stat.On},
		Stopping:        r.stopping.Read(),
		Pauses:          r.pauses.Read(),
		CollectorPauses: r.collectorPauses.Read(),
		World:           r.WorldStats(),
		GIL:             r.GILStats(),
		Collector:       r.CollectorStats(),
		Interned:        r.intern.Size(),
		Weak:            r.weak.Size(),
		Foreign:         r.foreign.Size(),
	}
	if r.gil != nil {
		s.GILWaits, s.GILHolds = r.gil.Times()
	} else {
		s.GILWaits, s.GILHolds = new(durations.Histogram).Read(), new(durations.Histogram).Read()
	}
	r.readTallies(&s)
	for _, q := range *r.queues.Load() {
		s.Queued += int64(q.len())
		s.QueuedBytes += q.bytes.Load()
	}
	if r.gil == nil {
		s.GraceBegun, s.GraceOver = r.grace.Periods()
		s.Deferred += r.orphans.bytes.Load()
	}
	r.left.mu.Lock()
	s.Left = len(r.left.list)
	r.left.mu.Unlock()
	return s
}

// readTallies adds up the tallies of all thread states.
func (r *Runtime) readTallies(s *Stats) {
	r.mu.Lock()
	s.Closed, s.Pooled = r.mu.closing, len(r.mu.idle)
	tallies := r.mu.tallies // states are added to it, and never removed
	r.mu.Unlock()
	for _, y := range tallies {
		s.Deferred += y.deferred.Load()
		s.Merges.ByOwner += y.merged[mergedByOwner].Load()
		s.Merges.ForAway += y.merged[mergedForAway].Load()
		s.Merges.InStop += y.merged[mergedInStop].Load()
		s.Operations.Owned += y.ops[opOwned].Load()
		s.Operations.Shared += y.ops[opShared].Load()
		s.Operations.Skipped += y.ops[opSkipped].Load()
	}
}

// readTypes walks the heap and returns the statistics of each type. World stopped.
func (t *Thread) readTypes() []TypeStats {
	var all []TypeStats // by type id
	t.rt.eachObject(func(r Ref) {
		h := t.header(r)
		y := typeOf(h.Meta())
		if y == nil {
			return // an audit reports it
		}
		for int(y.id) >= len(all) {
			all = append(all, TypeStats{})
		}
		s := &all[y.id]
		if s.Type == "" {
			s.Type = y.String()
		}
		if r.Handle >= Limit {
			s.Born++
			return
		}
		bytes := t.weightOf(r)
		s.Objects++
		s.Bytes += bytes
		if h.Owner() < 0 {
			s.InPlace++
			s.InPlaceBytes += bytes
		}
	})
	all = slices.DeleteFunc(all, func(s TypeStats) bool { return s.Type == "" })
	slices.SortStableFunc(all, func(a, b TypeStats) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Born, a.Born), cmp.Compare(a.Type, b.Type))
	})
	return all
}

// tally holds the statistics of one thread state. It belongs to the state, attached or pooled.
// It is written by the goroutine that has the thread or has stopped the world, and read by all.
type tally struct {
	_        [64]byte
	deferred atomic.Int64             // bytes retired, as of the last safe point
	merged   [mergers]atomic.Int64    // queued objects that this thread has merged
	ops      [operations]atomic.Int64 // see Operations
	_        [64]byte
}

// The threads that merge queued objects.
const (
	mergedByOwner = iota // at one of its safe points, or when it takes a span
	mergedForAway        // another thread, for a state that is away
	mergedInStop         // with the world stopped
	mergers
)

// The kinds of operations on a count.
const (
	opOwned = iota
	opShared
	opSkipped
	operations
)

// newTally makes the tally of a new state. r.mu is held.
func (r *Runtime) newTally() *tally {
	y := &tally{}
	r.mu.tallies = append(r.mu.tallies, y)
	return y
}

// countOp records an operation on the count of r. Statistics builds call it for all references,
// checked mode for those to mortals.
func (t *Thread) countOp(r Ref) {
	if r.IsNil() {
		return
	}
	op := opSkipped
	if r.Handle < Limit {
		switch o := t.header(r).Owner(); {
		case o == t.owner:
			op = opOwned
		case o >= 0:
			op = opShared
		}
	}
	if op == opSkipped && !stat.On {
		return // checked mode sees only some of the immortals here, so it counts none
	}
	t.tally.ops[op].Add(1)
}

// countChecked is countOp for checked mode, unless IncRef and its kin have recorded the
// operation.
func (t *Thread) countChecked(r Ref) {
	if !stat.On {
		t.countOp(r)
	}
}

// countOps is countOp for each of rs.
func (t *Thread) countOps(rs []Ref) {
	for _, r := range rs {
		t.countOp(r)
	}
}

// merges records that n objects of queue q are being merged.
func (t *Thread) merges(q *mergeQueue, n int) {
	who := mergedForAway
	switch {
	case t.stopped:
		who = mergedInStop
	case q == t.queue:
		who = mergedByOwner
	}
	t.tally.merged[who].Add(int64(n))
}

// tellDeferred publishes how many bytes the thread has deferred.
func (t *Thread) tellDeferred() {
	if n := t.retired.Bytes() + t.memory.Bytes(); n != t.tally.deferred.Load() {
		t.tally.deferred.Store(n)
	}
}
