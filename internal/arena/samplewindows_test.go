package arena

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// withClock makes fn the clock of samplers, for a test.
func withClock(t *testing.T, fn func() time.Duration) {
	was := clock
	clock = fn
	t.Cleanup(func() { clock = was })
}

// withGaps makes rnd decide which windows are counted, for a test.
func withGaps(t *testing.T, rnd *rand.Rand) {
	was := drawGap
	drawGap = func(of uint32) (gap uint32) {
		for rnd.Uint32N(of) > 0 {
			gap++
		}
		return gap
	}
	t.Cleanup(func() { drawGap = was })
}

// TestSampleChance checks the chance of a block by its size, on both sides of the largest size that
// has magazines, and by how many samples stand for each.
func TestSampleChance(t *testing.T) {
	const every, of = 1 << 20, maxWindows
	s := newSpace(t, Config{Reserve: 16 << 20, SampleEvery: every})
	defer s.Close()
	c := s.NewCache()
	counted := func(bytes float64) float64 { return -math.Expm1(-bytes*of/every) / of }
	for _, x := range []struct {
		bytes int64
		was   uint8
		want  float64
	}{
		{16, 0, counted(16)},
		{128, 0, counted(128)},
		{128, 2, counted(128) / 4},
		{129, 0, -math.Expm1(-129.0 / every)},
		{144, 2, -math.Expm1(-144.0 / every / 4)},
	} {
		c.sampler.was = x.was
		if got := c.Chance(x.bytes); math.Abs(got-x.want) > 1e-12 {
			t.Errorf("%d bytes, one in %d: chance %g, want %g", x.bytes, 1<<x.was, got, x.want)
		}
	}
	if got, want := RegionChance(300, 1000), 1-math.Exp(-0.3); math.Abs(got-want) > 1e-12 {
		t.Errorf("in a region: chance %g, want %g", got, want)
	}
}

// TestSampleGaps checks how many windows come before a counted one, and that the first window of a
// sampler is as random as the others. The bounds are more than ten standard deviations away.
func TestSampleGaps(t *testing.T) {
	const draws, of = 10_000, 8
	sum, none := 0, 0
	for range draws {
		gap := drawGap(of)
		sum += int(gap)
		if gap == 0 {
			none++
		}
		if drawGap(1) != 0 {
			t.Fatal("a window is left out, although all are counted")
		}
	}
	if sum < 6*draws || sum > 8*draws || none < draws/12 || none > draws/6 {
		t.Errorf("%.2f windows come before a counted one, want 7; none in %d of %d cases, want one in 8", float64(sum)/draws, none, draws)
	}
	for gap, want := range map[uint32]uint32{0: 0, 3: 2} {
		withGap(t, gap)
		if s := newSampler(1 << 20); s.counts != (gap == 0) || s.gap != want {
			t.Errorf("%d windows come before the first counted one: counts: %t, and %d after it", gap, s.counts, s.gap)
		}
	}
}

// withGap has the same number of windows come before each counted one, for a test.
func withGap(t *testing.T, gap uint32) {
	was := drawGap
	drawGap = func(uint32) uint32 { return gap }
	t.Cleanup(func() { drawGap = was })
}

// TestSamplePace checks how the share of samples that are taken follows the time between them, and
// that a window stands for the share at the time when it was drawn.
func TestSamplePace(t *testing.T) {
	now := time.Duration(0)
	withClock(t, func() time.Duration { return now })
	for every, want := range map[int64]uint8{countedEvery: 0, 1 << 20: maxThin} {
		s := newSampler(every)
		for range 100 {
			s.pace()
		}
		if s.thin != want {
			t.Errorf("each %d bytes: thin %d after samples at once, want %d", every, s.thin, want)
		}
		s.drawGap()
		for range 100 {
			now += time.Hour
			s.pace()
		}
		if s.thin != 0 {
			t.Errorf("each %d bytes: thin %d after rare samples", every, s.thin)
		}
		s.gap = 0
		if s.next(); s.thinNow != want || s.gapThin != 0 {
			t.Errorf("each %d bytes: a window that was drawn at %d counts as %d, and the next one as %d", every, want, s.thinNow, s.gapThin)
		}
	}
}

// TestSampleClock checks that time passes.
func TestSampleClock(t *testing.T) {
	before := clock()
	if time.Sleep(time.Millisecond); clock() <= before {
		t.Error("no time has passed")
	}
}

// TestSamplePaceSteps checks that the share changes in steps, each of which waits until the one
// before it shows, and not at all at the bounds.
func TestSamplePaceSteps(t *testing.T) {
	now := time.Duration(0)
	withClock(t, func() time.Duration { return now })
	for _, x := range []struct {
		from, to uint8
		interval time.Duration // at first
		pause    time.Duration // between samples, if all were taken
	}{
		{0, 0, samplePause, samplePause},
		{0, 1, samplePause - 1, samplePause - 1},
		{1, 1, 4 * samplePause, 2 * samplePause},
		{1, 0, 4*samplePause + 1, 2 * samplePause},
		{0, 1, samplePause, samplePause * 6 / 10},
		{3, 1, 8 * samplePause, samplePause * 11 / 10},
	} {
		s := newSampler(1 << 20)
		s.thin, s.interval = x.from, x.interval
		for range 100 {
			now += x.pause << s.thin
			s.pace()
			if s.thin < min(x.from, x.to) || s.thin > max(x.from, x.to) {
				break
			}
		}
		if s.thin != x.to {
			t.Errorf("samples %s apart: thin is %d, and was %d; want %d", x.pause, s.thin, x.from, x.to)
		}
	}
}

// TestSampleForgets checks that a block that is not sampled does not pass for sampled if the one
// before it was.
func TestSampleForgets(t *testing.T) {
	withDistances(t, 1)
	for _, x := range []struct {
		n      uint32
		counts bool
		gap    uint32 // after it
	}{{2, false, 2}, {2, true, 3}, {20, false, 3}, {20, true, 3}} {
		s := newSpace(t, Config{Reserve: 16 << 20, SampleEvery: 1 << 20})
		c := s.NewCache()
		c.sampler.counts, c.sampler.gap, c.sampler.picked = x.counts, 3, true
		if h, err := c.AllocSlow(Leaves, x.n); err != nil || h == 0 {
			t.Fatal(err)
		}
		if c.Sampled() {
			t.Errorf("%d granules, in a counted window: %t: sampled", x.n, x.counts)
		}
		if x.n == 2 && !x.counts && c.sampler.gap != x.gap {
			t.Errorf("%d windows before the next one that is counted, want %d", c.sampler.gap, x.gap)
		}
		s.Close()
	}
}

// TestSampleWindowEnds checks that a window ends when a magazine is filled from a bitmap, and when
// the thread comes back.
func TestSampleWindowEnds(t *testing.T) {
	withGap(t, 1)          // every second window is counted
	withDistances(t, 1000) // and has no sample
	for _, n := range []uint32{1, MagazineGranules} {
		s := newSpace(t, Config{Reserve: 16 << 20, SampleEvery: 1 << 20})
		c := s.NewCache()
		ends, was := 0, c.sampler.counts
		ended := func() {
			if c.sampler.counts != was {
				ends, was = ends+1, !was
			}
		}
		const fills = 10
		for range 2 + fills*(1+magazineBatch) { // the first block comes from a span that the cache has not got
			allocAny(t, c, Leaves, n)
			before := ends
			if ended(); ends > max(before, 1) && was && c.sampler.counted[Magazine(Leaves, n)].n != magazineBatch {
				t.Errorf("%d slots are counted", c.sampler.counted[Magazine(Leaves, n)].n)
			}
		}
		if ends != fills+2 {
			t.Errorf("%d granules: %d windows end, want %d", n, ends, fills+2)
		}
		for range 4 {
			c.Leave()
			c.Return()
			ended()
		}
		if ends != fills+6 {
			t.Errorf("%d windows end, want %d: one at each return", ends, fills+6)
		}
		s.Close()
	}
}

// TestSampleAtTheLimit checks that a cache that counts returns an error where there is no memory.
func TestSampleAtTheLimit(t *testing.T) {
	withDistances(t, 1000)
	s := newSpace(t, Config{Reserve: 16 << 20, Limit: SpanSize, SampleEvery: countedEvery})
	defer s.Close()
	c := s.NewCache()
	for range SpanGranules / MagazineGranules {
		mustAlloc(t, c, Leaves, MagazineGranules)
	}
	if h, err := c.Alloc(Leaves, MagazineGranules); h != 0 || !errors.Is(err, ErrLimit) {
		t.Errorf("block %#x beyond the limit: %v", h, err)
	}
}

// TestSampleCount checks which slots become counted: those that were freed last, and fewer than there are
// allocations before the sampled one.
func TestSampleCount(t *testing.T) {
	const mag = 3
	for _, x := range []struct{ free, left, moved uint32 }{{0, 5, 0}, {5, 0, 0}, {1, 5, 1}, {5, 1, 1}, {5, 3, 3}, {3, 5, 3}} {
		c := &Cache{frees: newMagazines(), sampler: &sampler{counted: newMagazines()}}
		f, m := &c.frees[mag], &c.sampler.counted[mag]
		for i := range x.free {
			f.slots[i] = 100 + i
		}
		f.n, c.sampler.left[mag] = x.free, x.left
		c.count(mag)
		if m.n != x.moved || f.n != x.free-x.moved || c.sampler.left[mag] != x.left-x.moved || (c.sampler.used == 1<<mag) != (x.moved > 0) {
			t.Errorf("%d free and %d before the sampled one: %d are counted, %d and %d are left; in use: %b", x.free, x.left, m.n, f.n, c.sampler.left[mag], c.sampler.used)
		}
		for i := range x.moved {
			if m.slots[i] != 100+f.n+i {
				t.Errorf("slot %d is %d, want %d", i, m.slots[i], 100+f.n+i)
			}
		}
	}
}

// TestSampleWindowModel follows the marks in the magazines of a cache through random windows. Each
// counted allocation comes one nearer to the mark, and nothing else does. Only counted windows have
// slots in counted magazines.
func TestSampleWindowModel(t *testing.T) {
	withDistances(t, 1)
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(9, seed))
		withGaps(t, rnd)
		s := newSpace(t, Config{Reserve: 64 << 20, SampleEvery: 16 << 10})
		c := s.NewCache()
		ahead := func(mag int) uint32 { // counted allocations before the sampled one
			n := c.sampler.left[mag]
			if c.sampler.counted != nil {
				n += c.sampler.counted[mag].n
			}
			return n
		}
		var live []uint32
		for range 2000 {
			switch k := rnd.IntN(20); {
			case k < 8:
				n := uint32(MagazineGranules - rnd.IntN(2))
				mag := Magazine(Leaves, n)
				for range rnd.IntN(2 * magazineSize) {
					before, counts := ahead(mag), c.sampler.counts
					h, sampled := allocAny(t, c, Leaves, n)
					live = append(live, h)
					want := before
					if counts {
						want = before - 1
					}
					if sampled != (counts && before == 0) || !sampled && ahead(mag) != want {
						t.Fatalf("seed %d: sampled: %t; %d before the mark, and were %d; counted: %t", seed, sampled, ahead(mag), before, counts)
					}
				}
			case k < 16:
				for range min(len(live), rnd.IntN(2*magazineSize)) {
					i := len(live) - 1 - rnd.IntN(min(len(live), 3))
					c.Free(live[i])
					live = append(live[:i], live[i+1:]...)
				}
			case k < 19:
				c.Leave()
				c.Return()
			default:
				s.Check()
			}
			if c.sampler.counted == nil {
				continue
			}
			want := c.frees
			if c.sampler.counts {
				want = c.sampler.counted
			}
			if c.mags != want {
				t.Fatalf("seed %d: the cache pops from other magazines; counted: %t", seed, c.sampler.counts)
			}
			for i := range c.sampler.counted {
				if n := c.sampler.counted[i].n; n > 0 && !c.sampler.counts {
					t.Fatalf("seed %d: %d slots are in a counted magazine", seed, n)
				}
			}
		}
		for _, h := range live {
			c.Free(h)
		}
		c.Trim()
		if u := s.Usage(); u.Count[Leaves] != 0 || c.spans != 0 || s.central.apart.spans != 0 {
			t.Errorf("seed %d: left: %+v in %d spans, and %d of sampled blocks", seed, u.Account, c.spans, s.central.apart.spans)
		}
		s.Close()
	}
}
