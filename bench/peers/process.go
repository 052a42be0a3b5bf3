package main

import (
	"math"
	"runtime/metrics"

	"github.com/prometheus/procfs"
)

// Metrics of processes. Lower is better, except for reads.
const (
	residentBytes  = "rss-bytes"
	goHeapBytes    = "goheap-bytes" // live bytes in the Go heap
	buildSeconds   = "build-s"
	readsSecond    = "reads/s"
	gcMilliseconds = "gc-cpu-ms"      // CPU time of one collection by Go
	gcPauseMicros  = "gc-pause-us"    // the longest stop of all goroutines
	tailMicros     = "p99.99-read-us" // 99.99th percentile of the time of a batch of reads
	worstMicros    = "worst-read-us"  // the slowest batch of reads
)

// resident returns the process's resident memory, or 0 if the system does not report it.
func resident() int64 {
	p, err := procfs.Self()
	if err != nil {
		return 0
	}
	s, err := p.Stat()
	if err != nil {
		return 0
	}
	return int64(s.ResidentMemory())
}

// pauses returns the stops by Go's collector so far.
func pauses() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	return s[0].Value.Float64Histogram()
}

// longestPause returns the upper end, in seconds, of the highest bucket that has grown between
// two readings; 0 if none has.
func longestPause(before, after *metrics.Float64Histogram) float64 {
	for i := len(after.Counts) - 1; i >= 0; i-- {
		if after.Counts[i] > before.Counts[i] {
			if end := after.Buckets[i+1]; !math.IsInf(end, 0) {
				return end
			}
			return after.Buckets[i]
		}
	}
	return 0
}
