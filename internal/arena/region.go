package arena

import "math/bits"

// Region is memory of the immortal half that is allocated in order and freed as a
// whole. One goroutine at a time uses it.
type Region struct {
	space  *Space
	runs   []*Span
	next   uint32 // handle of the next free granule
	left   uint32 // granules left in the current run
	hidden uint32 // the part of the run behind these: see sample.go
	picked uint32 // handle of the last sampled object or block
	starts []startMap
	count  int64
	bytes  int64

	published struct{ count, bytes int64 } // what the space's accounts include of this region
}

// startMap marks the granules of a span at which an object begins.
type startMap struct {
	first uint32 // handle
	bits  [SpanGranules / 64]uint64
}

// NewRegion returns an empty region.
func (s *Space) NewRegion() *Region { return &Region{space: s} }

// Alloc returns the handle of n granules of zeroed memory. object says whether they
// begin with a header, so that Walk finds them.
func (r *Region) Alloc(n uint32, object bool) (uint32, error) {
	if n > r.left {
		if err := r.more(n); err != nil {
			return 0, err
		}
	}
	h := r.next
	r.next += n
	r.left -= n
	r.bytes += int64(n) << GranuleShift
	if object {
		r.count++
		r.mark(h)
	}
	return h, nil
}

func (r *Region) extend(n uint32) error {
	r.Publish()
	spans := (n + SpanGranules - 1) / SpanGranules
	sp, err := r.space.central.acquire(spans, true)
	if err != nil {
		return err
	}
	for i := range spans {
		d := r.space.central.span(sp.start + i*SpanGranules)
		d.state, d.purpose = spanRegion, Immortal
		if d.dirty {
			r.space.Zero(d.start, SpanGranules)
		}
	}
	h := ImmortalBit | sp.start
	if l := len(r.runs); l > 0 && h == r.next+r.left {
		r.left += spans * SpanGranules // the new run continues the last one
	} else {
		r.next, r.left = h, spans*SpanGranules
	}
	r.runs = append(r.runs, sp)
	for i := range spans {
		d := r.space.central.span(sp.start + i*SpanGranules)
		d.region, d.pos = r, uint32(len(r.starts))
		r.starts = append(r.starts, startMap{first: h + i*SpanGranules})
	}
	return nil
}

func (r *Region) mark(h uint32) {
	g := h & r.space.mask
	m := &r.starts[r.space.central.span(g).pos]
	m.bits[g%SpanGranules/64] |= 1 << (g % 64)
}

// Walk calls f with the handle of every object in the region, in the order of
// their addresses within each span, until f returns false.
func (r *Region) Walk(f func(h uint32) bool) {
	for i := range r.starts {
		m := &r.starts[i]
		for w, b := range m.bits {
			for ; b != 0; b &= b - 1 {
				if !f(m.first + uint32(w*64+bits.TrailingZeros64(b))) {
					return
				}
			}
		}
	}
}

// WalkSizes is Walk with the number of granules from each object to the next one, or to
// the end of what the region has used without a gap. This is the object with its blocks,
// as these are allocated after it. A block behind a gap belongs to no object here.
func (r *Region) WalkSizes(f func(h, granules uint32)) {
	last := uint32(0)
	for i := range r.starts {
		m := &r.starts[i]
		if i > 0 && last != 0 && m.first != r.starts[i-1].first+SpanGranules {
			f(last, r.starts[i-1].first+SpanGranules-last)
			last = 0
		}
		for w, b := range m.bits {
			for ; b != 0; b &= b - 1 {
				h := m.first + uint32(w*64+bits.TrailingZeros64(b))
				if last != 0 {
					f(last, h-last)
				}
				last = h
			}
		}
	}
	if last != 0 {
		end := r.next
		if end <= last { // another process has made the region
			end = r.starts[len(r.starts)-1].first + SpanGranules
		}
		f(last, end-last)
	}
}

// Objects and Bytes return how much the region holds.
func (r *Region) Objects() int64 { return r.count }
func (r *Region) Bytes() int64   { return r.bytes }

// Contains reports whether an object of the region begins at handle h.
func (r *Region) Contains(h uint32) bool {
	g := h & r.space.mask
	sp := r.space.central.lookup(g)
	if h&ImmortalBit == 0 || sp == nil || sp.region != r {
		return false
	}
	return r.starts[sp.pos].bits[g%SpanGranules/64]>>(g%64)&1 != 0
}

// Publish brings the space's accounts up to date.
func (r *Region) Publish() {
	r.space.immortal.count.Add(r.count - r.published.count)
	r.space.immortal.bytes.Add(r.bytes - r.published.bytes)
	r.published.count, r.published.bytes = r.count, r.bytes
}

// Free gives the whole region back.
func (r *Region) Free() {
	r.count, r.bytes = 0, 0
	r.Publish()
	for _, sp := range r.runs {
		r.space.central.releaseRun(sp, sp.spans, true)
	}
	*r = Region{space: r.space}
}
