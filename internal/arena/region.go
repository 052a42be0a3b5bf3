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

// startMap marks the granules of a span at which something begins.
type startMap struct {
	first   uint32 // handle
	objects startBits
	others  startBits // blocks, and the ends of what is in use: at gaps, and where the region ends
}

type startBits [SpanGranules / 64]uint64

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
	at, bit := r.start(h)
	if object {
		r.count++
		at.objects[bit/64] |= 1 << (bit % 64)
	} else {
		at.others[bit/64] |= 1 << (bit % 64)
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
		r.end()
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

// start returns the map of the span around handle h, and the bit for h.
func (r *Region) start(h uint32) (m *startMap, bit uint32) {
	g := h & r.space.mask
	return &r.starts[r.space.central.span(g).pos], g % SpanGranules
}

// end marks the end of what is in use now, unless a span ends there. If the region goes on from
// there, something begins at the mark.
func (r *Region) end() {
	if r.left+r.hidden > 0 {
		m, bit := r.start(r.next)
		m.others[bit/64] |= 1 << (bit % 64)
	}
}

// Walk calls f with the handle of every object in the region, in the order of
// their addresses within each span, until f returns false.
func (r *Region) Walk(f func(h uint32) bool) {
	for i := range r.starts {
		m := &r.starts[i]
		for w, b := range m.objects {
			for ; b != 0; b &= b - 1 {
				if !f(m.first + uint32(w*64+bits.TrailingZeros64(b))) {
					return
				}
			}
		}
	}
}

// WalkSizes is Walk with the number of granules of each object. gap says that memory of others may
// lie between it and the object before. World stopped.
func (r *Region) WalkSizes(f func(h, granules uint32, gap bool)) {
	r.end()
	gap := true
	for i := range r.starts {
		m := &r.starts[i]
		gap = gap || m.first != r.starts[i-1].first+SpanGranules
		for w, b := range m.objects {
			for ; b != 0; b &= b - 1 {
				h := m.first + uint32(w*64+bits.TrailingZeros64(b))
				f(h, r.Granules(h), gap)
				gap = false
			}
		}
	}
}

// Granules returns the size of the object or block that begins at handle h: up to what begins
// next. During WalkSizes.
func (r *Region) Granules(h uint32) uint32 {
	from := h%SpanGranules + 1
	for i := r.space.central.span(h & r.space.mask).pos; ; i, from = i+1, 0 {
		m := &r.starts[i]
		for w := from / 64; w < SpanGranules/64; w, from = w+1, 0 {
			if b := (m.objects[w] | m.others[w]) >> (from % 64) << (from % 64); b != 0 {
				return m.first + w*64 + uint32(bits.TrailingZeros64(b)) - h
			}
		}
		if end := m.first + SpanGranules; int(i)+1 == len(r.starts) || r.starts[i+1].first != end {
			return end - h
		}
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
	return r.starts[sp.pos].objects[g%SpanGranules/64]>>(g%64)&1 != 0
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
