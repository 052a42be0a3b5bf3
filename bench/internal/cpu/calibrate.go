package cpu

import (
	"runtime"
	"time"
)

// A Speed is how fast the machine was at a moment, measured with a loop that always does the same.
type Speed struct {
	Step time.Duration // of the fastest part of the loop
	Got  float64       // the share of the loop's time in which its thread ran, or 1 if the system does not say
}

// The loop has so many parts of so many steps. Together they take about 2 ms, which is short
// against a round, and each is longer than the clock is coarse. A guess.
const (
	calibrationParts = 10
	calibrationSteps = 100_000
)

// Calibrate runs the loop: each step needs the result of the last, and nothing from memory. So
// only the frequency of the core, its other hardware thread, and losing the core change its time.
func Calibrate() Speed {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began, known := ThreadTime()
	start := time.Now()
	var best time.Duration
	mark := start
	x := uint64(1)
	for range calibrationParts {
		for range calibrationSteps {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
		now := time.Now()
		if took := now.Sub(mark); best == 0 || took < best {
			best = took
		}
		mark = now
	}
	runtime.KeepAlive(x) // or the compiler would leave the loop out
	s := Speed{Step: best, Got: 1}
	if ended, still := ThreadTime(); known && still {
		s.Got = min(float64(ended-began)/float64(max(mark.Sub(start), 1)), 1)
	}
	return s
}
