// Package durations has a histogram of durations, to which goroutines add without a lock.
package durations

import (
	"math"
	"math/bits"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// Histogram counts durations. Bucket 0 holds those below 256 ns. The upper bound of each
// further bucket is twice that of the one before it, and the last has none. The zero value
// is empty.
type Histogram [buckets]atomic.Uint64

const (
	buckets       = 28
	shortestShift = 8 // bucket 0 ends at 256 ns; the last bucket begins at 17 s
)

// Add counts a duration. Any goroutine.
func (d *Histogram) Add(took time.Duration) {
	n := bits.Len64(uint64(max(took, 0)) >> shortestShift)
	d[min(n, buckets-1)].Add(1)
}

// Read returns the histogram in seconds, in the form of package runtime/metrics. Any goroutine.
func (d *Histogram) Read() *metrics.Float64Histogram {
	h := &metrics.Float64Histogram{
		Counts:  make([]uint64, buckets),
		Buckets: make([]float64, buckets+1),
	}
	for i := range d {
		h.Counts[i] = d[i].Load()
	}
	for i := 1; i < buckets; i++ {
		h.Buckets[i] = (time.Nanosecond << (shortestShift + i - 1)).Seconds()
	}
	h.Buckets[buckets] = math.Inf(1)
	return h
}
