package runtime

import (
	"cmp"
	"runtime/metrics"
	"slices"
	"sync/atomic"

	"github.com/ichor-go/ichor/internal/stat"
	"github.com/ichor-go/ichor/locks"
)

// Stats is what ReadStats returns. What is in use is as of the call, the rest
// adds up since the runtime was made. docs/statistics.md has each number with what
// it means.
type Stats struct {
	Types  []TypeStats // by falling bytes; types without objects are left out
	Memory Memory

	Operations Operations
	Merges     Merges

	Queued      int64 // objects that wait for a merge
	QueuedBytes int64
	Deferred    int64 // bytes that wait for a grace period, each thread's as of its last safe point, and the orphans'

	GraceBegun uint64 // grace periods
	GraceOver  uint64 // those of them that are known to be over

	Stopping        *metrics.Float64Histogram // from the wish to stop the world until it stood still; empty under the GIL
	Pauses          *metrics.Float64Histogram // from then until it ran again; under the GIL the holder's part in between
	CollectorPauses *metrics.Float64Histogram // the pauses of each collection, added up

	World     locks.WorldStats // zero under the GIL
	GIL       locks.GILStats   // zero in lock-free mode
	Collector CollectorStats

	Pooled   int // states of threads that are not attached
	Interned int // strings in the intern table
	Weak     int // objects that weak references lead to
	Foreign  int // Go values that objects hold
	Left     int // finalizers and callbacks that threads have left behind as they detached

	Closed bool // Close has begun: what is in use is as it was left
}

// TypeStats is what the objects of one type have in use.
type TypeStats struct {
	Type string

	Objects int64 // on the counted heap, those immortal in place among them
	Bytes   int64 // their slots, and those of their blocks

	InPlace      int64 // of these, objects made immortal in place
	InPlaceBytes int64

	Born int64 // objects born immortal; their bytes are kept by region: Memory.RegionBytes
}

// Operations counts increments and decrements by what they cost. Counting them
// costs time, so it is done in checked mode and in builds with the tag ichorstats
// only. What an object's death and the collector give up is counted as well; nil
// references are not, and neither is what a container or a scope leaves out by
// itself because the reference says that it is immortal.
type Operations struct {
	Counted bool  // Owned and Shared are known
	Owned   int64 // plain: on objects of the thread's own
	Shared  int64 // atomic: on objects that another thread owns, or nobody

	SkippedCounted bool  // Skipped is known, which needs the tag
	Skipped        int64 // on immortals: nothing was done
}

// Merges counts the objects that others had queued for their owner (biased
// counting), by who gave the queue's reference up. An object that its owner lets go
// of while others hold it is merged on the way, and is not among them.
type Merges struct {
	ByOwner int64
	ForAway int64 // on behalf of a state that no goroutine had
	InStop  int64 // with the world stopped
}

// ReadStats returns all statistics. It stops the world and walks the heap, for
// the sake of Types: 4 us, and 15 to 40 ns more for each object (15 to 40 ms for a
// million). QuickStats leaves Types out. Nothing is released by it: what is
// retired is still among the objects. A safe point. Attached thread.
func (t *Thread) ReadStats() (s Stats) {
	t.mustBeAttached()
	t.StopTheWorld(func() {
		s = t.rt.QuickStats()
		s.Types = t.readTypes()
	})
	return s
}

// ReadStats is Thread.ReadStats for goroutines that are not attached.
func (r *Runtime) ReadStats() (s Stats, err error) {
	err = r.Do(func(t *Thread) error {
		s = t.ReadStats()
		return nil
	})
	return s, err
}

// QuickStats returns all statistics but Types. It stops nothing and walks nothing, so what
// threads do meanwhile shows in some numbers and not in others: see docs/statistics.md. Any
// goroutine, attached or not, also after Close.
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

// readTallies adds up what thread states tell.
func (r *Runtime) readTallies(s *Stats) {
	r.mu.Lock()
	s.Closed, s.Pooled = r.mu.closing, len(r.mu.idle)
	tallies := r.mu.tallies // states are added to it, and never taken out
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

// readTypes walks the heap. World stopped.
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

// tally is what a thread state tells whoever reads statistics. It stays with the
// state, attached or pooled. Written by who has the thread, or has stopped the
// world; read by all.
type tally struct {
	_        [64]byte
	deferred atomic.Int64             // bytes retired, as of the last safe point
	merged   [mergers]atomic.Int64    // queued objects that this thread has merged
	ops      [operations]atomic.Int64 // see Operations
	_        [64]byte
}

// Who merges what others have queued.
const (
	mergedByOwner = iota // at a safe point of its own, or as it takes a span
	mergedForAway        // on behalf of a state that no goroutine has
	mergedInStop         // with the world stopped
	mergers
)

// Kinds of operations on a count.
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

// countOp notes an operation on the count of r. Statistics builds call it for
// all, checked mode for those on mortals.
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
		return // some come by here, most do not
	}
	t.tally.ops[op].Add(1)
}

// countChecked is countOp where checked mode comes by, unless IncRef and its kin
// have done it.
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

// merges notes that n queued objects of q are being merged.
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

// tellDeferred publishes how much of what the thread has retired waits.
func (t *Thread) tellDeferred() {
	if n := t.retired.Bytes() + t.memory.Bytes(); n != t.tally.deferred.Load() {
		t.tally.deferred.Store(n)
	}
}
