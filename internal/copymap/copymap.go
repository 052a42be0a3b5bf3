// Package copymap leads from objects to their copies.
package copymap

import "github.com/ichor-go/ichor/internal/arena"

// Map leads from handles of objects to the offsets of their copies: it has a word for each
// granule of the spans that objects were copied from. A Go map takes as long for one entry
// as all the rest of copying a small object. One goroutine at a time.
type Map struct {
	mask   uint32
	chunks []*chunk // by span number / spansInChunk
}

const spansInChunk = 256

type (
	chunk [spansInChunk]*span
	span  [arena.SpanGranules]uint32 // offset of the copy in granules, + 1
)

// New returns an empty map for handles of which only the bits in mask count.
func New(mask uint32) Map {
	return Map{mask, make([]*chunk, mask/arena.SpanGranules/spansInChunk+1)}
}

// Get returns the offset of h's copy, and whether there is one.
func (m *Map) Get(h uint32) (uint32, bool) {
	g := h & m.mask
	n := g / arena.SpanGranules
	if c := m.chunks[n/spansInChunk]; c != nil {
		if s := c[n%spansInChunk]; s != nil {
			at := s[g%arena.SpanGranules]
			return at - 1, at != 0
		}
	}
	return 0, false
}

// Set notes the offset of h's copy.
func (m *Map) Set(h, at uint32) {
	g := h & m.mask
	n := g / arena.SpanGranules
	c := m.chunks[n/spansInChunk]
	if c == nil {
		c = new(chunk)
		m.chunks[n/spansInChunk] = c
	}
	s := c[n%spansInChunk]
	if s == nil {
		s = new(span)
		c[n%spansInChunk] = s
	}
	s[g%arena.SpanGranules] = at + 1
}
