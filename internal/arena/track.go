package arena

import "math/bits"

// The cycle collector visits the containers of the counted half, except those that are
// hidden from it. Its lists and bitmaps lie in Go memory, so finding the containers of
// a span does not touch the span.

// track makes the collector visit a new span of containers.
func (c *central) track(sp *Span) {
	if sp.purpose == Containers {
		n := sp.start / SpanGranules
		c.tracked[n/64].Or(1 << (n % 64))
	}
}

// untrack makes the collector skip the span.
func (c *central) untrack(sp *Span) {
	n := sp.start / SpanGranules
	c.tracked[n/64].And(^uint64(1 << (n % 64)))
}

// Hide hides the container at handle h from the collector for good, because it has
// become immortal. The collector skips a span once all its slots are hidden. World
// stopped.
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

// Tracked appends the spans that hold containers for the collector, lowest first. World
// stopped.
func (s *Space) Tracked(dst []*Span) []*Span {
	s.flush()
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

// Slots returns the first handle in the span, the distance from one handle to the next,
// and the number of slots.
func (sp *Span) Slots() (first, size, n uint32) {
	if sp.state == spanLarge {
		return sp.start, sp.size, 1
	}
	return sp.start, sp.size, sp.slots
}

// Containers appends the handles of the span's live containers that are not hidden,
// lowest first. World stopped.
func (sp *Span) Containers(dst []uint32) []uint32 { return sp.handles(dst, sp.hidden) }

// Objects appends the handles of everything live in the span, lowest first. World
// stopped.
func (sp *Span) Objects(dst []uint32) []uint32 { return sp.handles(dst, nil) }

// handles appends the handles of the live slots, or of the large block, without those
// that are marked in but.
func (sp *Span) handles(dst []uint32, but *[bitmapWords]uint64) []uint32 {
	if sp.state == spanLarge {
		return append(dst, sp.start)
	}
	for i := range sp.words {
		w := ^(sp.free[i] | sp.remote[i].Load())
		if but != nil {
			w &^= but[i]
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
