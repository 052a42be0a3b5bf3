package experiment

import (
	"math"
	"time"

	"github.com/ichor-go/ichor/bench/internal/cpu"
	"github.com/ichor-go/ichor/bench/internal/median"
)

// CPUTime is the time on a core that a thread of the operating system asked for during a
// sample. A thread that sleeps, such as one that waits for a lock, asks for none.
type CPUTime struct {
	CPU   time.Duration // the thread ran
	Delay time.Duration // the thread could run, and waited for a core
}

// WatchCPU watches the threads of this process until stop is called. It is for variants that
// do not measure with OpsPerSecond or NsPerOp, which call it. The result of stop is for
// Sample.Threads: the times of the threads that asked for most, one for each goroutine at
// work, but at most GOMAXPROCS. It is nil if the system does not say. Call WatchCPU before
// the clock starts and stop after it has stopped: both take microseconds for each thread.
func WatchCPU(goroutines int) (stop func() []CPUTime) {
	end := watch(goroutines)
	return func() (times []CPUTime) {
		for _, t := range end() {
			times = append(times, CPUTime(t))
		}
		return times
	}
}

// watch is a variable so that tests can replace it.
var watch = cpu.Watch

// got is the share of the time asked for that the threads got, from 0 to 1. It is NaN if they
// asked for none, or if the system does not say.
func got(threads []CPUTime) float64 {
	var got, asked time.Duration
	for _, t := range threads {
		got += t.CPU
		asked += t.CPU + t.Delay
	}
	return float64(got) / float64(asked)
}

// Got is the share of the CPU time asked for that the row's threads got: the median over its
// samples, or NaN if the system does not say.
func (r *Row) Got() float64 {
	var shares []float64
	for _, s := range r.Samples {
		if got := got(s.Threads); !math.IsNaN(got) {
			shares = append(shares, got)
		}
	}
	return median.Of(shares)
}

// Starved reports whether the row's threads are known to have got less than 90 % of the CPU
// time that they asked for. Such a row says more about the load of the machine than about the
// variant, so it has no ratios.
func (r *Row) Starved() bool { return r.Got() < cpu.Enough }
