package arena

import (
	"fmt"
	"math/bits"
	"sync/atomic"

	uatomic "go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// Purpose names what memory is used for. There is an account for each.
type Purpose uint8

const (
	Leaves     Purpose = iota // objects, each with a header, that hold no references
	Containers                // objects that may hold references, so that the cycle collector visits them; at least MinContainer granules
	Blocks                    // storage of containers: without a header, found through the container
	Immortal                  // regions: objects and blocks that are born immortal
	Purposes   = int(iota)

	cached = int(Immortal) // number of purposes that caches allocate for
)

var purposeNames = [Purposes]string{"leaves", "containers", "blocks", "immortal"}

func (p Purpose) String() string { return purposeNames[p] }

type spanState uint8

const (
	spanFree   spanState = iota // with the central, or never used
	spanSmall                   // slots of one class, owned by a cache
	spanLarge                   // first span of a large block
	spanTail                    // further span of a large block
	spanRegion                  // part of a region
)

// Span describes 64 KiB of a space. The descriptor lies in Go memory, apart from the
// span.
//
//	free    condition: with the central, or never used
//	        invariant: no slot is live
//	        to any other state by acquire (central, under its lock)
//	small   condition: slots of one class, in a cache
//	        invariant: slots = live + |free| + |remote| + those in magazines and
//	        outboxes
//	        to free when live is 0 (owner)
//	large   condition: the first span of a block in use
//	        invariant: spans−1 tails follow
//	        to free when the block is freed (any thread)
//	region  condition: part of a region
//	        to free with the region
//
// The owner of a span is the owner of its cache. It writes free, cursor and nfree; all
// other threads write remote only. A goroutine that has claimed the cache is its owner
// for the time being, and may pass the span on to another cache. So a thread that owns
// a cache always knows whether a span belongs to that cache.
//
// Remote frees have a state of their own, in pending:
//
//	none       condition: pending == 0
//	           invariant: no bit of remote is set
//	           to announced by putRemote (any thread)
//	announced  condition: pending > 0
//	           invariant: the span is in the remote list of one cache, or in the hands
//	           of one goroutine: the one that announced the first free, or the one that
//	           has taken that list
//	           to none by collectRemote (owner)
//
// A span may be lent after it was pushed, so it may be found in the list of a cache
// that no longer owns it. It is then pushed onto its owner's list: only the owner
// collects bits.
type Span struct {
	cache   uatomic.Pointer[Cache] // owner, if small
	mag     uint8                  // index of the magazine for its slots
	state   spanState
	purpose Purpose
	class   uint8
	dirty   bool   // was used since it was last known to be zero
	shared  bool   // lies in memory that processes share: see share.go
	listed  bool   // in a list of its cache: see Cache.current
	apart   bool   // has blocks that were sampled: see sample.go
	start   uint32 // first granule
	magic   uint64 // see slotMagic
	size    uint32 // granules of a slot; or of the whole block, if large
	slots   uint32
	nfree   uint32  // bits set in free
	cursor  uint32  // no bit of free below this word is set
	words   uint32  // words of the bitmaps that are in use
	spans   uint32  // length of a large block or a free run
	pos     uint32  // index of the span in its region's starts
	region  *Region // region that the span belongs to

	next, prev    *Span // in the list of its cache
	after, before *Span // in the central's ring of its class

	free [bitmapWords]uint64

	hidden  *[bitmapWords]uint64 // slots hidden from the collector; nil if there are none
	nhidden uint32

	_ [64]byte // keeps what other threads write off the owner's cache lines

	pending    point.Uint32 // remote frees that are announced and not yet collected
	nextRemote *Span        // link of the remote list, written before the push
	remote     [bitmapWords]atomic.Uint64
}

// initSmall makes sp a span of free slots.
func (sp *Span) initSmall(c *Cache, p Purpose, class int) {
	n := classGranules[class]
	if p == Containers && n < MinContainer {
		panic(fault.New("container of one granule"))
	}
	sp.state, sp.purpose, sp.class = spanSmall, p, uint8(class)
	sp.cache.Store(c)
	sp.size, sp.magic, sp.mag = n, slotMagic(n), magazineOf(p, n)
	sp.slots = SpanGranules / n
	sp.nfree, sp.cursor = sp.slots, 0
	sp.words = (sp.slots + 63) / 64
	sp.hidden, sp.nhidden = nil, 0
	for i := range sp.words {
		sp.free[i] = ^uint64(0)
	}
	if r := sp.slots % 64; r != 0 {
		sp.free[sp.words-1] = 1<<r - 1
	}
}

// slot returns the number of the slot that begins at granule g.
func (sp *Span) slot(g uint32) uint32 {
	return uint32(uint64(g-sp.start) * sp.magic >> 32)
}

// owner returns the cache that owns the span, for a thread that does not own it.
func (sp *Span) owner() *Cache {
	if point.On {
		point.Load(&sp.cache)
	}
	return sp.cache.Load()
}

// take allocates the lowest free slot. nfree must not be 0. Owner only.
func (sp *Span) take() uint32 {
	if point.On {
		point.Write(&sp.nfree)
	}
	i := sp.cursor
	w := sp.free[i]
	for w == 0 {
		i++
		w = sp.free[i]
	}
	sp.cursor = i
	sp.free[i] = w & (w - 1)
	sp.nfree--
	return sp.start + (i<<6+uint32(bits.TrailingZeros64(w)))*sp.size
}

// put frees slot s. Owner only.
func (sp *Span) put(s uint32) {
	if point.On {
		point.Write(&sp.nfree)
	}
	i, bit := s>>6, uint64(1)<<(s&63)
	if sp.free[i]&bit != 0 {
		sp.freedTwice(s)
	}
	sp.free[i] |= bit
	sp.nfree++
	if i < sp.cursor {
		sp.cursor = i
	}
}

// putRemote frees the slots of mask in word i of the bitmap for a thread that does not own
// the span.
//
// Setting the bits is its last access to the span: from then on the owner may find the
// span empty and give it away. So putRemote announces the span first. An owner that
// collects before the bits are set finds fewer bits than pending says, and collects
// again.
func (sp *Span) putRemote(i uint32, mask uint64) {
	if mutant.On && mutant.Is(mutant.RemoteLost) {
		return
	}
	n := uint32(bits.OnesCount64(mask))
	if sp.pending.Add(n) == n {
		sp.owner().pushRemote(sp)
	}
	if point.On {
		point.Update(&sp.remote[i])
	}
	if twice := sp.remote[i].Or(mask) & mask; twice != 0 {
		sp.freedTwice(i<<6 + uint32(bits.TrailingZeros64(twice)))
	}
}

// freedTwice panics: slot s is free already.
func (sp *Span) freedTwice(s uint32) {
	fault.Throw(fault.Misuse{What: "memory freed twice", On: fmt.Sprintf("memory at %#08x", sp.start+s*sp.size), Want: "each reference given up once, and each block freed once"})
}

// collectRemote moves the remote bits into free. It reports whether announced frees are
// still missing. Owner only.
func (sp *Span) collectRemote() (more bool) {
	if point.On {
		point.Write(&sp.nfree)
	}
	var n uint32
	for i := range sp.words {
		if point.On {
			point.Update(&sp.remote[i])
		}
		if sp.remote[i].Load() == 0 {
			continue
		}
		w := sp.remote[i].Swap(0)
		if mutant.On && mutant.Is(mutant.FreedTwice) {
			sp.remote[i].Store(w)
		}
		if w&sp.free[i] != 0 {
			sp.freedTwice(i<<6 + uint32(bits.TrailingZeros64(w&sp.free[i])))
		}
		sp.free[i] |= w
		n += uint32(bits.OnesCount64(w))
		sp.cursor = min(sp.cursor, i)
	}
	sp.nfree += n
	return sp.pending.Add(-n) > 0
}

// live reports whether slot s is in use. Exact only while the threads that use the span
// stand still.
func (sp *Span) live(s uint32) bool {
	bit := uint64(1) << (s & 63)
	return (sp.free[s>>6]|sp.remote[s>>6].Load())&bit == 0
}

// check panics unless the span's identities hold. World stopped.
func (sp *Span) check() {
	var n uint32
	for i := range sp.words {
		n += uint32(bits.OnesCount64(sp.free[i]))
		if sp.free[i]&sp.remote[i].Load() != 0 {
			panic(fault.Errorf("span %#x has slots both free and remote", sp.start))
		}
		if i < sp.cursor && sp.free[i] != 0 {
			panic(fault.Errorf("span %#x has free slots below its cursor", sp.start))
		}
	}
	if n != sp.nfree {
		panic(fault.Errorf("span %#x counts %d free slots and has %d", sp.start, sp.nfree, n))
	}
}
