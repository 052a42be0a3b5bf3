package runtime

import (
	"math/rand/v2"
	"sync"
	"time"
)

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
