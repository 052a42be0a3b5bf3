package arena

import (
	"math/bits"

	"github.com/ichor-go/ichor/internal/point"
)

// A magazine keeps a few free slots of one purpose and class in front of the bitmaps, as
// jemalloc's thread caches do. Alloc pops a slot, Free pushes one, and neither touches a
// bitmap. The slot that was freed last is used first, and is probably in the processor's cache.
// No link is stored in the slots themselves, so a free writes nothing to the page of the slot.
//
//	for each small span: slots = live + |free| + |remote| + (its slots in magazines and outboxes)
//
// In the bitmap of its span, a slot in a magazine looks like one in use. It lies in a span that
// belongs to the magazine's cache. So before a span is lent to another cache, and before a walk
// over the heap, the slots go back to the bitmaps (flush). A slot that is freed twice is found
// when its magazine is flushed, and at once if the space has none (Config.Direct).
//
// The account of a cache counts a slot in a magazine as allocated until Publish, which subtracts
// it. So the fast paths count nothing.
type magazine struct {
	n     uint32 // slots in hand
	limit uint32 // the most of them: magazineSize, or 0 for a cache without magazines
	slots [magazineSize]uint32
}

const (
	// magazineSize is the most slots in a magazine, and magazineBatch how many move at once
	// between it and the bitmaps. Guesses: jemalloc's are of this order.
	magazineSize  = 64
	magazineBatch = 32

	// MagazineGranules is the size of the largest slots that have magazines. The classes up to
	// there are 1, 2, … granules.
	MagazineGranules = 8
	magazineCount    = cached * MagazineGranules
	noMagazine       = uint8(magazineCount) // index of one that stays empty
)

const _ = uint(-(magazineSize & (magazineSize - 1))) // a power of two, for the masks

// magazines are the magazines of a cache.
type magazines [magazineCount + 1]magazine

// noMagazines serves caches that have none. It is never written.
var noMagazines magazines

// Magazine returns the index for Pop of the magazine for slots of n granules, which is at most
// MagazineGranules.
func Magazine(p Purpose, n uint32) int { return int(p)*MagazineGranules + int(n) - 1 }

// magazineOf returns the index of the magazine for a class of n granules.
func magazineOf(p Purpose, n uint32) uint8 {
	if n > MagazineGranules {
		return noMagazine
	}
	return uint8(Magazine(p, n))
}

// arm gives the cache its magazines, if the space uses them. A cache that has had no span of
// its own has none, so that a thread with a few objects costs little.
func (c *Cache) arm() {
	if c.mags != &noMagazines || c.space.direct {
		return
	}
	c.frees = newMagazines()
	c.mags = c.frees
	if c.sampler != nil {
		c.sampler.counted = newMagazines()
		c.aim()
	}
}

func newMagazines() *magazines {
	m := new(magazines)
	for i := range noMagazine {
		m[i].limit = magazineSize
	}
	return m
}

// fill moves free slots of sp into its magazine, which is empty, and returns one more for the
// caller. sp belongs to the cache, and has at least one free slot.
func (c *Cache) fill(sp *Span) uint32 {
	h := sp.take()
	m := &c.frees[sp.mag]
	if n := min(m.limit, magazineBatch, sp.nfree); n > 0 {
		sp.takeMany(m.slots[:n])
		m.n = n
		c.account.Count[sp.purpose] += int64(n)
		c.account.Bytes[sp.purpose] += int64(n*sp.size) << GranuleShift
	}
	return h
}

// takeMany allocates the lowest len(dst) free slots, of which there are as many, the lowest one
// last. Owner only.
func (sp *Span) takeMany(dst []uint32) {
	if point.On {
		point.Write(&sp.nfree)
	}
	i := sp.cursor
	w := sp.free[i]
	for k := len(dst) - 1; k >= 0; k-- {
		for w == 0 {
			sp.free[i] = 0
			i++
			w = sp.free[i]
		}
		dst[k] = sp.start + (i<<6+uint32(bits.TrailingZeros64(w)))*sp.size
		w &= w - 1
	}
	sp.free[i] = w
	sp.cursor = i
	sp.nfree -= uint32(len(dst))
}

// unload moves the n slots that were freed first from a magazine back to the bitmaps. locked
// says whether the caller holds the central's lock. Owner of the cache, or stopped world.
func (c *Cache) unload(m *magazine, n uint32, locked bool) {
	if point.On {
		point.Write(&m.n)
	}
	var out [magazineSize]uint32
	copy(out[:], m.slots[:n])
	m.n = uint32(copy(m.slots[:], m.slots[n:m.n])) // before put, which may panic
	for hs := out[:n]; len(hs) > 0; {
		sp := c.space.central.span(hs[0])
		k := 0
		for ; k < len(hs) && hs[k]-sp.start < SpanGranules; k++ {
			sp.put(sp.slot(hs[k]))
		}
		c.account.Count[sp.purpose] -= int64(k)
		c.account.Bytes[sp.purpose] -= int64(k) * int64(sp.size) << GranuleShift
		c.settle(sp, locked)
		hs = hs[k:]
	}
}

// flush moves all slots in magazines and in the outbox back to the bitmaps.
func (c *Cache) flush(locked bool) {
	c.send(locked)
	if c.mags == &noMagazines {
		return
	}
	if c.sampler != nil {
		c.uncount(locked)
	}
	for i := range c.frees {
		if m := &c.frees[i]; m.n > 0 {
			c.unload(m, m.n, locked)
		}
	}
}

// flush moves the slots in the magazines and outboxes of all caches back to the bitmaps. World
// stopped.
func (s *Space) flush() {
	m := &s.central.mu
	m.Lock()
	defer m.Unlock()
	for _, c := range m.caches {
		c.flush(true)
	}
}

// inMagazines returns how many slots of purpose p are in magazines, and their bytes. Owner only.
func (c *Cache) inMagazines(p Purpose) (n, bytes int64) {
	if c.mags == &noMagazines || int(p) >= cached {
		return 0, 0
	}
	for i := range MagazineGranules {
		k := int64(c.frees[int(p)*MagazineGranules+i].n)
		if c.sampler != nil {
			k += int64(c.sampler.counted[int(p)*MagazineGranules+i].n)
		}
		n += k
		bytes += k * int64(i+1) << GranuleShift
	}
	return n, bytes
}
