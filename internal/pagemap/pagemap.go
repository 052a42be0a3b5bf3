// Package pagemap asks Linux which pages of a mapping are private copies of the
// process. It is for tests and measurements of memory that processes share
// copy-on-write.
//
// The kernel's counts of private and dirty memory do not tell: a page of a memfd is
// always dirty, and private as long as only one process has touched it. A copy is
// recognised by the fact that it no longer belongs to the file (bit 61; see
// admin-guide/mm/pagemap in the kernel's documentation).
package pagemap

import (
	"encoding/binary"
	"fmt"
	"os"
)

// Bits of an entry. There is one word for each page.
const (
	entry   = 8
	ofFile  = 1 << 61
	swapped = 1 << 62
	present = 1 << 63
)

// Pages are counts of pages in a range.
type Pages struct {
	Mapped int // mapped by the process, because it or a neighbour was touched; pages of the file and copies
	Copied int // copied by the process
}

// Read counts the pages of process pid, or of the calling process if pid is 0, that
// overlap [start, end). The error is the system's. Any goroutine.
func Read(pid int, start, end uintptr) (n Pages, err error) {
	path := "/proc/self/pagemap"
	if pid != 0 {
		path = fmt.Sprintf("/proc/%d/pagemap", pid)
	}
	f, err := os.Open(path)
	if err != nil {
		return n, err
	}
	defer func() { _ = f.Close() }() // read-only
	size := uintptr(os.Getpagesize())
	page, last := start/size, (end+size-1)/size
	b := make([]byte, 64<<10)
	for page < last {
		part := b[:min(uintptr(len(b)), (last-page)*entry)]
		if _, err := f.ReadAt(part, int64(page)*entry); err != nil {
			return n, fmt.Errorf("pages %#x to %#x: %w", page*size, last*size, err)
		}
		for i := 0; i < len(part); i += entry {
			w := binary.NativeEndian.Uint64(part[i:])
			if w&(present|swapped) == 0 {
				continue
			}
			n.Mapped++
			if w&ofFile == 0 {
				n.Copied++
			}
		}
		page += uintptr(len(part)) / entry
	}
	return n, nil
}
