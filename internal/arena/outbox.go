package arena

import (
	"math/bits"

	"github.com/ichor-go/ichor/internal/point"
)

// An outbox keeps slots that a thread has freed in spans of other caches, and sends them there
// together. A remote free takes two atomic operations on words that the owner of the span also
// uses. Objects that were made one after another are mostly dropped in that order, and their slots
// lie in one word of a bitmap. So two such operations serve up to 32 frees.
//
//	for each small span: slots = live + |free| + |remote| + (its slots in magazines and outboxes)
//
// In the bitmaps of its span, a slot in an outbox looks like one in use. So its span is not given
// back meanwhile. No allocation takes a slot from an outbox: then two threads would use
// neighbouring slots, which often share a cache line. Before a walk over the heap, and before the
// owner leaves its cache, the slots go to their spans (send).
//
// The account of the cache counts a slot in the outbox as freed.
type outbox struct {
	n     uint32
	limit uint32 // how many slots it keeps: 0 to send each at once
	slots [outboxSize]uint32
}

// outboxSize is the most slots in an outbox: half a word of a bitmap. A guess.
const outboxSize = 32

// outboxLimit returns the limit for the caches of a space. The explorer's programs are short, so
// there an outbox is full with the second slot.
func (s *Space) outboxLimit() uint32 {
	switch {
	case s.direct:
		return 0
	case point.On:
		return 2
	}
	return outboxSize
}

// freeRemote frees a slot of another cache's span, or keeps it for later. Large slots do not
// wait, nor do sampled ones and those of the common cache: these belong to no thread, which would
// take over what waits. Owner of the cache only.
func (c *Cache) freeRemote(sp *Span, h uint32) {
	o := &c.out
	if o.limit == 0 || sp.mag == noMagazine || sp.apart || sp.owner() == c.space.central.common {
		s := sp.slot(h)
		sp.putRemote(s>>6, 1<<(s&63))
		return
	}
	if point.On {
		point.Write(&o.n)
	}
	o.slots[o.n%outboxSize] = h
	if o.n++; o.n >= o.limit {
		c.send(false)
	}
}

// send frees the slots in the outbox. locked says whether the caller holds the central's lock.
// Owner of the cache, a goroutine that has claimed it, or stopped world.
func (c *Cache) send(locked bool) {
	o := &c.out
	if o.n == 0 {
		return // without a write: a new thread may be about to leave its cache for the first time
	}
	if point.On {
		point.Write(&o.n)
	}
	var all [outboxSize]uint32
	n := copy(all[:], o.slots[:o.n])
	o.n = 0 // before the frees, which may panic
	for hs := all[:n]; len(hs) > 0; {
		sp := c.space.central.span(hs[0])
		s := sp.slot(hs[0])
		word, mask := s>>6, uint64(1)<<(s&63)
		for hs = hs[1:]; len(hs) > 0 && c.space.central.span(hs[0]) == sp; hs = hs[1:] {
			s = sp.slot(hs[0])
			bit := uint64(1) << (s & 63)
			if s>>6 != word {
				break
			}
			if mask&bit != 0 {
				sp.freedTwice(s)
			}
			mask |= bit
		}
		if sp.owner() != c {
			sp.putRemote(word, mask)
			continue
		}
		for ; mask != 0; mask &= mask - 1 { // the span was lent to this cache meanwhile
			sp.put(word<<6 + uint32(bits.TrailingZeros64(mask)))
		}
		c.settle(sp, locked)
	}
}
