package arena

import (
	"errors"
	"fmt"

	uatomic "go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// Account holds the amount of memory in use for each purpose.
type Account struct {
	Count [Purposes]int64 // numbers of slots and large blocks
	Bytes [Purposes]int64 // their sizes, rounded up to a class
}

// Cache is the memory of one thread: spans with free slots, for each purpose and class.
// Only its owner, one goroutine at a time, uses it. The exception is pushRemote, which
// any goroutine may call.
//
//	owned    condition: a goroutine has the cache
//	         invariant: no other goroutine touches it, except with the world stopped
//	         to away by Leave (owner)
//	away     condition: the owner waits, or there is none
//	         invariant: its spans may be lent, and its empty spans given back
//	         to owned by Return (owner); to claimed (a goroutine that holds the
//	         central's lock)
//	claimed  condition: a goroutine lends its spans or gives them back
//	         invariant: the owner waits in Return; the claim ends before the
//	         central's lock is released
//	         to away by letGo (the goroutine that claimed)
type Cache struct {
	space  *Space
	chunks []uatomic.Pointer[chunk] // the central's, for Free
	mags   *magazines               // see magazine: Alloc pops from these
	frees  *magazines               // Free pushes to these, which are the same except while a sampler counts

	sampler *sampler // nil unless blocks are sampled

	// current holds lists of spans, linked by next and prev. The cache allocates from
	// the first span of a list. All others have free slots as well as slots in use.
	current [cached][Classes]*Span

	out     outbox
	account Account // what this cache has allocated, less what it has freed; counts slots in magazines
	refills uint32  // how often a span was searched for
	spans   uint32  // number of spans that belong to the cache
	told    int64   // containers, as of the last report to the space
	left    uint32  // how many spans the central had handed out when the owner left
	joint   bool    // takes its first slots from the common cache
	firsts  [cached][Classes]uint8

	_         [64]byte
	state     point.Uint32
	remote    point.Pointer[Span] // spans with remote frees, linked by nextRemote
	_         [64]byte
	published [Purposes]struct{ count, bytes aligned.Int64 } // account as of the last Publish
}

const (
	owned uint32 = iota
	away
	claimed
)

// NewCache returns an empty cache, which the caller owns.
func (s *Space) NewCache() *Cache {
	m := &s.central.mu
	m.Lock()
	defer m.Unlock()
	c := s.newCache()
	c.joint = len(m.caches) > 0
	m.caches = append(m.caches, c)
	return c
}

func (s *Space) newCache() *Cache {
	c := &Cache{space: s, chunks: s.central.chunks, mags: &noMagazines, frees: &noMagazines, out: outbox{limit: s.outboxLimit()}}
	if s.sampleEvery > 0 {
		c.sampler = newSampler(s.sampleEvery)
	}
	return c
}

// Leave makes the spans that the cache does not need available to others until Return.
// The owner either comes back or passes the cache on. Owner only.
func (c *Cache) Leave() {
	c.send(false)
	c.Publish()
	c.left = c.space.central.handed.Load()
	c.state.Store(away)
}

// Return makes the caller the owner of a cache after Leave.
func (c *Cache) Return() {
	if !c.state.CompareAndSwap(away, owned) {
		c.returnSlow()
	}
	if c.sampler != nil {
		c.NextWindow()
	}
}

// returnSlow is Return where another goroutine has claimed the cache.
func (c *Cache) returnSlow() {
	m := &c.space.central.mu
	m.Lock() // a goroutine that claims the cache holds this lock throughout
	defer m.Unlock()
	if !c.state.CompareAndSwap(away, owned) {
		fault.Throw(fault.Misuse{What: "return of a thread that is not away", Want: "one goroutine at a time on a thread"})
	}
}

// Alloc returns the handle of a block of at least n granules for purpose p, which is
// not Immortal. A container has MinContainer granules at least. The block is not
// cleared. The error is ErrLimit, ErrAddressSpace, or one of the system. Owner only.
func (c *Cache) Alloc(p Purpose, n uint32) (uint32, error) {
	if n-1 < MagazineGranules {
		if h := c.Pop(Magazine(p, n)); h != 0 {
			return h, nil
		}
	}
	return c.AllocSlow(p, n)
}

// Pop takes a slot from the magazine with an index of Magazine. It returns 0 if that is empty.
func (c *Cache) Pop(index int) uint32 {
	m := &c.mags[index]
	if m.n == 0 {
		return 0
	}
	if point.On {
		point.Write(&m.n)
	}
	m.n--
	return m.slots[m.n%magazineSize]
}

// AllocSlow is Alloc where the magazine is empty, or there is none for the size.
func (c *Cache) AllocSlow(p Purpose, n uint32) (uint32, error) {
	if s := c.sampler; s != nil {
		if s.counts || s.gap == 0 || n > MagazineGranules {
			return c.allocSampled(p, n)
		}
		s.gap-- // neither this window nor the next one is counted
		s.picked = false
	}
	return c.allocSlow(p, n)
}

func (c *Cache) allocSlow(p Purpose, n uint32) (uint32, error) {
	if n > MaxSmall {
		return c.allocLarge(p, n)
	}
	class := ClassOf(n)
	if sp := c.current[p][class]; sp != nil && sp.nfree != 0 {
		c.account.Count[p]++
		c.account.Bytes[p] += int64(sp.size) << GranuleShift
		c.arm()
		return c.fill(sp), nil
	}
	return c.refill(p, class)
}

// refill is the slow path of Alloc: the first span of the list is full.
func (c *Cache) refill(p Purpose, class int) (h uint32, err error) {
	c.refills++
	c.Publish()
	c.collectRemote(false)
	size := classGranules[class]
	if sp := c.withRoom(p, class); sp != nil {
		h = c.fill(sp)
	} else if h, size, err = c.space.central.provide(c, p, class); err != nil {
		return 0, err
	}
	c.account.Count[p]++
	c.account.Bytes[p] += int64(size) << GranuleShift
	return h, nil
}

// withRoom moves on to the next span of a list if the first is full. It returns the
// first span then, or nil if the list is empty.
func (c *Cache) withRoom(p Purpose, class int) *Span {
	sp := c.current[p][class]
	if sp != nil && sp.nfree == 0 {
		c.unlist(sp)
		sp = c.current[p][class]
	}
	return sp
}

// acquire takes a run of spans from the central. At the limit it first gives back the
// empty spans of the cache itself.
func (c *Cache) acquire(n uint32) (*Span, error) {
	sp, err := c.space.central.acquire(n, false)
	if errors.Is(err, ErrLimit) {
		c.Trim()
		sp, err = c.space.central.acquire(n, false)
	}
	return sp, err
}

func (c *Cache) allocLarge(p Purpose, n uint32) (uint32, error) {
	c.refills++
	c.Publish()
	spans := (uint64(n) + SpanGranules - 1) / SpanGranules
	sp, err := c.acquire(uint32(spans))
	if err != nil {
		return 0, err
	}
	sp.state, sp.purpose, sp.size = spanLarge, p, uint32(spans)*SpanGranules
	c.space.central.track(sp)
	c.account.Count[p]++
	c.account.Bytes[p] += int64(spans) << SpanShift
	return sp.start, nil
}

// Free frees the block at handle h, whichever cache allocated it. Owner of c only.
func (c *Cache) Free(h uint32) {
	n := h / SpanGranules
	sp := &c.chunks[n/chunkSpans].Load()[n%chunkSpans]
	if sp.cache.Load() == c { // and it stays equal, since the cache is owned
		m := &c.frees[sp.mag]
		if m.n < m.limit {
			if point.On {
				point.Write(&m.n)
			}
			m.slots[m.n%magazineSize] = h
			m.n++
			return
		}
	}
	c.freeSlow(sp, h)
}

// freeSlow is Free where the magazine is full or missing, or the span is not the cache's own.
func (c *Cache) freeSlow(sp *Span, h uint32) {
	if sp.cache.Load() == c {
		if m := &c.frees[sp.mag]; m.n > 0 {
			c.unload(m, magazineBatch, false)
			m.slots[m.n] = h
			m.n++
			return
		}
	}
	c.account.Count[sp.purpose]--
	c.account.Bytes[sp.purpose] -= int64(sp.size) << GranuleShift
	if sp.apart && c.space.freed != nil {
		c.space.freed(h)
	}
	switch {
	case sp.cache.Load() == c:
		sp.put(sp.slot(h))
		c.settle(sp, false)
	case sp.state == spanSmall:
		c.freeRemote(sp, h)
	case sp.state == spanLarge:
		c.space.central.releaseRun(sp, sp.spans, false)
	default:
		fault.Throw(fault.Misuse{What: "free of memory that is not in use", On: fmt.Sprintf("block %#08x", h), Want: "each block freed once"})
	}
}

// settle lists a span that has gained free slots, so that refill finds it, or gives the
// span back if it is empty. locked says whether the caller holds the central's lock.
func (c *Cache) settle(sp *Span, locked bool) {
	switch {
	case sp == c.current[sp.purpose][sp.class] || sp.nfree == 0:
	case sp.nfree == sp.slots, mutant.On && mutant.Is(mutant.SpanReturned) && sp.nfree == sp.slots-1:
		c.unlist(sp)
		c.release(sp, locked)
	case !sp.listed:
		c.list(sp)
	}
}

// list puts sp into the list of its class: as the second one, because the cache is
// allocating from the first.
func (c *Cache) list(sp *Span) {
	sp.listed = true
	at := &c.current[sp.purpose][sp.class]
	if first := *at; first != nil {
		sp.prev = first
		at = &first.next
	}
	if sp.next = *at; sp.next != nil {
		sp.next.prev = sp
	}
	*at = sp
}

// unlist takes a span out of its list, if it is in one.
func (c *Cache) unlist(sp *Span) {
	if !sp.listed {
		return
	}
	if sp.prev == nil {
		c.current[sp.purpose][sp.class] = sp.next
	} else {
		sp.prev.next = sp.next
	}
	if sp.next != nil {
		sp.next.prev = sp.prev
	}
	sp.next, sp.prev, sp.listed = nil, nil, false
}

func (c *Cache) release(sp *Span, locked bool) {
	c.spans--
	if !locked {
		c.space.central.mu.Lock()
		defer c.space.central.mu.Unlock()
	}
	c.space.central.release(sp, 1, false)
}

// pushRemote puts sp on the list of spans with remote frees. Any goroutine.
func (c *Cache) pushRemote(sp *Span) {
	for {
		head := c.remote.Load()
		sp.nextRemote = head
		if c.remote.CompareAndSwap(head, sp) {
			return
		}
	}
}

// collectRemote takes over what other threads have freed. It takes the list as a whole,
// so a concurrent push cannot meet a head that was popped and pushed again. A span that
// was lent after it was announced is pushed on to the cache that has it now: see Span.
func (c *Cache) collectRemote(locked bool) {
	if c.remote.Load() == nil {
		return
	}
	for sp := c.remote.Swap(nil); sp != nil; {
		next := sp.nextRemote
		if x := sp.owner(); x != c && !(mutant.On && mutant.Is(mutant.LentCollected)) {
			x.pushRemote(sp)
		} else {
			if sp.collectRemote() {
				c.pushRemote(sp)
			}
			c.settle(sp, locked)
		}
		sp = next
	}
}

// Trim takes over remote frees, and gives back every empty span, of the common caches as
// well. Owner only.
func (c *Cache) Trim() {
	c.trim(false)
	if s := &c.space.central; s.common.remote.Load() != nil || s.apart.remote.Load() != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.trimCommon()
	}
}

func (c *Cache) trim(locked bool) {
	c.flush(locked)
	c.collectRemote(locked)
	c.Publish()
	if c.spans == 0 {
		return
	}
	for p := range c.current {
		for _, sp := range c.current[p] {
			if sp != nil && sp.nfree == sp.slots {
				c.unlist(sp)
				c.release(sp, locked)
			}
		}
	}
}

// Publish makes the account visible to other goroutines. Owner only.
func (c *Cache) Publish() {
	for p := range Purposes {
		n, bytes := c.inMagazines(Purpose(p))
		tell(&c.published[p].count, c.account.Count[p]-n)
		tell(&c.published[p].bytes, c.account.Bytes[p]-bytes)
	}
	if d := c.published[Containers].count.Load() - c.told; d >= tellAfter || d <= -tellAfter {
		c.told += d
		c.space.containers.Add(d)
	}
}

// tell stores n if it has changed: a store costs more than a load.
func tell(at *aligned.Int64, n int64) {
	if at.Load() != n {
		at.Store(n)
	}
}

// tellAfter is how many containers a cache allocates or frees before it tells the
// space, because that writes a word that all caches share.
const tellAfter = 64

// Refills returns how often Alloc has taken its slow path. Owner only.
func (c *Cache) Refills() uint32 { return c.refills }
