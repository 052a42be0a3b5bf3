package arena

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestAdoptRefuses gives each reason for which a layout is refused, and checks that
// nothing is left of the space.
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
		{"and the space alone takes 68719476736", func(l *Layout) { l.Granules = maxSpaceGranules }},
		{"and the space alone takes 8589934592", func(l *Layout) { l.Granules = smallSpaceGranules }},
		{"and the space alone takes", func(l *Layout) { l.Granules *= 2 }},
		{"an unknown purpose", func(l *Layout) { l.Spans[small].Purpose = Immortal }},
		{"an unknown purpose", func(l *Layout) { l.Spans[large].Purpose = Immortal }},
		{"an unknown size class", func(l *Layout) { l.Spans[small].Class = uint8(Classes) }},
		{"an unknown size class", func(l *Layout) { l.Spans[small].Class = 0 }},
		{"bitmaps of the wrong length", func(l *Layout) { l.Spans[small].Free = append(slices.Clip(odd.Free), 0) }},
		{"bitmaps of the wrong length", func(l *Layout) { l.Spans[small].Free = odd.Free[1:] }},
		{"bitmaps of the wrong length", func(l *Layout) { l.Spans[small].Hidden = odd.Free[1:] }},
		{"bitmaps of the wrong length", func(l *Layout) { l.Spans[small].Hidden = append(slices.Clip(odd.Hidden), 0) }},
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
		{"a region of 3 spans has objects of 2", func(l *Layout) { l.Regions[0].Starts = l.Regions[0].Starts[1:] }},
		{"a region of 3 spans has objects of 4", func(l *Layout) { l.Regions[0].Starts = append(l.Regions[0].Starts, l.Regions[0].Starts[0]) }},
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
	// The smallest layout that is too large, and the largest that fits.
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

// TestAdoptFails makes each system call fail in turn: the error is the system's, and
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
			t.Errorf("call %d fails: %d mappings are still accounted for", fail, n)
		}
		if now := addressesOfProcess(t); now > had+times/2*32<<20 { // other threads map and unmap memory meanwhile
			t.Errorf("call %d fails: %d bytes of addresses are left", fail, now-had)
		}
	}
}

// addressesOfProcess returns how many bytes of addresses the process has reserved.
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

// TestAdopted uses the memory of an adopted space and gives it back.
func TestAdopted(t *testing.T) {
	s, file, l := aShared(t)
	defer func() { _, _ = file.Close(), s.Close() }()
	before := mapped.Load()
	a, regions, extents, err := Adopt(file, l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Backing() != Memfd {
		t.Errorf("it is in %s memory, want memfd", a.Backing())
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

	// Large blocks, regions and extents are given back as a whole.
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
		t.Errorf("left after everything was given back: %+v", u)
	}
	if err := e.Free(); err != nil {
		t.Error(err)
	}
	if n := len(a.central.mu.mappings.seams); n != 0 {
		t.Errorf("%d mappings are counted without an extent", n)
	}
	a.wantSound(t)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if n := mapped.Load(); n != before {
		t.Errorf("%d mappings are left", n-before)
	}
}
