package main

import (
	"math"
	"runtime/metrics"

	"github.com/prometheus/procfs"
)

// Metrics of processes: lower is better, but for reads.
const (
	residentBytes  = "rss-bytes"
	goHeapBytes    = "goheap-bytes" // live in Go's heap
	buildSeconds   = "build-s"
	readsSecond    = "reads/s"
	gcMilliseconds = "gc-cpu-ms"      // CPU time of one collection of Go's
	gcPauseMicros  = "gc-pause-us"    // the longest time that it stopped all goroutines
	tailMicros     = "p99.99-read-us" // what all but one in ten thousand batches of reads take
	worstMicros    = "worst-read-us"  // the longest of them
)

// resident is the process's resident memory, 0 where the system does not say.
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

// pauses are the stops of Go's collector so far.
func pauses() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	return s[0].Value.Float64Histogram()
}

// longestPause is the upper end of the bucket with the longest pause between two looks, in
// seconds; 0 if there was none.
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
