package arena

import "github.com/ichor-go/ichor/internal/mutant"

// A thread that has a few objects must not take 64 KiB for each size of them: a program
// may have ten thousand threads that wait. Two mechanisms see to that.
//
// The first slots of a class that a cache gives out are not its own. They come from the
// common cache, one by one, under the central's lock; and if nothing else is to be had, so
// do all others. What is freed of it comes back as from any other thread, as remote
// frees. The first cache of a space has nobody to share with, and does without.
//
// And spans with room of a cache whose owner is away can be lent: they belong to the
// borrower from then on. Whatever is in use there stays where it is, and its frees are remote
// to the one and local to the other. So that threads which wait but for a moment keep what
// they have, a cache must have been left for as long as it takes to hand out LendAfter spans,
// fresh ones or lent, unless the limit is reached. So about that many spans serve any number
// of threads that wait, as long as their objects fit.

var (
	// FirstSlots is how many slots of each purpose and class a cache takes from the
	// common one, at most 255. A guess. A variable for tests.
	FirstSlots = 8

	// LendAfter is how many spans are handed out before those of a cache that was left
	// are lent: 16 MiB. A guess. A variable for tests.
	LendAfter = 256
)

// lendTries bounds at how many spans provide looks before it takes a fresh one. A guess.
const lendTries = 8

// provide returns a slot for a cache that has no span with room of its class. What costs
// least comes first. cache is owned by the caller.
func (c *central) provide(cache *Cache, p Purpose, class int) (uint32, error) {
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
	var err error
	if sp == nil {
		if sp, err = c.fresh(cache, p, class); err != nil {
			sp = c.spare(p, class)
		}
	}
	if sp == nil {
		return 0, err
	}
	return sp.take(), nil
}

// first returns a span of the common cache with room for one of a cache's first slots; nil if
// those are used up, or there is none. mu held.
func (c *central) first(cache *Cache, p Purpose, class int) *Span {
	n := &cache.firsts[p][class]
	if !cache.joint || int(*n) >= FirstSlots {
		return nil
	}
	*n++
	sp := c.common.withRoom(p, class)
	if sp == nil && !c.full() {
		sp, _ = c.fresh(c.common, p, class)
	}
	return sp
}

// spare returns a span of the common cache with room where a fresh one is not to be had: if
// need be any that can be lent. mu held.
func (c *central) spare(p Purpose, class int) *Span {
	if sp := c.common.withRoom(p, class); sp != nil {
		return sp
	}
	return c.lend(c.common, p, class, c.mu.small[p][class].n, true)
}

// full reports whether another span can be had only if somebody gives one back. mu held.
func (c *central) full() bool {
	return len(c.mu.warm) == 0 && c.mu.used >= c.mu.limit
}

// fresh takes a span of empty slots for a cache. mu held.
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

// lend moves a span with room of a cache that was left to another one, whose list of that
// class is empty. It looks at so many spans. atLimit says that any will do, but for those
// of the common cache, which nobody leaves. mu held.
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
			from.collectRemote(true) // may give sp back
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

// pass makes another cache the owner of a span. The caller has claimed c, and owns the
// other one.
func (c *Cache) pass(sp *Span, to *Cache) {
	c.unlist(sp)
	c.spans--
	sp.cache.Store(to)
	to.spans++
	to.list(sp)
}

// claim makes the caller the owner of a cache that was left, if nobody else is. The
// central's mu is held, until letGo at least.
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

// spanRing has the spans in use of a class, for lend: less those that processes share.
// Guarded by the central's mu.
type spanRing struct {
	next *Span // to look at: what was looked at or added last comes last
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

// look returns one after the other; nil if there is none.
func (r *spanRing) look() *Span {
	sp := r.next
	if sp != nil {
		r.next = sp.after
	}
	return sp
}

// trimAway gives back what is empty of caches that were left, and of the common one.
// mu held.
func (c *central) trimAway() {
	c.trimCommon()
	for _, cache := range c.mu.caches {
		if cache.claim() {
			cache.trim(true)
			cache.letGo()
		}
	}
}

// trimCommon gives back what is empty of the common cache. No slot of it is free before it
// was announced, so without remote frees nothing is. mu held.
func (c *central) trimCommon() {
	if c.common.remote.Load() != nil {
		c.common.trim(true)
	}
}
