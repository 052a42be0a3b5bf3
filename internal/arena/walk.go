package arena

import (
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
)

// Walk calls f with the handle of every live slot and large block of purpose p, lowest
// first, until f returns false. World stopped.
func (s *Space) Walk(p Purpose, f func(h uint32) bool) {
	s.flush()
	s.eachSpan(func(sp *Span) bool { return sp.purpose != p || sp.walk(f) })
}

// WalkObjects is Walk for everything that begins with a header: leaves and containers.
func (s *Space) WalkObjects(f func(h uint32) bool) {
	s.flush()
	s.eachSpan(func(sp *Span) bool { return sp.purpose > Containers || sp.walk(f) })
}

// ObjectSpans appends the spans with objects of the counted half, lowest first. World
// stopped.
func (s *Space) ObjectSpans(dst []*Span) []*Span {
	s.flush()
	s.eachSpan(func(sp *Span) bool {
		if sp.purpose <= Containers && (sp.state == spanSmall || sp.state == spanLarge) {
			dst = append(dst, sp)
		}
		return true
	})
	return dst
}

func (s *Space) eachSpan(f func(sp *Span) bool) {
	for i := range s.central.chunks {
		ch := s.central.chunks[i].Load()
		if ch == nil {
			continue
		}
		for j := range ch {
			if !f(&ch[j]) {
				return
			}
		}
	}
}

func (sp *Span) walk(f func(h uint32) bool) bool {
	switch sp.state {
	case spanLarge:
		return f(sp.start)
	case spanSmall:
		for n := range sp.slots {
			if sp.live(n) && !f(sp.start+n*sp.size) {
				return false
			}
		}
	}
	return true
}

// Check panics unless the identities of every span and of the central hold. World
// stopped.
func (s *Space) Check() {
	s.flush()
	c := &s.central
	c.mu.Lock()
	defer c.mu.Unlock()
	used := c.mu.extents
	s.eachSpan(func(sp *Span) bool {
		if sp.state == spanSmall {
			sp.check()
		}
		if sp.state != spanFree && !sp.shared {
			used++
		}
		return true
	})
	if warm := int64(len(c.mu.warm)); used != c.mu.used || used+warm > c.mu.limit && !(mutant.On && mutant.Is(mutant.LimitIgnored)) {
		panic(fault.Errorf("%d spans are in use and %d kept warm, want %d, and a sum of at most %d", used, warm, c.mu.used, c.mu.limit))
	}
}

// Block describes the live block that begins at handle h of the counted half. ok is
// false if there is none. World stopped, unless the block is known to be live.
func (s *Space) Block(h uint32) (p Purpose, granules uint32, ok bool) {
	if h&ImmortalBit != 0 {
		return 0, 0, false
	}
	sp := s.central.lookup(h)
	switch {
	case sp == nil:
	case sp.state == spanLarge:
		return sp.purpose, sp.size, sp.start == h
	case sp.state == spanSmall:
		n := sp.slot(h)
		return sp.purpose, sp.size, n < sp.slots && sp.start+n*sp.size == h && sp.live(n)
	}
	return 0, 0, false
}

// Granules returns the size of the block in use at handle h.
func (s *Space) Granules(h uint32) uint32 { return s.central.span(h).size }

// Usage is the memory that a space has in use.
type Usage struct {
	Account
	Committed int64 // bytes of spans in use or kept warm
	Limit     int64 // bytes
}

// Usage adds up the published accounts. A cache's account is as of its last refill,
// Publish or Trim. Any goroutine.
func (s *Space) Usage() Usage {
	c := &s.central
	c.mu.Lock()
	defer c.mu.Unlock()
	u := Usage{
		Committed: (c.mu.used + int64(len(c.mu.warm))) << SpanShift,
		Limit:     c.mu.limit << SpanShift,
	}
	u.Count[Immortal] = s.immortal.count.Load()
	u.Bytes[Immortal] = s.immortal.bytes.Load()
	for _, cache := range c.mu.caches {
		for p := range Purposes {
			u.Count[p] += cache.published[p].count.Load()
			u.Bytes[p] += cache.published[p].bytes.Load()
		}
	}
	return u
}
