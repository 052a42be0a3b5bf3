package experiment

import (
	"math"
	"time"
)

// pace is the rate that a lane is asked for. The zero value asks for as much as it can do.
type pace struct {
	rate  float64 // operations a second, or 0
	sleep func(d time.Duration)
	first time.Duration // when the first batch was due
	due   time.Duration // when the batch under way was due
}

// Pace asks the lane for so many operations a second from its first Next on, or, if the rate is
// not above 0, for as many as it can do. Call it before that. Each batch then has as few
// operations as it may, and Next waits until it is due; after a slow batch, the next ones begin
// at once until the lane has caught up. Wait is how to wait; nil is time.Sleep, but an attached
// thread has to give up its turn, with Thread.Blocking of package runtime. A Role with a rate is
// paced by itself.
func (l *Lane) Pace(rate float64, wait func(d time.Duration)) {
	if wait == nil {
		wait = time.Sleep
	}
	l.pace = pace{rate: rate, sleep: wait}
}

// Due is when the batch under way was due, for a lane with a pace. The time since then is the
// latency of a request that came at its own time: also of one that came while the lane was busy
// with another.
func (l *Lane) Due() time.Time { return l.start.Add(l.pace.due) }

// longestWait is how long a lane waits before it asks whether the sample was stopped.
const longestWait = 10 * time.Millisecond

// never is far off, and leaves room for sums.
const never = math.MaxInt64 / 4 * time.Nanosecond

// await waits until the next batch is due, and reports whether the sample is over before.
func (l *Lane) await(now time.Duration) (later time.Duration, over bool) {
	if l.ops == 0 {
		l.pace.first, l.pace.due = now, now
		return now, false
	}
	sinceFirst := float64(l.ops) / l.pace.rate * float64(time.Second)
	l.pace.due = l.pace.first + time.Duration(min(sinceFirst, float64(never)))
	end := l.budget.Duration
	if l.budget.Ops > 0 {
		end = 2 * never
	}
	for now < min(l.pace.due, end) && !l.stopped.Load() {
		l.pace.sleep(min(l.pace.due-now, end-now, longestWait))
		now = time.Since(l.start)
	}
	return now, now >= end || l.stopped.Load()
}

// behind is the share of the operations due that lanes with a pace have not done: that of the
// slowest one.
func behind(lanes []Lane) (most float64) {
	for i := range lanes {
		l := &lanes[i]
		if due := l.pace.rate * (l.end - l.pace.first).Seconds(); due > 0 {
			most = max(most, 1-float64(l.ops)/due)
		}
	}
	return most
}
