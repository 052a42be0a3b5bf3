package runtime

import (
	"context"
	"math"
	"time"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/profile"
)

// Place is where a program was, as a profile records it. Immutable.
type Place struct {
	// Stack has the program counters that runtime.Callers returns, innermost first. The first
	// frames may be Ichor's own.
	Stack []uintptr

	// Labels are those of the context with which the thread was attached, or which
	// Thread.SetLabels got last. See runtime/pprof.
	Labels map[string]string
}

// SetLabels has the profiles record the pprof labels of ctx for what the thread does from now
// on, until it is detached, and execution traces its task. A thread begins with the context that it
// was attached with. Attached thread.
func (t *Thread) SetLabels(ctx context.Context) { t.ctx = ctx }

// tracing returns a context with the task of what the thread does for the caller that has passed
// ctx: the thread's own task if that is the context of a call that takes none.
func (t *Thread) tracing(ctx context.Context) context.Context {
	if ctx == context.Background() && t.ctx != nil {
		return t.ctx
	}
	return ctx
}

// ContentionRecord says how long threads have waited at one place. A plain value.
type ContentionRecord struct {
	Place

	For    Wait
	Waits  int64 // estimates from the samples, which are right on average
	Waited time.Duration

	Samples int64 // how many waits were recorded
}

// ContentionProfile returns where threads have waited for others, in no order, or nil if the
// runtime keeps no such profile: see Options.ContentionProfileRate. Package runtime/pprof
// writes it as a file. Any goroutine, attached or not, even after Close.
func (r *Runtime) ContentionProfile() []ContentionRecord {
	if r.contention == nil {
		return nil
	}
	list := r.contention.Records()
	all := make([]ContentionRecord, len(list))
	for i, x := range list {
		all[i] = ContentionRecord{
			Place: Place{x.Stack, x.Labels()}, For: Wait(x.Kind), Samples: x.Samples,
			Waits: int64(math.Round(x.Sum.Waits)), Waited: time.Duration(math.Round(x.Sum.Time)),
		}
	}
	return all
}

func newContentionProfile(rate time.Duration) *profile.Waits {
	if rate == 0 {
		return nil
	}
	return profile.NewWaits(rate)
}

// ContentionProfileRate returns Options.ContentionProfileRate. Any goroutine.
func (r *Runtime) ContentionProfileRate() time.Duration { return r.opts.ContentionProfileRate }

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
	InUse     Amount // now; after Close, what was then left: immortals, and what leaked

	Samples int64 // how many allocations were recorded
}

// Amount is a number of objects or blocks with their memory. A plain value.
type Amount struct {
	Objects int64
	Bytes   int64
}

// HeapProfile returns the heap profile, in no order, or nil if the runtime keeps none: see
// Options.HeapProfileRate. Package runtime/pprof writes it as a file. Any goroutine, attached
// or not, even after Close.
func (r *Runtime) HeapProfile() []HeapRecord {
	if r.heap == nil {
		return nil
	}
	list := r.heap.Records()
	all := make([]HeapRecord, len(list))
	for i, x := range list {
		all[i] = HeapRecord{
			Place: Place{x.Stack, x.Labels()}, Type: x.Kind.What, Size: x.Kind.Size, Samples: x.Samples,
			Allocated: amount(x.Sum.All, x.Kind.Size), InUse: amount(x.Sum.InUse(), x.Kind.Size),
		}
	}
	return all
}

// amount rounds an estimate for objects of the given size, or of any size if that is 0.
func amount(w profile.Weight, size int64) Amount {
	n := Amount{int64(math.Round(w.Objects)), int64(math.Round(w.Bytes))}
	if size > 0 {
		n.Bytes = n.Objects * size
	}
	return n
}

// HeapProfileRate returns Options.HeapProfileRate. Any goroutine.
func (r *Runtime) HeapProfileRate() int64 { return r.opts.HeapProfileRate }

// newHeapProfile returns a profile for a space with the configuration cfg, which it has pick the
// samples; nil if every is 0.
func newHeapProfile(every int64, cfg *arena.Config) *profile.Heap {
	if every == 0 {
		return nil
	}
	p := profile.NewHeap()
	cfg.SampleEvery, cfg.Freed = every, p.Free
	return p
}

// sampled records that memory was allocated at h, for one object or block of the given size. It
// stands for others like it, as in Go's heap profile: for the inverse of the chance that it had.
// y is nil for a block.
func (t *Thread) sampled(h uint32, y *Type, size int64, chance float64) {
	what := "block"
	if y != nil {
		what = y.String()
	}
	t.rt.heap.Born(t.ctx, h, profile.HeapKind{What: what, Size: size}, profile.Weight{Objects: 1 / chance, Bytes: float64(size) / chance})
}

// alloc is Cache.Alloc with a heap profile. y is nil for a block.
func (t *Thread) alloc(y *Type, p arena.Purpose, n uint32) (uint32, error) {
	if n-1 < arena.MagazineGranules {
		if h := t.cache.Pop(arena.Magazine(p, n)); h != 0 {
			return h, nil
		}
	}
	h, err := t.cache.AllocSlow(p, n)
	if t.rt.heap != nil && t.cache.Sampled() {
		size := int64(t.rt.space.Granules(h)) << arena.GranuleShift
		t.sampled(h, y, size, t.cache.Chance(size))
	}
	return h, err
}

// allocRegion is alloc in the region where objects are born now.
func (t *Thread) allocRegion(y *Type, n uint32) (uint32, error) {
	h, err := t.region.mem.Alloc(n, y != nil)
	if err == nil && t.region.mem.Sampled(h) { // no block is without a profile
		t.region.sampled = append(t.region.sampled, h)
		size := int64(n) << arena.GranuleShift
		t.sampled(h, y, size, arena.RegionChance(size, t.rt.opts.HeapProfileRate))
	}
	return h, err
}

// forget records that a region's memory is about to be freed.
func (g *region) forget(p *profile.Heap) {
	for _, h := range g.sampled {
		p.Free(h)
	}
}

// loaded records that a frozen graph takes memory from now on, and unloaded that it does not.
// ctx has the labels, and may be nil.
func (f *Frozen) loaded(ctx context.Context, p *profile.Heap) {
	what := "frozen graph"
	if f.mapped {
		what = "mapped image"
	}
	f.profiled = p.Add(ctx, profile.HeapKind{What: what}, f.weight())
}

func (f *Frozen) unloaded(p *profile.Heap) { p.Remove(f.profiled, f.weight()) }

func (f *Frozen) weight() profile.Weight {
	return profile.Weight{Objects: float64(f.Objects()), Bytes: float64(f.Bytes())}
}
