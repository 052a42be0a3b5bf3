package arena

import (
	"slices"
	"testing"
)

// magazineFor returns the magazine of c for slots of n granules.
func (c *Cache) magazineFor(p Purpose, n uint32) *magazine { return &c.mags[Magazine(p, n)] }

// TestMagazineOrder: slots of a fresh span come lowest first, and the slot that was freed last
// is used first, in each size that has magazines and in no other.
func TestMagazineOrder(t *testing.T) {
	for p := range Purpose(cached) {
		for _, n := range []uint32{2, MagazineGranules, MagazineGranules + 2} {
			s := newSpace(t, Config{Reserve: 16 << 20})
			c := s.NewCache()
			var hs []uint32
			for range 3*magazineSize + 5 {
				hs = append(hs, mustAlloc(t, c, p, n))
			}
			for i, h := range hs {
				if want := hs[0] + uint32(i)*n; h != want {
					t.Fatalf("%s of %d granules: slot %d is at %#x, want %#x", p, n, i, h, want)
				}
			}
			c.Free(hs[3])
			c.Free(hs[7])
			want := []uint32{hs[7], hs[3]}
			if n > MagazineGranules {
				want = []uint32{hs[3], hs[7]} // the bitmap gives the lowest one
			}
			if got := []uint32{mustAlloc(t, c, p, n), mustAlloc(t, c, p, n)}; !slices.Equal(got, want) {
				t.Errorf("%s of %d granules: slots %#x, want %#x", p, n, got, want)
			}
			s.Check()
			s.Close()
		}
	}
}

// TestMagazineMoves follows the slots between a magazine and the bitmaps.
func TestMagazineMoves(t *testing.T) {
	const n = 4
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c := s.NewCache()
	first := mustAlloc(t, c, Leaves, n)
	sp := s.central.span(first)
	state := func(what string, in, free uint32) {
		t.Helper()
		if m := c.magazineFor(Leaves, n); m.n != in || sp.nfree != free {
			t.Errorf("%s: %d in the magazine and %d free in the span, want %d and %d", what, m.n, sp.nfree, in, free)
		}
	}
	state("a span was taken", 0, sp.slots-1)
	hs := []uint32{first, mustAlloc(t, c, Leaves, n)}
	state("filled", magazineBatch, sp.slots-2-magazineBatch)
	mags := c.mags
	for len(hs) < int(sp.slots) {
		hs = append(hs, mustAlloc(t, c, Leaves, n))
	}
	state("the span is full", 0, 0)
	other := mustAlloc(t, c, Leaves, n)
	if s.central.span(other) == sp || sp.listed {
		t.Fatal("the full span is still in use")
	}
	next := mustAlloc(t, c, Leaves, n)
	c.flush(false)
	for i := range magazineSize {
		c.Free(hs[i])
	}
	state("full", magazineSize, 0)
	if sp.listed {
		t.Error("the span is in a list although its slots are in a magazine")
	}
	c.Free(hs[magazineSize])
	state("unloaded", magazineSize-magazineBatch+1, magazineBatch)
	if !sp.listed {
		t.Error("the span has free slots, and is in no list")
	}
	c.Publish()
	if u, want := s.Usage(), int64(len(hs)+2-magazineSize-1); u.Count[Leaves] != want || u.Bytes[Leaves] != want*n*GranuleSize {
		t.Errorf("%d leaves of %d bytes, want %d", u.Count[Leaves], u.Bytes[Leaves], want)
	}
	var seen int
	s.Walk(Leaves, func(uint32) bool { seen++; return true })
	if want := len(hs) + 2 - magazineSize - 1; seen != want {
		t.Errorf("a walk finds %d leaves, want %d", seen, want)
	}
	state("walked", 0, magazineSize+1)
	if c.mags != mags {
		t.Error("the cache has other magazines")
	}
	for _, h := range append(hs[magazineSize+1:], other, next) {
		c.Free(h)
	}
	c.Trim()
	if u := s.Usage(); u.Count[Leaves] != 0 || u.Bytes[Leaves] != 0 || sp.state != spanFree {
		t.Errorf("left: %+v", u)
	}
	s.Check()
}

// TestMagazineOfTheLast: the last two slots of a span are one for the caller and one for the magazine.
func TestMagazineOfTheLast(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c := s.NewCache()
	h := mustAlloc(t, c, Blocks, 2)
	sp := s.central.span(h)
	c.flush(false)
	for sp.nfree > 2 {
		mustAlloc(t, c, Blocks, 2)
		c.flush(false)
	}
	mustAlloc(t, c, Blocks, 2)
	if m := c.magazineFor(Blocks, 2); m.n != 1 || sp.nfree != 0 {
		t.Errorf("%d in the magazine and %d free, want 1 and 0", m.n, sp.nfree)
	}
}

// TestMagazinesAreApart: the magazine of a size serves no other size and no other purpose.
func TestMagazinesAreApart(t *testing.T) {
	s := newSpace(t, Config{Reserve: 64 << 20})
	defer s.Close()
	c := s.NewCache()
	for p := range Purpose(cached) {
		for n := uint32(MinContainer - 1); n <= MagazineGranules+2; n++ {
			if p == Containers && n < MinContainer {
				continue
			}
			for range 3 {
				h := mustAlloc(t, c, p, n)
				if got, size, ok := s.Block(h); !ok || got != p || size != Rounded(n) {
					t.Errorf("%s of %d granules: %s of %d, %t", p, n, got, size, ok)
				}
			}
		}
	}
	s.Check()
}

// TestDirect: a space without magazines has none.
func TestDirect(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20, Direct: true})
	defer s.Close()
	c := s.NewCache()
	for range 100 {
		c.Free(mustAlloc(t, c, Leaves, 1))
		mustAlloc(t, c, Leaves, 1)
	}
	if c.mags != &noMagazines || noMagazines != (magazines{}) {
		t.Error("the cache has magazines")
	}
}

// TestMagazineOfALentSpan: before a span is lent, the magazine of the cache that had it is emptied.
func TestMagazineOfALentSpan(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	a, b := s.NewCache(), s.NewCache()
	h := mustAlloc(t, a, Leaves, 2)
	mustAlloc(t, a, Leaves, 2)
	sp := s.central.span(h)
	a.Leave()
	s.central.mu.Lock()
	lent := s.central.lend(b, Leaves, ClassOf(2), lendTries, true)
	s.central.mu.Unlock()
	if lent != sp || sp.cache.Load() != b {
		t.Fatal("the span was not lent")
	}
	if m := a.magazineFor(Leaves, 2); m.n != 0 || sp.nfree != sp.slots-2 {
		t.Errorf("%d slots in the magazine of the cache that had the span, %d free", m.n, sp.nfree)
	}
	a.Return()
}

// TestMagazinesInAWalk: the slots in magazines are free for every walk, and go back to the
// bitmaps first, so that Check sees them there.
func TestMagazinesInAWalk(t *testing.T) {
	for _, walk := range []struct {
		name string
		look func(s *Space) int // the live slots that it finds, or -1
	}{
		{"Walk", func(s *Space) (n int) {
			s.Walk(Containers, func(uint32) bool { n++; return true })
			return n
		}},
		{"WalkObjects", func(s *Space) (n int) {
			s.WalkObjects(func(uint32) bool { n++; return true })
			return n
		}},
		{"Tracked", func(s *Space) (n int) {
			for _, sp := range s.Tracked(nil) {
				n += len(sp.Containers(nil))
			}
			return n
		}},
		{"Check", func(s *Space) int { s.Check(); return -1 }},
	} {
		s := newSpace(t, Config{Reserve: 16 << 20})
		c := s.NewCache()
		mustAlloc(t, c, Containers, 4)
		h := mustAlloc(t, c, Containers, 4)
		c.Free(h)
		if n := walk.look(s); n != 1 && n != -1 {
			t.Errorf("%s finds %d containers, want 1", walk.name, n)
		}
		if m := c.magazineFor(Containers, 4); m.n != 0 {
			t.Errorf("%s leaves %d slots in the magazine", walk.name, m.n)
		}
		s.Close()
	}
}
