package arena

import "github.com/ichor-go/ichor/internal/mutant"

// A thread that has a few objects must not take 64 KiB for each of their sizes, because
// a program may have ten thousand threads that wait. Two mechanisms prevent this.
//
// The common cache provides the first slots of each class that a cache allocates, one
// by one and under the central's lock. If there is no other memory, it provides the
// later ones too. Its slots are freed as if by another thread, as remote frees. The
// first cache of a space has no other to share with, and does not use the common cache.
// First slots are as large as whole cache lines: what a thread makes first is often what
// it uses most, such as a counter of its own, and that of another thread lies beside it.
//
// Lending moves a span with free slots from a cache whose owner is away to another
// cache, for good. Slots in use stay where they are: freeing them is remote for the old
// owner and local for the new one. A thread that waits only briefly should keep its
// spans. So, unless the limit is reached, a cache must have been left for as long as it
// takes to hand out LendAfter spans, fresh or lent. Hence about that many spans serve
// any number of threads that wait, as long as their objects fit.

var (
	// FirstSlots is how many slots of each purpose and class a cache takes from the
	// common cache, at most 255. A guess. A variable for tests.
	FirstSlots = 8

	// LendAfter is how many spans are handed out before the spans of a cache that was
	// left are lent: 16 MiB. A guess. A variable for tests.
	LendAfter = 256
)

// lendTries is how many spans provide looks at before it takes a fresh one. A guess.
const lendTries = 8

// provide returns a slot for a cache that has no free slot of the class, and its size in
// granules, which may be greater than that of the class. It tries the cheapest source
// first. The caller owns cache.
func (c *central) provide(cache *Cache, p Purpose, class int) (h, size uint32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trimCommon()
	sp := c.first(cache, p, class)
	if sp == nil {
		sp = c.lend(cache, p, class, lendTries, false)
	}
	if sp == nil && c.full() {
		cache.trim(true)
		if c.full() {
			sp = c.spare(p, class)
		}
	}
	if sp == nil {
		if sp, err = c.fresh(cache, p, class); err != nil {
			sp = c.spare(p, class)
		}
	}
	if sp == nil {
		return 0, 0, err
	}
	return sp.take(), sp.size, nil
}

// first returns a span of the common cache with a free slot, for one of the first slots
// of cache. It returns nil if cache has had all of those, or if there is no such span.
// mu held.
func (c *central) first(cache *Cache, p Purpose, class int) *Span {
	n := &cache.firsts[p][class]
	if !cache.joint || int(*n) >= FirstSlots {
		return nil
	}
	*n++
	class = int(linesOf[class])
	sp := c.common.withRoom(p, class)
	if sp == nil && !c.full() {
		sp, _ = c.fresh(c.common, p, class)
	}
	return sp
}

// spare returns a span of the common cache with a free slot. It is for when no fresh
// span is available, and lends a span of any cache that was left to the common one if
// necessary. mu held.
func (c *central) spare(p Purpose, class int) *Span {
	for _, at := range [...]struct {
		cache *Cache
		class int
	}{{c.common, class}, {c.apart, class}, {c.common, int(linesOf[class])}} {
		if sp := at.cache.withRoom(p, at.class); sp != nil {
			return sp
		}
	}
	return c.lend(c.common, p, class, c.mu.small[p][class].n, true)
}

// full reports whether a span is available only after another one is given back. mu
// held.
func (c *central) full() bool {
	return len(c.mu.warm) == 0 && c.mu.used >= c.mu.limit
}

// fresh takes an empty span for a cache. mu held.
func (c *central) fresh(cache *Cache, p Purpose, class int) (*Span, error) {
	sp, err := c.take(1, false)
	if err != nil {
		return nil, err
	}
	c.handed.Inc()
	sp.initSmall(cache, p, class)
	c.track(sp)
	c.mu.small[p][class].add(sp)
	cache.spans++
	cache.list(sp)
	return sp, nil
}

// lend moves a span with free slots from a cache that was left to another cache, whose
// list of that class is empty. It looks at no more than tries spans. If atLimit is set,
// it does not matter how recently a cache was left. The common cache is never left, so
// its spans are never lent. mu held.
func (c *central) lend(to *Cache, p Purpose, class, tries int, atLimit bool) *Span {
	for range tries {
		sp := c.mu.small[p][class].look()
		if sp == nil {
			return nil
		}
		from := sp.cache.Load()
		if !from.claim() {
			continue
		}
		lent := false
		if atLimit || c.handed.Load()-from.left >= uint32(LendAfter) {
			from.flush(true)
			from.collectRemote(true) // may give sp back to the central
			if lent = sp.cache.Load() == from && sp.nfree > 0; lent {
				from.pass(sp, to)
				c.handed.Inc()
			}
		}
		from.letGo()
		if lent {
			return sp
		}
	}
	return nil
}

// pass makes another cache the owner of a span. The caller has claimed c and owns the
// other cache.
func (c *Cache) pass(sp *Span, to *Cache) {
	c.unlist(sp)
	c.spans--
	sp.cache.Store(to)
	to.spans++
	to.list(sp)
}

// claim makes the caller the owner of a cache that was left, unless another goroutine
// is. The caller holds the central's mu, at least until letGo.
func (c *Cache) claim() bool {
	return c.state.CompareAndSwap(away, claimed) || mutant.On && mutant.Is(mutant.LentByOwner)
}

func (c *Cache) letGo() {
	if mutant.On && mutant.Is(mutant.LentByOwner) {
		c.state.CompareAndSwap(claimed, away)
		return
	}
	c.state.Store(away)
}

// spanRing links the spans in use of a class for lend, except those that processes
// share. Guarded by the central's mu.
type spanRing struct {
	next *Span // the one to look at next; those looked at or added last come last
	n    int
}

func (r *spanRing) add(sp *Span) {
	if r.n++; r.next == nil {
		sp.before, r.next = sp, sp
	}
	sp.after, sp.before = r.next, r.next.before
	sp.after.before, sp.before.after = sp, sp
}

func (r *spanRing) remove(sp *Span) {
	if r.n--; r.n == 0 {
		r.next = nil
	} else {
		sp.after.before, sp.before.after = sp.before, sp.after
		if r.next == sp {
			r.next = sp.after
		}
	}
	sp.after, sp.before = nil, nil
}

// look returns the spans in turn, or nil if there is none.
func (r *spanRing) look() *Span {
	sp := r.next
	if sp != nil {
		r.next = sp.after
	}
	return sp
}

// trimAway gives back the empty spans of caches that were left, and of the common
// cache. mu held.
func (c *central) trimAway() {
	c.trimCommon()
	for _, cache := range c.mu.caches {
		if cache.claim() {
			cache.trim(true)
			cache.letGo()
		}
	}
}

// trimCommon gives back the empty spans of the common cache, and of the one for sampled
// blocks. Frees of their slots are always remote, so without remote frees they have nothing
// to give back. mu held.
func (c *central) trimCommon() {
	for _, cache := range [...]*Cache{c.common, c.apart} {
		if cache.remote.Load() != nil {
			cache.trim(true)
		}
	}
}
