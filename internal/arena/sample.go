package arena

import (
	"math"
	"math/rand/v2"

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
// The fast paths take no notice. A magazine never gets more slots than there are
// allocations before the next sampled one, so the sampled one finds it empty and takes
// the slow path. For that count to be right, Free pushes to other magazines than those from
// which Alloc pops, and an empty magazine is filled from its counterpart.
//
//	for each magazine, and each size without one:
//	    allocations before the sampled one = left + slots in the magazine that Alloc pops from
//
// A sampled block lies in a span of its own kind, marked apart, which belongs to a cache
// that no thread owns. So its free takes the slow path, and all other frees need not look
// for it. At the limit, such a span may also serve blocks that are not sampled.
type sampler struct {
	every  float64
	left   [magazineCount]uint32 // see above, by magazine
	bytes  float64               // the same for all other sizes: bytes before the mark
	picked bool                  // the last AllocSlow returned a sampled block
}

// exponential returns a random number of mean 1. A variable for tests.
var exponential = rand.ExpFloat64

func newSampler(every int64) *sampler {
	s := &sampler{every: float64(every)}
	for i := range s.left {
		s.left[i] = s.draw(uint32(i%MagazineGranules + 1))
	}
	s.bytes = exponential() * s.every
	return s
}

// draw returns how many blocks of n granules come before the next one with a mark.
func (s *sampler) draw(n uint32) uint32 {
	return uint32(min(exponential()*s.every/float64(n<<GranuleShift), math.MaxInt32))
}

// mark reports whether the block of n granules that is about to be allocated has a mark.
func (s *sampler) mark(p Purpose, n uint32) bool {
	if n <= MagazineGranules {
		left := &s.left[Magazine(p, n)]
		if *left > 0 {
			*left--
			return false
		}
		*left = s.draw(n)
		return true
	}
	bytes := float64(uint64(Rounded(n)) << GranuleShift)
	if s.bytes >= bytes {
		s.bytes -= bytes
		return false
	}
	s.bytes = exponential() * s.every
	return true
}

// unsampled returns how many of n slots may go into a magazine.
func (s *sampler) unsampled(mag uint8, n uint32) uint32 {
	if mag == noMagazine {
		return n
	}
	n = min(n, s.left[mag])
	s.left[mag] -= n
	return n
}

// Sampled reports whether the block that the last call of AllocSlow returned is sampled.
// Owner only.
func (c *Cache) Sampled() bool { return c.sampler.picked }

// allocSampled is the part of AllocSlow that concerns sampling. It returns 0 if the block
// has to come from a bitmap. If there is no memory for a sampled block apart from the
// others, the block is not sampled.
func (c *Cache) allocSampled(p Purpose, n uint32) (h uint32) {
	s := c.sampler
	s.picked = false
	if s.mark(p, n) {
		h = c.allocApart(p, n)
		s.picked = h != 0
	}
	if h == 0 && n <= MagazineGranules {
		h = c.exchange(uint8(Magazine(p, n)))
	}
	return h
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

// exchange fills the empty magazine that Alloc pops from with slots that were freed, and
// returns one more for the caller, or 0 if there is none.
func (c *Cache) exchange(mag uint8) uint32 {
	m, f := &c.mags[mag], &c.frees[mag]
	if f.n == 0 {
		return 0
	}
	if point.On {
		point.Write(&m.n)
		point.Write(&f.n)
	}
	f.n--
	h := f.slots[f.n]
	m.n = c.sampler.unsampled(mag, f.n)
	f.n -= m.n
	copy(m.slots[:], f.slots[f.n:f.n+m.n])
	return h
}

// flushSampled moves the slots that were freed back to the bitmaps, and counts those that
// are about to follow as not allocated.
func (c *Cache) flushSampled(locked bool) {
	for i := range c.sampler.left {
		c.sampler.left[i] += c.mags[i].n
		if f := &c.frees[i]; f.n > 0 {
			c.unload(f, f.n, locked)
		}
	}
}

// more is the slow path of Alloc: the current run has no n granules left before its end, or
// before the next mark. hidden is the part of the run behind the mark.
func (r *Region) more(n uint32) error {
	every := float64(r.space.sampleEvery) / GranuleSize
	marked := r.hidden > 0
	r.left += r.hidden
	r.hidden = 0
	if n > r.left {
		if err := r.extend(n); err != nil {
			return err
		}
	}
	if every == 0 {
		return nil
	}
	ahead := exponential() * every // granules before the mark
	if !marked && ahead < float64(n) {
		marked = true
		ahead = exponential() * every
	} else if !marked {
		ahead -= float64(n)
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
