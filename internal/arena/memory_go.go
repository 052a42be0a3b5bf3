package arena

import (
	"os"
	"sync"
	"unsafe"
)

// memory is a reserved range: what differs between backings.
type memory struct {
	base     unsafe.Pointer
	commit   func(off, n uintptr) error // makes the bytes usable; they are zero if they never were
	decommit func(off, n uintptr) error // returns the bytes to the system; they read as zero afterwards
	release  func(kept []run) error     // gives the range back, but for some runs of spans
	zeroes   bool                       // decommit and bar zero

	populate func(off, n uintptr) // has the system bring memory now, and large pages if it likes; may be nil

	// For extents. Those that may be nil say by it that the memory cannot do it.
	bar     func(off, n uintptr) error                               // returns the bytes, which become inaccessible
	seal    func(off, n uintptr) error                               // forbids writing; may be nil
	lockUp  func(off, n uintptr) error                               // forbids all change of the mapping, for good; may be nil
	mapFile func(off uintptr, f *os.File, at int64, n uintptr) error // shows a file, for reading; may be nil

	// copyFile shows a file, from the same offset on, and keeps what is written there to
	// itself; may be nil.
	copyFile func(off uintptr, f *os.File, n uintptr, write bool) error

	file  *os.File // what the memory is, if it is one
	after *memory  // what it is from then on when the file has been shared
}

// goSlabs keeps the Go memory of closed spaces for the next ones: such a range
// is large, and making a new one under the race detector is slow.
var goSlabs struct {
	sync.Mutex
	free map[uintptr][][]uint64
}

// goPage is what a range of Go memory begins at a multiple of. A variable for tests.
var goPage = uintptr(os.Getpagesize())

// reserveGo takes the range from Go memory. Its words hold no Go pointers, so
// the garbage collector never looks inside. Pages that were never written cost
// nothing on systems that hand out memory on first use.
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
