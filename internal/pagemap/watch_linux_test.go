package pagemap

import (
	"errors"
	"os"
	goruntime "runtime"
	"slices"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestWatch stores in ways that leave memory unchanged, and in one that does not.
func TestWatch(t *testing.T) {
	w, err := NewWatch()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("NO TRAFFIC ORACLE HERE: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	page := os.Getpagesize()
	mapped, err := unix.Mmap(-1, 0, 16*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mapped)
	slab := make([]byte, 64*page) // Go memory that contains whole pages
	slab = slab[-uintptr(unsafe.Pointer(&slab[0]))&uintptr(page-1):][:16*page]
	for name, b := range map[string][]byte{"mapped": mapped, "Go memory": slab} {
		base := unsafe.Pointer(&b[0])
		word := func(i int) *uint32 { return (*uint32)(unsafe.Add(base, i*page+64)) }
		*word(3) = 7
		if err := w.Add(uintptr(base), uintptr(base)+uintptr(16*page)); err != nil {
			t.Fatal(err)
		}
		for what, store := range map[string]func(i int){
			"nothing":       nil,
			"add 0":         func(i int) { atomic.AddUint32(word(i), 0) },
			"plus, minus":   func(i int) { atomic.AddUint32(word(i), 1); atomic.AddUint32(word(i), ^uint32(0)) },
			"failed swap":   func(i int) { atomic.CompareAndSwapUint32(word(i), 99, 98) },
			"the same":      func(i int) { p := word(i); atomic.StoreUint32(p, *p) },
			"another value": func(i int) { *word(i) = 5 },
		} {
			var want []uintptr
			var sum uint32
			for i := range 16 {
				sum += atomic.LoadUint32(word(i))
			}
			if what == "failed swap" && goruntime.GOARCH != "amd64" && goruntime.GOARCH != "386" {
				continue // elsewhere it may store nothing
			}
			if store != nil {
				for _, i := range []int{3, 4, 15} {
					store(i)
					want = append(want, uintptr(base)+uintptr(i*page))
				}
			}
			if got, err := w.Written(); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, %s (%d): %#x, %v, want %#x", name, what, sum, got, err, want)
			}
		}
	}
	if err := w.Add(uintptr(page), uintptr(2*page)); err == nil {
		t.Error("no error for memory that is not mapped")
	}
}
