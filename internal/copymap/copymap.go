// Package copymap finds the copies of objects, for freezing: by the object that was copied, and by
// the contents of the copy.
package copymap

import "github.com/ichor-go/ichor/internal/arena"

// Map maps the handles of objects to the offsets of their copies. It has a word for each
// granule of the spans from which objects were copied. A Go map would double the cost of
// copying a small object. One goroutine at a time.
type Map struct {
	mask   uint32
	chunks []*chunk // by span number / spansInChunk
}

const spansInChunk = 256

type (
	chunk [spansInChunk]*span
	span  [arena.SpanGranules]uint32 // offset of the copy in granules, + 1
)

// New returns an empty map. Only the bits of a handle that are in mask count.
func New(mask uint32) Map {
	return Map{mask, make([]*chunk, mask/arena.SpanGranules/spansInChunk+1)}
}

// Get returns the offset of h's copy, and reports whether there is one.
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

// Set sets the offset of h's copy.
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
