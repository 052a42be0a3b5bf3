package arena

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestShareRefuses: a space is not shared twice, nor without a memfd.
func TestShareRefuses(t *testing.T) {
	s, file, _ := aShared(t)
	defer func() { _, _ = file.Close(), s.Close() }()
	if _, err := s.Layout(nil, nil); !errors.Is(err, ErrShared) {
		t.Errorf("a second time: %v", err)
	}
	g := newSpace(t, Config{Backing: GoMemory, Reserve: 1 << 20})
	defer g.Close()
	if _, err := g.Layout(nil, nil); !errors.Is(err, ErrNoMemfd) {
		t.Errorf("Go memory: %v", err)
	}
	if g.SharedRanges() != nil {
		t.Error("a space that is not shared has shared ranges")
	}
	if !s.central.mu.TryLock() {
		t.Fatal("the central is locked")
	}
	s.central.mu.Unlock()
	l := s.central.mu.ranges
	base := uintptr(s.base)
	want := [][2]uintptr{{base + l[0].offset(), base + l[0].offset() + l[0].bytes()}, {base + l[1].offset(), base + l[1].offset() + l[1].bytes()}}
	for range 2 {
		s.SharedRanges() // blocks if a lock is still held
	}
	if got := s.SharedRanges(); !slices.Equal(got, want) || l[1].first < partsOf(uint64(s.mask)+1).immortal.first {
		t.Errorf("shared are %#x, want %#x", got, want)
	}
}

// TestSharedStaysApart: writes of the sharing process go to private copies, in all
// parts. What was not in use is barred, and is used again at other addresses.
func TestSharedStaysApart(t *testing.T) {
	s, file, l := aShared(t)
	defer func() { _, _ = file.Close(), s.Close() }()
	a, _, _, err := Adopt(file, l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	s.wantSound(t)
	listed := 0
	s.eachSpan(func(sp *Span) bool {
		if sp.listed || sp.next != nil || sp.prev != nil {
			listed++
		}
		return true
	})
	if listed != 0 {
		t.Errorf("%d shared spans are in lists of their former caches", listed)
	}
	var objects []uint32
	s.WalkObjects(func(h uint32) bool { objects = append(objects, h); return true })
	objects = append(objects, ImmortalBit|l.Regions[0].Runs[0][0]*SpanGranules)
	for _, h := range objects {
		was := wordOf(a.Bytes(h, 4))
		s.Fill(h, 1, ^was)
		if got := wordOf(a.Bytes(h, 4)); got != was {
			t.Fatalf("%#x is %#x in another process, want %#x", h, got, was)
		}
		if b := make([]byte, 4); true {
			if _, err := file.ReadAt(b, int64(h&s.mask)<<GranuleShift); err != nil || wordOf(b) != was {
				t.Fatalf("%#x is %#x in the file, want %#x: %v", h, wordOf(b), was, err)
			}
		}
	}
	s.Fill(0, 1, 5) // the first span and the last are open
	s.Fill(Fixed, 1, 5)
	s.wantCommitted(t, "after sharing, which leaves the extent", 2)
	c := s.NewCache()
	for i := range uint32(100) {
		h := mustAlloc(t, c, Purpose(i%3), 2+i*20)
		if s.IsShared(h) || wordOf(s.Bytes(h, 4)) != 0 && i < 3 {
			t.Errorf("a new block is in shared memory, or is not zero")
		}
		s.Fill(h, 2, 9)
	}
	for _, h := range objects[:len(objects)-1] {
		c.Free(h)
	}
	s.TrimShared()
	if !s.central.mu.TryLock() {
		t.Fatal("the central is locked")
	}
	s.central.mu.Unlock()
	left := map[*Cache]uint32{}
	s.eachSpan(func(sp *Span) bool {
		if sp.state == spanSmall && sp.shared {
			left[sp.cache.Load()]++
			if sp.nfree == sp.slots {
				t.Errorf("span %d is empty but was not given back", sp.Number())
			}
		}
		return true
	})
	if sharing := s.central.mu.sharing; sharing.spans != left[sharing] || len(left) > 1 {
		t.Errorf("%d shared spans are left, want %d", sharing.spans, left[sharing])
	}
	s.wantSound(t)
	r := s.NewRegion()
	h, err := r.Alloc(2, true)
	if err != nil || h < ImmortalBit|(l.Regions[0].Runs[0][0]+3)*SpanGranules {
		t.Errorf("a new region at %#x: %v", h, err)
	}
	s.wantSound(t)
}

// TestShareFails makes each mapping fail: the error is the system's, the file is
// closed, and the space continues as a shared one.
func TestShareFails(t *testing.T) {
	broken := errors.New("broken")
	for fail := 1; ; fail++ {
		armed, calls := false, 0
		s, err := New(Config{Backing: Memfd, Reserve: 32 << 20, Inject: func(c Call) error {
			if calls++; armed && calls == fail {
				return broken
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		c := s.NewCache()
		h := mustAlloc(t, c, Leaves, 4)
		mapped := anImage(t, s)
		own, err := s.NewExtent(0)
		if err := errors.Join(err, own.Grow(1), own.Seal(1, false)); err != nil {
			t.Fatal(err)
		}
		none, err := s.NewExtent(0)
		if err := errors.Join(err, none.Grow(1), none.Seal(0, false)); err != nil {
			t.Fatal(err)
		}
		extents := []*Extent{mapped, own, none}
		l, err := s.Layout(nil, extents)
		if err != nil {
			t.Fatal(err)
		}
		file := s.mem.file
		armed, calls = true, 0
		got, err := s.Share(l, extents, nil)
		armed = false
		if calls < fail {
			if err != nil || got != file {
				t.Errorf("none of %d calls fails: %v", calls, err)
			}
			for _, e := range extents {
				if !e.Shared() {
					t.Error("an extent is not shared")
				}
			}
			_ = file.Close()
			_ = s.Close()
			break
		}
		if !errors.Is(err, broken) || got != nil {
			t.Errorf("call %d fails: %v", fail, err)
		}
		if err := file.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("call %d fails: the file is open", fail)
		}
		if !s.IsShared(h) || own.Shared() || s.mem.zeroes {
			t.Errorf("call %d fails: shared is %t, and the extent's part %t", fail, s.IsShared(h), own.Shared())
		}
		if _, err := s.Layout(nil, nil); !errors.Is(err, ErrShared) {
			t.Errorf("call %d fails: sharing again: %v", fail, err)
		}
		x := mustAlloc(t, c, Leaves, 4)
		s.Fill(x, 4, 1)
		s.wantSound(t)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// anImage is an extent that maps a file of 80,000 bytes.
func anImage(t *testing.T, s *Space) *Extent {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	text := bytes.Repeat([]byte("image..."), 10_000)
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	e, err := s.NewExtent(int64(len(text)))
	if err == nil {
		err = e.MapFile(f, 0, uintptr(len(text)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestSharedImage: the contents of an extent that maps another file are in the shared
// file, and both processes see them.
func TestSharedImage(t *testing.T) {
	s, err := New(Config{Backing: Memfd, Reserve: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	e := anImage(t, s)
	l, err := s.Layout(nil, []*Extent{e})
	if err != nil {
		t.Fatal(err)
	}
	file, err := s.Share(l, []*Extent{e}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = file.Close(), s.Close() }()
	a, _, extents, err := Adopt(file, l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	want := bytes.Repeat([]byte("image..."), 10_000)
	for _, got := range [][]byte{s.Bytes(e.Start(), len(want)), a.Bytes(extents[0].Start(), len(want))} {
		if !bytes.Equal(got, want) {
			t.Error("the contents of the image have changed")
		}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uintptr
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err == nil && from == uintptr(s.At(e.Start())) && !strings.Contains(line, "ichor") {
			t.Errorf("the extent shows %s, want the shared file", strings.TrimSpace(line))
		}
	}
}

// TestReadSharedRefuses gives each reason for which a file is refused.
func TestReadSharedRefuses(t *testing.T) {
	message := []byte("what Share was given")
	for name, c := range map[string]struct {
		b    func(b []byte) []byte
		seal bool
		want string
	}{
		"good":       {func(b []byte) []byte { return b }, true, ""},
		"not sealed": {func(b []byte) []byte { return b }, false, "not write-sealed: it could change while it is in use"},
		"empty":      {func([]byte) []byte { return nil }, true, errNotShared.Error()},
		"short":      {func(b []byte) []byte { return b[:trailerBytes-1] }, true, errNotShared.Error()},
		"no magic":   {func(b []byte) []byte { b[len(b)-trailerBytes] ^= 1; return b }, true, errNotShared.Error()},
		"changed":    {func(b []byte) []byte { b[100] ^= 1; return b }, true, "its description does not match its checksum"},
		"hash":       {func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, true, "its description does not match its checksum"},
	} {
		f, err := newMemfd(0)
		if err != nil {
			t.Fatal(err)
		}
		b := append(make([]byte, 100), appendTrailer(message, 100)...)
		if _, err := f.WriteAt(c.b(b), 0); err != nil {
			t.Fatal(err)
		}
		if c.seal {
			if err := sealFile(f); err != nil {
				t.Fatal(err)
			}
		}
		got, err := ReadShared(f)
		switch {
		case c.want == "" && (err != nil || !bytes.Equal(got, message)):
			t.Errorf("%s: %q, %v", name, got, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || got != nil):
			t.Errorf("%s: %q, %v, want %s", name, got, err, c.want)
		}
		_ = f.Close()
		if _, err := ReadShared(f); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s, closed: %v", name, err)
		}
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := ReadShared(f); err == nil || err.Error() != "not a memfd" {
		t.Errorf("a file of another kind: %v", err)
	}
	if err := sealFile(f); err == nil || !strings.Contains(err.Error(), "write-seal") {
		t.Errorf("sealing that: %v", err)
	}
}

// TestReleaseKeeps gives a range back, except some runs of spans.
func TestReleaseKeeps(t *testing.T) {
	m, err := reserveSystem(16<<SpanShift, true)
	if err != nil {
		t.Fatal(err)
	}
	kept := []run{{9, 2}, {0, 1}, {11, 1}, {4, 1}}
	if err := m.release(slices.Clone(kept)); err != nil {
		t.Fatal(err)
	}
	in := make([]byte, SpanSize/os.Getpagesize())
	for n := range uint32(16) {
		want := slices.ContainsFunc(kept, func(k run) bool { return k.first <= n && n < k.end() })
		_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(m.base)+uintptr(n)<<SpanShift, SpanSize, uintptr(unsafe.Pointer(&in[0])))
		if got := errno == 0; got != want {
			t.Errorf("span %d is there: %t, want %t", n, got, want)
		}
	}
	for _, k := range kept {
		if err := unix.MunmapPtr(unsafe.Add(m.base, k.offset()), k.bytes()); err != nil {
			t.Error(err)
		}
	}
}

// TestShareNothing shares a space in which nothing is in use any more: what was in use
// is barred, and opened again.
func TestShareNothing(t *testing.T) {
	s, err := New(Config{Backing: Memfd, Reserve: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	c, r := s.NewCache(), s.NewRegion()
	for range 3 {
		c.Free(mustAlloc(t, c, Blocks, 2*SpanGranules))
	}
	if _, err := r.Alloc(2*SpanGranules, true); err != nil {
		t.Fatal(err)
	}
	r.Free()
	open, err := s.NewExtent(0)
	if err := errors.Join(err, open.Grow(SpanSize)); err != nil {
		t.Fatal(err)
	}
	l, err := s.Layout(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := s.Share(l, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if n := len(s.central.mu.mappings.seams); n != 0 {
		t.Errorf("%d mappings are counted although no extent is left", n)
	}
	n := 0
	for ; ; n++ {
		h, err := c.Alloc(Blocks, SpanGranules)
		if errors.Is(err, ErrAddressSpace) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Fill(h, SpanGranules, 1)
	}
	h, err := r.Alloc(3, true)
	if err != nil {
		t.Fatal(err)
	}
	s.Fill(h, 3, 1)
	if n != 31 {
		t.Errorf("%d spans could be used, want 31", n)
	}
	if len(s.SharedRanges()) != 0 {
		t.Error("something is shared")
	}
}

// TestShareTheMiddle: in each half, the spans behind the shared ones are used first, and
// then those in front.
func TestShareTheMiddle(t *testing.T) {
	s, err := New(Config{Backing: Memfd, Reserve: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	c, before, r := s.NewCache(), s.NewRegion(), s.NewRegion()
	var hs []uint32
	for range 9 {
		hs = append(hs, mustAlloc(t, c, Blocks, SpanGranules))
	}
	for _, x := range []*Region{before, r} {
		if _, err := x.Alloc(2*SpanGranules, true); err != nil {
			t.Fatal(err)
		}
	}
	before.Free()
	for i, h := range hs {
		if i != 4 && i != 6 {
			c.Free(h)
		}
	}
	l, err := s.Layout([]*Region{r}, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := s.Share(l, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var got []uint32
	for {
		h, err := c.Alloc(Blocks, SpanGranules)
		if errors.Is(err, ErrAddressSpace) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Fill(h, SpanGranules, 1)
		got = append(got, h/SpanGranules)
	}
	var want []uint32
	for n := hs[6]/SpanGranules + 1; n < 32; n++ {
		want = append(want, n)
	}
	for n := uint32(1); n < hs[4]/SpanGranules; n++ {
		want = append(want, n)
	}
	if !slices.Equal(got, want) {
		t.Errorf("spans %d were used, want %d", got, want)
	}
	regions := 0
	for ; ; regions++ {
		x := s.NewRegion()
		h, err := x.Alloc(2*SpanGranules, true)
		if errors.Is(err, ErrAddressSpace) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Fill(h, 2*SpanGranules, 1)
	}
	if regions != 7 { // two of 16 spans are shared
		t.Errorf("%d regions of two spans were made, want 7", regions)
	}
}

// TestSealedFile: a shared file cannot be written, truncated or extended, and its seals
// cannot be changed. A file with only some of these seals does not count as sealed.
func TestSealedFile(t *testing.T) {
	const all = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	_, file, _ := aShared(t)
	defer func() { _ = file.Close() }()
	if got, err := unix.FcntlInt(file.Fd(), unix.F_GET_SEALS, 0); err != nil || got != all {
		t.Errorf("seals %#x, want %#x: %v", got, all, err)
	}
	st, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteAt([]byte{1}, 0)
	for _, err := range []error{err, file.Truncate(st.Size() - 1), file.Truncate(st.Size() + 1)} {
		if !errors.Is(err, unix.EPERM) {
			t.Errorf("a change of the file: %v", err)
		}
	}
	for _, less := range []int{unix.F_SEAL_SEAL, unix.F_SEAL_SHRINK, unix.F_SEAL_GROW, unix.F_SEAL_WRITE, all &^ unix.F_SEAL_WRITE} {
		f, err := newMemfd(SpanSize)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, all&^less); err != nil {
			t.Fatal(err)
		}
		if err := sealed(f); err == nil {
			t.Errorf("a file without the seals %#x counts as sealed", less)
		}
		_ = f.Close()
	}
}

// TestSharedExtentStays: the addresses of a shared extent that cannot be barred are not
// reused, because the file is mapped there.
func TestSharedExtentStays(t *testing.T) {
	defer MaxMappings.Store(MaxMappings.Load())
	s, err := New(Config{Backing: Memfd, Reserve: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var extents []*Extent
	for range 3 {
		e, err := s.NewExtent(SpanSize)
		if err := errors.Join(err, e.Grow(1), e.Seal(1, false)); err != nil {
			t.Fatal(err)
		}
		extents = append(extents, e)
	}
	l, err := s.Layout(nil, extents)
	if err != nil {
		t.Fatal(err)
	}
	file, err := s.Share(l, extents, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = file.Close(), s.Close() }()
	a, _, adopted, err := Adopt(file, l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	for space, e := range map[*Space]*Extent{s: extents[1], a: adopted[1]} {
		free := func() (n uint32) {
			f := &space.central.mu.frozen
			for _, x := range slices.Concat(f.fresh, f.used) {
				n += x.n
			}
			return n
		}
		before := free()
		MaxMappings.Store(mapped.Load()) // the extent lies in the middle of a mapping
		if err := e.Free(); err != nil {
			t.Error(err)
		}
		if got := free(); got != before {
			t.Errorf("%d spans are free, want %d", got, before)
		}
		space.Check()
	}
}
