package pagemap

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Seal makes pages read-only: a store to them is a fault with its address. It has the
// methods of a Watch. One goroutine at a time.
type Seal struct{ ranges [][]byte }

// NewSeal returns a seal on nothing. The error is nil on Linux.
func NewSeal() (*Seal, error) { return &Seal{}, nil }

// Add seals the pages from start to end, which are mapped for reading and writing.
func (s *Seal) Add(start, end uintptr) error {
	// Safety: the slice is for its bounds; nobody reads it.
	b := unsafe.Slice(*(**byte)(unsafe.Pointer(&start)), end-start)
	if err := unix.Mprotect(b, unix.PROT_READ); err != nil {
		return fmt.Errorf("pagemap: seal %#x to %#x: %w", start, end, err)
	}
	s.ranges = append(s.ranges, b)
	return nil
}

// Written returns nothing: who stores to a sealed page faults.
func (s *Seal) Written() ([]uintptr, error) { return nil, nil }

// Close makes all pages writable again, which must still be mapped. Closing again does
// nothing.
func (s *Seal) Close() (err error) {
	for _, b := range s.ranges {
		err = errors.Join(err, unix.Mprotect(b, unix.PROT_READ|unix.PROT_WRITE))
	}
	s.ranges = nil
	return err
}
