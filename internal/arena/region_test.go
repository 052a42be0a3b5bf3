package arena

import (
	"slices"
	"testing"
)

func TestRegion(t *testing.T) {
	forBackings(t, func(t *testing.T, b Backing) {
		s := newSpace(t, Config{Backing: b, Reserve: 64 << 20})
		defer s.Close()
		for round := range 3 {
			r := s.NewRegion()
			var want []uint32
			starts := map[uint32]bool{}
			for i := range 5000 {
				n := uint32(1 + i%70)
				if i%1000 == 999 {
					n = SpanGranules + 5
				}
				h, err := r.Alloc(n, i%3 != 0)
				if err != nil {
					t.Fatal(err)
				}
				if h&ImmortalBit == 0 {
					t.Fatalf("handle %#x is not in the immortal half", h)
				}
				for _, x := range s.Bytes(h, int(n)*GranuleSize) {
					if x != 0 {
						t.Fatalf("round %d: memory of a region is not zero", round)
					}
				}
				s.Fill(h, n, ^uint32(0))
				if i%3 != 0 {
					want = append(want, h)
					starts[h] = true
				}
			}
			seen := map[uint32]bool{}
			r.Walk(func(h uint32) bool { seen[h] = true; return true })
			for _, h := range want {
				if !seen[h] || !r.Contains(h) || !starts[h+1] && r.Contains(h+1) {
					t.Fatalf("object %#x is not found", h)
				}
			}
			if len(seen) != len(want) || r.Objects() != int64(len(want)) {
				t.Errorf("%d objects found of %d", len(seen), len(want))
			}
			r.Free()
			if u := s.Usage(); u.Committed != 0 || u.Bytes[Immortal] != 0 {
				t.Errorf("%+v left after Free", u)
			}
		}
	})
}

// TestRegionAccounts: what a region holds, what it has published, and what it is after
// Free.
func TestRegionAccounts(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	r, other := s.NewRegion(), s.NewRegion()
	alloc := func(r *Region, n uint32, object bool) uint32 {
		t.Helper()
		h, err := r.Alloc(n, object)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	published := func(when string, count, bytes int64) {
		t.Helper()
		if u := s.Usage(); u.Count[Immortal] != count || u.Bytes[Immortal] != bytes {
			t.Errorf("%s: %d objects in %d bytes are published, want %d in %d", when, u.Count[Immortal], u.Bytes[Immortal], count, bytes)
		}
	}
	a := alloc(r, 3, true)
	b := alloc(r, 5, false)
	if b != a+3 || r.Objects() != 1 || r.Bytes() != 8*GranuleSize {
		t.Errorf("%d objects in %d bytes", r.Objects(), r.Bytes())
	}
	published("in the first span", 0, 0)
	c := alloc(r, SpanGranules-8, true) // just fits
	if c != b+5 {
		t.Errorf("the rest of the span is not used: %#x", c)
	}
	d := alloc(r, 1, true) // continues in the next span
	if d != a+SpanGranules || len(r.runs) != 2 {
		t.Errorf("the next span does not continue the first one: %#x", d)
	}
	published("at the end of the first span", 2, SpanSize)
	x := alloc(other, 2, true)
	e := alloc(r, SpanGranules, true) // the rest of the second span is too small, and the third belongs to another region
	if e != a+3*SpanGranules {
		t.Errorf("a block of one span at %#x, want %#x", e, a+3*SpanGranules)
	}
	for h, want := range map[uint32]bool{a: true, b: false, c: true, d: true, d + 1: false, x: false, e: true, e &^ ImmortalBit: false, ^uint32(0): false} {
		if got := r.Contains(h); got != want {
			t.Errorf("an object begins at %#x: %t", h, got)
		}
	}
	if sp := s.central.span(e &^ ImmortalBit); sp.state != spanRegion || sp.purpose != Immortal {
		t.Errorf("a span of a region is in state %d, for %s", sp.state, sp.purpose)
	}
	calls := 0
	r.Walk(func(uint32) bool { calls++; return calls < 2 })
	if calls != 2 {
		t.Errorf("a walk continues after its function returned false: %d calls", calls)
	}
	r.Publish()
	r.Publish()
	published("all", 4, 2*SpanSize+GranuleSize)
	other.Publish()
	published("with another one", 5, 2*SpanSize+3*GranuleSize)
	s.Check()
	r.Free()
	published("with that one alone", 1, 2*GranuleSize)
	if r.Contains(a) || r.Objects() != 0 || r.Bytes() != 0 {
		t.Error("a freed region is not empty")
	}
	r.Walk(func(uint32) bool { t.Error("a region that was freed has an object"); return false })
	h := alloc(r, 1, true)
	if h == e+SpanGranules || !r.Contains(h) || len(r.runs) != 1 {
		t.Errorf("the next block lies at %#x", h)
	}
	s.Check()
	s.wantSound(t)
}

// TestRegionSizes: an object or a block takes what lies between it and what begins next, or up to a
// gap, or up to the end of what is in use.
func TestRegionSizes(t *testing.T) {
	s := newSpace(t, Config{Reserve: 64 << 20})
	defer s.Close()
	a, b := s.NewRegion(), s.NewRegion()
	alloc := func(r *Region, n uint32, object bool) uint32 {
		h, err := r.Alloc(n, object)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	type object struct {
		h, granules uint32
		gap         bool
	}
	var want []object
	check := func(when string) {
		t.Helper()
		var got []object
		a.WalkSizes(func(h, n uint32, gap bool) { got = append(got, object{h, n, gap}) })
		if !slices.Equal(got, want) {
			t.Errorf("%s: objects %v, want %v", when, got, want)
		}
	}
	check("empty")
	add := func(n uint32, gap bool) { want = append(want, object{alloc(a, n, true), n, gap}) }
	add(3, true)
	block := alloc(a, 2, false)
	add(4, false)
	alloc(b, 1, false) // the next span, which makes a gap in a
	alloc(b, 1, true)
	add(SpanGranules, true) // the span before has an unused end
	large := alloc(a, SpanGranules+7, false)
	add(2*SpanGranules-7, false)
	add(SpanGranules, false) // ends with its span
	alloc(b, SpanGranules, true)
	check("at the end of a span")
	behind := alloc(a, 70, false)
	add(64, true)
	check("with an unused end")
	add(5, false)
	check("later")
	for h, n := range map[uint32]uint32{block: 2, large: SpanGranules + 7, behind: 70} {
		if got := a.Granules(h); got != n {
			t.Errorf("the block %#x has %d granules, want %d", h, got, n)
		}
	}
}
