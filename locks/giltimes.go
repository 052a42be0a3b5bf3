package locks

import (
	"runtime/metrics"
	"time"

	"github.com/ichor-go/ichor/internal/durations"
)

// gilTimes has an entry for each time that a GIL was handed over.
type gilTimes struct {
	waits durations.Histogram // how long the next holder had waited
	holds durations.Histogram // how long the last one had held it
}

// Times returns how long waiters have waited for the lock, and how long it was held before it
// was given to a waiter, in seconds. Times in which nobody waited are not counted. Any
// goroutine.
func (g *GIL) Times() (waits, holds *metrics.Float64Histogram) {
	return g.times.waits.Read(), g.times.holds.Read()
}

// GILWait is a wait in progress. A plain value.
type GILWait struct {
	Who    any           // the waiter's argument to AcquireFor
	Waited time.Duration // so far
}

// Waiters returns the waits in progress, in the order in which they will end. Any goroutine.
func (g *GIL) Waiters() (all []GILWait) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := now()
	for w := g.head; w != nil; w = w.next {
		all = append(all, GILWait{w.who, at - w.since})
	}
	return all
}
