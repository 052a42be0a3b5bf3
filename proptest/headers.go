package proptest

import (
	"fmt"
	"sync"

	"github.com/ichor-go/ichor/internal/aligned"
	rt "github.com/ichor-go/ichor/runtime"
)

// Headers remembers the header of every immortal object of a runtime, from the first
// sample that has the object, and compares later samples with it. The zero value has seen
// no object. Take a sample right after objects become immortal, at any time after
// that, and once at the end. Any goroutine.
type Headers struct {
	samples aligned.Int64 // raised while the world is stopped

	mu   sync.Mutex
	seen map[rt.Ref]firstSight
}

type firstSight struct {
	header [4]uint32
	sample int64
}

// HeaderError says that immortal objects have changed or disappeared. Its references are
// borrowed: they name the objects and keep nothing alive.
type HeaderError struct {
	Changed []rt.Ref // with another header than in the first sample
	Gone    []rt.Ref // no longer immortal, or freed
}

func (e *HeaderError) Error() string {
	return fmt.Sprintf("ichor: headers: of the immortals, %d have another header than before: %v; %d are gone: %v",
		len(e.Changed), e.Changed, len(e.Gone), e.Gone)
}

// Sample compares all immortals: those by address, those in place, and the
// singletons. The error is a *HeaderError. A safe point. Attached thread.
func (h *Headers) Sample(t *rt.Thread) error {
	var sample int64
	now := map[rt.Ref][4]uint32{}
	t.Immortals(func(r rt.Ref, header [4]uint32) {
		if sample == 0 {
			sample = h.samples.Inc()
		}
		now[r] = header
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen == nil {
		h.seen = map[rt.Ref]firstSight{}
	}
	e := &HeaderError{}
	count("headers compared", len(now))
	for r, header := range now {
		if first, ok := h.seen[r]; !ok {
			h.seen[r] = firstSight{header, sample}
		} else if first.header != header {
			e.Changed = append(e.Changed, r)
		}
	}
	for r, first := range h.seen {
		if _, ok := now[r]; !ok && first.sample < sample {
			e.Gone = append(e.Gone, r)
		}
	}
	if len(e.Changed)+len(e.Gone) > 0 {
		return e
	}
	return nil
}

// containers returns the number of immortals whose type can hold references.
func (h *Headers) containers() (n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r, first := range h.seen {
		if r == rt.EmptyTuple {
			continue
		}
		switch rt.TypeID(first.header[3]) {
		case rt.TypeList, rt.TypeDict, rt.TypeTuple, record.ID(), nodeType.ID():
			n++
		}
	}
	return n
}
