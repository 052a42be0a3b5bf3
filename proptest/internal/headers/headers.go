// Package headers compares the headers of immortal objects over time.
package headers

import (
	"fmt"
	"sync"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/proptest/internal/counts"
	rt "github.com/ichor-go/ichor/runtime"
)

// Samples holds the header of every immortal object of a runtime from the first sample that has
// the object. The zero value has seen no object.
type Samples struct {
	last aligned.Int64 // number of the last sample; raised while the world is stopped

	mu   sync.Mutex
	seen map[rt.Ref]firstSight
}

// firstSight is the header of an object in the first sample that has it, and that sample's number.
type firstSight struct {
	header [4]uint32
	sample int64
}

// Error says that immortal objects have changed or disappeared.
type Error struct {
	Changed []rt.Ref // with another header than in the first sample
	Gone    []rt.Ref // no longer immortal, or freed
}

func (e *Error) Error() string {
	return fmt.Sprintf("ichor: headers: of the immortals, %d have another header than before: %v; %d are gone: %v",
		len(e.Changed), e.Changed, len(e.Gone), e.Gone)
}

// Take compares all immortals with their first samples. It returns nil if they agree. A safe
// point.
func (s *Samples) Take(t *rt.Thread) *Error {
	var sample int64
	now := map[rt.Ref][4]uint32{}
	t.Immortals(func(r rt.Ref, header [4]uint32) {
		if sample == 0 {
			sample = s.last.Inc()
		}
		now[r] = header
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[rt.Ref]firstSight{}
	}
	e := &Error{}
	counts.Add("headers compared", len(now))
	for r, header := range now {
		if first, ok := s.seen[r]; !ok {
			s.seen[r] = firstSight{header, sample}
		} else if first.header != header {
			e.Changed = append(e.Changed, r)
		}
	}
	for r, first := range s.seen {
		if _, ok := now[r]; !ok && first.sample < sample {
			e.Gone = append(e.Gone, r)
		}
	}
	if len(e.Changed)+len(e.Gone) > 0 {
		return e
	}
	return nil
}

// Number returns the number of immortals, by their types, that suit.
func (s *Samples) Number(suits func(r rt.Ref, y rt.TypeID) bool) (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r, first := range s.seen {
		if suits(r, rt.TypeID(first.header[3])) {
			n++
		}
	}
	return n
}
