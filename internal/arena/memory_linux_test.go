package arena

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// try reports whether a byte can be read, and whether it can be written.
func try(p unsafe.Pointer) (reads, writes bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	try := func(f func()) (ok bool) {
		defer func() { ok = recover() == nil }()
		f()
		return
	}
	reads = try(func() { _ = *(*byte)(p) })
	writes = try(func() { *(*byte)(p) = 0xCD })
	return reads, writes
}

// TestMemoryIsProtected checks what each call does to system memory.
func TestMemoryIsProtected(t *testing.T) {
	name := t.TempDir() + "/file"
	text := bytes.Repeat([]byte{0x77}, 4*SpanSize)
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, readable := range []bool{false, true} {
		for backing, reserve := range map[Backing]func(n uintptr, readable bool) (memory, error){System: reserveSystem, Memfd: reserveMemfd} {
			m, err := reserve(16<<SpanShift, readable)
			if err != nil {
				t.Fatal(err)
			}
			at := func(span int) unsafe.Pointer { return unsafe.Add(m.base, span<<SpanShift) }
			is := func(when string, span int, reads, writes bool, first byte) {
				t.Helper()
				p := at(span)
				if reads && *(*byte)(p) != first {
					t.Errorf("%s, %s: it reads %#x, want %#x", backing, when, *(*byte)(p), first)
				}
				if r, w := try(p); r != reads || w != writes {
					t.Errorf("%s, readable %t, %s: reads %t, writes %t, want %t, %t", backing, readable, when, r, w, reads, writes)
				}
			}
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Errorf("%s: %v", backing, err)
				}
			}
			is("reserved", 0, readable, false, 0)
			must(m.commit(1<<SpanShift, 2<<SpanShift))
			is("in front of the committed memory", 0, readable, false, 0)
			is("committed", 1, true, true, 0)
			is("committed", 2, true, true, 0)
			is("behind", 3, readable, false, 0)
			must(m.decommit(1<<SpanShift, SpanSize))
			is("given back", 1, true, true, 0)
			is("beside", 2, true, true, 0xCD)
			must(m.seal(1<<SpanShift, SpanSize))
			is("sealed", 1, true, false, 0xCD)
			if m.file != nil {
				must(m.commit(1<<SpanShift, SpanSize)) // also over sealed memory
				is("committed after that", 1, true, true, 0xCD)
				*(*byte)(at(1)) = 0x33
				b := make([]byte, 1)
				if _, err := m.file.ReadAt(b, 1<<SpanShift); err != nil || b[0] != 0x33 {
					t.Errorf("the file has %#x where 0x33 was written: %v", b[0], err)
				}
			}
			must(m.bar(1<<SpanShift, 2<<SpanShift))
			is("barred", 1, readable, false, 0)
			is("barred", 2, readable, false, 0)
			must(m.commit(1<<SpanShift, SpanSize))
			is("committed again", 1, true, true, 0)
			must(m.mapFile(4<<SpanShift, file, SpanSize, SpanSize))
			is("shows a file", 4, true, false, 0x77)
			must(m.copyFile(5<<SpanShift, file, SpanSize, false)) // the file is too short for this offset
			if r, _ := try(at(5)); r {
				t.Errorf("%s: memory behind the end of the file can be read", backing)
			}
			must(m.copyFile(1<<SpanShift, file, SpanSize, false))
			is("a copy for reading", 1, true, false, 0x77)
			must(m.copyFile(2<<SpanShift, file, SpanSize, true))
			is("a copy", 2, true, true, 0x77)
			is("a copy that was written", 2, true, true, 0xCD)
			if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s: the file has changed: %v", backing, err)
			}
			m.populate(0, 0)
			must(m.release(nil))
			in := make([]byte, SpanSize/os.Getpagesize())
			for span := range 16 {
				if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(at(span)), SpanSize, uintptr(unsafe.Pointer(&in[0]))); errno != unix.ENOMEM {
					t.Errorf("%s: span %d is there after release: %v", backing, span, errno)
				}
			}
			if m.file != nil {
				if err := m.file.Close(); !errors.Is(err, os.ErrClosed) {
					t.Errorf("the file of memory that was released is open: %v", err)
				}
			}
		}
	}
}

// TestPopulate: pages are present before they are written, and large pages are
// requested from 2 MiB on.
func TestPopulate(t *testing.T) {
	m, err := reserveSystem(8<<20, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.release(nil) }()
	if err := m.commit(0, 4<<20); err != nil {
		t.Fatal(err)
	}
	resident := func(off, n uintptr) (all, none bool) {
		in := make([]byte, n/uintptr(os.Getpagesize()))
		if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(m.base)+off, n, uintptr(unsafe.Pointer(&in[0]))); errno != 0 {
			t.Fatal(errno)
		}
		all, none = true, true
		for _, x := range in {
			all, none = all && x&1 != 0, none && x&1 == 0
		}
		return all, none
	}
	large := func() bool {
		b, err := os.ReadFile("/proc/self/smaps")
		if err != nil {
			t.Skip("SKIPPED: needs a system that tells which pages are present")
		}
		inside := false
		for line := range strings.Lines(string(b)) {
			var from, to uintptr
			if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
				inside = from == uintptr(m.base)
			}
			if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
				return strings.Contains(flags+" ", " hg ")
			}
		}
		return false
	}
	if err := unix.Madvise(unsafe.Slice((*byte)(m.base), os.Getpagesize()), unix.MADV_POPULATE_WRITE); err != nil {
		t.Skip("SKIPPED: this system does not populate memory")
	}
	if all, _ := resident(0, uintptr(os.Getpagesize())); !all {
		t.Skip("SKIPPED: this system, an emulator, only says that it populates memory")
	}
	m.populate(1<<20, 1<<20)
	if all, _ := resident(1<<20, 1<<20); !all {
		t.Error("populated pages are not present")
	}
	if _, none := resident(2<<20, 1<<20); !none || large() {
		t.Error("pages that were not populated are present, or pages are large")
	}
	if err := unix.Madvise(unsafe.Slice((*byte)(m.base), 4<<20), unix.MADV_HUGEPAGE); err != nil || !large() {
		t.Skip("SKIPPED: this system has no large pages")
	}
	if err := unix.Madvise(unsafe.Slice((*byte)(m.base), 4<<20), unix.MADV_NOHUGEPAGE); err != nil {
		t.Fatal(err)
	}
	m.populate(0, 2<<20)
	if !large() {
		t.Error("large pages were not asked for")
	}
}

// TestLockUp: locked memory cannot be changed any more. If the system cannot lock, the
// error is ErrUnsupported.
func TestLockUp(t *testing.T) {
	m, err := reserveSystem(4<<SpanShift, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.commit(0, 4<<SpanShift); err != nil {
		t.Fatal(err)
	}
	err = m.lockUp(SpanSize, SpanSize)
	if errors.Is(err, errors.ErrUnsupported) {
		_ = m.release(nil)
		t.Skip("SKIPPED: this system has no mseal")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := m.bar(SpanSize, SpanSize); !errors.Is(err, unix.EPERM) {
		t.Errorf("locked memory was barred: %v", err)
	}
	if err := m.release(nil); !errors.Is(err, unix.EPERM) {
		t.Errorf("locked memory was given back: %v", err)
	}
	if err := m.release([]run{{1, 1}}); err != nil {
		t.Errorf("the rest: %v", err)
	}
	if err := m.lockUp(1, SpanSize); !errors.Is(err, unix.EINVAL) {
		t.Errorf("from within a page: %v", err)
	}
}

// TestReserveFails: the system refuses more addresses than there are.
func TestReserveFails(t *testing.T) {
	for _, reserve := range []func(n uintptr, readable bool) (memory, error){reserveSystem, reserveMemfd} {
		for _, shift := range []int{47, 63} {
			n := uintptr(1) << shift
			if n == 0 {
				continue // this machine has no such number
			}
			if _, err := reserve(n, false); err == nil {
				t.Errorf("%d bytes were reserved", n)
			}
		}
	}
}
