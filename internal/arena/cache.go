package arena

import (
	"errors"
	"fmt"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// Account counts what is in use for one purpose.
type Account struct {
	Count [Purposes]int64 // slots and large blocks
	Bytes [Purposes]int64 // their sizes, as rounded up to a class
}

// Cache is the memory of one thread: spans with room, for each purpose and
// class. One goroutine at a time uses it, its owner; only pushRemote is for others.
//
//	state   — condition — invariant — transition (who)
//	owned   — a goroutine has the cache — nobody else touches it, but with the world
//	          stopped — to away by Leave (owner)
//	away    — the owner waits, or there is none — its spans may be lent, and what is
//	          empty given back — to owned by Return (owner), to claimed (whoever has
//	          the central's lock)
//	claimed — somebody does one of these — the owner waits in Return; over before the
//	          central's lock is released — to away (whoever claimed)
type Cache struct {
	space *Space

	// current are lists of spans, linked by next and prev. The first one of a list is
	// allocated from. The others have room, and something in use.
	current [cached][Classes]*Span

	account Account // what this cache gave out less what it took back
	refills uint32  // how often a span was looked for
	spans   uint32  // that belong to the cache
	told    int64   // containers, as told to the space
	left    uint32  // spans that the central had handed out when the owner left
	joint   bool    // the first slots come from the common cache
	firsts  [cached][Classes]uint8

	_         [64]byte
	state     point.Uint32
	remote    point.Pointer[Span] // spans with remote frees, linked by nextRemote
	_         [64]byte
	published [Purposes]struct{ count, bytes aligned.Int64 } // account, as of the last Publish
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
	c := &Cache{space: s, joint: len(m.caches) > 0}
	m.caches = append(m.caches, c)
	return c
}

// Leave lets others have what the cache does not need, until Return. The owner comes back,
// or passes the cache on. Owner only.
func (c *Cache) Leave() {
	c.Publish()
	c.left = c.space.central.handed.Load()
	c.state.Store(away)
}

// Return makes the caller the owner of a cache that was left.
func (c *Cache) Return() {
	if c.state.CompareAndSwap(away, owned) {
		return
	}
	m := &c.space.central.mu
	m.Lock() // whoever claims the cache has it, until the claim ends
	defer m.Unlock()
	if !c.state.CompareAndSwap(away, owned) {
		fault.Throw(fault.Misuse{What: "a thread comes back that is in the world", Want: "one goroutine at a time on a thread"})
	}
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
		return c.refill(p, class)
	}
	c.account.Count[p]++
	c.account.Bytes[p] += int64(sp.size) << GranuleShift
	return sp.take(), nil
}

// refill is the slow path of Alloc: the first span has no room.
func (c *Cache) refill(p Purpose, class int) (h uint32, err error) {
	c.refills++
	c.Publish()
	c.collectRemote(false)
	if sp := c.withRoom(p, class); sp != nil {
		h = sp.take()
	} else if h, err = c.space.central.provide(c, p, class); err != nil {
		return 0, err
	}
	c.account.Count[p]++
	c.account.Bytes[p] += int64(classGranules[class]) << GranuleShift
	return h, nil
}

// withRoom makes a span with room the first of its list, and returns it, if there is one.
func (c *Cache) withRoom(p Purpose, class int) *Span {
	sp := c.current[p][class]
	if sp != nil && sp.nfree == 0 {
		c.unlist(sp)
		sp = c.current[p][class]
	}
	return sp
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
	case sp.cache.Load() == c: // then it stays so: the cache is owned
		c.freeLocal(sp, sp.slot(h))
	case sp.state == spanSmall:
		sp.putRemote(sp.slot(h))
	case sp.state == spanLarge:
		c.space.central.releaseRun(sp, sp.spans, false)
	default:
		fault.Throw(fault.Misuse{What: "free of memory that is not in use", On: fmt.Sprintf("block %#08x", h), Want: "each block freed once"})
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
	case !sp.listed:
		c.list(sp)
	}
}

// list puts sp into the list of its class: as the second one, since the first one is being
// allocated from.
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

// unlist takes a span out of its list, if it is there.
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

// collectRemote takes in what other threads have freed. The list is taken as a
// whole, so its head cannot come back behind a push's back. A span that was lent after
// it was announced goes on to the cache that has it now: see Span.
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

// Trim takes in remote frees and gives back every span that is empty, and what is empty of
// the common cache. Owner only.
func (c *Cache) Trim() {
	c.trim(false)
	if s := &c.space.central; s.common.remote.Load() != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.trimCommon()
	}
}

func (c *Cache) trim(locked bool) {
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
