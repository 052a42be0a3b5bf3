// Package cpu knows the name of the processor, and how much CPU time threads asked for and got.
// Any goroutine may call each function.
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

// A Time is the time on a core that a thread of the operating system asked for. A thread that
// sleeps, such as one that waits for a lock, asks for none.
type Time struct {
	CPU   time.Duration // the thread ran
	Delay time.Duration // the thread could run, and waited for a core
}

// Enough is the least share of the CPU time asked for that the threads of a row must get. With
// less, the row says more about the load of the machine than about the variant.
const Enough = 0.9

// Watch watches the threads of this process until stop is called. The result of stop is the times
// of the threads that asked for most: one for each goroutine at work, but at most GOMAXPROCS. It
// is nil if the system does not say. Both calls take microseconds for each thread, so they belong
// before the clock starts and after it has stopped.
//
// Goroutines at work are not locked to threads for this. If they were, a goroutine that waits for
// another would make the system switch threads, which takes ten times as long (11 us instead of
// 0.8, in scenario threads). A thread that waits for a core keeps its goroutine, so its delay is
// that of a goroutine at work.
func Watch(goroutines int) (stop func() []Time) {
	before := threadTimes()
	return func() []Time {
		return askedFor(before, threadTimes(), min(goroutines, runtime.GOMAXPROCS(0)))
	}
}

// Measure says where Watch reads the times, or "" if the system does not say.
func Measure() string {
	if threadTimes() == nil {
		return ""
	}
	return "run-queue delay of each thread (/proc/self/task/*/schedstat)"
}

// threadTime is the account of a thread since it began.
type threadTime struct {
	run, wait time.Duration // on a core, and waiting for a core
	slices    uint64        // how often it got a core
}

// threadTimes reads the accounts of all threads, by their ids. It returns nil if the system does
// not say. It is a variable so that tests can replace it.
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
			continue // the thread has ended, or the kernel keeps no account
		}
		times[t.PID] = threadTime{time.Duration(s.RunningNanoseconds), time.Duration(s.WaitingNanoseconds), s.RunTimeslices}
	}
	if len(times) == 0 {
		return nil
	}
	return times
}

// wakeUp is the part of each wait that is no delay: an idle core takes time to wake up. A guess: in
// a virtual machine that takes tens of microseconds, while a core that another thread has stays
// taken for milliseconds.
const wakeUp = 100 * time.Microsecond

// askedFor returns the times, between two readings, of the n threads that asked for most. So the
// threads of Go's runtime that only look after others are left out.
func askedFor(before, after map[int]threadTime, n int) (times []Time) {
	if before == nil || after == nil {
		return nil
	}
	for id, now := range after {
		then := before[id]
		if now.slices < then.slices {
			then = threadTime{} // a new thread has the id
		}
		wait := now.wait - then.wait - time.Duration(now.slices-then.slices)*wakeUp
		times = append(times, Time{now.run - then.run, max(wait, 0)})
	}
	slices.SortFunc(times, func(a, b Time) int { return cmp.Compare(b.CPU+b.Delay, a.CPU+a.Delay) })
	return times[:min(n, len(times))]
}

// Name is the name of the processor, or "" if the kernel does not tell it.
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
