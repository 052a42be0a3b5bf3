package runtime

import (
	"math/rand/v2"
	"runtime/trace"
	"strings"
	"sync"
	"time"
)

// Wait names what a thread waits for.
type Wait uint8

const (
	WaitGIL   Wait = iota // until the holder of the GIL gives it up
	WaitLock              // until another thread unlocks a container
	WaitWorld             // until a stop of the world ends
	WaitStop              // to stop the world: until all others have reached a safe point
	WaitGrace             // for a grace period, because the thread holds back too much memory
	WaitOwner             // until another thread merges its queue, which is full
	waits
)

var waitNames = [waits]string{"GIL", "container lock", "stopped world", "stop of the world", "grace period", "merge queue"}

// String returns what is waited for. Any goroutine.
func (w Wait) String() string { return waitNames[w] }

// regions are the names in an execution trace.
var regions = [waits]string{
	"ichor wait for the GIL", "ichor wait for a container lock", "ichor wait in a stopped world",
	"ichor wait to stop the world", "ichor wait for a grace period", "ichor wait for a merge queue",
}

// ContentionRecord says how long threads have waited at one place. A plain value.
type ContentionRecord struct {
	Place

	For    Wait
	Waits  int64 // estimates from the samples, which are right on average
	Waited time.Duration

	Samples int64 // how many waits were recorded
}

// contention counts waits by place.
type contention struct {
	rate time.Duration

	mu      sync.Mutex
	records map[string]*contentionRecord
}

type contentionRecord struct {
	at      placed
	what    Wait
	waits   float64
	waited  float64 // ns
	samples int64
}

func newContention(rate time.Duration) *contention {
	if rate == 0 {
		return nil
	}
	return &contention{rate: rate, records: map[string]*contentionRecord{}}
}

// add records a wait of t. A wait that is shorter than the rate is recorded with the
// probability waited/rate, and stands for rate/waited waits then.
//
//go:noinline
func (c *contention) add(t *Thread, what Wait, waited time.Duration) {
	if rand.Float64()*float64(c.rate) >= float64(waited) {
		return
	}
	stands := max(float64(c.rate)/float64(waited), 1)
	at := here(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	key := string(append(at.key, byte(what)))
	x := c.records[key]
	if x == nil {
		x = &contentionRecord{at: at, what: what}
		c.records[key] = x
	}
	x.samples++
	x.waits += stands
	x.waited += stands * float64(waited)
}

// ContentionProfile returns where threads have waited for others, in no order, or nil if the
// runtime keeps no such profile: see Options.ContentionProfileRate. Package runtime/pprof
// writes it as a file. Any goroutine, attached or not, even after Close.
func (r *Runtime) ContentionProfile() []ContentionRecord {
	c := r.contention
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]ContentionRecord, 0, len(c.records))
	for _, x := range c.records {
		all = append(all, ContentionRecord{x.at.place(), x.what, int64(x.waits + 0.5), time.Duration(x.waited + 0.5), x.samples})
	}
	return all
}

// ContentionProfileRate returns Options.ContentionProfileRate. Any goroutine.
func (r *Runtime) ContentionProfileRate() time.Duration { return r.opts.ContentionProfileRate }

// watched reports whether somebody wants to know of waits.
func (r *Runtime) watched() bool { return r.contention != nil || trace.IsEnabled() }

// wait calls fn, which waits for others, and tells the contention profile and the execution
// trace of it.
func (t *Thread) wait(what Wait, fn func()) {
	if !t.rt.watched() {
		fn()
		return
	}
	began := time.Now()
	defer func() {
		if c := t.rt.contention; c != nil {
			c.add(t, what, time.Since(began))
		}
	}()
	if trace.IsEnabled() {
		ctx := t.runContext()
		defer trace.StartRegion(ctx, regions[what]).End()
		trace.Logf(ctx, "ichor", "%s %s", t.name(), t.awaits(what))
	}
	fn()
}

// awaits says what the thread waits for, and names those who keep it waiting, as far as they
// are known.
func (t *Thread) awaits(what Wait) string {
	r := t.rt
	switch what {
	case WaitGIL:
		holder, _ := r.gil.Holder().(*Thread)
		if next, _ := r.gil.Waiter().(*Thread); holder == t && next != nil {
			return "hands the GIL over to " + next.name()
		}
		return "waits for the GIL of " + holder.nameIfAny("a thread that has just released it")
	case WaitStop:
		return "waits for safe points of " + strings.Join(r.world.Members(), ", ")
	case WaitWorld:
		return "waits for the end of a stop: " + r.world.String()
	}
	return "waits: " + what.String()
}
