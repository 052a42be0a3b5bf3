package arena

import (
	"fmt"
	"math/bits"
	"sync/atomic"

	uatomic "go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// Purpose names what memory is used for. Accounts are kept for each.
type Purpose uint8

const (
	Leaves     Purpose = iota // objects, which begin with a header, that refer to nothing
	Containers                // objects that refer to others: those that the cycle collector looks at; MinContainer granules at least
	Blocks                    // storage of containers: no header, found through its container
	Immortal                  // regions: objects and blocks that are born immortal
	Purposes   = int(iota)

	cached = int(Immortal) // purposes that caches allocate for
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

// Span describes 64 KiB of a space. It lies in Go memory, apart from the span.
//
//	state — condition — invariant — transition (who)
//	free — with the central — no slot is live — acquire (central, under its lock)
//	small — in a cache — slots = live + |free| + |remote| — release when live is 0 (owner)
//	large — block in use — spans−1 tails follow — release (who frees it)
//	region — in a region — — release of the region
//
// The owner, which is that of its cache, writes free, cursor and nfree; everybody else
// writes remote only. Whoever claims the cache is its owner meanwhile, and may pass the
// span on to another cache: so a thread that owns a cache sees which spans belong to it,
// and of the others it sees that they do not.
//
// Remote frees, as pending says:
//
//	none      — pending == 0 — no bit of remote is set — to announced by putRemote (anybody)
//	announced — pending > 0 — the span is in the remote list of one cache, or one
//	            goroutine has it in hand: who announced the first, or who has taken the
//	            list of its cache. In whose list it is found the span need not belong to:
//	            it may have been lent since it was pushed. Then it is pushed to the owner's,
//	            and nobody but an owner takes in bits — to none by collectRemote (owner)
type Span struct {
	state   spanState
	purpose Purpose
	class   uint8
	dirty   bool   // has been in use since it was last known to be zero
	shared  bool   // lies in a file that processes share: see share.go
	listed  bool   // in a list of its cache: see Cache.current
	start   uint32 // first granule
	magic   uint64 // see slotMagic
	size    uint32 // granules of a slot; of the whole block if large
	slots   uint32
	nfree   uint32                 // bits set in free
	cursor  uint32                 // no bit of free below this word is set
	words   uint32                 // words of the bitmaps in use
	spans   uint32                 // of a large block or a free run: its length
	pos     uint32                 // place in its region
	cache   uatomic.Pointer[Cache] // that the span belongs to, if small
	region  *Region                // that it belongs to

	next, prev    *Span // in the list of its cache
	after, before *Span // in the central's ring of its class

	free [bitmapWords]uint64

	hidden  *[bitmapWords]uint64 // slots that the collector passes over; nil if there are none
	nhidden uint32

	_ [64]byte // what others write stays off the owner's cache lines

	pending    point.Uint32 // remote frees announced and not collected
	nextRemote *Span        // link of the list, written before the push
	remote     [bitmapWords]atomic.Uint64
}

// initSmall makes sp a span of empty slots.
func (sp *Span) initSmall(c *Cache, p Purpose, class int) {
	n := classGranules[class]
	if p == Containers && n < MinContainer {
		panic("ichor: container of one granule")
	}
	sp.state, sp.purpose, sp.class = spanSmall, p, uint8(class)
	sp.cache.Store(c)
	sp.size, sp.magic = n, slotMagic(n)
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

// owner returns the cache that the span belongs to, for a thread that does not own the span.
func (sp *Span) owner() *Cache {
	if point.On {
		point.Load(&sp.cache)
	}
	return sp.cache.Load()
}

// take hands out the lowest free slot; nfree must not be 0. Owner only.
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

// put takes slot s back. Owner only.
func (sp *Span) put(s uint32) {
	if point.On {
		point.Write(&sp.nfree)
	}
	i, bit := s>>6, uint64(1)<<(s&63)
	if sp.free[i]&bit != 0 {
		panic(fmt.Sprintf("ichor: slot %d of span %#x freed twice", s, sp.start))
	}
	sp.free[i] |= bit
	sp.nfree++
	if i < sp.cursor {
		sp.cursor = i
	}
}

// putRemote takes slot s back on behalf of another thread than the owner.
//
// Setting the bit is the last access to the span: from then on the owner may
// find the span empty and give it away. So the span is announced before. An owner
// that looks too early finds fewer bits than pending says, and looks again.
func (sp *Span) putRemote(s uint32) {
	if sp.pending.Inc() == 1 {
		sp.owner().pushRemote(sp)
	}
	bit := uint64(1) << (s & 63)
	if mutant.On && mutant.Is(mutant.RemoteLost) {
		sp.pending.Add(^uint32(0))
		return
	}
	if point.On {
		point.Update(&sp.remote[s>>6])
	}
	if sp.remote[s>>6].Or(bit)&bit != 0 {
		panic(fmt.Sprintf("ichor: slot %d of span %#x freed twice", s, sp.start))
	}
}

// collectRemote moves the remote bits into free. It reports whether more are
// announced. Owner only.
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
			panic(fmt.Sprintf("ichor: slots %#x of span %#x freed twice", w&sp.free[i], sp.start))
		}
		sp.free[i] |= w
		n += uint32(bits.OnesCount64(w))
		sp.cursor = min(sp.cursor, i)
	}
	sp.nfree += n
	return sp.pending.Add(-n) > 0
}

// live reports whether slot s is in use. Exact while its threads stand still.
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
			panic(fmt.Sprintf("ichor: span %#x has slots both free and remote", sp.start))
		}
		if i < sp.cursor && sp.free[i] != 0 {
			panic(fmt.Sprintf("ichor: span %#x has free slots below its cursor", sp.start))
		}
	}
	if n != sp.nfree {
		panic(fmt.Sprintf("ichor: span %#x counts %d free slots and has %d", sp.start, sp.nfree, n))
	}
}
