// Package gccost reads how much CPU time Go's collector takes. Any goroutine may call each function.
package gccost

import "runtime/metrics"

// A Cost is the CPU time that Go's collector has taken from this process. Go updates the figures
// at the end of each cycle.
type Cost struct {
	GC, Total float64 // seconds of CPU time: the collector's, and that of all cores
	Cycles    int64
}

// Read reads the cost so far.
func Read() Cost {
	s := []metrics.Sample{
		{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(s)
	return Cost{s[0].Value.Float64(), s[1].Value.Float64(), int64(s[2].Value.Uint64())}
}

// Since is the cost since an earlier time.
func (c Cost) Since(before Cost) Cost {
	return Cost{c.GC - before.GC, c.Total - before.Total, c.Cycles - before.Cycles}
}

// Percent is the collector's share of the CPU time, as a percentage. It is 0 if there was no
// cycle.
func (c Cost) Percent() float64 {
	if c.Total == 0 {
		return 0
	}
	return 100 * c.GC / c.Total
}
