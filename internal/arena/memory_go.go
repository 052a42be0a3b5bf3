package arena

import (
	"os"
	"sync"
	"unsafe"
)

// memory is a reserved range of addresses, with the operations that differ between
// backings.
type memory struct {
	base     unsafe.Pointer
	commit   func(off, n uintptr) error // makes the bytes usable; zero if they were never used
	decommit func(off, n uintptr) error // returns the bytes to the system; they read as zero afterwards
	release  func(kept []run) error     // gives the range back, except some runs of spans
	zeroes   bool                       // memory reads as zero after decommit and bar

	populate func(off, n uintptr) // asks the system for memory, and large pages, ahead of use; may be nil

	// For extents. A nil function means that the memory does not support the operation.
	bar     func(off, n uintptr) error                               // returns the bytes to the system, and makes them inaccessible
	seal    func(off, n uintptr) error                               // makes the bytes read-only; may be nil
	lockUp  func(off, n uintptr) error                               // forbids every change of the mapping, for good; may be nil
	mapFile func(off uintptr, f *os.File, at int64, n uintptr) error // maps a file, read-only; may be nil

	// copyFile maps a file at the same offset, privately: writes do not reach the file.
	// May be nil.
	copyFile func(off uintptr, f *os.File, n uintptr, write bool) error

	file  *os.File // the file that the memory is, or nil
	after *memory  // replaces this memory once the file has been shared
}

// goSlabs keeps the Go memory of closed spaces for later ones: such a range is large,
// and making a new one under the race detector is slow.
var goSlabs struct {
	sync.Mutex
	free map[uintptr][][]uint64
}

// goPage is the alignment of a range of Go memory. A variable for tests.
var goPage = uintptr(os.Getpagesize())

// reserveGo allocates the range as Go memory. Its words hold no Go pointers, so the
// garbage collector never scans it. On systems that allocate memory on first use, pages
// that are never written cost nothing.
func reserveGo(n uintptr) memory {
	goSlabs.Lock()
	defer goSlabs.Unlock()
	var slab []uint64
	if l := goSlabs.free[n]; len(l) > 0 {
		slab, goSlabs.free[n] = l[len(l)-1], l[:len(l)-1]
	} else {
		slab = make([]uint64, (n+goPage)/8)
	}
	base := unsafe.Pointer(&slab[0])
	// Same as: &slab[k] for the first k on a page boundary.
	// Safety: the slab is one page longer than the range.
	base = unsafe.Add(base, -uintptr(base)&(goPage-1))
	return memory{
		base:     base,
		commit:   func(off, n uintptr) error { return nil },
		decommit: func(off, n uintptr) error { return nil },
		bar: func(off, n uintptr) error {
			clear(slab[(uintptr(base)+off-uintptr(unsafe.Pointer(&slab[0])))/8:][:n/8]) // a stale reference finds nothing
			return nil
		},
		release: func([]run) error {
			goSlabs.Lock()
			defer goSlabs.Unlock()
			if goSlabs.free == nil {
				goSlabs.free = make(map[uintptr][][]uint64)
			}
			goSlabs.free[n] = append(goSlabs.free[n], slab)
			return nil
		},
	}
}
