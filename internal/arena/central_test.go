package arena

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestHalfModel compares a half with a set of the spans in use.
func TestHalfModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const first, end = 5, 5 + 300
		at := run{first, end - first}
		start := rapid.Uint32Range(first, end-1).Draw(t, "start")
		h := freshHalf(at, start)
		type taken struct{ first, n uint32 }
		var all []taken
		var used [end]bool
		wrapped := false
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			if len(all) > 0 && rapid.IntRange(0, 2).Draw(t, "what") == 0 {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				x := all[i]
				all[i] = all[len(all)-1]
				all = all[:len(all)-1]
				h.give(x.first, x.n)
				for k := range x.n {
					used[x.first+k] = false
				}
			} else {
				n := rapid.OneOf(rapid.Just(uint32(1)), rapid.Uint32Range(1, 90)).Draw(t, "n")
				// The lowest run that was returned, else the next fresh one, else one
				// below the start.
				want, ok := uint32(0), false
				for i, free := uint32(first), uint32(0); i < end && !ok; i++ {
					if free++; !h.isFree(i) {
						free = 0
					}
					if free == n {
						want, ok = i-n+1, true
					}
				}
				next := h.next
				if !ok && h.end-h.next >= n {
					want, ok = h.next, true
				} else if !ok && !wrapped && start > first {
					wrapped, next = true, first
					if start-first >= n {
						want, ok = first, true
					}
				}
				got, found := h.take(n)
				if found != ok || got != want {
					t.Fatalf("take(%d) = %d, %t, want %d, %t; next %d", n, got, found, want, ok, next)
				}
				if ok {
					for k := range n {
						if used[got+k] {
							t.Fatalf("take(%d) = %d, and span %d is in use", n, got, got+k)
						}
						used[got+k] = true
					}
					all = append(all, taken{got, n})
				}
			}
			if err := h.sound(nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestHalfHint: empty words are not searched again until something is given back there.
func TestHalfHint(t *testing.T) {
	h := freshHalf(run{64, 1000}, 64)
	if _, ok := h.take(300); !ok {
		t.Fatal("there is no room")
	}
	h.give(64+200, 1)
	if h.hint != 0 {
		t.Fatalf("hint %d of a half that was never searched", h.hint)
	}
	if n, ok := h.take(1); !ok || n != 64+200 || h.hint != 3 {
		t.Errorf("took %d, want 264; hint %d, want 3", n, h.hint)
	}
	h.give(64+130, 1)
	if h.hint != 2 {
		t.Errorf("hint %d, and a span of word 2 is free", h.hint)
	}
}

// TestCommitFails: a run that the system does not commit is not lost.
func TestCommitFails(t *testing.T) {
	failed, armed := errors.New("no memory"), false
	s := newSpace(t, Config{Reserve: 2 << 20, Inject: func(c Call) error {
		if armed && c == Commit {
			return failed
		}
		return nil
	}})
	defer s.Close()
	c := s.NewCache()
	armed = true
	for range 100 { // more than the half can hold
		if _, err := c.Alloc(Blocks, 3*SpanGranules); !errors.Is(err, failed) {
			t.Fatalf("error %v, want the system's", err)
		}
		if _, err := c.Alloc(Leaves, 4); !errors.Is(err, failed) {
			t.Fatalf("error %v, want the system's", err)
		}
	}
	if u := s.Usage(); u.Committed != 0 || u.Account != (Account{}) {
		t.Errorf("in use after the failure: %+v", u)
	}
	armed = false
	for i := range 15 {
		h, err := c.Alloc(Blocks, SpanGranules)
		if err != nil {
			t.Fatalf("span %d of 15: %v", i, err)
		}
		s.Fill(h, SpanGranules, 1)
	}
	s.Check()
	if err := s.sound(); err != nil {
		t.Error(err)
	}
}

// TestInitFails: if the first span of a space cannot be committed, New fails and gives
// the range back.
func TestInitFails(t *testing.T) {
	failed, calls := errors.New("no memory"), 0
	slabs := func() int {
		goSlabs.Lock()
		defer goSlabs.Unlock()
		return len(goSlabs.free[4<<20])
	}
	want := max(slabs(), 1)
	for fail := 1; fail <= 2; fail++ {
		calls = 0
		if s, err := New(Config{Backing: GoMemory, Reserve: 3 << 20, Inject: func(c Call) error {
			if calls++; c == Commit && calls == fail {
				return failed
			}
			return nil
		}}); !errors.Is(err, failed) || s != nil {
			t.Errorf("commit %d fails: %v", fail, err)
		}
		if n := slabs(); n != want {
			t.Errorf("%d slabs of that size are free, want %d: including the one of the failed space", n, want)
		}
	}
}

// TestFixedSpansAreZero: the first span and the last are zero, even in memory that was
// used before.
func TestFixedSpansAreZero(t *testing.T) {
	for _, b := range haveBackings() {
		for range 2 {
			s := newSpace(t, Config{Backing: b, Reserve: 5 << 20})
			for _, h := range []uint32{0, SpanGranules - 1, Fixed, ^uint32(0)} {
				if got := wordOf(s.Bytes(h, 4)); got != 0 {
					t.Errorf("%s: %#x begins with %#x", b, h, got)
				}
				s.Fill(h, 1, 0xABAB_ABAB)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestMostWarm: a large space keeps a share of its spans warm, a small one a number of them.
func TestMostWarm(t *testing.T) {
	s := newSpace(t, Config{Reserve: 64 << 20})
	defer s.Close()
	s.central.mu.counted.end = s.central.mu.counted.first + 20*warmShare // as in a larger space
	c := s.NewCache()
	var hs []uint32
	for range 22 {
		hs = append(hs, mustAlloc(t, c, Blocks, SpanGranules))
	}
	for _, h := range hs {
		c.Free(h)
	}
	s.wantCommitted(t, "all is freed", 20)
	for spans, want := range map[uint32]uint32{100: warmSpans, warmSpans * warmShare: warmSpans, 100 * warmShare: 100} {
		var c central
		c.mu.counted = half{first: 7, end: 7 + spans}
		if got := c.mostWarm(); got != want {
			t.Errorf("%d of %d spans stay warm, want %d", got, spans, want)
		}
	}
}

// TestWarm: warmSpans empty spans stay committed, and are reused first. Spans returned
// to the system are zero if the backing zeroes.
func TestWarm(t *testing.T) {
	forBackings(t, func(t *testing.T, b Backing) {
		s := newSpace(t, Config{Backing: b, Reserve: 16 << 20})
		defer s.Close()
		c := s.NewCache()
		var hs []uint32
		for range warmSpans + 3 {
			h := mustAlloc(t, c, Blocks, SpanGranules)
			s.Fill(h, SpanGranules, 7)
			hs = append(hs, h)
		}
		for _, h := range hs {
			c.Free(h)
		}
		s.wantCommitted(t, "all is freed", warmSpans)
		for i, h := range hs {
			sp := s.central.span(h)
			if want := i < warmSpans || b == GoMemory || b == Memfd && !s.mem.zeroes; sp.dirty != want {
				t.Errorf("span %d: dirty is %t", i, sp.dirty)
			}
		}
		for i := range warmSpans {
			if h := mustAlloc(t, c, Blocks, SpanGranules); h != hs[warmSpans-1-i] {
				t.Errorf("block %d is not in the span that was freed last", i)
			}
			s.wantCommitted(t, "warm ones are used", warmSpans)
		}
		if h := mustAlloc(t, c, Blocks, SpanGranules); h != hs[warmSpans] {
			t.Error("the next span is not the lowest free one")
		}
		s.Check()
		for range 20 { // a region takes no warm spans: these lie in the other half
			c.Free(mustAlloc(t, c, Blocks, SpanGranules))
		}
		r := s.NewRegion()
		if h, err := r.Alloc(1, true); err != nil || h&ImmortalBit == 0 {
			t.Errorf("a region at %#x: %v", h, err)
		}
	})
}

// TestWarmNeedAddresses: if no other addresses are left, a large block can take warm
// spans that are neighbours.
func TestWarmNeedAddresses(t *testing.T) {
	s := newSpace(t, Config{Reserve: 1 << 20}) // 7 spans
	defer s.Close()
	c := s.NewCache()
	var hs []uint32
	for range 7 {
		hs = append(hs, mustAlloc(t, c, Blocks, SpanGranules))
	}
	for _, h := range hs {
		c.Free(h)
	}
	s.wantCommitted(t, "all is freed", 7)
	if h, err := c.Alloc(Blocks, 7*SpanGranules); err != nil || h != hs[0] {
		t.Errorf("a block of the whole space at %#x: %v", h, err)
	}
	if _, err := c.Alloc(Blocks, SpanGranules); !errors.Is(err, ErrAddressSpace) {
		t.Errorf("one more block: %v", err)
	}
	s.Check()
	if err := s.sound(); err != nil {
		t.Error(err)
	}
}

// TestLimitConfig: the limit is rounded down to whole spans, and there is none by
// default.
func TestLimitConfig(t *testing.T) {
	for _, c := range []struct{ limit, want int64 }{{0, 256 << SpanShift}, {1, 0}, {3*SpanSize - 1, 2 << SpanShift}, {3 * SpanSize, 3 << SpanShift}} {
		s := newSpace(t, Config{Reserve: 16 << 20, Limit: c.limit})
		if got := s.Usage().Limit; got != c.want {
			t.Errorf("limit of %d bytes: %d, want %d", c.limit, got, c.want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestBacking: Auto is the default backing, and spaces of more than 8 GiB have a
// granule for every handle.
func TestBacking(t *testing.T) {
	s := newSpace(t, Config{Reserve: 1 << 20})
	if s.Backing() != defaultBacking || defaultBacking == Auto {
		t.Errorf("backing %s, want %s", s.Backing(), defaultBacking)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if raceEnabled || !haveSystem || uint64(^uintptr(0)) < 1<<40 {
		return
	}
	for reserve, mask := range map[int64]uint32{8 << 30: 1<<29 - 1, 8<<30 + 16: ^uint32(0), 9 << 30: ^uint32(0), 64 << 30: ^uint32(0), 1<<20 + 16: 1<<17 - 1, 1<<20 + 15: 1<<16 - 1} {
		s := newSpace(t, Config{Backing: System, Reserve: reserve})
		if s.Mask() != mask {
			t.Errorf("reserve of %d bytes: mask %#x, want %#x", reserve, s.Mask(), mask)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestLookup: spans behind the end of the space, or never handed out, have no
// descriptor.
func TestLookup(t *testing.T) {
	s := newSpace(t, Config{Reserve: 64 << 20})
	defer s.Close()
	h := mustAlloc(t, s.NewCache(), Leaves, 1)
	for _, c := range []struct {
		g    uint32
		want bool
	}{{h, true}, {h + chunkSpans*SpanGranules, false}, {^uint32(0), false}, {4 * chunkSpans * SpanGranules, false}} {
		if got := s.central.lookup(c.g) != nil; got != c.want {
			t.Errorf("granule %#x has a descriptor: %t", c.g, got)
		}
	}
	if p, n, ok := s.Block(h + chunkSpans*SpanGranules); ok || p != 0 || n != 0 {
		t.Errorf("a block in a span that was never handed out: %s of %d", p, n)
	}
	if _, _, ok := s.Block(h + 1); ok {
		t.Error("a block that is not in use is known")
	}
	if _, _, ok := s.Block(h | ImmortalBit); ok {
		t.Error("a block of the counted half in the immortal one")
	}
}

// TestParts: the parts of a space do not overlap, and the handles in each are of its
// kind. The parts of the largest space have every handle of their kind.
func TestParts(t *testing.T) {
	for granules := uint64(minSpaceGranules); granules <= smallSpaceGranules; granules *= 2 {
		p, n := partsOf(granules), uint32(granules/SpanGranules)
		if p.counted != (run{1, n/2 - 1}) || p.immortal != (run{n / 2, n / 4}) || p.frozen != (run{n / 4 * 3, n/4 - 1}) {
			t.Errorf("%d spans: %+v", n, p)
		}
	}
	p := partsOf(maxSpaceGranules)
	if p.counted != (run{1, ImmortalBit/SpanGranules - 1}) || p.immortal.first != ImmortalBit/SpanGranules || p.immortal.end() != p.frozen.first ||
		p.frozen.first != FrozenBits/SpanGranules || p.frozen.end() != FrozenEnd/SpanGranules {
		t.Errorf("every handle: %+v", p)
	}
}

// TestHalfSearch: a run at the end of a word does not continue past a word without free
// spans.
func TestHalfSearch(t *testing.T) {
	h := freshHalf(run{0, 1000}, 0)
	if _, ok := h.take(400); !ok {
		t.Fatal("there is no room")
	}
	h.give(60, 4)
	h.give(128, 4)
	if first, ok := h.search(5); ok {
		t.Errorf("five spans are free from %d on, where four are", first)
	}
	h.give(132, 1)
	if first, ok := h.take(5); !ok || first != 128 {
		t.Errorf("took five from %d on, want 128", first)
	}
	h.give(64, 2)
	if first, ok := h.take(6); !ok || first != 60 {
		t.Errorf("took six from %d on, want 60, over the end of a word", first)
	}
}

// TestCommitsOnce: spans are committed once, as many together as are new.
func TestCommitsOnce(t *testing.T) {
	s := newSpace(t, Config{Backing: GoMemory, Reserve: 16 << 20})
	defer s.Close()
	var commits, decommits [][2]uintptr
	s.mem.commit = func(off, n uintptr) error {
		commits = append(commits, [2]uintptr{off >> SpanShift, n >> SpanShift})
		return nil
	}
	s.mem.decommit = func(off, n uintptr) error {
		decommits = append(decommits, [2]uintptr{off >> SpanShift, n >> SpanShift})
		return nil
	}
	want := func(when string, got *[][2]uintptr, want ...[2]uintptr) {
		t.Helper()
		if !slices.Equal(*got, want) {
			t.Errorf("%s: %v, want %v", when, *got, want)
		}
		*got = nil
	}
	c := s.NewCache()
	h := mustAlloc(t, c, Blocks, SpanGranules)
	i := mustAlloc(t, c, Blocks, 3*SpanGranules)
	want("commits", &commits, [2]uintptr{1, 1}, [2]uintptr{2, 3})
	c.Free(i)
	want("returned", &decommits, [2]uintptr{2, 3})
	c.Free(h)
	want("kept warm", &decommits)
	for range 2 {
		mustAlloc(t, c, Blocks, 2*SpanGranules)
	}
	want("commits of memory that was not used before", &commits, [2]uintptr{5, 2}) // the first two spans are those that were returned
}

// TestRegionAgain: the next region reuses what a region gives back, and gets it zeroed,
// even if the memory was used by another space.
func TestRegionAgain(t *testing.T) {
	for _, b := range haveBackings() {
		for range 2 {
			s := newSpace(t, Config{Backing: b, Reserve: 6 << 20})
			first := uint32(0)
			for round := range 3 {
				r := s.NewRegion()
				h, err := r.Alloc(3*SpanGranules, true)
				if err != nil {
					t.Fatal(err)
				}
				for i, x := range s.Bytes(h, 3*SpanSize) {
					if x != 0 {
						t.Fatalf("%s, round %d: byte %d is %#x", b, round, i, x)
					}
				}
				s.Fill(h, 3*SpanGranules, 0xABAB_ABAB)
				if round == 0 {
					first = h
				} else if h != first {
					t.Errorf("%s: a region at %#x, and %#x is free", b, h, first)
				}
				r.Free()
				s.wantCommitted(t, "after a region", 0)
				s.wantSound(t)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestCoolComesFirst: at the limit, warm spans are given back before the empty spans of
// threads that are away.
func TestCoolComesFirst(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20, Limit: 5 << SpanShift})
	defer s.Close()
	a, b := s.NewCache(), s.NewCache()
	a.Free(mustAlloc(t, a, Leaves, 2))
	a.Leave()
	var hs []uint32
	for range 4 {
		hs = append(hs, mustAlloc(t, b, Blocks, SpanGranules))
	}
	for _, h := range hs {
		b.Free(h)
	}
	h := mustAlloc(t, b, Blocks, 2*SpanGranules)
	if len(s.central.mu.warm) != 0 || a.spans != 1 {
		t.Errorf("%d spans are warm, and the cache that was left has %d; want 0 and 1", len(s.central.mu.warm), a.spans)
	}
	s.wantCommitted(t, "cool", 3)
	b.Free(h)
	mustAlloc(t, b, Blocks, 5*SpanGranules)
	if a.spans != 0 {
		t.Error("the cache that was left keeps an empty span at the limit")
	}
	s.wantSound(t)
}

// TestEndOfASpan: no slot is live behind the last one of a span, and there is no span
// behind the last one.
func TestEndOfASpan(t *testing.T) {
	s := newSpace(t, Config{Reserve: 1 << 20})
	defer s.Close()
	c := s.NewCache()
	const n = 315 // 13 of these leave one granule
	h := mustAlloc(t, c, Leaves, n)
	for range 12 {
		mustAlloc(t, c, Leaves, n)
	}
	sp := s.central.span(h)
	if sp.slots != 13 || sp.nfree != 0 {
		t.Fatalf("%d slots, %d are free", sp.slots, sp.nfree)
	}
	if _, _, ok := s.Block(h + 12*n); !ok {
		t.Error("the last slot is not in use")
	}
	if _, _, ok := s.Block(h + 13*n); ok {
		t.Error("the granule behind the last slot is in use")
	}
	if s.central.lookup(16*SpanGranules) != nil || s.central.lookup(16*SpanGranules-1) == nil {
		t.Error("there is a span behind the last one, or no last one")
	}
}

// TestSizes: bytes are rounded up to granules, and granules to the size of the block.
func TestSizes(t *testing.T) {
	for bytes, want := range map[uintptr]uint32{0: 0, 1: 1, 16: 1, 17: 2, 32: 2} {
		if got := Granules(bytes); got != want {
			t.Errorf("%d bytes: %d granules, want %d", bytes, got, want)
		}
	}
	for n, want := range map[uint32]uint32{1: 1, 8: 8, 9: 10, 128: 128, 129: 160, 1366: 2048, MaxSmall: MaxSmall, MaxSmall + 1: SpanGranules, SpanGranules: SpanGranules, SpanGranules + 1: 2 * SpanGranules} {
		if got := Rounded(n); got != want {
			t.Errorf("%d granules: room for %d, want %d", n, got, want)
		}
	}
}
