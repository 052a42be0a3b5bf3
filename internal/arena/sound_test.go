package arena

import (
	"fmt"
	"math/bits"
)

// sound returns what is wrong with the lists, rings and bitmaps of a space whose caches
// are not in use. Check compares only sums.
func (s *Space) sound() error {
	c := &s.central
	c.mu.Lock()
	defer c.mu.Unlock()
	spans, listed, ring := map[*Cache]uint32{}, map[*Cache]int{}, map[*Span]bool{}
	for p := range c.mu.small {
		for class := range c.mu.small[p] {
			r := &c.mu.small[p][class]
			n := 0
			for sp := r.next; sp != nil; sp = sp.after {
				if n++; sp.after.before != sp || sp.before.after != sp || sp.purpose != Purpose(p) || sp.class != uint8(class) || ring[sp] {
					return fmt.Errorf("the ring of class %d is broken at span %d", class, sp.Number())
				}
				if ring[sp] = true; sp.after == r.next {
					break
				}
			}
			if n != r.n {
				return fmt.Errorf("the ring of class %d has %d spans, and counts %d", class, n, r.n)
			}
		}
	}
	err := error(nil)
	s.eachSpan(func(sp *Span) bool {
		n, cache := sp.Number(), sp.cache.Load()
		inUse := sp.state == spanSmall && !sp.shared
		switch {
		case inUse != ring[sp] || !inUse && !sp.shared && (sp.after != nil || sp.before != nil):
			err = fmt.Errorf("span %d in state %d: in the ring: %t", n, sp.state, ring[sp])
		case sp.state != spanSmall && cache != nil:
			err = fmt.Errorf("span %d in state %d has an owner", n, sp.state)
		case sp.state == spanSmall && cache == nil:
			err = fmt.Errorf("span %d has no owner", n)
		case inUse && !sp.listed && sp.nfree > 0:
			err = fmt.Errorf("span %d has room, but is not in the list of its cache", n)
		case !sp.listed && (sp.next != nil || sp.prev != nil):
			err = fmt.Errorf("span %d is not in a list, and has links", n)
		case sp.state == spanFree && (sp.region != nil || sp.pos != 0):
			err = fmt.Errorf("span %d is free, and has a region", n)
		}
		if n < c.nspans/2 {
			got, want := c.tracked[n/64].Load()>>(n%64)&1 != 0, false
			switch {
			case sp.purpose == Containers && sp.state == spanSmall:
				want = sp.hidden == nil || sp.nhidden < sp.slots
			case sp.purpose == Containers && sp.state == spanLarge:
				want = got // it may be hidden
			}
			if got != want && !sp.shared {
				err = fmt.Errorf("span %d in state %d: tracked: %t", n, sp.state, got)
			}
		}
		if sp.hidden != nil {
			hidden := 0
			for _, w := range sp.hidden {
				hidden += bits.OnesCount64(w)
			}
			if uint32(hidden) != sp.nhidden {
				err = fmt.Errorf("span %d has hidden %d slots, and counts %d", n, hidden, sp.nhidden)
			}
		}
		if sp.state == spanSmall {
			spans[cache]++
		}
		if sp.listed {
			listed[cache]++
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	caches := append([]*Cache{c.common, c.apart}, c.mu.caches...)
	for i, cache := range caches {
		if cache.spans != spans[cache] {
			return fmt.Errorf("cache %d has %d spans, and counts %d", i, spans[cache], cache.spans)
		}
		for p := range cache.current {
			for class, sp := range cache.current[p] {
				for before := (*Span)(nil); sp != nil; before, sp = sp, sp.next {
					listed[cache]--
					if sp.prev != before || !sp.listed || sp.cache.Load() != cache || sp.purpose != Purpose(p) || sp.class != uint8(class) || sp.state != spanSmall {
						return fmt.Errorf("the list of class %d of cache %d is broken at span %d", class, i, sp.Number())
					}
					if before != nil && sp.nfree == 0 {
						return fmt.Errorf("span %d has no room, but is in the list behind the first one", sp.Number())
					}
				}
			}
		}
	}
	for _, n := range listed {
		if n != 0 {
			return fmt.Errorf("%d spans are marked as listed, but are in no list", n)
		}
	}
	for _, h := range []*half{&c.mu.counted, &c.mu.immortal} {
		if err := h.sound(c); err != nil {
			return err
		}
	}
	for _, n := range c.mu.warm {
		if c.descriptor(n).state != spanFree || c.mu.counted.isFree(n) {
			return fmt.Errorf("span %d is kept warm, and in use or with the system", n)
		}
	}
	return nil
}

func (h *half) isFree(n uint32) bool {
	i := (n - h.first) / 64
	return i < uint32(len(h.avail)) && h.avail[i]>>((n-h.first)%64)&1 != 0
}

// sound checks the half's own fields and, if c is not nil, that no free span is in use.
func (h *half) sound(c *central) error {
	n := uint32(0)
	for i, w := range h.avail {
		if n += uint32(bits.OnesCount64(w)); w != 0 && uint32(i) < h.hint {
			return fmt.Errorf("spans are free below the hint of %d", h.hint)
		}
		for ; c != nil && w != 0; w &= w - 1 {
			free := h.first + uint32(i*64+bits.TrailingZeros64(w))
			if sp := c.lookup(free * SpanGranules); sp != nil && sp.state != spanFree || free >= h.next && h.start == h.first {
				return fmt.Errorf("span %d is both free and in use", free)
			}
		}
	}
	if n != h.navail {
		return fmt.Errorf("%d spans are free, counted as %d", n, h.navail)
	}
	return nil
}
