package profile

import (
	"context"
	"sync"
)

// Weight is how many objects and bytes samples stand for.
type Weight struct{ Objects, Bytes float64 }

// Add adds x.
func (w *Weight) Add(x Weight) {
	w.Objects += x.Objects
	w.Bytes += x.Bytes
}

// Allocations are what the samples of one record stand for.
type Allocations struct{ All, Freed Weight }

// InUse returns what is not freed.
func (a Allocations) InUse() Weight {
	return Weight{a.All.Objects - a.Freed.Objects, a.All.Bytes - a.Freed.Bytes}
}

// HeapKind says what was allocated.
type HeapKind struct {
	What string
	Size int64 // of each; 0 if they differ
}

// HeapRecord counts the allocations of one kind at one place.
type HeapRecord = Record[HeapKind, Allocations]

// Heap counts allocations. Any goroutine may use it.
//
//	for each record: All - Freed = its entries in live + what callers of Add have not removed
type Heap struct {
	mu      sync.Mutex
	records records[HeapKind, Allocations]
	live    map[uint32]sample // by handle
}

type sample struct {
	record *HeapRecord
	weight Weight
}

// NewHeap returns an empty profile.
func NewHeap() *Heap {
	return &Heap{records: records[HeapKind, Allocations]{}, live: map[uint32]sample{}}
}

// Add records an allocation of the caller, which stands for w. The labels are those of
// ctx, which may be nil. Remove with the result undoes it.
//
//go:noinline
func (p *Heap) Add(ctx context.Context, kind HeapKind, w Weight) *HeapRecord {
	var at place
	at.take(ctx)
	hash := at.hash()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.add(hash, &at, kind, w)
}

// add is Add under the lock.
func (p *Heap) add(hash uint64, at *place, kind HeapKind, w Weight) *HeapRecord {
	x := p.records.at(hash, at, kind)
	x.Samples++
	x.Sum.All.Add(w)
	return x
}

// Remove records that what Add has recorded in x is freed.
func (p *Heap) Remove(x *HeapRecord, w Weight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x.Sum.Freed.Add(w)
}

// Born is Add for memory with a handle, which Free removes.
//
//go:noinline
func (p *Heap) Born(ctx context.Context, h uint32, kind HeapKind, w Weight) {
	var at place
	at.take(ctx)
	hash := at.hash()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live[h] = sample{p.add(hash, &at, kind, w), w}
}

// Free records that the memory with a handle is about to be freed, if its allocation was
// recorded.
func (p *Heap) Free(h uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.live[h]; ok {
		delete(p.live, h)
		s.record.Sum.Freed.Add(s.weight)
	}
}

// Records returns the records, in no order.
func (p *Heap) Records() []HeapRecord {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.records.all()
}
