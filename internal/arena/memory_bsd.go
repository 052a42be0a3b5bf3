//go:build unix && !linux

package arena

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

const mapNoReserve = 0

// decommit maps fresh pages over the old ones, because outside Linux madvise may keep
// the contents.
func decommit(b []byte) error {
	_, err := unix.MmapPtr(-1, 0, unsafe.Pointer(&b[0]), uintptr(len(b)),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED)
	return err
}

// lockUp is not available on these systems.
func lockUp(func(off, n uintptr) []byte) func(off, n uintptr) error { return nil }

// populate is not available either.
func populate(func(off, n uintptr) []byte) func(off, n uintptr) { return nil }

func reserveMemfd(uintptr, bool) (memory, error) { return memory{}, errMemfd }

func sealFile(*os.File) error { return errMemfd }

func sealed(*os.File) error { return errMemfd }

var errMemfd = errors.New("memfd is available on Linux only")
