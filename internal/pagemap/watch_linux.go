package pagemap

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Watch finds stores to memory of this process, including those that do not change it:
// stores of the same value, pairs that cancel out, and a compare-and-swap that fails
// but still writes. The kernel write-protects the pages, records which of them are
// stored to, and lets the stores pass (userfaultfd with UFFD_FEATURE_WP_ASYNC, and
// PAGEMAP_SCAN; from Linux 6.7 on). It does not tell which bytes of a page were stored
// to. One goroutine at a time, while other threads store.
type Watch struct {
	fault  int // descriptor of the userfaultfd
	pages  *os.File
	ranges []span
	found  [64]scanned // not on a stack: the kernel is given its address as a number
}

type span struct{ start, end uint64 }

// Constants that golang.org/x/sys and older kernel headers lack: see
// linux/userfaultfd.h and linux/fs.h.
const (
	userModeOnly = 1 // flag of userfaultfd(2)

	apiVersion = 0xAA
	apiIoctl   = 0xC018AA3F
	apiWanted  = 1<<15 | 1<<13 | 1<<12 // WP_ASYNC, WP_UNPOPULATED, WP_HUGETLBFS_SHMEM

	registerIoctl = 0xC020AA00
	registerWP    = 2

	scanIoctl     = 0xC0606610
	scanProtect   = 1 | 2 // write-protect each page found, and fail if that is impossible
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

// NewWatch returns a watch of no pages. The error is an errors.ErrUnsupported if the
// kernel lacks the feature or does not allow it.
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

// Add starts watching the pages from start to end, both multiples of the page size, in
// private anonymous memory or in a private mapping of a file.
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

// Written returns the addresses of the watched pages that were stored to since Add or
// the last call, in ascending order.
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
