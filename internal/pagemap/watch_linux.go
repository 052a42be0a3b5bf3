package pagemap

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Watch finds stores to memory of this process: also those of what was there already,
// pairs that cancel out, and a compare-and-swap that failed on the way to memory. The
// kernel write-protects the pages, notes which of them are stored to, and lets the store
// pass (userfaultfd with UFFD_FEATURE_WP_ASYNC, and PAGEMAP_SCAN; from Linux 6.7 on). It
// cannot tell what on a page was stored to. One goroutine at a time, while others store.
type Watch struct {
	fault  int // of userfaultfd
	pages  *os.File
	ranges []span
	found  [64]scanned // not on a stack: the kernel gets its address as a number
}

type span struct{ start, end uint64 }

// What neither golang.org/x/sys nor older headers of the kernel have: see
// linux/userfaultfd.h and linux/fs.h.
const (
	userModeOnly = 1 // flag of userfaultfd(2)

	apiVersion = 0xAA
	apiIoctl   = 0xC018AA3F
	apiWanted  = 1<<15 | 1<<13 | 1<<12 // WP_ASYNC, WP_UNPOPULATED, WP_HUGETLBFS_SHMEM

	registerIoctl = 0xC020AA00
	registerWP    = 2

	scanIoctl     = 0xC0606610
	scanProtect   = 1 | 2 // protect what is found again; an error if it cannot be
	pageIsWritten = 2
)

type apiArg struct{ api, features, ioctls uint64 }

type registerArg struct{ start, length, mode, ioctls uint64 }

type scanArg struct {
	size, flags, start, end, walkEnd                   uint64
	found, foundLen, maxPages                          uint64
	inverted, categoryAll, categoryAny, categoryReturn uint64
}

type scanned struct{ start, end, _ uint64 }

// NewWatch returns a watch over nothing. The error is an errors.ErrUnsupported where the
// kernel has no such thing or does not let the process have it.
func NewWatch() (*Watch, error) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK|userModeOnly, 0, 0)
	if errno != 0 {
		return nil, unsupported("userfaultfd", errno)
	}
	w := &Watch{fault: int(fd)}
	api := apiArg{api: apiVersion, features: apiWanted}
	if err := ioctl(fd, apiIoctl, unsafe.Pointer(&api)); err != nil {
		_ = unix.Close(w.fault)
		return nil, unsupported("userfaultfd: write-protect tracking", err)
	}
	pages, err := os.Open("/proc/self/pagemap")
	if err != nil {
		_ = unix.Close(w.fault)
		return nil, unsupported("pagemap", err)
	}
	w.pages = pages
	return w, nil
}

func unsupported(what string, err error) error {
	return fmt.Errorf("pagemap: %s: %w: %w", what, err, errors.ErrUnsupported)
}

// Add begins to watch the pages from start to end, both multiples of the page size, of
// private anonymous memory or a private mapping of a file.
func (w *Watch) Add(start, end uintptr) error {
	s := span{uint64(start), uint64(end)}
	arg := registerArg{start: s.start, length: s.end - s.start, mode: registerWP}
	if err := ioctl(uintptr(w.fault), registerIoctl, unsafe.Pointer(&arg)); err != nil {
		return fmt.Errorf("pagemap: watch %#x to %#x: %w", start, end, err)
	}
	w.ranges = append(w.ranges, s)
	_, err := w.scan(nil, s)
	return err
}

// Written returns the addresses of the watched pages that were stored to since they were
// added, or since the last call, in ascending order.
func (w *Watch) Written() (pages []uintptr, err error) {
	for _, s := range w.ranges {
		if pages, err = w.scan(pages, s); err != nil {
			return pages, err
		}
	}
	slices.Sort(pages)
	return pages, nil
}

func (w *Watch) scan(pages []uintptr, s span) ([]uintptr, error) {
	size := uintptr(os.Getpagesize())
	for s.start < s.end {
		arg := scanArg{
			flags: scanProtect, start: s.start, end: s.end,
			found: uint64(uintptr(unsafe.Pointer(&w.found))), foundLen: uint64(len(w.found)),
			categoryAll: pageIsWritten, categoryReturn: pageIsWritten,
		}
		arg.size = uint64(unsafe.Sizeof(arg))
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, w.pages.Fd(), scanIoctl, uintptr(unsafe.Pointer(&arg)))
		if errno != 0 {
			return pages, fmt.Errorf("pagemap: scan %#x to %#x: %w", s.start, s.end, errno)
		}
		for _, f := range w.found[:n] {
			for p := uintptr(f.start); p < uintptr(f.end); p += size {
				pages = append(pages, p)
			}
		}
		s.start = arg.walkEnd
	}
	return pages, nil
}

// Close stops watching. Closing again does nothing.
func (w *Watch) Close() error {
	if w.fault < 0 {
		return nil
	}
	err := errors.Join(w.pages.Close(), unix.Close(w.fault))
	w.fault = -1
	return err
}

func ioctl(fd, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
