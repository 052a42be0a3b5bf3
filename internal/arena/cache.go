package arena

import (
	"errors"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/mutant"
)

// Account counts what is in use for one purpose.
type Account struct {
	Count [Purposes]int64 // slots and large blocks
	Bytes [Purposes]int64 // their sizes, as rounded up to a class
}

// Cache is the memory of one thread: spans with room, for each purpose and
// class. One goroutine at a time uses it; only pushRemote is for others.
type Cache struct {
	space *Space

	current [cached][Classes]*Span   // being allocated from
	partial [cached][Classes][]*Span // further spans with room

	account Account // what this cache gave out less what it took back; owner only
	refills uint32  // how often a span was looked for; owner only
	told    int64   // containers, as told to the space

	_         [64]byte
	remote    atomic.Pointer[Span] // spans with remote frees, linked by nextRemote
	_         [64]byte
	published [Purposes]struct{ count, bytes aligned.Int64 } // account, as of the last Publish
}

// NewCache returns an empty cache.
func (s *Space) NewCache() *Cache {
	c := &Cache{space: s}
	s.central.mu.Lock()
	defer s.central.mu.Unlock()
	s.central.mu.caches[c] = struct{}{}
	return c
}

// Alloc returns the handle of a block of at least n granules for purpose p,
// none of regions; a container takes MinContainer at least. Its bytes are
// whatever was there before. The error is ErrLimit, ErrAddressSpace, or the
// system's. Owner only.
func (c *Cache) Alloc(p Purpose, n uint32) (uint32, error) {
	if n > MaxSmall {
		return c.allocLarge(p, n)
	}
	class := ClassOf(n)
	sp := c.current[p][class]
	if sp == nil || sp.nfree == 0 {
		var err error
		if sp, err = c.refill(p, class); err != nil {
			return 0, err
		}
	}
	c.account.Count[p]++
	c.account.Bytes[p] += int64(sp.size) << GranuleShift
	return sp.take(), nil
}

// refill makes a span with room current. It is the slow path of Alloc.
func (c *Cache) refill(p Purpose, class int) (*Span, error) {
	c.refills++
	c.Publish()
	c.collectRemote(false)
	if sp := c.current[p][class]; sp != nil && sp.nfree > 0 {
		return sp, nil
	}
	list := &c.partial[p][class]
	if l := len(*list); l > 0 {
		sp := (*list)[l-1]
		c.unlist(sp)
		c.current[p][class] = sp
		return sp, nil
	}
	sp, err := c.acquire(1)
	if err != nil {
		return nil, err
	}
	sp.initSmall(c, p, class)
	c.space.central.track(sp)
	c.current[p][class] = sp
	return sp, nil
}

// acquire takes a run of spans from the central. At the limit it gives back
// what the cache itself has left empty first.
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

// Free takes back the block at handle h, whoever allocated it. Owner of c only.
func (c *Cache) Free(h uint32) {
	sp := c.space.central.span(h)
	c.account.Count[sp.purpose]--
	c.account.Bytes[sp.purpose] -= int64(sp.size) << GranuleShift
	switch {
	case sp.cache == c:
		c.freeLocal(sp, sp.slot(h))
	case sp.state == spanSmall:
		sp.putRemote(sp.slot(h))
	case sp.state == spanLarge:
		c.space.central.releaseRun(sp, sp.spans, false)
	default:
		panic("ichor: free of memory that is not in use")
	}
}

func (c *Cache) freeLocal(sp *Span, slot uint32) {
	sp.put(slot)
	c.settle(sp, false)
}

// settle puts a span that has gained room where refill finds it, or gives it
// back if nothing in it is in use. locked says whether the central is.
func (c *Cache) settle(sp *Span, locked bool) {
	switch {
	case sp == c.current[sp.purpose][sp.class] || sp.nfree == 0:
	case sp.nfree == sp.slots, mutant.On && mutant.Is(mutant.SpanReturned) && sp.nfree == sp.slots-1:
		c.unlist(sp)
		c.release(sp, locked)
	case sp.pos == 0:
		l := &c.partial[sp.purpose][sp.class]
		*l = append(*l, sp)
		sp.pos = uint32(len(*l))
	}
}

// unlist takes a span out of the list of those with room, if it is there.
func (c *Cache) unlist(sp *Span) {
	if sp.pos == 0 {
		return
	}
	l := &c.partial[sp.purpose][sp.class]
	last := (*l)[len(*l)-1]
	(*l)[sp.pos-1] = last
	last.pos = sp.pos
	*l = (*l)[:len(*l)-1]
	sp.pos = 0
}

func (c *Cache) release(sp *Span, locked bool) {
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

// collectRemote takes in what other threads have freed. The list is taken as a
// whole, so its head cannot come back behind a push's back.
func (c *Cache) collectRemote(locked bool) {
	if c.remote.Load() == nil {
		return
	}
	for sp := c.remote.Swap(nil); sp != nil; {
		next := sp.nextRemote
		if sp.collectRemote() {
			c.pushRemote(sp)
		}
		c.settle(sp, locked)
		sp = next
	}
}

// Trim takes in remote frees and gives back every span that is empty. Owner only.
func (c *Cache) Trim() { c.trim(false) }

func (c *Cache) trim(locked bool) {
	c.collectRemote(locked)
	c.Publish()
	for p := range c.current {
		for class, sp := range c.current[p] {
			if sp != nil && sp.nfree == sp.slots {
				c.current[p][class] = nil
				c.release(sp, locked)
			}
		}
	}
}

// SetIdle says whether the cache is without an owner for the time being. The
// central may trim an idle one.
func (c *Cache) SetIdle(idle bool) {
	m := &c.space.central.mu
	m.Lock()
	defer m.Unlock()
	if idle {
		m.idle[c] = struct{}{}
	} else {
		delete(m.idle, c)
	}
}

// Publish makes the account readable for others. Owner only.
func (c *Cache) Publish() {
	for p := range Purposes {
		tell(&c.published[p].count, c.account.Count[p])
		tell(&c.published[p].bytes, c.account.Bytes[p])
	}
	if d := c.account.Count[Containers] - c.told; d >= tellAfter || d <= -tellAfter {
		c.told += d
		c.space.containers.Add(d)
	}
}

// tell stores n if it is new: a store costs more than a load.
func tell(at *aligned.Int64, n int64) {
	if at.Load() != n {
		at.Store(n)
	}
}

// tellAfter is how many containers a cache gives out or takes back before it
// tells the space: telling writes a word that all caches share.
const tellAfter = 64

// Refills counts how often Alloc has taken its slow path. Owner only.
func (c *Cache) Refills() uint32 { return c.refills }
