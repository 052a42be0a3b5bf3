package experiment

import (
	"math"
	"time"

	"github.com/ichor-go/ichor/bench/internal/cpu"
	"github.com/ichor-go/ichor/bench/internal/median"
)

// CPUTime is what a thread of the operating system asked for during a sample: time on a core.
// What it slept, such as to wait for a lock or for another thread, it has not asked for.
type CPUTime struct {
	CPU   time.Duration // it ran
	Delay time.Duration // it could have run, and waited for a core that others had
}

// WatchCPU begins to watch what threads of the system ask for, and stop returns it: the times of
// those that asked for most, as many as there are goroutines at work and cores for them. It is
// nil if the system does not say. Both take some microseconds for each thread of the process, so
// they are called before the clock starts and after it has stopped. OpsPerSecond and NsPerOp
// call them; a Sample that measures otherwise does it itself.
func WatchCPU(goroutines int) (stop func() []CPUTime) {
	end := watch(goroutines)
	return func() (times []CPUTime) {
		for _, t := range end() {
			times = append(times, CPUTime(t))
		}
		return times
	}
}

// watch is what tests put their own in the place of.
var watch = cpu.Watch

// got is the share of the time asked for that the threads got, from 0 to 1; NaN if they asked
// for nothing, or nobody knows.
func got(threads []CPUTime) float64 {
	var got, asked time.Duration
	for _, t := range threads {
		got += t.CPU
		asked += t.CPU + t.Delay
	}
	return float64(got) / float64(asked)
}

// Got is the share of the CPU time asked for that the row's threads got: the median of its
// samples, NaN if nobody knows.
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
// time that they asked for. Then it tells more of the machine's load than of itself: it has no
// ratios, and nothing is concluded from it.
func (r *Row) Starved() bool { return r.Got() < cpu.Enough }
