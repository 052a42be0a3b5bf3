package locks

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/ichor-go/ichor/internal/point"
)

// cacheLine is the distance at which two words do not share a cache line: 64 bytes, and
// the neighbouring line that amd64 prefetches with it.
const cacheLine = 128

// epoch is the zero of now. It lies in the past, so now is never 0.
var epoch = time.Now().Add(-time.Second)

// now returns a monotonic time, without the wall clock that time.Now reads too.
func now() time.Duration {
	if point.On && point.Explored() {
		return point.Now()
	}
	return time.Since(epoch)
}

// lotSize is the number of queues, a power of two. Words that share a queue
// share only its lock, for a moment. CPython has 257.
const lotSize = 256

// lot holds the goroutines that are parked on lock words.
var lot [lotSize]bucket

// bucket is one queue of the lot. It serves all words whose address hashes to it.
type bucket struct {
	mu         point.Mutex
	head, tail *parked // under mu, in order of arrival
	_          [cacheLine - 24]byte
}

// parked is a goroutine that waits for a word.
type parked struct {
	word  *uint32
	since time.Duration // when it first parked for this lock
	next  *parked
	wake  chan bool // true: the lock was handed over; has room for one, so sending never blocks
}

var parkedPool = sync.Pool{New: func() any { return &parked{wake: make(chan bool, 1)} }}

func bucketOf(w *uint32) *bucket {
	// Words are at least 4 bytes apart. The factor is 2^64 / golden ratio.
	h := uint64(uintptr(unsafe.Pointer(w))>>2) * 0x9E3779B97F4A7C15
	return &lot[h>>(64-bits.TrailingZeros(lotSize))]
}

// park sleeps until the word's holder unparks this goroutine, and reports
// whether the lock was handed over to it. It returns false at once if the word
// is no longer LOCKED|PARKED. A goroutine that was woken and then lost the
// lock to another parks again, at the front of the queue.
func park(w *uint32, since time.Duration, again bool) bool {
	b := bucketOf(w)
	b.mu.Lock()
	// Only the holder's unlock changes this value, and it takes b.mu to do so. If the
	// unlock came first, there is no further wake-up, so this goroutine must not sleep.
	if point.On {
		point.Load(w)
	}
	if atomic.LoadUint32(w) != lockBits {
		b.mu.Unlock()
		return false
	}
	p := parkedPool.Get().(*parked)
	p.word, p.since = w, since
	b.push(p, again)
	b.mu.Unlock()

	if point.On {
		wake := p.wake // read by this thread, so that the race detector sees its own order
		point.Receive(p, func() bool { return len(wake) > 0 })
	}
	handed := <-p.wake
	p.word = nil
	parkedPool.Put(p)
	return handed
}

// unpark gives up the word, which the caller holds and whose PARKED bit is set. It
// wakes the first waiter, and hands the lock over if that waiter has waited long.
func unpark(w *uint32, at time.Duration) {
	b := bucketOf(w)
	b.mu.Lock()
	p, more := b.pop(w)
	var v uint32
	if more {
		v = parkedBit
	}
	handed := p != nil && at-p.since > fairAfter
	if handed {
		v |= lockedBit
	}
	storeWord(w, v)
	b.mu.Unlock()
	// Without a parked waiter there is nobody to wake: the waiter that set the bit is
	// about to look at the word again, in park.
	if p != nil {
		if point.On {
			point.Send(p)
		}
		p.wake <- handed
	}
}

// push adds a waiter, at the front if it was woken before. Under b.mu.
func (b *bucket) push(p *parked, front bool) {
	switch {
	case b.head == nil:
		p.next, b.head, b.tail = nil, p, p
	case front:
		p.next, b.head = b.head, p
	default:
		p.next, b.tail.next, b.tail = nil, p, p
	}
}

// pop removes the first waiter for the word, and reports whether there are more.
// Under b.mu.
func (b *bucket) pop(w *uint32) (p *parked, more bool) {
	var before *parked
	for p = b.head; p != nil && p.word != w; p = p.next {
		before = p
	}
	if p == nil {
		return nil, false
	}
	if before == nil {
		b.head = p.next
	} else {
		before.next = p.next
	}
	if b.tail == p {
		b.tail = before
	}
	for q := p.next; q != nil && !more; q = q.next {
		more = q.word == w
	}
	return p, more
}
