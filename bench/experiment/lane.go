package experiment

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"runtime/trace"
	"slices"
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
	Index int    // 0 to threads-1, among the lanes of its role
	Role  string // as in Workload.Roles, or ""

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
	began   time.Duration // when its goroutine ran first
	pace    pace
	notes   notes

	_ [64]byte // lanes are written by different threads
}

// Next counts the last batch as done, and reports whether there is another, of N operations.
// The first call starts the first batch. After the last batch, Next is false for ever.
func (l *Lane) Next() bool {
	if l.ended {
		return false
	}
	now := time.Since(l.start)
	if l.n > 0 {
		l.ops += l.n
		switch took := now - l.mark; {
		case l.pace.rate > 0: // as small as it is
		case took < l.target/2 && l.n < maxBatch:
			l.n *= 2
		case took > 2*l.target:
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
	if !done && l.pace.rate > 0 {
		now, done = l.await(now)
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

// runLanes runs the lanes of all crews at once. The sample that it returns has no Value yet.
func runLanes(ctx context.Context, b Budget, crews []Crew) (lanes []Lane, s Sample, err error) {
	if err := cmp.Or(checkCrews(b, crews), ctx.Err()); err != nil {
		return nil, s, err
	}
	threads := 0
	for _, c := range crews {
		threads += c.Threads
	}
	var stopped atomic.Bool
	defer context.AfterFunc(ctx, func() { stopped.Store(true) })()

	target := batchTarget
	if b.Ops <= 0 {
		target = min(target, max(b.Duration/16, time.Microsecond))
	}
	lanes = make([]Lane, threads)
	bodies := make([]func(l *Lane) error, 0, threads)
	for _, c := range crews {
		for i := range c.Threads {
			lanes[len(bodies)] = Lane{Index: i, Role: c.Role, unit: int64(c.Unit), target: target, budget: b, stopped: &stopped}
			bodies = append(bodies, c.Body)
		}
	}
	errs := make([]error, threads)
	begin := make(chan struct{})
	var ready, left sync.WaitGroup
	ready.Add(threads)
	for i := range lanes {
		l, body := &lanes[i], bodies[i]
		left.Go(func() {
			ready.Done()
			<-begin
			l.began = time.Since(l.start)
			errs[i] = errLeftEarly // unless body returns: a goroutine may also end
			defer func() {
				if errs[i] != nil {
					stopped.Store(true)
				}
			}()
			defer trace.StartRegion(ctx, "lane").End()
			if err := body(l); err != nil || l.ended {
				errs[i] = err
			}
		})
	}
	ready.Wait()
	counts, err := startCounters(ctx)
	if err != nil {
		stopped.Store(true) // the bodies leave at once
	}
	machine, stop := watchMachine(), WatchCPU(threads)
	start := time.Now()
	for i := range lanes {
		lanes[i].start = start
	}
	close(begin)
	left.Wait()
	s.Threads = stop()
	if err != nil {
		return nil, s, err
	}
	events, err := counts()
	if err != nil {
		return nil, s, err
	}
	m := machine()
	s.Load = Load{All: m.All, Own: m.Own, Others: m.Others, Stolen: m.Stolen}

	for _, err := range errs {
		if err != nil {
			return nil, s, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, s, err
	}
	for i := range lanes {
		l := &lanes[i]
		l.end = max(l.end, 1) // a coarse clock may show no time at all
		s.Ops += l.ops
	}
	s.Load.Lanes, s.Load.Late = threads, late(lanes)
	s.Load.Elapsed, s.Load.Apart = apart(lanes)
	s.Load.Behind = behind(lanes)
	if b.Ops > 0 {
		// Lanes that run one after the other, as a global lock may have it, would otherwise seem to
		// do more than one lane alone.
		together(lanes)
	}
	if err := notesOf(&s, lanes, crews, s.Load.Elapsed); err != nil {
		return nil, s, err
	}
	return lanes, s, countsOf(&s, events)
}

// wakeUp is the part of the time before a lane began that is not late: an idle core takes time to
// wake up. A guess: in a virtual machine that takes tens of microseconds.
const wakeUp = 100 * time.Microsecond

// late is Load.Late. Of more lanes than cores it takes those that began first: the others have to
// wait.
func late(lanes []Lane) float64 {
	order := make([]*Lane, len(lanes))
	for i := range lanes {
		order[i] = &lanes[i]
	}
	slices.SortFunc(order, func(a, b *Lane) int { return cmp.Compare(a.began, b.began) })
	var late, all time.Duration
	for _, l := range order[:min(len(order), runtime.GOMAXPROCS(0))] {
		late += max(l.began-wakeUp, 0)
		all += l.end
	}
	return min(float64(late)/float64(all), 1)
}

// apart returns the time of the longest lane, and Load.Apart.
func apart(lanes []Lane) (longest time.Duration, share float64) {
	first := lanes[0].end
	for i := range lanes {
		first, longest = min(first, lanes[i].end), max(longest, lanes[i].end)
	}
	return longest, 1 - float64(first)/float64(longest)
}

// together makes the time of all lanes of a role that of its longest one.
func together(lanes []Lane) {
	longest := map[string]time.Duration{}
	for i := range lanes {
		l := &lanes[i]
		longest[l.Role] = max(longest[l.Role], l.end)
	}
	for i := range lanes {
		lanes[i].end = longest[lanes[i].Role]
	}
}

// rate is the sum of the rates of the lanes with the role.
func rate(lanes []Lane, role string) (sum float64) {
	for i := range lanes {
		if l := &lanes[i]; l.Role == role {
			sum += float64(l.ops) / l.end.Seconds()
		}
	}
	return sum
}
