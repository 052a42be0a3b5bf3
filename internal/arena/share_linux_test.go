package arena

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// aShared returns a shared space and what is in use in it.
func aShared(t rapid.TB) (s *Space, file *os.File, l *Layout) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := New(Config{Backing: Memfd, Reserve: 32 << 20})
	check(err)
	c := s.NewCache()
	for i := range 3000 {
		p := []Purpose{Leaves, Containers, Blocks}[i%3]
		h, err := c.Alloc(p, uint32(i%40)+MinContainer)
		check(err)
		s.Fill(h, 1, uint32(i))
		switch {
		case i%5 == 0:
			c.Free(h)
		case p == Containers && i%4 == 0:
			s.Hide(h)
		}
	}
	_, err = c.Alloc(Leaves, 1)
	check(err)
	_, err = c.Alloc(Blocks, SpanGranules)
	check(err)
	for _, p := range []Purpose{Blocks, Containers, Containers} {
		h, err := c.Alloc(p, 3*SpanGranules)
		check(err)
		if p == Containers && h/SpanGranules%2 == 0 {
			s.Hide(h)
		}
	}
	r := s.NewRegion()
	_, err = r.Alloc(2*SpanGranules, true)
	check(err)
	_, err = r.Alloc(7, true)
	check(err)
	r.Publish()
	e, err := s.NewExtent(0)
	check(err)
	check(e.Grow(100_000))
	s.Fill(e.Start(), 10, 7)
	check(e.Seal(100_000, false))
	l, err = s.Layout([]*Region{r}, []*Extent{e})
	check(err)
	file, err = s.Share(l, []*Extent{e}, []byte("message"))
	check(err)
	return s, file, l
}

// After a Share that failed, memory that still maps the file does not become zero when
// it is given back. A region is zero nevertheless.
func TestShareFailsZeroes(t *testing.T) {
	failed, armed := errors.New("no mapping"), false
	s, err := New(Config{Backing: Memfd, Reserve: 32 << 20, Inject: func(c Call) error {
		if armed && c == Map {
			return failed
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	c := s.NewCache()
	if _, err := c.Alloc(Leaves, 4); err != nil {
		t.Fatal(err)
	}
	l, err := s.Layout(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	armed = true
	if _, err := s.Share(l, nil, nil); !errors.Is(err, failed) {
		t.Fatalf("sharing: %v", err)
	}
	for _, fill := range []uint32{7, 8} {
		r := s.NewRegion()
		for range 20 {
			h, err := r.Alloc(SpanGranules, true)
			if err != nil {
				t.Fatal(err)
			}
			if b := wordOf(s.Bytes(h, 4)); b != 0 {
				t.Fatalf("%#x begins with %d", h, b)
			}
			s.Fill(h, 1, fill)
		}
		r.Free()
	}
}

func TestAdopt(t *testing.T) {
	s, file, l := aShared(t)
	defer func() { _, _ = file.Close(), s.Close() }()
	if message, err := ReadShared(file); err != nil || string(message) != "message" {
		t.Fatalf("message %q, %v", message, err)
	}
	a, regions, extents, err := Adopt(file, l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	if got, want := a.Usage().Account, s.Usage().Account; got != want {
		t.Errorf("account %+v, want %+v", got, want)
	}
	if a.Usage().Committed != 0 {
		t.Errorf("%d bytes are committed, want none", a.Usage().Committed)
	}
	for p := range Purposes {
		var handles []uint32
		s.Walk(Purpose(p), func(h uint32) bool { handles = append(handles, h); return true })
		a.Walk(Purpose(p), func(h uint32) bool {
			if len(handles) == 0 || h != handles[0] || wordOf(a.Bytes(h, 4)) != wordOf(s.Bytes(h, 4)) || !a.IsShared(h) {
				t.Fatalf("%s: %#x is in use, want %#x", Purpose(p), h, handles)
			}
			handles = handles[1:]
			return true
		})
		if len(handles) > 0 {
			t.Errorf("%s: %d are missing", Purpose(p), len(handles))
		}
	}
	if len(regions) != 1 || regions[0].Objects() != 2 || !regions[0].Contains(regions[0].starts[0].first) {
		t.Errorf("regions %+v", regions)
	}
	if len(extents) != 1 || wordOf(a.Bytes(extents[0].Start(), 4)) != 7 || !extents[0].Shared() {
		t.Errorf("extents %+v", extents)
	}
	if got, want := len(a.Tracked(nil)), len(s.Tracked(nil)); got != want {
		t.Errorf("%d spans are tracked, want %d", got, want)
	}

	// New objects are elsewhere, and freed ones return to the sharing cache.
	c := a.NewCache()
	fresh, err := c.Alloc(Containers, 2)
	if err != nil || a.IsShared(fresh) {
		t.Fatalf("a new block at %#x, %v", fresh, err)
	}
	var all []uint32
	a.Walk(Containers, func(h uint32) bool {
		if h != fresh {
			all = append(all, h)
		}
		return true
	})
	was := wordOf(a.Bytes(all[0], 4))
	for _, h := range all {
		a.Fill(h, 1, 0xEEEE_EEEE)
		c.Free(h)
	}
	a.TrimShared()
	a.Check()
	if got := wordOf(a.Bytes(all[0], 4)); got != was {
		t.Errorf("a byte of a span that is empty is %#x, want %#x as in the file", got, was)
	}
	if got := wordOf(s.Bytes(all[0], 4)); got != was {
		t.Errorf("the byte is %#x in the sharing process, want %#x", got, was)
	}
	for range 1000 {
		if h, err := c.Alloc(Containers, 2); err != nil || a.IsShared(h) {
			t.Fatalf("a new block at %#x, %v", h, err)
		}
	}
}

// Whatever a layout says, Adopt fails or the adopted space is sound.
func TestAdoptTrustsNothing(t *testing.T) {
	s, file, good := aShared(t)
	defer func() { _, _ = file.Close(), s.Close() }()
	number := rapid.OneOf(rapid.Uint32Range(0, 70), rapid.Uint32Range(1<<8, 1<<9), rapid.Uint32())
	rapid.Check(t, func(t *rapid.T) {
		l := *good
		l.Spans = append([]SpanLayout{}, good.Spans...)
		sp := &l.Spans[rapid.IntRange(0, len(l.Spans)-1).Draw(t, "span")]
		n := number.Draw(t, "number")
		what := rapid.SampledFrom([]string{"granules", "number", "length", "purpose", "class", "free", "bits", "hidden", "run", "runs", "starts", "extent", "bytes"}).Draw(t, "what")
		switch what {
		case "granules":
			l.Granules = uint64(n)<<rapid.IntRange(0, 33).Draw(t, "shift") + 1
		case "number":
			sp.Number = n
		case "length":
			sp.Spans = n
		case "purpose":
			sp.Purpose = Purpose(n)
		case "class":
			sp.Class = uint8(n)
		case "free":
			sp.Free = make([]uint64, n%100)
		case "bits":
			sp.Free = []uint64{^uint64(0), uint64(n) << 40}
		case "hidden":
			sp.Hidden = make([]uint64, n%100)
		case "run":
			l.Regions = []RegionLayout{{Runs: []Run{{n, number.Draw(t, "length")}}, Starts: good.Regions[0].Starts}}
		case "runs":
			l.Regions = append([]RegionLayout{{Runs: good.Regions[0].Runs[:1], Starts: good.Regions[0].Starts}}, good.Regions...)
		case "starts":
			l.Regions = []RegionLayout{{Runs: good.Regions[0].Runs, Starts: good.Regions[0].Starts[:1]}}
		case "extent":
			l.Extents = []ExtentLayout{{Run{n, number.Draw(t, "length")}, 1000}}
		case "bytes":
			l.Extents = []ExtentLayout{{good.Extents[0].At, uint64(n) << 10}}
		}
		a, _, _, err := Adopt(file, &l, Config{})
		if err != nil {
			if !errors.Is(err, errNotShared) && !strings.Contains(err.Error(), "more than this machine") {
				t.Fatalf("%s: %v", what, err)
			}
			return
		}
		a.Check()
		a.WalkObjects(func(h uint32) bool { return wordOf(a.Bytes(h, 4)) != 0xAB })
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A trailer that claims more than the file holds is refused before memory is allocated
// for it, even if the sum of its numbers overflows to the right value.
func TestReadSharedClaims(t *testing.T) {
	for _, c := range []struct{ at, n uint64 }{
		{^uint64(0) - 1<<32 + 101, 1 << 32}, // the sum is 100
		{^uint64(0) - 1<<62 + 101, 1 << 62},
		{0, 101},
		{1, 100},
		{100, 1},
	} {
		file, err := newMemfd(0)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100, 100+trailerBytes)
		for _, v := range []uint64{shareMagic, c.at, c.n, 0} {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		if _, err := file.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		if err := sealFile(file); err != nil {
			t.Fatal(err)
		}
		before := allocated()
		if _, err := ReadShared(file); err != errNotShared {
			t.Errorf("%d bytes at %d: error %v, want %v", c.n, c.at, err, errNotShared)
		}
		if took := allocated() - before; took > 1<<20 {
			t.Errorf("%d bytes at %d: %d bytes of memory", c.n, c.at, took)
		}
		_ = file.Close()
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// TestSharedIsNotLent: no cache allocates from memory that was in use when the space
// was shared, not even at the limit.
func TestSharedIsNotLent(t *testing.T) {
	lendOften(t, 0)
	s, file, _ := aShared(t)
	defer func() { _, _ = file.Close(), s.Close() }()
	a, b := s.NewCache(), s.NewCache()
	a.Leave()
	for i := range uint32(40) {
		for _, p := range []Purpose{Leaves, Containers, Blocks} {
			if h := mustAlloc(t, b, p, i+MinContainer); s.IsShared(h) {
				t.Fatalf("%s of %d granules lie in shared memory", p, i+MinContainer)
			}
		}
	}
	s.central.mu.Lock()
	defer s.central.mu.Unlock()
	if sp := s.central.spare(Leaves, ClassOf(2)); sp != nil && sp.shared {
		t.Error("a shared span is lent at the limit")
	}
}
