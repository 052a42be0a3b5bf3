// Package pagemap asks Linux which pages of a mapping a process has of its own. It is
// for tests and measurements of memory that processes share copy-on-write.
//
// The kernel's counts of private and dirty memory are no answer: a page of a memfd is
// always dirty, and private as long as only one process has touched it. What tells a
// copy is that it does not belong to the file any more (bit 61; see
// admin-guide/mm/pagemap of the kernel's documentation).
package pagemap

import (
	"encoding/binary"
	"fmt"
	"os"
)

// Bits of an entry, which is a word for each page.
const (
	entry   = 8
	ofFile  = 1 << 61
	swapped = 1 << 62
	present = 1 << 63
)

// Pages counts pages of a range.
type Pages struct {
	Mapped int // the process has them mapped, touched or next to what is; the file's, and copies
	Copied int // the process has copies of them
}

// Read counts the pages that have a part of [start, end) in process pid, or in the
// calling one if pid is 0. The error is the system's. Any goroutine.
func Read(pid int, start, end uintptr) (n Pages, err error) {
	path := "/proc/self/pagemap"
	if pid != 0 {
		path = fmt.Sprintf("/proc/%d/pagemap", pid)
	}
	f, err := os.Open(path)
	if err != nil {
		return n, err
	}
	defer func() { _ = f.Close() }() // only read
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
