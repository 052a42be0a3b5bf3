// Package cpu knows the processor, and what threads asked of it. Any goroutine may call each
// function.
package cpu

import (
	"cmp"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// A Time is what a thread of the operating system asked for during a sample: time on a core.
// What it slept, such as to wait for a lock or for another thread, it has not asked for.
type Time struct {
	CPU   time.Duration // it ran
	Delay time.Duration // it could have run, and waited for a core that others had
}

// Enough is the least share that a row's threads have to get for it to be compared with
// others: with less it tells more of the machine's load than of itself.
const Enough = 0.9

// Watch begins to watch what threads of the system ask for, and stop returns it: the times of
// those that asked for most, as many as there are goroutines at work and cores for them. It is
// nil if the system does not say. Both take some microseconds for each thread of the process, so
// they are called before the clock starts and after it has stopped.
//
// Lanes are goroutines, and are not tied to threads for this: one that waits for another
// goroutine would have the system switch threads, which takes ten times as long (11 us
// against 0.8, in scenario threads). But a thread that has to wait for a core keeps its
// goroutine, so that its delay is a lane's.
func Watch(goroutines int) (stop func() []Time) {
	before := threadTimes()
	return func() []Time {
		return askedFor(before, threadTimes(), min(goroutines, runtime.GOMAXPROCS(0)))
	}
}

// Measure says how Watch knows, "" if it does not.
func Measure() string {
	if threadTimes() == nil {
		return ""
	}
	return "run-queue delay of each thread (/proc/self/task/*/schedstat)"
}

// threadTime is what a thread has had since it began.
type threadTime struct {
	run, wait time.Duration // on a core, and waiting for one
	slices    uint64        // how often it came to run
}

// threadTimes reads those of all threads, by their ids; nil if the system does not say. Tests
// put their own in its place.
var threadTimes = readThreadTimes

func readThreadTimes() map[int]threadTime {
	threads, err := procfs.AllThreads(os.Getpid())
	if err != nil {
		return nil
	}
	times := map[int]threadTime{}
	for _, t := range threads {
		s, err := t.Schedstat()
		if err != nil {
			continue // it has ended, or the kernel keeps no account
		}
		times[t.PID] = threadTime{time.Duration(s.RunningNanoseconds), time.Duration(s.WaitingNanoseconds), s.RunTimeslices}
	}
	if len(times) == 0 {
		return nil
	}
	return times
}

// wakeUp is how long a thread may wait each time before it counts as a delay: an idle core takes
// that long to wake up, though nobody else has it. A guess: some tens of microseconds in a
// virtual machine, while a core that is taken stays so for milliseconds.
const wakeUp = 100 * time.Microsecond

// askedFor returns what the n threads asked for between two readings that asked for most. Those
// of Go's runtime that only look after the others are not among them.
func askedFor(before, after map[int]threadTime, n int) (times []Time) {
	if before == nil || after == nil {
		return nil
	}
	for id, now := range after {
		then := before[id]
		if now.slices < then.slices {
			then = threadTime{} // another thread has the id now
		}
		wait := now.wait - then.wait - time.Duration(now.slices-then.slices)*wakeUp
		times = append(times, Time{now.run - then.run, max(wait, 0)})
	}
	slices.SortFunc(times, func(a, b Time) int { return cmp.Compare(b.CPU+b.Delay, a.CPU+a.Delay) })
	return times[:min(n, len(times))]
}

// Name is the processor as the kernel names it, empty where it does not.
func Name() string {
	if runtime.GOOS != "linux" {
		return ""
	}
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	return nameFrom(string(text))
}

func nameFrom(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		key, value, ok := strings.Cut(line, ":")
		if key = strings.TrimSpace(key); ok && (key == "model name" || key == "Model") {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
