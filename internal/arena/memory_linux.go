package arena

import "golang.org/x/sys/unix"

const mapNoReserve = unix.MAP_NORESERVE

// decommit drops the pages: they read as zero when they are touched again.
func decommit(b []byte) error { return unix.Madvise(b, unix.MADV_DONTNEED) }
