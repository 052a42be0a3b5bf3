package arena

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reserveMemfd reserves the range as a mapping of a memfd. A granule has the same
// offset in the file as in the range. Until the space is shared, writes go to the file.
//
// Sealing an extent maps it again, private and read-only. So the extent can stay as it
// is when the space is shared, even if the system does not unmap it any more.
func reserveMemfd(n uintptr, readable bool) (memory, error) {
	own, err := reserveSystem(n, readable)
	if err != nil {
		return memory{}, err
	}
	file, err := newMemfd(n)
	if err != nil {
		return memory{}, errors.Join(err, own.release(nil))
	}
	fd := int(file.Fd())
	closed := unix.PROT_NONE
	if readable {
		closed = unix.PROT_READ
	}
	show := func(off, n uintptr, prot, flags int) error {
		_, err := unix.MmapPtr(fd, int64(off), unsafe.Add(own.base, off), n, prot, flags|unix.MAP_NORESERVE|unix.MAP_FIXED)
		return err
	}
	if err := show(0, n, closed, unix.MAP_SHARED); err != nil {
		return memory{}, errors.Join(err, file.Close(), own.release(nil))
	}
	punch := func(off, n uintptr) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(off), int64(n))
	}
	m := own
	m.file, m.after = file, &own
	m.commit = func(off, n uintptr) error { return show(off, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED) } // also over sealed memory
	m.decommit = punch
	m.bar = func(off, n uintptr) error {
		return errors.Join(punch(off, n), show(off, n, closed, unix.MAP_SHARED))
	}
	m.seal = func(off, n uintptr) error { return show(off, n, unix.PROT_READ, unix.MAP_PRIVATE) }
	m.release = func(kept []run) error { return errors.Join(own.release(kept), file.Close()) }
	return m, nil
}

func newMemfd(n uintptr) (*os.File, error) {
	fd, err := unix.MemfdCreate("ichor", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "ichor heap")
	if err := file.Truncate(int64(n)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// fileSeals make a file immutable for good.
const fileSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// sealFile makes the system refuse every change of the file. It fails while there is a
// mapping that could write to the file.
func sealFile(f *os.File) error {
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, fileSeals); err != nil {
		return fmt.Errorf("write-seal: %w", err)
	}
	return nil
}

// sealed fails unless some process has called sealFile for the file.
func sealed(f *os.File) error {
	got, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil {
		return errors.New("not a memfd")
	}
	if got&fileSeals != fileSeals {
		return errors.New("not write-sealed: it could change while it is in use")
	}
	return nil
}
