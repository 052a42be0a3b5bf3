package runtime

import (
	"math"
	"math/bits"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/ichor-go/ichor/internal/stat"
)

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

// durations is a histogram of times: bucket 0 is for less than shortest, each
// further one for up to twice as much as the one before it, the last for all that
// is longer.
type durations [durationBuckets]atomic.Uint64

const (
	durationBuckets = 28
	shortestShift   = 8 // shortest is 256 ns; the last bucket begins at 17 s
)

// add notes a time. Any goroutine.
func (d *durations) add(t time.Duration) {
	n := bits.Len64(uint64(max(t, 0)) >> shortestShift)
	d[min(n, durationBuckets-1)].Add(1)
}

// read returns the histogram in seconds, as runtime/metrics has it. Any goroutine.
func (d *durations) read() *metrics.Float64Histogram {
	h := &metrics.Float64Histogram{
		Counts:  make([]uint64, durationBuckets),
		Buckets: make([]float64, durationBuckets+1),
	}
	for i := range d {
		h.Counts[i] = d[i].Load()
	}
	for i := 1; i < durationBuckets; i++ {
		h.Buckets[i] = (time.Nanosecond << (shortestShift + i - 1)).Seconds()
	}
	h.Buckets[durationBuckets] = math.Inf(1)
	return h
}
