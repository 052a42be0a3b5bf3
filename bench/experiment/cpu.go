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

// A Load is what a sample knows of its surroundings. The zero value knows nothing.
type Load struct {
	Lanes   int           // how many lanes the sample had, of all roles together
	Elapsed time.Duration // the time of the longest lane

	// Apart is the share of Elapsed for which at least one lane had ended already. The others
	// then had the cores and the locks to themselves.
	Apart float64

	// Behind is the share of the operations due that the slowest lane with a pace has not done.
	Behind float64

	// Late is the share of the lanes' time that had passed when they began to run, of as
	// many lanes as Go has cores for. Go's scheduler starts one thread after the other, and a
	// lane that has none yet asks the kernel for nothing.
	Late float64

	// All is the time of all cores. Own is that of this process, Others that of other
	// programs, and Stolen what a hypervisor took from cores that had work. All is 0 if the
	// system does not say. The kernel counts in ticks of about 10 ms.
	All, Own, Others, Stolen time.Duration
}

func (l Load) machine() cpu.Machine {
	return cpu.Machine{All: l.All, Own: l.Own, Others: l.Others, Stolen: l.Stolen}
}

// watchMachine is a variable so that tests can replace it.
var watchMachine = cpu.WatchMachine

// machine is what the cores did during the row's samples.
func (r *Row) machine() (m cpu.Machine) {
	for _, s := range r.Samples {
		m = m.Plus(s.Load.machine())
	}
	return m
}

// Busy is the share of the cores' time that other programs had during the row's samples. It is
// 0 if the system does not say, or if the samples are too short for its clock.
func (r *Row) Busy() float64 { return r.machine().Busy() }

// Stolen is the share of the time for which programs had work that a hypervisor took. It is 0
// if the system does not say, or if the samples are too short for its clock.
func (r *Row) Stolen() float64 { return r.machine().Taken() }

// Got is the share of the CPU time asked for that the row's threads got, or NaN if the system
// does not say. It is the median over the samples, of what the kernel gave the threads and of
// the time at which the lanes began, less what a hypervisor took.
func (r *Row) Got() float64 {
	var shares []float64
	for _, s := range r.Samples {
		if got := got(s.Threads); !math.IsNaN(got) {
			shares = append(shares, got*(1-s.Load.Late))
		}
	}
	return median.Of(shares) * (1 - r.Stolen())
}
