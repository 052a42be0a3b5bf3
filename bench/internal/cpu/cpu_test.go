package cpu

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

// fakeTimes has Watch read the given times in turn.
func fakeTimes(t *testing.T, readings ...map[int]threadTime) {
	real := threadTimes
	t.Cleanup(func() { threadTimes = real })
	threadTimes = func() map[int]threadTime {
		next := readings[0]
		readings = readings[1:]
		return next
	}
}

const ms = time.Millisecond

// What threads asked for is what they had between the readings, but for waits as long as an
// idle core needs to wake up; of the threads that asked for most, as many as there are lanes.
func TestWatch(t *testing.T) {
	before := map[int]threadTime{1: {10 * ms, 90 * ms, 7}, 2: {5 * ms, 0, 1}, 4: {90 * ms, 90 * ms, 9}, 5: {20 * ms, 20 * ms, 200}}
	after := map[int]threadTime{
		1: {20 * ms, 120 * ms, 27},             // starved: it waited 30 ms in 20 slices
		2: {25 * ms, 3 * ms, 101},              // often woken up, each time for a moment
		3: {2 * ms, 2 * ms, 2},                 // new
		4: {90 * ms, 90 * ms, 9},               // slept
		5: {1 * ms, 500 * time.Microsecond, 1}, // its id belonged to another thread before
	}
	all := []Time{{10 * ms, 28 * ms}, {20 * ms, 0}, {2 * ms, 1800 * time.Microsecond}, {1 * ms, 400 * time.Microsecond}, {}}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for _, n := range []int{1, 2, 5, 7} {
		fakeTimes(t, before, after)
		if got, want := Watch(n)(), all[:min(n, len(all))]; !slices.Equal(got, want) {
			t.Errorf("%d lanes: %v, want %v", n, got, want)
		}
	}
	runtime.GOMAXPROCS(2)
	fakeTimes(t, before, after)
	if got := Watch(5)(); !slices.Equal(got, all[:2]) {
		t.Errorf("five lanes that Go has two threads for: %v", got)
	}
	for _, readings := range [][]map[int]threadTime{{nil, after}, {before, nil}} {
		fakeTimes(t, readings...)
		if got := Watch(1)(); got != nil {
			t.Errorf("on a system without such measurements: %v", got)
		}
	}
}

func TestName(t *testing.T) {
	if got := nameFrom("processor\t: 0\nmodel name\t: AMD EPYC 7B13\nmodel name\t: other\n"); got != "AMD EPYC 7B13" {
		t.Errorf("the processor is %q", got)
	}
}
