//go:build unix

package arena

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

const haveSystem = true

// reserve reserves n bytes of addresses.
func reserve(b Backing, n uintptr, readable bool) (memory, error) {
	switch b {
	case GoMemory:
		return reserveGo(n), nil
	case Memfd:
		return reserveMemfd(n, readable)
	}
	return reserveSystem(n, readable)
}

// reserveSystem reserves addresses without write access, opens pages as spans are
// committed, and returns them with decommit.
func reserveSystem(n uintptr, readable bool) (memory, error) {
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
		bar: func(off, n uintptr) error {
			_, err := unix.MmapPtr(-1, 0, unsafe.Add(p, off), n, prot, unix.MAP_PRIVATE|unix.MAP_ANON|mapNoReserve|unix.MAP_FIXED)
			return err
		},
		populate: populate(part),
		seal:     func(off, n uintptr) error { return unix.Mprotect(part(off, n), unix.PROT_READ) },
		lockUp:   lockUp(part),
		mapFile: func(off uintptr, f *os.File, at int64, n uintptr) error {
			_, err := unix.MmapPtr(int(f.Fd()), at, unsafe.Add(p, off), n, unix.PROT_READ, unix.MAP_SHARED|unix.MAP_FIXED)
			return err
		},
		copyFile: func(off uintptr, f *os.File, n uintptr, write bool) error {
			prot := unix.PROT_READ
			if write {
				prot |= unix.PROT_WRITE
			}
			_, err := unix.MmapPtr(int(f.Fd()), int64(off), unsafe.Add(p, off), n, prot, unix.MAP_PRIVATE|mapNoReserve|unix.MAP_FIXED)
			return err
		},
		release: func(kept []run) error {
			slices.SortFunc(kept, func(a, b run) int { return cmp.Compare(a.first, b.first) })
			from := uintptr(0)
			for _, k := range append(kept, run{first: uint32(n >> SpanShift)}) {
				if to := uintptr(k.first) << SpanShift; to > from {
					if err := unix.MunmapPtr(unsafe.Add(p, from), to-from); err != nil {
						return err
					}
				}
				from = uintptr(k.first+k.n) << SpanShift
			}
			return nil
		},
	}, nil
}
