package arena

import (
	"errors"

	"golang.org/x/sys/unix"
)

const mapNoReserve = unix.MAP_NORESERVE

// decommit drops the pages: they read as zero at the next access.
func decommit(b []byte) error { return unix.Madvise(b, unix.MADV_DONTNEED) }

// lockUp is mseal, which Linux has from 6.10 on.
func lockUp(part func(off, n uintptr) []byte) func(off, n uintptr) error {
	return func(off, n uintptr) error {
		err := unix.Mseal(part(off, n), 0)
		if err == unix.ENOSYS {
			return errors.ErrUnsupported
		}
		return err
	}
}

// populate asks for the pages in advance, because a page fault for each takes a fifth
// of the time of freezing (measured). It is advice, and nothing depends on whether the
// system follows it.
func populate(part func(off, n uintptr) []byte) func(off, n uintptr) {
	return func(off, n uintptr) {
		b := part(off, n)
		if n >= 2<<20 {
			_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
		}
		_ = unix.Madvise(b, unix.MADV_POPULATE_WRITE)
	}
}
