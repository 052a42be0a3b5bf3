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

// TestAdoptRefuses shows each reason for which a description is refused, and that nothing is left
// of the space.
func TestAdoptRefuses(t *testing.T) {
	s, file, good := aShared(t)
	defer func() { _, _ = file.Close(), s.Close() }()
	small, large := -1, -1 // spans
	for i, sp := range good.Spans {
		if sp.Spans > 0 {
			large = i
		} else if sp.Purpose == Containers && (SpanGranules/classGranules[sp.Class])%64 != 0 && sp.Hidden != nil {
			small = i
		}
	}
	p := partsOf(good.Granules)
	odd := good.Spans[small]
	last := ^uint64(0) << (SpanGranules / classGranules[odd.Class] % 64)
	withLast := func(w []uint64, bits uint64) []uint64 {
		w = slices.Clone(w)
		w[len(w)-1] |= bits
		return w
	}
	for _, c := range []struct {
		want string
		set  func(l *Layout)
	}{
		{"a space of 0 granules", func(l *Layout) { l.Granules = 0 }},
		{"a space of", func(l *Layout) { l.Granules = minSpaceGranules / 2 }},
		{"a space of", func(l *Layout) { l.Granules = minSpaceGranules + SpanGranules }},
		{"a space of", func(l *Layout) { l.Granules = 2 * smallSpaceGranules }},
		{"a space of", func(l *Layout) { l.Granules = 4 * smallSpaceGranules }},
		{"a space of", func(l *Layout) { l.Granules = 2 * maxSpaceGranules }},
		{"and the space alone has 68719476736", func(l *Layout) { l.Granules = maxSpaceGranules }},
		{"and the space alone has 8589934592", func(l *Layout) { l.Granules = smallSpaceGranules }},
		{"and the space alone has", func(l *Layout) { l.Granules *= 2 }},
		{"no known purpose", func(l *Layout) { l.Spans[small].Purpose = Immortal }},
		{"no known purpose", func(l *Layout) { l.Spans[large].Purpose = Immortal }},
		{"no known class", func(l *Layout) { l.Spans[small].Class = uint8(Classes) }},
		{"no known class", func(l *Layout) { l.Spans[small].Class = 0 }},
		{"bitmaps of another length", func(l *Layout) { l.Spans[small].Free = append(slices.Clip(odd.Free), 0) }},
		{"bitmaps of another length", func(l *Layout) { l.Spans[small].Free = odd.Free[1:] }},
		{"bitmaps of another length", func(l *Layout) { l.Spans[small].Hidden = odd.Free[1:] }},
		{"bitmaps of another length", func(l *Layout) { l.Spans[small].Hidden = append(slices.Clip(odd.Hidden), 0) }},
		{"bits for slots that it does not have", func(l *Layout) { l.Spans[small].Free = withLast(odd.Free, last) }},
		{"bits for slots that it does not have", func(l *Layout) { l.Spans[small].Free = withLast(odd.Free, last&-last) }},
		{"bits for slots that it does not have", func(l *Layout) { l.Spans[small].Hidden = withLast(odd.Hidden, last&-last) }},
		{"are out of range", func(l *Layout) { l.Spans[small].Number = 0 }},
		{"are out of range", func(l *Layout) { l.Spans[small].Number = p.counted.end() }},
		{"are out of range", func(l *Layout) { l.Spans[large].Number = p.counted.end() - 2 }},
		{"are out of range", func(l *Layout) { l.Spans[large].Spans = ^uint32(0) - l.Spans[large].Number + 2 }},
		{"are out of range", func(l *Layout) { l.Regions[0].Runs[1][1] = 0 }},
		{"are out of range", func(l *Layout) { l.Regions[0].Runs[1][0] = p.immortal.first - 1 }},
		{"are out of range", func(l *Layout) { l.Regions[0].Runs[1][0] = p.immortal.end() }},
		{"is in use twice", func(l *Layout) { l.Spans[small].Number = l.Spans[large].Number }},
		{"is in use twice", func(l *Layout) { l.Spans[small].Number = l.Spans[large].Number + 1 }},
		{"is in use twice", func(l *Layout) { l.Spans = append(l.Spans, l.Spans[large]) }},
		{"is in use twice", func(l *Layout) { l.Regions[0].Runs[1] = l.Regions[0].Runs[0] }},
		{"a region of 3 spans has the objects of 2", func(l *Layout) { l.Regions[0].Starts = l.Regions[0].Starts[1:] }},
		{"a region of 3 spans has the objects of 4", func(l *Layout) { l.Regions[0].Starts = append(l.Regions[0].Starts, l.Regions[0].Starts[0]) }},
		{"frozen bytes", func(l *Layout) { l.Extents[0].Bytes = uint64(l.Extents[0].At[1])<<SpanShift + 1 }},
		{"frozen bytes", func(l *Layout) { l.Extents[0].At[1] = 0; l.Extents[0].Bytes = 0 }},
		{"frozen bytes", func(l *Layout) { l.Extents[0].At[0] = p.frozen.first - 1 }},
		{"frozen bytes", func(l *Layout) { l.Extents = append(l.Extents, l.Extents[0]) }},
	} {
		before := mapped.Load()
		l := *good
		l.Spans, l.Extents = slices.Clone(good.Spans), slices.Clone(good.Extents)
		r := good.Regions[0]
		r.Runs, r.Starts = slices.Clone(r.Runs), slices.Clone(r.Starts)
		l.Regions = []RegionLayout{r}
		c.set(&l)
		a, regions, extents, err := Adopt(file, &l, Config{})
		if !errors.Is(err, errNotShared) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one that has %q", err, c.want)
		}
		if a != nil || regions != nil || extents != nil {
			t.Errorf("%s: there is a space", c.want)
		}
		if n := mapped.Load(); n != before {
			t.Errorf("%s: %d mappings are left", c.want, n-before)
		}
	}
	// The smallest that is too large, and what just fits.
	l := *good
	l.Spans, l.Regions, l.Extents = nil, nil, nil
	exact, err := newMemfd(uintptr(good.Granules) << GranuleShift)
	if err != nil {
		t.Fatal(err)
	}
	a, _, _, err := Adopt(exact, &l, Config{})
	if err != nil {
		t.Fatalf("a space with nothing in use: %v", err)
	}
	a.wantSound(t)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, _, _, err := Adopt(exact, good, Config{}); err != nil {
		t.Errorf("a file that is as long as the space: %v", err)
	}
	_ = exact.Close()
	if _, _, _, err := Adopt(exact, good, Config{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a file that is closed: %v", err)
	}
}

// TestAdoptFails has the system fail at each of its calls: the error is the system's, and
// nothing is left of the space.
func TestAdoptFails(t *testing.T) {
	s, file, good := aShared(t)
	defer func() { _, _ = file.Close(), s.Close() }()
	broken := errors.New("broken")
	for fail := 1; ; fail++ {
		const times = 40
		before, had := mapped.Load(), addressesOfProcess(t)
		calls := 0
		var a *Space
		var err error
		for range times {
			calls = 0
			a, _, _, err = Adopt(file, good, Config{Inject: func(Call) error {
				if calls++; calls == fail {
					return broken
				}
				return nil
			}})
			if calls < fail {
				break
			}
		}
		if calls < fail {
			if err != nil {
				t.Errorf("none of %d calls fails: %v", calls, err)
			}
			if calls != 2+2+1 {
				t.Errorf("%d calls of the system, want 5: to commit two spans, to map two halves and an extent", calls)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			break
		}
		if !errors.Is(err, broken) || a != nil {
			t.Errorf("call %d fails: %v", fail, err)
		}
		if n := mapped.Load() - before; n != 0 {
			t.Errorf("call %d fails: %d mappings are left in the account", fail, n)
		}
		if now := addressesOfProcess(t); now > had+times/2*32<<20 { // others come and go
			t.Errorf("call %d fails: %d bytes of addresses are left", fail, now-had)
		}
	}
}

// addressesOfProcess returns how many bytes of addresses the process has taken.
func addressesOfProcess(t *testing.T) (n uint64) {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var from, to uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err == nil {
			n += to - from
		}
	}
	return n
}

// TestAdopted uses what was adopted, and gives it back.
func TestAdopted(t *testing.T) {
	s, file, l := aShared(t)
	defer func() { _, _ = file.Close(), s.Close() }()
	before := mapped.Load()
	a, regions, extents, err := Adopt(file, l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Backing() != Memfd {
		t.Errorf("it lies in %s memory, want memfd", a.Backing())
	}
	a.wantSound(t)
	if n := mapped.Load() - before; n != int64(len(a.central.mu.mappings.seams)) || n == 0 {
		t.Errorf("%d mappings are counted, want %d", n, len(a.central.mu.mappings.seams))
	}
	numbers := func(s *Space) (n []uint32) {
		for _, sp := range s.Tracked(nil) {
			n = append(n, sp.Number())
			n = append(n, sp.Containers(nil)...)
		}
		return n
	}
	if got, want := numbers(a), numbers(s); !slices.Equal(got, want) {
		t.Errorf("the collector sees %d containers, want %d", len(got), len(want))
	}
	r := regions[0]
	if got, want := r.layout(), l.Regions[0]; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("a region %+v, want %+v", got, want)
	}
	var objects []uint32
	r.Walk(func(h uint32) bool { objects = append(objects, h); return true })
	if len(objects) != 2 || !r.Contains(objects[1]) {
		t.Errorf("objects at %#x", objects)
	}
	if want := [2]int64{s.Usage().Count[Immortal], s.Usage().Bytes[Immortal]}; a.Usage().Count[Immortal] != want[0] || a.Usage().Bytes[Immortal] != want[1] || want[0] != 2 {
		t.Errorf("account %+v, want %d", a.Usage().Account, want)
	}
	e := extents[0]
	if got := a.Bytes(e.Start(), 160); !bytes.Equal(got, s.Bytes(e.Start(), 160)) || e.Bytes() != 100_000 || !e.Mapped() || e.Room() != 2*SpanSize {
		t.Errorf("an extent of %d bytes, in %d", e.Bytes(), e.Room())
	}

	// Large blocks go as a whole, and a region, and an extent.
	c := a.NewCache()
	for i := range l.Spans {
		if sp := &l.Spans[i]; sp.Spans > 0 {
			c.Free(sp.Number * SpanGranules)
			for n := range sp.Spans {
				if d := a.central.descriptor(sp.Number + n); d.state != spanFree {
					t.Errorf("span %d of a large block of %d is in state %d", n, sp.Spans, d.state)
				}
			}
		}
	}
	r.Free()
	for _, run := range l.Regions[0].Runs {
		for n := range run[1] {
			if d := a.central.descriptor(run[0] + n); d.state != spanFree || d.region != nil {
				t.Errorf("span %d of a region is in state %d", run[0]+n, d.state)
			}
		}
	}
	if u := a.Usage(); u.Count[Immortal] != 0 || u.Bytes[Immortal] != 0 || u.Committed != 0 {
		t.Errorf("left of what was given back: %+v", u)
	}
	if err := e.Free(); err != nil {
		t.Error(err)
	}
	if n := len(a.central.mu.mappings.seams); n != 0 {
		t.Errorf("%d mappings are counted, with no extent", n)
	}
	a.wantSound(t)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if n := mapped.Load(); n != before {
		t.Errorf("%d mappings are left", n-before)
	}
}

// TestShareRefuses shares twice, and what does not lie in a memfd.
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
		t.Error("ranges are shared of a space that is not")
	}
	if !s.central.mu.TryLock() {
		t.Fatal("the central is locked")
	}
	s.central.mu.Unlock()
	l := s.central.mu.ranges
	base := uintptr(s.base)
	want := [][2]uintptr{{base + l[0].offset(), base + l[0].offset() + l[0].bytes()}, {base + l[1].offset(), base + l[1].offset() + l[1].bytes()}}
	for range 2 {
		s.SharedRanges() // no lock is held
	}
	if got := s.SharedRanges(); !slices.Equal(got, want) || l[1].first < partsOf(uint64(s.mask)+1).immortal.first {
		t.Errorf("shared are %#x, want %#x", got, want)
	}
}

// TestSharedStaysApart: what the sharing process writes goes to private copies, in all parts; what
// was not in use is barred, and used again, at other addresses.
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
		t.Errorf("%d spans that are shared are in lists of their former caches", listed)
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
	s.Fill(0, 1, 5) // the first span and the last one are open
	s.Fill(Fixed, 1, 5)
	s.wantCommitted(t, "after sharing, which leaves the extent", 2)
	c := s.NewCache()
	for i := range uint32(100) {
		h := mustAlloc(t, c, Purpose(i%3), 2+i*20)
		if s.IsShared(h) || wordOf(s.Bytes(h, 4)) != 0 && i < 3 {
			t.Errorf("a new block lies in what is shared, or is not zero")
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
				t.Errorf("span %d is empty, and was not given back", sp.Number())
			}
		}
		return true
	})
	if sharing := s.central.mu.sharing; sharing.spans != left[sharing] || len(left) > 1 {
		t.Errorf("%d spans are left of what is shared, want %d", sharing.spans, left[sharing])
	}
	s.wantSound(t)
	r := s.NewRegion()
	h, err := r.Alloc(2, true)
	if err != nil || h < ImmortalBit|(l.Regions[0].Runs[0][0]+3)*SpanGranules {
		t.Errorf("a new region at %#x: %v", h, err)
	}
	s.wantSound(t)
}

// TestShareFails has each mapping fail: the error is the system's, the file is closed, and the
// space goes on as one that was shared.
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

// anImage is an extent that shows a file of 80,000 bytes.
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

// TestSharedImage: what an extent shows of another file is in the shared one, for both.
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
			t.Error("the image is not what it was")
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

// TestReadSharedRefuses shows each reason for which a file is refused.
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
		"changed":    {func(b []byte) []byte { b[100] ^= 1; return b }, true, "its description does not have its checksum"},
		"hash":       {func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, true, "its description does not have its checksum"},
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

// TestReleaseKeeps gives a range back, but for some runs of spans.
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

// TestShareNothing shares a space in which nothing is in use any more: what was in use is closed,
// and opened again.
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
		t.Errorf("%d mappings of extents are counted, of which none is left", n)
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

// TestShareTheMidst: of a half the spans behind what is shared are used first, and then those before.
func TestShareTheMidst(t *testing.T) {
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
	if regions != 7 { // of 16 spans two are shared
		t.Errorf("%d regions of two spans were made, want 7", regions)
	}
}

// TestSealedFile: a shared file can be neither written nor cut or made longer, and its seals stay
// as they are; a file with some of these seals is none.
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
			t.Errorf("a file is sealed that lacks seals %#x", less)
		}
		_ = f.Close()
	}
}

// TestSharedExtentStays: where an extent that is shared cannot be barred, its addresses are not used
// again, as the file would show there.
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
		MaxMappings.Store(mapped.Load()) // it lies in the midst of a mapping
		if err := e.Free(); err != nil {
			t.Error(err)
		}
		if got := free(); got != before {
			t.Errorf("%d spans are free, want %d", got, before)
		}
		space.Check()
	}
}
