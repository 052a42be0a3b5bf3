package proptest

import (
	"github.com/ichor-go/ichor/proptest/internal/headers"
	rt "github.com/ichor-go/ichor/runtime"
)

// Headers remembers the header of every immortal object of a runtime, from the first
// sample that has the object, and compares later samples with it. The zero value has seen
// no object. Take a sample right after objects become immortal, at any time after
// that, and once at the end. Any goroutine.
type Headers struct {
	samples headers.Samples
}

// Sample compares all immortals: those by address, those in place, and the
// singletons. The error is a *HeaderError. A safe point. Attached thread.
func (h *Headers) Sample(t *rt.Thread) error {
	if e := h.samples.Take(t); e != nil {
		return (*HeaderError)(e)
	}
	return nil
}

// HeaderError says that immortal objects have changed or disappeared. Its references are
// borrowed: they name the objects and keep nothing alive.
type HeaderError struct {
	Changed []rt.Ref // with another header than in the first sample
	Gone    []rt.Ref // no longer immortal, or freed
}

func (e *HeaderError) Error() string { return (*headers.Error)(e).Error() }
