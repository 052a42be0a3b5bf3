// Package gccost reads what Go's collector costs. Any goroutine may call each function.
package gccost

import "runtime/metrics"

// A Cost is what Go's collector has cost this process so far. The figures change at the end
// of each cycle.
type Cost struct {
	GC, Total float64 // seconds of CPU time: the collector's, and that of all cores
	Cycles    int64
}

// Read reads it.
func Read() Cost {
	s := []metrics.Sample{
		{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(s)
	return Cost{s[0].Value.Float64(), s[1].Value.Float64(), int64(s[2].Value.Uint64())}
}

// Since is what it has cost since an earlier time.
func (c Cost) Since(before Cost) Cost {
	return Cost{c.GC - before.GC, c.Total - before.Total, c.Cycles - before.Cycles}
}

// Percent is the collector's share of the CPU time, in hundredths; 0 if it did not come
// round.
func (c Cost) Percent() float64 {
	if c.Total == 0 {
		return 0
	}
	return 100 * c.GC / c.Total
}
