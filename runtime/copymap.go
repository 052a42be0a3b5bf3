package runtime

import "github.com/ichor-go/ichor/internal/arena"

// copyMap leads from objects to their copies: a word for each granule of the spans
// that objects were copied from. A Go map takes as long for one entry as all the rest
// of copying a small object.
type copyMap struct {
	mask   uint32
	chunks []*copyChunk // by span number / spansInChunk
}

const spansInChunk = 256

type (
	copyChunk [spansInChunk]*copySpan
	copySpan  [arena.SpanGranules]uint32 // offset of the copy in granules, + 1
)

func newCopyMap(h Heap) copyMap {
	return copyMap{h.mask, make([]*copyChunk, h.mask/arena.SpanGranules/spansInChunk+1)}
}

// get returns the offset of r's copy, and whether there is one.
func (m *copyMap) get(r Ref) (uint32, bool) {
	g := uint32(r.Handle) & m.mask
	n := g / arena.SpanGranules
	if c := m.chunks[n/spansInChunk]; c != nil {
		if s := c[n%spansInChunk]; s != nil {
			at := s[g%arena.SpanGranules]
			return at - 1, at != 0
		}
	}
	return 0, false
}

func (m *copyMap) set(r Ref, at uint32) {
	g := uint32(r.Handle) & m.mask
	n := g / arena.SpanGranules
	c := m.chunks[n/spansInChunk]
	if c == nil {
		c = new(copyChunk)
		m.chunks[n/spansInChunk] = c
	}
	s := c[n%spansInChunk]
	if s == nil {
		s = new(copySpan)
		c[n%spansInChunk] = s
	}
	s[g%arena.SpanGranules] = at + 1
}
