package arena

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"unsafe"
)

// TestGoMemory: a range begins at a page, the next range of the same size reuses it,
// and barred memory reads as zero.
func TestGoMemory(t *testing.T) {
	const n = 16*SpanSize + 4096 // a size that no other test uses
	count := func() int {
		goSlabs.Lock()
		defer goSlabs.Unlock()
		return len(goSlabs.free[n])
	}
	m, other := reserveGo(n), reserveGo(n)
	if uintptr(m.base)%uintptr(os.Getpagesize()) != 0 || m.zeroes || m.seal != nil || count() != 0 {
		t.Errorf("a range at %#x, zeroes %t; %d are free", m.base, m.zeroes, count())
	}
	all := unsafe.Slice((*byte)(m.base), n)
	if !bytes.Equal(all, make([]byte, n)) {
		t.Error("a new range is not zero")
	}
	for i := range all {
		all[i] = 9
	}
	for _, call := range []func(off, n uintptr) error{m.commit, m.decommit} {
		if err := call(SpanSize, SpanSize); err != nil || slices.Contains(all, 0) {
			t.Errorf("the contents have changed: %v", err)
		}
	}
	if err := m.bar(SpanSize, 2*SpanSize); err != nil {
		t.Error(err)
	}
	for i, x := range all {
		if barred := i >= SpanSize && i < 3*SpanSize; barred != (x == 0) {
			t.Fatalf("byte %d is %d", i, x)
		}
	}
	if err := m.release(nil); err != nil || count() != 1 {
		t.Errorf("%d are free, want 1: %v", count(), err)
	}
	if err := other.release(nil); err != nil || count() != 2 {
		t.Errorf("%d are free, want 2: %v", count(), err)
	}
	again := []unsafe.Pointer{reserveGo(n).base, reserveGo(n).base}
	if !slices.Equal(again, []unsafe.Pointer{other.base, m.base}) || count() != 0 {
		t.Errorf("ranges at %v, want those that are free; %d are", again, count())
	}
	if r := reserveGo(n); slices.Contains(again, r.base) {
		t.Error("a range is in use twice")
	}
}

// TestGoMemoryIsAligned uses larger pages than those at which Go aligns memory.
func TestGoMemoryIsAligned(t *testing.T) {
	defer func(page uintptr) { goPage = page }(goPage)
	goPage = 4 << 20
	for i := range uintptr(4) {
		n := 3*SpanSize + 8*i // sizes that no other test uses
		m := reserveGo(n)
		if uintptr(m.base)%goPage != 0 {
			t.Errorf("a range begins at %#x", m.base)
		}
		clear(unsafe.Slice((*byte)(m.base), n)) // the whole range is accessible
	}
}

// TestDefaultReserve: the default is as much as handles can name, except for Go memory.
func TestDefaultReserve(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) < 8 {
		t.Skip("SKIPPED: needs 64-bit addresses")
	}
	for b, want := range map[Backing]uint64{System: maxSpaceGranules, Memfd: maxSpaceGranules} {
		if got := defaultReserve(b); got != want {
			t.Errorf("%s: %d granules, want %d", b, got, want)
		}
	}
	if got := defaultReserve(GoMemory); got != littleGranules && got != 1<<22 {
		t.Errorf("Go memory: %d granules", got)
	}
}

// TestBackingNames: each backing prints its name, and an invalid one its number.
func TestNames(t *testing.T) {
	for want, got := range map[string]string{
		"auto": Auto.String(), "system": System.String(), "go": GoMemory.String(), "memfd": Memfd.String(), "Backing(9)": Backing(9).String(), "Backing(4)": Backing(4).String(),
		"leaves": Leaves.String(), "containers": Containers.String(), "blocks": Blocks.String(), "immortal": Immortal.String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestFill checks that Fill writes all of its granules and nothing else.
func TestFill(t *testing.T) {
	s := newSpace(t, Config{Reserve: 1 << 20})
	defer s.Close()
	c := s.NewCache()
	h := mustAlloc(t, c, Blocks, 64)
	for _, n := range []uint32{1, 2, 7, 8, 9, 10, 30} {
		s.Fill(h, 64, 0x01020304)
		s.Fill(h+10, n, 0x0A0B0C0D)
		for i := range uint32(64) {
			want := uint32(0x01020304)
			if i >= 10 && i < 10+n {
				want = 0x0A0B0C0D
			}
			for k := 0; k < 16; k += 4 {
				if got := wordOf(s.Bytes(h+i, 16)[k:]); got != want {
					t.Fatalf("%d granules: word %d of granule %d is %#x", n, k/4, i, got)
				}
			}
		}
		s.Zero(h+10, n)
		for i := range uint32(64) {
			want := i < 10 || i >= 10+n
			if got := s.Bytes(h+i, 16); slices.Contains(got, 0) == want || !want && !bytes.Equal(got, make([]byte, 16)) {
				t.Fatalf("%d granules: granule %d holds %x after Zero", n, i, got)
			}
		}
	}
	if s.Mask() != 1<<16-1 || s.Base() != s.At(0) || s.At(1) != unsafe.Add(s.Base(), GranuleSize) || s.At(1<<16+1) != s.At(1) {
		t.Errorf("mask %#x", s.Mask())
	}
}
