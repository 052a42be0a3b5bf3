package pagemap

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Seal makes pages read-only, so that a store to them faults and reports its address.
// It has the methods of a Watch. One goroutine at a time.
type Seal struct{ ranges [][]byte }

// NewSeal returns a seal of no pages. The error is always nil on Linux.
func NewSeal() (*Seal, error) { return &Seal{}, nil }

// Add seals the pages from start to end, which must be mapped readable and writable.
func (s *Seal) Add(start, end uintptr) error {
	// Safety: only the slice's bounds are used; its bytes are not read.
	b := unsafe.Slice(*(**byte)(unsafe.Pointer(&start)), end-start)
	if err := unix.Mprotect(b, unix.PROT_READ); err != nil {
		return fmt.Errorf("pagemap: seal %#x to %#x: %w", start, end, err)
	}
	s.ranges = append(s.ranges, b)
	return nil
}

// Written returns nothing: a store to a sealed page faults.
func (s *Seal) Written() ([]uintptr, error) { return nil, nil }

// Close makes all pages writable again. They must still be mapped. Closing again does
// nothing.
func (s *Seal) Close() (err error) {
	for _, b := range s.ranges {
		err = errors.Join(err, unix.Mprotect(b, unix.PROT_READ|unix.PROT_WRITE))
	}
	s.ranges = nil
	return err
}
