package arena

import "math/bits"

// What the cycle collector looks at: the containers of the counted half, less
// those that are hidden from it. Its lists and bitmaps lie in Go memory, so that
// it finds out about a span without touching it.

// track has the collector look at a new span of containers.
func (c *central) track(sp *Span) {
	if sp.purpose == Containers {
		n := sp.start / SpanGranules
		c.tracked[n/64].Or(1 << (n % 64))
	}
}

// untrack has it pass the span over.
func (c *central) untrack(sp *Span) {
	n := sp.start / SpanGranules
	c.tracked[n/64].And(^uint64(1 << (n % 64)))
}

// Hide takes the container at handle h out of the collector's sight, for good: it
// has become immortal. A span in which nothing else can ever be is not even looked
// at. World stopped.
func (s *Space) Hide(h uint32) {
	sp := s.central.span(h)
	if sp.purpose != Containers {
		return
	}
	if sp.state == spanLarge {
		s.central.untrack(sp)
		return
	}
	if sp.hidden == nil {
		sp.hidden = new([bitmapWords]uint64)
	}
	n := sp.slot(h)
	if bit := uint64(1) << (n & 63); sp.hidden[n>>6]&bit == 0 {
		sp.hidden[n>>6] |= bit
		if sp.nhidden++; sp.nhidden == sp.slots {
			s.central.untrack(sp)
		}
	}
}

// Tracked appends the spans that hold something for the collector, lowest first.
// World stopped.
func (s *Space) Tracked(dst []*Span) []*Span {
	for i := range s.central.tracked {
		for w := s.central.tracked[i].Load(); w != 0; w &= w - 1 {
			n := uint32(i*64 + bits.TrailingZeros64(w))
			dst = append(dst, s.central.span(n*SpanGranules))
		}
	}
	return dst
}

// Number returns the number of the span in its space: handle / SpanGranules.
func (sp *Span) Number() uint32 { return sp.start / SpanGranules }

// Slots describes where handles in the span can be: the first, the distance to
// the next, and how many there are.
func (sp *Span) Slots() (first, size, n uint32) {
	if sp.state == spanLarge {
		return sp.start, sp.size, 1
	}
	return sp.start, sp.size, sp.slots
}

// Containers appends the handles of the live containers in the span that are not
// hidden, lowest first. World stopped.
func (sp *Span) Containers(dst []uint32) []uint32 {
	if sp.state == spanLarge {
		return append(dst, sp.start)
	}
	for i := range sp.words {
		w := ^(sp.free[i] | sp.remote[i].Load())
		if sp.hidden != nil {
			w &^= sp.hidden[i]
		}
		if i == sp.words-1 && sp.slots%64 != 0 {
			w &= 1<<(sp.slots%64) - 1
		}
		for ; w != 0; w &= w - 1 {
			dst = append(dst, sp.start+(i<<6+uint32(bits.TrailingZeros64(w)))*sp.size)
		}
	}
	return dst
}
