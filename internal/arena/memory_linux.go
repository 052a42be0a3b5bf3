package arena

import (
	"errors"

	"golang.org/x/sys/unix"
)

const mapNoReserve = unix.MAP_NORESERVE

// decommit drops the pages: they read as zero when they are touched again.
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
