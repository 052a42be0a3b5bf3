package arena

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/ichor-go/ichor/internal/point"
)

// Sampling picks blocks at random, for a profile of the heap. If a point is marked on
// average every so many bytes along the stream of all bytes that are allocated, at random,
// the blocks that contain a mark are sampled. The distances between marks are exponential,
// as in the heap profiles of Go and of jemalloc. So each block of b bytes is sampled with
// the probability 1 − exp(−b/every), whatever came before it, and a profile that divides by
// this is unbiased.
//
// The distances have no memory, so the stream may be split: each cache and each of its
// magazines has marks of its own, and so has each region.
//
// The fast paths take no notice. To count what is allocated, Alloc pops from other magazines,
// the counted ones, than those to which Free pushes. They never get more slots than there are
// allocations before the next sampled one, so the sampled one finds its magazine empty and takes
// the slow path. An empty counted magazine is filled from its counterpart, and that from the
// bitmaps.
//
//	for each magazine:
//	    allocations before the sampled one = left + slots in the counted magazine
//
// Counting takes the slow path more often, and the slot that was freed last is not used first,
// which is slower. So only one window of a thread's work in many is counted, by chance, with as
// many times more marks. In the other windows magazines work as without sampling, and none of
// their blocks is sampled. A window ends at a checkpoint, when the thread comes back from being
// away, and when a magazine is filled from a bitmap, which depends on how many more blocks are
// allocated than freed, and hardly on the kind of window.
//
// A sample costs some microseconds, most of them for the stack. Where a thread allocates so much
// that this would show, only one in 2, 4, 8 and so on of the windows is counted that would be, and
// the marks of blocks without magazines are as many times as far apart: see pace. How many depends
// on earlier samples alone, and a block's chance takes account of it, so estimates stay right on
// average.
//
// A sampled block lies in a span of its own kind, marked apart, which belongs to a cache
// that no thread owns. So its free takes the slow path, and all other frees need not look
// for it. At the limit, such a span may also serve blocks that are not sampled.
type sampler struct {
	every   float64
	windows uint32                // one window in so many is counted
	counts  bool                  // this one is
	gap     uint32                // so many windows come before the next one that is
	counted *magazines            // nil until the cache has magazines
	used    uint32                // a bit for each of these that has got slots
	left    [magazineCount]uint32 // see above, by magazine
	bytes   float64               // the same for sizes without magazines: bytes before the mark

	thin     uint8         // one in 1<<thin of the samples that were asked for is taken
	gapThin  uint8         // thin when gap was drawn
	thinNow  uint8         // the same for the current window, if it is counted
	farThin  uint8         // thin when bytes was drawn
	last     time.Duration // when the last block was sampled
	interval time.Duration // between samples, on average

	picked bool  // the last AllocSlow returned a sampled block
	was    uint8 // thinNow or farThin when that block was sampled
}

// Chance returns the probability with which a block of that size was sampled, if the last call of
// AllocSlow returned it and it is sampled. Owner only.
func (c *Cache) Chance(bytes int64) float64 {
	s := c.sampler
	thin := float64(uint32(1) << s.was)
	if bytes > MagazineGranules<<GranuleShift {
		return -math.Expm1(-float64(bytes) / (s.every * thin))
	}
	w := float64(s.windows)
	return -math.Expm1(-float64(bytes)*w/s.every) / (w * thin)
}

// RegionChance returns the probability with which a block of a region is sampled.
func RegionChance(bytes, every int64) float64 {
	return -math.Expm1(-float64(bytes) / float64(every))
}

// countedEvery is the least distance between marks in counted windows, on average, unless all
// are counted: about as much as a window allocates that fills a magazine. The nearer the marks,
// the fewer windows are counted, and the more samples fall into the same one. maxWindows bounds
// the number of windows of which one is counted. Chosen by the scenario profiled.
const (
	countedEvery = 4 << 10
	maxWindows   = 128
)

func windows(every int64) uint32 { return uint32(min(max(every/countedEvery, 1), maxWindows)) }

const _ = uint(32 - magazineCount) // the bits of sampler.used

// samplePause is how much time passes between two samples of a thread, on average, unless all
// windows are counted. Chosen by the scenario profiled: so a thread loses less than half a percent
// of its time, with what samples push out of the processor's cache. maxThin bounds sampler.thin.
const (
	samplePause = 32 * time.Millisecond
	maxThin     = 10
)

// pace is called for each sample. It makes samples rarer if they come too often, and more frequent
// again, up to the rate that was asked for.
func (s *sampler) pace() {
	if s.windows == 1 {
		return
	}
	now := clock()
	s.interval += (min(now-s.last, 16*samplePause) - s.interval) / 8
	s.last = now
	switch {
	case s.interval < samplePause && s.thin < maxThin:
		s.thin++
		s.interval *= 2
	case s.interval > 4*samplePause && s.thin > 0:
		s.thin--
		s.interval /= 2
	}
}

// exponential returns a random number of mean 1. drawGap returns how many windows come before the
// next counted one, at random, if one in so many is counted. clock returns the time. Variables for
// tests.
var (
	exponential = rand.ExpFloat64
	clock       = func() time.Duration { return time.Since(began) }
	drawGap     = func(of uint32) uint32 {
		return uint32(rand.ExpFloat64() / -math.Log1p(-1/float64(of))) // a geometric distribution; 0 for one in one
	}
)

var began = time.Now()

func newSampler(every int64) *sampler {
	s := &sampler{every: float64(every), windows: windows(every), interval: samplePause, last: clock()}
	s.drawGap()
	s.next()
	for i := range s.left {
		s.draw(i)
	}
	s.drawBytes()
	return s
}

// next begins a new window.
func (s *sampler) next() {
	if s.counts = s.gap == 0; s.counts {
		s.thinNow = s.gapThin
		s.drawGap()
	} else {
		s.gap--
	}
}

// drawGap draws how many windows come before the next counted one.
func (s *sampler) drawGap() {
	s.gap = drawGap(s.windows << s.thin)
	s.gapThin = s.thin
}

// draw draws how many counted blocks of a magazine come before the next one with a mark.
func (s *sampler) draw(mag int) {
	size := float64((mag%MagazineGranules + 1) << GranuleShift)
	s.left[mag] = uint32(min(exponential()*s.every/float64(s.windows)/size, math.MaxInt32))
}

// drawBytes is draw for the blocks without magazines.
func (s *sampler) drawBytes() {
	s.bytes = exponential() * s.every * float64(uint32(1)<<s.thin)
	s.farThin = s.thin
}

// hit notes that a block is about to be sampled.
func (s *sampler) hit(thin uint8) {
	s.was = thin
	s.pace()
}

// mark reports whether the block of n granules that is about to be allocated has a mark.
func (s *sampler) mark(p Purpose, n uint32) bool {
	if n <= MagazineGranules {
		if !s.counts {
			return false
		}
		mag := Magazine(p, n)
		if s.left[mag] > 0 {
			s.left[mag]--
			return false
		}
		s.hit(s.thinNow)
		s.draw(mag)
		return true
	}
	bytes := float64(uint64(Rounded(n)) << GranuleShift)
	if s.bytes >= bytes {
		s.bytes -= bytes
		return false
	}
	s.hit(s.farThin)
	s.drawBytes()
	return true
}

// Sampled reports whether the block that the last call of AllocSlow returned is sampled.
// Owner only.
func (c *Cache) Sampled() bool { return c.sampler.picked }

// allocSampled is AllocSlow with sampling. If there is no memory for a sampled block apart from
// the others, the block is not sampled.
func (c *Cache) allocSampled(p Purpose, n uint32) (h uint32, err error) {
	s := c.sampler
	s.picked = false
	if s.mark(p, n) {
		if h = c.allocApart(p, n); h != 0 {
			s.picked = true
			return h, nil
		}
	}
	if n > MagazineGranules {
		return c.allocSlow(p, n)
	}
	mag := Magazine(p, n)
	if f := &c.frees[mag]; f.n > 0 { // which a window has that is counted
		if point.On {
			point.Write(&f.n)
		}
		f.n--
		h = f.slots[f.n]
	} else if h, err = c.allocSlow(p, n); err != nil {
		return 0, err
	} else {
		c.NextWindow()
	}
	if s.counts {
		c.count(mag)
	}
	return h, nil
}

// count moves slots that Free has left to the counted magazine, which is empty: as many as are
// certainly not sampled.
func (c *Cache) count(mag int) {
	f := &c.frees[mag]
	n := min(f.n, c.sampler.left[mag])
	if n == 0 {
		return
	}
	m := &c.sampler.counted[mag]
	if point.On {
		point.Write(&m.n)
		point.Write(&f.n)
	}
	c.sampler.left[mag] -= n
	c.sampler.used |= 1 << mag
	f.n -= n
	m.n = uint32(copy(m.slots[:], f.slots[f.n:f.n+n]))
}

// NextWindow begins a new window. It is inlined. Owner only.
func (c *Cache) NextWindow() {
	if s := c.sampler; !s.counts && s.gap > 0 {
		s.gap--
		return
	}
	c.nextWindow()
}

// nextWindow is NextWindow if either of the two windows is counted.
func (c *Cache) nextWindow() {
	s := c.sampler
	was := s.counts
	if s.next(); s.counts != was && s.counted != nil {
		c.uncount(false)
		c.aim()
	}
}

// aim has Alloc pop from the right magazines.
func (c *Cache) aim() {
	c.mags = c.frees
	if c.sampler.counts {
		c.mags = c.sampler.counted
	}
}

// uncount moves the slots in counted magazines back to where Free leaves them.
func (c *Cache) uncount(locked bool) {
	s := c.sampler
	for ; s.used != 0; s.used &= s.used - 1 {
		i := bits.TrailingZeros32(s.used)
		m, f := &s.counted[i], &c.frees[i]
		s.left[i] += m.n
		if over := m.n + f.n; over > magazineSize {
			c.unload(m, over-magazineSize, locked)
		}
		if point.On {
			point.Write(&m.n)
			point.Write(&f.n)
		}
		f.n += uint32(copy(f.slots[f.n:], m.slots[:m.n]))
		m.n = 0
	}
}

// allocApart allocates a block that will be found again when it is freed.
func (c *Cache) allocApart(p Purpose, n uint32) uint32 {
	s := &c.space.central
	if n > MaxSmall {
		h, err := c.allocLarge(p, n)
		if err == nil {
			s.span(h).apart = true
		}
		return h
	}
	class := ClassOf(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trimCommon()
	sp := s.apart.withRoom(p, class)
	if sp == nil {
		var err error
		if sp, err = s.fresh(s.apart, p, class); err != nil {
			return 0
		}
		sp.apart = true
	}
	c.account.Count[p]++
	c.account.Bytes[p] += int64(sp.size) << GranuleShift
	return sp.take()
}

// more is the slow path of Alloc: the current run has no n granules left before its end, or
// before the next mark. hidden is the part of the run behind the mark.
//
// The marks lie along the stream of the blocks, whichever run these lie in. If a mark is hidden, it
// lies within the block, even if the block goes into another run. Otherwise it lies behind what is
// left of the run. How far behind is drawn only now, which is the same, since distances have no
// memory. To draw it from the beginning of the block would mark large blocks too often: those that
// most runs end with.
func (r *Region) more(n uint32) error {
	every := float64(r.space.sampleEvery) / GranuleSize
	free, hidden := r.left, r.hidden
	r.left, r.hidden = free+hidden, 0
	if n > r.left {
		if err := r.extend(n); err != nil {
			r.left, r.hidden = free, hidden
			return err
		}
	}
	if every == 0 {
		return nil
	}
	marked := hidden > 0
	ahead := exponential() * every // granules before the mark
	if !marked {
		ahead += float64(free) // which have none
		marked = ahead < float64(n)
		if marked {
			ahead = exponential() * every
		} else {
			ahead -= float64(n)
		}
	}
	if marked {
		r.picked = r.next
	}
	if seen := min(ahead+float64(n), math.MaxUint32); uint32(seen) < r.left {
		r.hidden = r.left - uint32(seen)
		r.left -= r.hidden
	}
	return nil
}

// Sampled reports whether the last call of Alloc, which returned h, returned a sampled block.
func (r *Region) Sampled(h uint32) bool { return r.picked == h }
