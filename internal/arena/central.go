package arena

import (
	"fmt"
	"math/bits"
	"sync/atomic"

	uatomic "go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

const (
	chunkSpans = 64 // spans whose descriptors are made together: 75 KiB of descriptors for 4 MiB of space

	// Empty spans stay committed for reuse: warmSpans of them, or a 512th of the counted half if
	// that is more, 64 MiB of 32 GiB. To give a span back and to fault it in again costs more than
	// to fill it with objects: to read and drop golang_source.json (bench run -scenario json) took
	// 2.2 times as long with 1 MiB. The numbers are guesses.
	warmSpans = 16
	warmShare = 512
)

type chunk [chunkSpans]Span

// central hands out spans. mu guards everything but the table.
//
//	used = spans in caches, large blocks, regions, and extents that do not map a file,
//	       less those that processes share
//	used + |warm| ≤ limit
type central struct {
	space  *Space
	chunks []uatomic.Pointer[chunk] // span table; each entry is written once
	nspans uint32

	// tracked has a bit for each span that may hold containers for the cycle collector
	// to visit. A bit is set by the thread that takes the span, and cleared under mu or
	// with the world stopped.
	tracked []atomic.Uint64

	handed point.Uint32 // number of spans handed out to caches, fresh or lent; written under mu

	// common is a cache shared by all others, used under mu only. See provide.
	common *Cache

	// apart is such a cache for the blocks that are sampled. See sample.go.
	apart *Cache

	mu struct {
		point.Mutex
		counted  half
		immortal half
		frozen   runs
		growing  []*Extent // may take the free addresses behind them
		mappings mappings  // of the frozen quarter
		kept     bool      // free addresses exist that were not made inaccessible
		locked   []run     // extents that are sealed for good
		warm     []uint32  // empty, committed spans of the counted half
		used     int64
		extents  int64 // the part of used that belongs to extents
		limit    int64 // in spans
		caches   []*Cache
		small    [cached][Classes]spanRing // spans in use, by class
		sharing  *Cache                    // owns the spans that processes share; nil if there are none
		ranges   []run                     // the ranges of both halves where these spans lie
	}
}

// half is one half of a space, from which runs of spans are taken.
type half struct {
	next      uint32   // spans from here on were never used
	committed uint32   // spans below are committed
	end       uint32   // first span behind the half
	first     uint32   // first span of the half
	start     uint32   // where allocation began; the spans below are taken last
	avail     []uint64 // bit n: span first+n was used, is empty, and has been returned to the system
	navail    uint32
	hint      uint32 // no bit of avail below this word is set
}

func (c *central) init(s *Space, granules uint64, cfg Config) error {
	c.space = s
	c.nspans = uint32(granules / SpanGranules)
	c.chunks = make([]uatomic.Pointer[chunk], (c.nspans+chunkSpans-1)/chunkSpans)
	c.tracked = make([]atomic.Uint64, (c.nspans/2+63)/64)
	p := partsOf(granules)
	start := min(max(cfg.Start, p.counted.first), p.immortal.first-1)
	c.mu.counted = freshHalf(p.counted, start)
	c.mu.immortal = freshHalf(p.immortal, p.immortal.first)
	c.mu.frozen.give(p.frozen, false)
	c.mu.limit = int64(c.nspans)
	if cfg.Limit > 0 {
		c.mu.limit = cfg.Limit >> SpanShift
	}
	c.common, c.apart = s.newCache(), s.newCache()
	for _, n := range [...]uint32{0, c.nspans - 1} {
		if err := c.space.mem.commit(uintptr(n)<<SpanShift, SpanSize); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		// Go memory that served an earlier space is not zero.
		c.space.Zero(n*SpanGranules, SpanGranules)
	}
	return nil
}

// parts are the runs of spans that make up a space of a given size.
type parts struct{ counted, immortal, frozen run }

// partsOf leaves out two spans. Handle 0, in span 0, is Nil, and its granule holds a
// header that the runtime makes immortal. The last span holds objects that have fixed
// handles.
func partsOf(granules uint64) parts {
	n := uint32(granules / SpanGranules)
	middle, end, frozenEnd := n/2, n/4*3, n-1
	if granules == maxSpaceGranules {
		end, frozenEnd = FrozenBits/SpanGranules, FrozenEnd/SpanGranules
	}
	return parts{run{1, middle - 1}, run{middle, end - middle}, run{end, frozenEnd - end}}
}

// freshHalf returns a half with nothing in use, which allocates from span start on.
func freshHalf(at run, start uint32) half {
	return half{first: at.first, start: start, next: start, committed: start, end: at.end()}
}

// span returns the descriptor of the span that contains granule g. The span must have
// been handed out at least once.
func (c *central) span(g uint32) *Span {
	n := g / SpanGranules
	return &c.chunks[n/chunkSpans].Load()[n%chunkSpans]
}

// lookup is span for granules that may never have been handed out: then it returns nil.
func (c *central) lookup(g uint32) *Span {
	n := g / SpanGranules
	if n >= c.nspans {
		return nil
	}
	if ch := c.chunks[n/chunkSpans].Load(); ch != nil {
		return &ch[n%chunkSpans]
	}
	return nil
}

// acquire takes a run of n spans. The memory is zero only where Span.dirty is false.
func (c *central) acquire(n uint32, immortal bool) (*Span, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.take(n, immortal)
}

// take is acquire with mu held.
func (c *central) take(n uint32, immortal bool) (*Span, error) {
	if l := len(c.mu.warm); n == 1 && !immortal && l > 0 {
		sp := c.descriptor(c.mu.warm[l-1])
		c.mu.warm = c.mu.warm[:l-1]
		c.mu.used++ // used + |warm| stays the same
		return sp, nil
	}
	if err := c.makeRoom(n); err != nil {
		return nil, err
	}
	h := &c.mu.counted
	if immortal {
		h = &c.mu.immortal
	}
	first, ok := h.take(n)
	if !ok {
		c.cool()
		if first, ok = h.take(n); !ok {
			return nil, ErrAddressSpace
		}
	}
	if top := first + n; top > h.committed {
		off, size := uintptr(h.committed)<<SpanShift, uintptr(top-h.committed)<<SpanShift
		if err := c.space.mem.commit(off, size); err != nil {
			h.give(first, n)
			return nil, fmt.Errorf("commit %d bytes: %w", size, err)
		}
		h.committed = top
	}
	c.mu.used += int64(n)
	for i := range n {
		c.descriptor(first + i).state = spanTail
	}
	sp := c.descriptor(first)
	sp.spans = n
	return sp, nil
}

// releaseRun gives a run back.
func (c *central) releaseRun(sp *Span, n uint32, immortal bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release(sp, n, immortal)
}

// release is releaseRun with mu held.
func (c *central) release(sp *Span, n uint32, immortal bool) {
	first := sp.start / SpanGranules
	if sp.purpose == Containers {
		c.untrack(sp)
	}
	if sp.state == spanSmall && !sp.shared {
		c.mu.small[sp.purpose][sp.class].remove(sp)
	}
	for i := range n {
		d := c.descriptor(first + i)
		d.state, d.region, d.dirty, d.pos, d.apart = spanFree, nil, true, 0, false
		d.cache.Store(nil)
	}
	if sp.shared && !(mutant.On && mutant.Is(mutant.SharedReused)) {
		// The contents of this memory survive only in the file. The addresses are not
		// used again, because each page would be copied first.
		_ = c.space.mem.decommit(uintptr(first)<<SpanShift, uintptr(n)<<SpanShift)
		return
	}
	c.mu.used -= int64(n)
	if n == 1 && !immortal && uint32(len(c.mu.warm)) < c.mostWarm() {
		c.mu.warm = append(c.mu.warm, first)
		return
	}
	c.returnToSystem(first, n, immortal)
}

// mostWarm returns how many empty spans stay committed at most.
func (c *central) mostWarm() uint32 {
	return max(warmSpans, (c.mu.counted.end-c.mu.counted.first)/warmShare)
}

// cool returns the warm spans to the system.
func (c *central) cool() {
	for _, n := range c.mu.warm {
		c.returnToSystem(n, 1, false)
	}
	c.mu.warm = c.mu.warm[:0]
}

func (c *central) returnToSystem(first, n uint32, immortal bool) {
	if err := c.space.mem.decommit(uintptr(first)<<SpanShift, uintptr(n)<<SpanShift); err == nil && c.space.mem.zeroes {
		for i := range n {
			c.descriptor(first + i).dirty = false
		}
	}
	if immortal {
		c.mu.immortal.give(first, n)
	} else {
		c.mu.counted.give(first, n)
	}
}

// makeRoom makes sure that n more spans stay within the limit. Before it fails, it
// gives back the empty spans of threads that are away.
func (c *central) makeRoom(n uint32) error {
	if mutant.On && mutant.Is(mutant.LimitIgnored) {
		return nil
	}
	over := func() bool { return c.mu.used+int64(len(c.mu.warm))+int64(n) > c.mu.limit }
	if !over() {
		return nil
	}
	c.cool()
	if !over() {
		return nil
	}
	c.trimAway()
	c.cool()
	if over() {
		return ErrLimit
	}
	return nil
}

// descriptor returns the descriptor of span n, and makes it if necessary. mu held.
func (c *central) descriptor(n uint32) *Span {
	p := &c.chunks[n/chunkSpans]
	ch := p.Load()
	if ch == nil {
		ch = new(chunk)
		for i := range ch {
			ch[i].start = (n/chunkSpans*chunkSpans + uint32(i)) * SpanGranules
			ch[i].dirty = !c.space.mem.zeroes // Go memory may have been in use before
		}
		p.Store(ch)
	}
	return &ch[n%chunkSpans]
}

// take finds a run of n spans. It prefers spans that were returned to the system,
// lowest first.
func (h *half) take(n uint32) (uint32, bool) {
	if h.navail >= n {
		if first, ok := h.search(n); ok {
			for i := range n {
				b := first - h.first + i
				h.avail[b/64] &^= 1 << (b % 64)
			}
			h.navail -= n
			return first, true
		}
	}
	if h.end-h.next < n && h.start > h.first {
		h.next, h.committed, h.end, h.start = h.first, h.first, h.start, h.first
	}
	if h.end-h.next < n {
		return 0, false
	}
	first := h.next
	h.next += n
	return first, true
}

func (h *half) search(n uint32) (uint32, bool) {
	var run uint32
	for i := h.hint; i < uint32(len(h.avail)); i++ {
		w := h.avail[i]
		if w == 0 {
			if run == 0 && i == h.hint {
				h.hint++
			}
			run = 0
			continue
		}
		if n == 1 {
			return h.first + i*64 + uint32(bits.TrailingZeros64(w)), true
		}
		for b := range uint32(64) {
			if w>>b&1 == 0 {
				run = 0
				continue
			}
			if run++; run == n {
				return h.first + i*64 + b - n + 1, true
			}
		}
	}
	return 0, false
}

// give makes a run available again.
func (h *half) give(first, n uint32) {
	for i := range n {
		b := first - h.first + i
		for b/64 >= uint32(len(h.avail)) {
			h.avail = append(h.avail, 0)
		}
		h.avail[b/64] |= 1 << (b % 64)
		h.hint = min(h.hint, b/64)
	}
	h.navail += n
}
