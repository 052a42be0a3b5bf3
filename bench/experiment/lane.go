package experiment

import (
	"context"
	"errors"
	"fmt"
	"runtime/trace"
	"sync"
	"time"

	"go.uber.org/atomic"
)

// batchTarget is the length that batches grow to. Reading the clock and the flag takes about
// 100 ns, a thousandth of that. A stop is noticed within a few batches.
const batchTarget = 100 * time.Microsecond

// maxBatch keeps the size of a batch from overflowing if the body does nothing.
const maxBatch = 1 << 30

// A Lane is the part of one goroutine in a sample. The body calls Next until it returns false,
// and does exactly N operations after each call. Only the lane's own goroutine uses it: one
// goroutine at a time.
type Lane struct {
	Index int // 0 to threads-1

	n       int64 // size of the batch under way
	unit    int64
	ops     int64         // done in finished batches
	mark    time.Duration // start of the batch under way
	end     time.Duration // when Next said false
	ended   bool
	target  time.Duration
	budget  Budget
	start   time.Time // the same for all lanes of a sample
	stopped *atomic.Bool

	_ [64]byte // lanes are written by different threads
}

// Next counts the last batch as done, and reports whether there is another, of N operations.
// The first call starts the first batch.
func (l *Lane) Next() bool {
	now := time.Since(l.start)
	if l.n > 0 {
		l.ops += l.n
		switch took := now - l.mark; {
		case took < l.target/2 && l.n < maxBatch:
			l.n *= 2
		case took > 2*l.target && l.n > l.unit:
			l.n = max(l.n/2/l.unit, 1) * l.unit
		}
	} else {
		l.n = l.unit
	}
	done := l.stopped.Load()
	if l.budget.Ops > 0 {
		rest := l.budget.Ops - l.ops
		done = done || rest <= 0
		l.n = min(l.n, (rest+l.unit-1)/l.unit*l.unit)
	} else if l.ops > 0 { // a lane that starts late does one batch
		done = done || now >= l.budget.Duration
	}
	if done {
		l.end, l.ended, l.n = now, true, 0
		return false
	}
	l.mark = now
	return true
}

// N is the number of operations in the batch, a multiple of the sample's unit.
func (l *Lane) N() int { return int(l.n) }

// errLeftEarly means that the body has broken its contract. The figure would be wrong.
var errLeftEarly = errors.New("the body returned before Next returned false")

// OpsPerSecond runs body on so many goroutines at once, and adds up their rates. Batches are
// multiples of unit; use 1 if in doubt.
//
// Time starts at the same moment for all lanes, and ends for each lane when its Next returns
// false. So the time that lanes wait for each other counts, such as for a global lock, but
// the last batch of a slow lane does not slow down the others. The time before the first
// Next counts too: a body may attach to a runtime there, but should not build one.
//
// The first error of a body stops the other lanes, and OpsPerSecond returns it. If ctx ends
// first, OpsPerSecond returns the error of ctx: a sample cut short is no sample.
func OpsPerSecond(ctx context.Context, b Budget, threads, unit int, body func(l *Lane) error) (Sample, error) {
	lanes, used, err := runLanes(ctx, b, threads, unit, body)
	if err != nil {
		return Sample{}, err
	}
	s := Sample{Threads: used}
	for i := range lanes {
		s.Ops += lanes[i].ops
		s.Value += float64(lanes[i].ops) / lanes[i].end.Seconds()
	}
	return s, nil
}

// NsPerOp runs body on one goroutine and measures the nanoseconds of an operation. The rest is
// as in OpsPerSecond.
func NsPerOp(ctx context.Context, b Budget, unit int, body func(l *Lane) error) (Sample, error) {
	lanes, used, err := runLanes(ctx, b, 1, unit, body)
	if err != nil {
		return Sample{}, err
	}
	l := &lanes[0]
	return Sample{Value: float64(l.end.Nanoseconds()) / float64(l.ops), Ops: l.ops, Threads: used}, nil
}

// NsPerOpEach is NsPerOp on so many goroutines at once. The value is the mean over the lanes.
func NsPerOpEach(ctx context.Context, b Budget, threads, unit int, body func(l *Lane) error) (Sample, error) {
	lanes, used, err := runLanes(ctx, b, threads, unit, body)
	if err != nil {
		return Sample{}, err
	}
	s := Sample{Threads: used}
	for i := range lanes {
		l := &lanes[i]
		s.Ops += l.ops
		s.Value += float64(l.end.Nanoseconds()) / float64(l.ops) / float64(threads)
	}
	return s, nil
}

func runLanes(ctx context.Context, b Budget, threads, unit int, body func(l *Lane) error) ([]Lane, []CPUTime, error) {
	if threads < 1 || unit < 1 || b.Ops <= 0 && b.Duration <= 0 {
		return nil, nil, fmt.Errorf("experiment: a sample of %d threads, unit %d, budget %v", threads, unit, b)
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	var stopped atomic.Bool
	defer context.AfterFunc(ctx, func() { stopped.Store(true) })()

	target := batchTarget
	if b.Ops <= 0 {
		target = min(target, max(b.Duration/16, time.Microsecond))
	}
	lanes := make([]Lane, threads)
	errs := make([]error, threads)
	begin := make(chan struct{})
	var ready, left sync.WaitGroup
	ready.Add(threads)
	for i := range lanes {
		l := &lanes[i]
		*l = Lane{Index: i, unit: int64(unit), target: target, budget: b, stopped: &stopped}
		left.Go(func() {
			ready.Done()
			<-begin
			region := trace.StartRegion(ctx, "lane")
			err := body(l)
			region.End()
			if err == nil && !l.ended {
				err = errLeftEarly
			}
			if err != nil {
				errs[i] = err
				stopped.Store(true)
			}
		})
	}
	ready.Wait()
	stop := WatchCPU(threads)
	start := time.Now()
	for i := range lanes {
		lanes[i].start = start
	}
	close(begin)
	left.Wait()
	used := stop()

	for _, err := range errs {
		if err != nil {
			return nil, nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	for i := range lanes {
		lanes[i].end = max(lanes[i].end, 1) // a coarse clock may show no time at all
	}
	return lanes, used, nil
}
