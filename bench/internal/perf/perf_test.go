package perf

import (
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The task clock is an event that the kernel counts itself, so it is there without counters of the
// processor. It counts all threads, also those that start later.
func TestCounts(t *testing.T) {
	c, reason := openOf([]event{{"task-clock", kindSoftware, 1}})
	if c == nil {
		t.Skipf("SKIPPED: %s", reason)
	}
	stop, err := c.Start()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	done := make(chan bool)
	for range 2 {
		go func() {
			runtime.LockOSThread() // and so the thread ends with the goroutine
			for time.Since(begin) < 20*time.Millisecond {
			}
			done <- true
		}()
	}
	<-done
	<-done
	counts, err := stop()
	if got := time.Duration(counts["task-clock"]); err != nil || got < 2*time.Millisecond || got > time.Duration(runtime.NumCPU()+1)*time.Since(begin) {
		t.Errorf("two threads had %v of CPU time in %v, %v", got, time.Since(begin), err)
	}
}

// What is not there is named, with the reason, in one line.
func TestMissing(t *testing.T) {
	c, reason := openOf([]event{{"task-clock", kindSoftware, 1}, {"one", kindSoftware, 1 << 40}, {"two", kindSoftware, 1 << 41}})
	if !strings.HasSuffix(strings.SplitN(reason, ": ", 3)[1], "one, two") || strings.Contains(reason, "\n") || strings.Count(reason, "offer it") > 1 {
		t.Errorf("the reason is %q", reason)
	}
	if c != nil && len(c.events) != 1 {
		t.Errorf("%v are there", c.events)
	}
	if c, reason := openOf([]event{{"one", kindSoftware, 1 << 40}}); c != nil || reason == "" {
		t.Errorf("%v, %q", c, reason)
	}
	if c, reason := Open(); c == nil && reason == "" {
		t.Error("there are no counters, and no reason")
	}
}

// Counters that take turns are scaled up, and an event that never had its turn is unknown.
func TestScaled(t *testing.T) {
	got := scaled(map[string]count{
		"always": count{100, 50, 50}.plus(count{20, 10, 10}), "half": count{100, 80, 40}.plus(count{0, 20, 10}),
		"never": {0, 80, 0}, "slept": {},
	})
	if want := map[string]float64{"always": 120, "half": 200, "slept": 0}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
