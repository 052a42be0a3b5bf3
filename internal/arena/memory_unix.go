//go:build unix

package arena

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const haveSystem = true

// reserve takes n bytes of address space. The system backing reserves without
// the right to write, opens pages as spans are committed, and returns them with
// MADV_DONTNEED.
func reserve(b Backing, n uintptr, readable bool) (memory, error) {
	if b == GoMemory {
		return reserveGo(n), nil
	}
	if uintptr(int(n)) != n || int(n) < 0 {
		return memory{}, fmt.Errorf("%d bytes do not fit the address space", n)
	}
	prot := unix.PROT_NONE
	if readable {
		prot = unix.PROT_READ
	}
	p, err := unix.MmapPtr(-1, 0, nil, n, prot, unix.MAP_PRIVATE|unix.MAP_ANON|mapNoReserve)
	if err != nil {
		return memory{}, err
	}
	part := func(off, n uintptr) []byte { return unsafe.Slice((*byte)(unsafe.Add(p, off)), n) }
	return memory{
		base:   p,
		zeroes: true,
		commit: func(off, n uintptr) error {
			return unix.Mprotect(part(off, n), unix.PROT_READ|unix.PROT_WRITE)
		},
		decommit: func(off, n uintptr) error { return decommit(part(off, n)) },
		release:  func() error { return unix.MunmapPtr(p, n) },
	}, nil
}
