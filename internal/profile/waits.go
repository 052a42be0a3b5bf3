package profile

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Waiting is what the samples of one record stand for.
type Waiting struct {
	Waits float64
	Time  float64 // ns
}

// Waits counts waits by place, and by what was waited for. Any goroutine may use it.
type Waits struct {
	rate time.Duration

	mu      sync.Mutex
	records records[uint8, Waiting]
}

// NewWaits returns an empty profile. Waits that are shorter than the rate are recorded by chance.
func NewWaits(rate time.Duration) *Waits {
	return &Waits{rate: rate, records: records[uint8, Waiting]{}}
}

// Add records a wait of the caller. One that is shorter than the rate is recorded with
// the probability waited/rate, and stands for rate/waited waits then. The labels are those of
// ctx, which may be nil.
//
//go:noinline
func (p *Waits) Add(ctx context.Context, what uint8, waited time.Duration) {
	if rand.Float64()*float64(p.rate) >= float64(waited) {
		return
	}
	stands := max(float64(p.rate)/float64(waited), 1)
	var at place
	at.take(ctx)
	hash := at.hash()
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.records.at(hash, &at, what)
	x.Samples++
	x.Sum.Waits += stands
	x.Sum.Time += stands * float64(waited)
}

// Records returns the records, in no order.
func (p *Waits) Records() []Record[uint8, Waiting] {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.records.all()
}
