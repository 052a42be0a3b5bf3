package pagemap

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestRead(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := os.Getpagesize()
	if err := f.Truncate(int64(10 * page)); err != nil {
		t.Fatal(err)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, 10*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	start := uintptr(unsafe.Pointer(&b[0]))
	want := func(want Pages) {
		t.Helper()
		got, err := Read(0, start, start+uintptr(len(b)))
		if err != nil || got.Copied != want.Copied || got.Mapped < want.Mapped {
			t.Fatalf("%+v, %v, want %+v", got, err, want)
		}
	}
	want(Pages{})
	var sum byte
	for i := range 5 {
		sum += b[i*page]
	}
	want(Pages{Mapped: 5})
	b[0], b[7*page] = sum+1, 1
	want(Pages{Mapped: 6, Copied: 2})
	if n, err := Read(os.Getpid(), start+1, start+2); err != nil || n.Copied != 1 {
		t.Fatalf("a byte in a copied page: %+v, %v", n, err)
	}
	if _, err := Read(1<<30, start, start+1); err == nil {
		t.Fatal("no error for a process that does not exist")
	}
}
