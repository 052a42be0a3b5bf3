package runtime

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/ichor-go/ichor/internal/arena"
)

// DefaultHeapProfileRate is a value for Options.HeapProfileRate, the same as Go's for its own
// heap.
const DefaultHeapProfileRate = 512 << 10

// HeapRecord says how much was allocated at one place, of one type and size. A plain value.
type HeapRecord struct {
	Place

	Type string // of the objects; "block" for storage of containers, "frozen graph" or "mapped image" for frozen objects
	Size int64  // of each object or block, in bytes; 0 for frozen objects

	// Estimates from the samples, which are right on average. Frozen objects are all recorded.
	Allocated Amount // since the runtime was made
	InUse     Amount // now

	Samples int64 // how many allocations were recorded
}

// Amount is a number of objects or blocks with their memory. A plain value.
type Amount struct {
	Objects int64
	Bytes   int64
}

// heapProfile counts sampled allocations by place, type and size.
//
//	for each record: allocated - freed = its entries in live, or the frozen graphs that have it
type heapProfile struct {
	every int64

	mu      sync.Mutex
	records map[string]*heapRecord
	live    map[Handle]heapSample // sampled objects and blocks
}

type heapRecord struct {
	at               placed
	what             string
	size             int64 // 0: not sampled, all are recorded
	allocated, freed weight
	samples          int64
}

// weight is how many objects and bytes samples stand for.
type weight struct{ objects, bytes float64 }

func (w *weight) add(x weight) {
	w.objects += x.objects
	w.bytes += x.bytes
}

type heapSample struct {
	record *heapRecord
	weight weight
}

// newHeapProfile returns a profile for a space with the configuration cfg, to which it adds
// itself; nil if every is 0.
func newHeapProfile(every int64, cfg *arena.Config) *heapProfile {
	if every == 0 {
		return nil
	}
	p := &heapProfile{every: every, records: map[string]*heapRecord{}, live: map[Handle]heapSample{}}
	cfg.SampleEvery, cfg.Freed = every, p.free
	return p
}

// add records an allocation. t may be nil.
//
//go:noinline
func (p *heapProfile) add(t *Thread, what string, size int64, w weight) *heapRecord {
	at := here(t)
	key := fmt.Appendf(slices.Clip(at.key), "\x00%s\x00%d", what, size)
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.records[string(key)]
	if x == nil {
		x = &heapRecord{at: at, what: what, size: size}
		p.records[string(key)] = x
	}
	x.samples++
	x.allocated.add(w)
	return x
}

// born records that memory was allocated at h, for one object or block of the given size. It
// stands for others like it, as in Go's heap profile: for the inverse of the chance that it had.
func (p *heapProfile) born(t *Thread, h uint32, y *Type, size int64, chance float64) {
	what := "block"
	if y != nil {
		what = y.String()
	}
	w := weight{1 / chance, float64(size) / chance}
	x := p.add(t, what, size, w)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live[Handle(h)] = heapSample{x, w}
}

// free records that the memory at h is about to be freed, if its allocation was recorded.
func (p *heapProfile) free(h uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.live[Handle(h)]; ok {
		delete(p.live, Handle(h))
		s.record.freed.add(s.weight)
	}
}

// loaded records that a frozen graph takes memory from now on, and unloaded that it does not.
// t may be nil.
func (p *heapProfile) loaded(t *Thread, f *Frozen) {
	what := "frozen graph"
	if f.mapped {
		what = "mapped image"
	}
	f.profiled = p.add(t, what, 0, f.weight())
}

func (p *heapProfile) unloaded(f *Frozen) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.profiled.freed.add(f.weight())
}

func (f *Frozen) weight() weight { return weight{float64(f.Objects()), float64(f.Bytes())} }

// HeapProfile returns the heap profile, in no order, or nil if the runtime keeps none: see
// Options.HeapProfileRate. Package runtime/pprof writes it as a file. Any goroutine, attached
// or not, even after Close.
func (r *Runtime) HeapProfile() []HeapRecord {
	p := r.heap
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]HeapRecord, 0, len(p.records))
	for _, x := range p.records {
		all = append(all, HeapRecord{
			Place: x.at.place(), Type: x.what, Size: x.size, Samples: x.samples,
			Allocated: x.amount(x.allocated),
			InUse:     x.amount(weight{x.allocated.objects - x.freed.objects, x.allocated.bytes - x.freed.bytes}),
		})
	}
	return all
}

func (x *heapRecord) amount(w weight) Amount {
	n := Amount{int64(math.Round(w.objects)), int64(math.Round(w.bytes))}
	if x.size > 0 {
		n.Bytes = n.Objects * x.size
	}
	return n
}

// HeapProfileRate returns Options.HeapProfileRate. Any goroutine.
func (r *Runtime) HeapProfileRate() int64 { return r.opts.HeapProfileRate }

// alloc is Cache.Alloc with a heap profile. y is nil for a block.
func (t *Thread) alloc(y *Type, p arena.Purpose, n uint32) (uint32, error) {
	if n-1 < arena.MagazineGranules {
		if h := t.cache.Pop(arena.Magazine(p, n)); h != 0 {
			return h, nil
		}
	}
	h, err := t.cache.AllocSlow(p, n)
	if heap := t.rt.heap; heap != nil && t.cache.Sampled() {
		size := int64(t.rt.space.Granules(h)) << arena.GranuleShift
		heap.born(t, h, y, size, arena.Chance(size, heap.every))
	}
	return h, err
}

// allocRegion is alloc in the region where objects are born now.
func (t *Thread) allocRegion(y *Type, n uint32) (uint32, error) {
	h, err := t.region.mem.Alloc(n, y != nil)
	if heap := t.rt.heap; heap != nil && err == nil && t.region.mem.Sampled(h) {
		t.region.sampled = append(t.region.sampled, h)
		size := int64(n) << arena.GranuleShift
		heap.born(t, h, y, size, arena.RegionChance(size, heap.every))
	}
	return h, err
}

// forget records that a region's memory is about to be freed.
func (g *region) forget(p *heapProfile) {
	for _, h := range g.sampled {
		p.free(h)
	}
}
