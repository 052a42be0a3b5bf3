package arena

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSampleRegion checks that with equal distances the blocks of a region are sampled that
// contain a mark, and that sampling does not change where blocks lie.
func TestSampleRegion(t *testing.T) {
	withDistances(t, 1)
	const every = 300 // granules
	s, plain := newSpace(t, Config{Reserve: 64 << 20, SampleEvery: every * GranuleSize}), newSpace(t, Config{Reserve: 64 << 20})
	defer s.Close()
	defer plain.Close()
	r, like := s.NewRegion(), plain.NewRegion()
	rnd := rand.New(rand.NewPCG(3, 4))
	sampled, most := 0, 0.0
	for range 20_000 {
		n := uint32(1 + rnd.IntN(20))
		if rnd.IntN(1000) == 0 {
			n = SpanGranules + 1
		}
		most += min(float64(n)/every, 1)
		h, err := r.Alloc(n, true)
		want, err2 := like.Alloc(n, true)
		if err != nil || err2 != nil || h != want {
			t.Fatalf("%#x, %v; want %#x, %v", h, err, want, err2)
		}
		if r.Sampled(h) {
			sampled++
		}
	}
	// A mark that would lie behind the end of a run is drawn again in the next run.
	if float64(sampled) > most || float64(sampled) < most*0.9 {
		t.Errorf("%d blocks are sampled, want about %.0f", sampled, most)
	}
	if r.Bytes() != like.Bytes() || r.Objects() != like.Objects() {
		t.Errorf("%d objects of %d bytes, want %d of %d", r.Objects(), r.Bytes(), like.Objects(), like.Bytes())
	}
	withDistances(t, 0)
	if h, err := r.Alloc(1, true); err != nil || r.Sampled(h) {
		t.Errorf("before the mark: %v", err)
	}
	r.Free()
	for range 3 {
		if h, err := r.Alloc(SpanGranules, true); err != nil || !r.Sampled(h) {
			t.Errorf("a block with marks at each granule is not sampled: %v", err)
		}
	}
}

// TestSampleRegionRate checks that the chance of a block of a region depends on nothing but its
// size: not on the end of a run, at which some sizes lie more often than others. The bound is four
// standard deviations, with random numbers that are always the same.
func TestSampleRegionRate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	was := exponential
	exponential = rnd.ExpFloat64
	t.Cleanup(func() { exponential = was })
	const every = 100 << 10
	for _, sizes := range [][]uint32{{3}, {60, 61}, {SpanGranules/2 + 1}, {SpanGranules - 1, 2}, {SpanGranules + 1}} {
		s := newSpace(t, Config{Reserve: 64 << 20, SampleEvery: every})
		chances, got := map[uint32]float64{}, map[uint32]float64{}
		const regions, blocks = 60, 100
		for range regions {
			r := s.NewRegion()
			for i := range blocks * len(sizes) {
				n := sizes[i%len(sizes)]
				h, err := r.Alloc(n, true)
				if err != nil {
					t.Fatal(err)
				}
				if r.Sampled(h) {
					got[n]++
				}
				chances[n] = RegionChance(int64(n)*GranuleSize, every)
			}
			r.Free()
		}
		for n, p := range chances {
			want, sigma := regions*blocks*p, math.Sqrt(regions*blocks*p*(1-p))
			if math.Abs(got[n]-want) > 4*sigma {
				t.Errorf("of blocks of %d granules, among those of %d, %.0f are sampled, want %.0f ± %.0f", n, sizes, got[n], want, sigma)
			}
		}
		s.Close()
	}
}

// TestSampleRegionLimit checks that the marks of a region stay where they are if there is no memory
// for a block.
func TestSampleRegionLimit(t *testing.T) {
	withDistances(t, 1)
	s := newSpace(t, Config{Reserve: 64 << 20, Limit: SpanSize, SampleEvery: 10 * GranuleSize})
	defer s.Close()
	r := s.NewRegion()
	for i, want := range []bool{false, true, false, true, false} { // a mark 10 granules behind each sampled block
		h, err := r.Alloc(7, true)
		if err != nil || r.Sampled(h) != want {
			t.Errorf("%d: sampled: %t, %v", i, !want, err)
		}
		if _, err := r.Alloc(SpanGranules, true); err == nil {
			t.Error("there is memory for a second span")
		}
	}
}

// TestSampleRegionMarks follows the marks in a region, with distances that differ.
func TestSampleRegionMarks(t *testing.T) {
	distances := []float64{1, 0.1, 0.05, 1}
	was := exponential
	exponential = func() float64 { d := distances[0]; distances = distances[1:]; return d }
	t.Cleanup(func() { exponential = was })
	const granules = 100
	s := newSpace(t, Config{Reserve: 64 << 20})
	defer s.Close()
	s.sampleEvery = granules * GranuleSize // only now, so that no cache has taken a distance
	r := s.NewRegion()
	for i, c := range []struct {
		n       uint32
		sampled bool
	}{
		{60, false},  // of the first 100
		{41, true},   // reaches beyond
		{9, false},   // of the next 10
		{2, true},    // reaches beyond
		{5, false},   // of the next 5
		{1, true},    // reaches beyond
		{100, false}, // of the next 100
	} {
		h, err := r.Alloc(c.n, true)
		if err != nil || r.Sampled(h) != c.sampled {
			t.Errorf("%d: sampled: %t, %v", i, !c.sampled, err)
		}
	}
}

// TestSampleRegionEnd checks a mark in the last granule of a run: the block there is sampled, and lies
// in that run.
func TestSampleRegionEnd(t *testing.T) {
	withDistances(t, 1000)
	s := newSpace(t, Config{Reserve: 64 << 20, SampleEvery: 1 << 20})
	defer s.Close()
	r := s.NewRegion()
	first, err := r.Alloc(1, true)
	if err != nil {
		t.Fatal(err)
	}
	rest := r.left + r.hidden
	r.left, r.hidden = rest-1, 1
	for _, c := range []struct {
		n, at   uint32
		sampled bool
	}{{rest - 1, first + 1, false}, {1, first + rest, true}} {
		if h, err := r.Alloc(c.n, true); err != nil || h != c.at || r.Sampled(h) != c.sampled || len(r.runs) != 1 {
			t.Errorf("%d granules at %#x, want %#x; sampled: %t; %d runs; %v", c.n, h, c.at, r.Sampled(h), len(r.runs), err)
		}
	}
}
