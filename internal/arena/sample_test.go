package arena

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// withDistances makes every random distance between two marks the same, for a test.
func withDistances(t *testing.T, d float64) {
	was := exponential
	exponential = func() float64 { return d }
	t.Cleanup(func() { exponential = was })
}

// allocAny allocates, and reports whether the block is sampled.
func allocAny(t *testing.T, c *Cache, p Purpose, n uint32) (h uint32, sampled bool) {
	t.Helper()
	c.sampler.picked = false
	h = mustAlloc(t, c, p, n)
	return h, c.Sampled()
}

// TestSampleModel checks that with equal distances between the marks exactly those blocks are
// sampled that contain one, whatever else happens to their cache: the magazines are exchanged,
// flushed, filled and unloaded meanwhile. The calls of Freed are those for the sampled blocks.
func TestSampleModel(t *testing.T) {
	withDistances(t, 1)
	const every = 188 * GranuleSize // so that some blocks end at a mark
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var freed []uint32
		s := newSpace(t, Config{Reserve: 64 << 20, Direct: seed%5 == 4, SampleEvery: every, Freed: func(h uint32) { freed = append(freed, h) }})
		a, b := s.NewCache(), s.NewCache()
		allocs := [2]map[[2]uint32]int{{}, {}} // by cache: by purpose and size, for magazines
		rest := [2]float64{every, every}       // and the bytes before the next mark of all others
		live := map[uint32]bool{}
		var handles []uint32
		for range 20_000 {
			which := rnd.IntN(2)
			c := [...]*Cache{a, b}[which]
			switch k := rnd.IntN(100); {
			case k < 52 || len(handles) == 0:
				p := Purpose(rnd.IntN(cached))
				n := uint32(2 + rnd.IntN(4))
				if rnd.IntN(50) == 0 {
					n = uint32(rnd.IntN(300)) + 9
				}
				h, sampled := allocAny(t, c, p, n)
				want := false
				if n <= MagazineGranules {
					key := [2]uint32{uint32(p), n}
					want = allocs[which][key] == every/int(n*GranuleSize)
					allocs[which][key]++
					if want {
						allocs[which][key] = 0
					}
				} else if bytes := float64(s.Granules(h) * GranuleSize); rest[which] >= bytes {
					rest[which] -= bytes
				} else {
					want, rest[which] = true, every
				}
				if sampled != want {
					t.Fatalf("seed %d: %d granules of %s are sampled: %t", seed, n, p, sampled)
				}
				if _, reused := live[h]; reused {
					t.Fatalf("seed %d: %#x is handed out twice", seed, h)
				}
				live[h] = sampled
				handles = append(handles, h)
			case k < 99:
				i := rnd.IntN(len(handles))
				if rnd.IntN(2) == 0 {
					i = len(handles) - 1
				}
				h := handles[i]
				handles = slices.Delete(handles, i, i+1)
				freed = freed[:0]
				c.Free(h)
				if got := slices.Contains(freed, h); got != live[h] || len(freed) > 1 {
					t.Fatalf("seed %d: %#x is sampled: %t; freed is told of %#x", seed, h, live[h], freed)
				}
				delete(live, h)
			case rnd.IntN(2) == 0:
				s.Check()
				n := 0
				count := func(uint32) bool { n++; return true }
				s.WalkObjects(count)
				s.Walk(Blocks, count)
				if n != len(live) {
					t.Fatalf("seed %d: a walk finds %d blocks, want %d", seed, n, len(live))
				}
			default:
				c.Trim()
				c.Leave()
				c.Return()
			}
		}
		a.Publish()
		b.Publish()
		u := s.Usage()
		if n := u.Count[Leaves] + u.Count[Containers] + u.Count[Blocks]; n != int64(len(live)) {
			t.Errorf("seed %d: %d blocks by the accounts, want %d", seed, n, len(live))
		}
		for _, h := range handles {
			a.Free(h)
		}
		a.Trim()
		b.Trim()
		if u := s.Usage(); u.Count != [Purposes]int64{} || u.Bytes != [Purposes]int64{} || s.central.apart.spans != 0 {
			t.Errorf("seed %d: left: %+v, and %d spans of sampled blocks", seed, u.Account, s.central.apart.spans)
		}
		s.Check()
		s.Close()
	}
}

// TestSampleRate checks how many blocks are sampled, with random distances, if each block is
// freed at once, and if none is. The seed is fixed, so the numbers are always the same; with
// another seed, one in 10,000 is beyond the bounds.
func TestSampleRate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	was := exponential
	exponential = rnd.ExpFloat64
	t.Cleanup(func() { exponential = was })
	const every, allocs = 4 << 10, 40_000
	for _, n := range []uint32{1, 2, 5, MagazineGranules, 10, 60, SpanGranules} {
		for _, keep := range []bool{false, true} {
			if keep && n > 60 {
				continue
			}
			s := newSpace(t, Config{Reserve: 128 << 20, SampleEvery: every})
			c := s.NewCache()
			got := 0.0
			for range allocs {
				h, sampled := allocAny(t, c, Leaves, n)
				if sampled {
					got++
				}
				if !keep {
					c.Free(h)
				}
			}
			p := -math.Expm1(-float64(Rounded(n)*GranuleSize) / every)
			want, sigma := allocs*p, math.Sqrt(allocs*p*(1-p))
			if math.Abs(got-want) > 4*sigma {
				t.Errorf("%d granules, kept: %t: %.0f are sampled, want %.0f ± %.0f", n, keep, got, want, sigma)
			}
			s.Close()
		}
	}
}

// TestSampleWindows checks that samples stand for what was allocated if only some windows of a
// thread's work are counted: whether blocks are freed at once, in groups, or kept. The seed is
// fixed; with another seed, one in 10,000 is beyond the bounds.
func TestSampleWindows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	now := time.Duration(0)
	withClock(t, func() time.Duration { now += time.Hour; return now })
	was := exponential
	exponential = rnd.ExpFloat64
	t.Cleanup(func() { exponential = was })
	withGaps(t, rnd)
	const every, allocs, n = 8 * countedEvery, 250_000, 8
	if w := windows(every); w != 8 {
		t.Fatalf("one window in %d is counted", w)
	}
	for _, group := range []int{1, 7, 40, 500, 100_000} { // that many are alive before they are freed
		s := newSpace(t, Config{Reserve: 128 << 20, SampleEvery: every})
		c := s.NewCache()
		var live []uint32
		got, counted, chance := 0.0, 0, 0.0
		for i := range allocs {
			h, sampled := allocAny(t, c, Leaves, n)
			if sampled {
				got++
				if was := chance; c.Chance(n*GranuleSize) != was && was != 0 {
					t.Fatalf("the chance is %g, and was %g", c.Chance(n*GranuleSize), was)
				}
				chance = c.Chance(n * GranuleSize)
			}
			if c.sampler.counts {
				counted++
			}
			if live = append(live, h); len(live) == group {
				for _, h := range live {
					c.Free(h)
				}
				live = live[:0]
			}
			if i%50 == 0 {
				c.Leave()
				c.Return()
			}
		}
		if share := float64(counted) / allocs; share < 0.1 || share > 0.15 {
			t.Errorf("groups of %d: %.3f of the blocks are in counted windows, want 1/8", group, share)
		}
		want := allocs * chance
		if math.Abs(got-want) > 4*math.Sqrt(want) {
			t.Errorf("groups of %d: %.0f are sampled, want %.0f", group, got, want)
		}
		for _, h := range live {
			c.Free(h)
		}
		c.Trim()
		s.Check()
		s.Close()
	}
}

// TestSampleLarge checks that what stands for large blocks is right on average for each size, among
// other sizes, whatever its share of the distance between marks.
func TestSampleLarge(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	was := exponential
	exponential = rnd.ExpFloat64
	t.Cleanup(func() { exponential = was })
	now := time.Duration(0)
	withClock(t, func() time.Duration { now += samplePause / 3; return now }) // some are thinned out
	const every, allocs = 96 << 10, 10_000
	s := newSpace(t, Config{Reserve: 128 << 20, SampleEvery: every})
	defer s.Close()
	c := s.NewCache()
	for _, n := range []uint32{9, 1000, SpanGranules, SpanGranules + 1} {
		samples, sum, squares := 0, 0.0, 0.0
		for range allocs {
			small, _ := allocAny(t, c, Leaves, 20)
			h, sampled := allocAny(t, c, Leaves, n)
			if sampled {
				w := 1 / c.Chance(int64(s.Granules(h))*GranuleSize)
				samples, sum, squares = samples+1, sum+w, squares+w*(w-1)
			}
			c.Free(h)
			c.Free(small)
		}
		if math.Abs(sum-allocs) > 4*math.Sqrt(squares) || samples == 0 {
			t.Errorf("%d granules: %d samples stand for %.0f blocks, want %d ± %.0f", n, samples, sum, allocs, math.Sqrt(squares))
		}
	}
}

// TestSampleThin checks that samples are rarer where they would come too often, and that they stand
// for more then. The seed is fixed; with another seed, one in 1,000 is beyond the bounds.
func TestSampleThin(t *testing.T) {
	const every, allocs = 128 << 10, 1_000_000
	rnd := rand.New(rand.NewPCG(7, 8))
	was := exponential
	exponential = rnd.ExpFloat64
	t.Cleanup(func() { exponential = was })
	withGaps(t, rnd)
	now := time.Duration(0)
	withClock(t, func() time.Duration { return now })
	for _, n := range []uint32{8, 9} { // with magazines and without
		for _, step := range []time.Duration{time.Microsecond, 100 * time.Microsecond} { // of an allocation
			s := newSpace(t, Config{Reserve: 128 << 20, SampleEvery: every})
			c := s.NewCache()
			samples, sum, squares := 0, 0.0, 0.0
			for i := range allocs {
				now += step
				h, sampled := allocAny(t, c, Leaves, n)
				if sampled {
					w := 1 / c.Chance(int64(s.Granules(h))*GranuleSize)
					samples, sum, squares = samples+1, sum+w, squares+w*w
				}
				c.Free(h)
				if i%50 == 0 {
					c.Leave()
					c.Return()
				}
			}
			if math.Abs(sum-allocs) > 4*math.Sqrt(squares) {
				t.Errorf("%d granules, %s apart: %d samples stand for %.0f blocks, want %d ± %.0f", n, step, samples, sum, allocs, math.Sqrt(squares))
			}
			most := int(step * allocs / samplePause * 2)
			if asked := allocs * int(n) * GranuleSize / every; samples > most || (samples < asked*3/4) != (step == time.Microsecond) {
				t.Errorf("%d granules, %s apart: %d samples, want %d, but no more than %d", n, step, samples, asked, most)
			}
			s.Close()
		}
	}
}

// TestSampleApart checks that sampled blocks have spans of their own, and that these serve
// other blocks only when there is no other memory. A block for which no such span can be had is
// not sampled.
func TestSampleApart(t *testing.T) {
	withDistances(t, 0) // each block is sampled
	s := newSpace(t, Config{Reserve: 16 << 20, Limit: 3 * SpanSize, SampleEvery: 1 << 20})
	defer s.Close()
	c := s.NewCache()
	first, sampled := allocAny(t, c, Leaves, 256)
	if sp := s.central.span(first); !sampled || !sp.apart || sp.cache.Load() != s.central.apart {
		t.Errorf("sampled: %t; its span: %t", sampled, sp.apart)
	}
	large, sampled := allocAny(t, c, Leaves, SpanGranules)
	if !sampled || !s.central.span(large).apart {
		t.Errorf("a large block is sampled: %t", sampled)
	}
	block, sampled := allocAny(t, c, Blocks, 256) // the last span
	if !sampled {
		t.Error("a block is not sampled")
	}
	for _, n := range []uint32{256, SpanGranules} {
		if h, err := c.Alloc(Containers, n); err == nil {
			t.Errorf("a block %#x of %d granules beyond the limit", h, n)
		}
	}
	if s.central.span(0).apart {
		t.Error("a block that there was no memory for is marked")
	}
	exponential = func() float64 { return 1 }
	c.sampler.bytes = 1 << 20
	other, sampled := allocAny(t, c, Leaves, 256)
	if sp := s.central.span(other); sampled || !sp.apart {
		t.Errorf("at the limit: sampled: %t, apart: %t", sampled, sp.apart)
	}
	c.sampler.bytes = 0
	c.Free(block)
	c.Free(large)
	fresh, sampled := allocAny(t, c, Containers, 256)
	if !sampled {
		t.Error("with memory, a container is not sampled")
	}
	for _, h := range []uint32{first, other, fresh} {
		c.Free(h)
	}
	exponential = func() float64 { return 0 }
	c.sampler.bytes = 0
	for range 1000 { // freed slots are used again
		h, sampled := allocAny(t, c, Leaves, 256)
		if !sampled || s.central.apart.spans > 1 {
			t.Fatalf("sampled: %t, in %d spans", sampled, s.central.apart.spans)
		}
		c.Free(h)
	}
	exponential = func() float64 { return 1 }
	c.sampler.bytes = 1 << 20
	c.Trim()
	if h := mustAlloc(t, c, Leaves, SpanGranules); s.central.span(h).apart {
		t.Error("a span stays marked")
	}
}

// TestSampleSizes checks that sampled blocks have the same sizes as others.
func TestSampleSizes(t *testing.T) {
	withDistances(t, 0) // each block is sampled
	s := newSpace(t, Config{Reserve: 16 << 20, SampleEvery: 1 << 20})
	defer s.Close()
	c := s.NewCache()
	for n, want := range map[uint32]uint32{9: Rounded(9), MaxSmall: MaxSmall, MaxSmall + 1: SpanGranules, SpanGranules + 1: 2 * SpanGranules} {
		if h, sampled := allocAny(t, c, Blocks, n); !sampled || s.Granules(h) != want {
			t.Errorf("a block of %d granules has %d, want %d; sampled: %t", n, s.Granules(h), want, sampled)
		}
	}
}
