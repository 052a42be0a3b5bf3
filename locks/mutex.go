package locks

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/point"
)

// The bits of a lock word. The zero word is unlocked.
//
//	31 .................. 2  1       0
//	zero                     PARKED  LOCKED
//
// State — condition — invariant — transition (by):
//
//	0               — free — nobody is parked, or a woken waiter is on its way —
//	                  to LOCKED by Lock, TryLock (any goroutine)
//	LOCKED          — held — nobody is parked for this hold —
//	                  to 0 by Unlock (holder); to LOCKED|PARKED by Lock (a waiter)
//	LOCKED|PARKED   — held — the holder will unpark the parked goroutines —
//	                  to 0, PARKED, LOCKED or itself (handed over) by Unlock (holder,
//	                  under the queue's lock)
//	PARKED          — free — goroutines are parked, and a woken waiter is on its way —
//	                  to LOCKED|PARKED by Lock, TryLock (any goroutine)
const (
	lockedBit uint32 = 1 << 0
	parkedBit uint32 = 1 << 1
	lockBits         = lockedBit | parkedBit
)

const (
	// spins is how often a waiter yields to other goroutines before it parks. CPython
	// has 40, for threads. Compared with parking, a yield costs a goroutine more than it
	// costs a thread, so this is less. A guess.
	spins = 4

	// fairAfter is how long others may barge past a waiter (CPython's TIME_TO_BE_FAIR_NS).
	fairAfter = time.Millisecond
)

// Lock locks the word, and waits while another goroutine holds it. The wait is not a
// safe point. Any goroutine.
func Lock(w *uint32) {
	if point.On {
		point.Update(w)
	}
	if !atomic.CompareAndSwapUint32(w, 0, lockedBit) {
		lockSlow(w)
	}
}

// TryLock locks the word if it is free, and reports whether it did. It never waits. Any
// goroutine.
func TryLock(w *uint32) bool {
	if point.On {
		point.Update(w)
	}
	return atomic.CompareAndSwapUint32(w, 0, lockedBit) || tryLockSlow(w)
}

// Unlock unlocks the word. It panics if the word is not locked. Any goroutine,
// also one that did not lock it.
func Unlock(w *uint32) {
	if point.On {
		point.Update(w)
	}
	if !atomic.CompareAndSwapUint32(w, lockedBit, 0) {
		unlockSlow(w)
	}
}

// Lock2 locks both words, the lower address first, so that two calls cannot deadlock with
// each other. If a and b are the same word, it is locked once. Any goroutine.
func Lock2(a, b *uint32) {
	if uintptr(unsafe.Pointer(a)) > uintptr(unsafe.Pointer(b)) {
		a, b = b, a
	}
	Lock(a)
	if a != b {
		Lock(b)
	}
}

// TryLock2 is Lock2 if both words are free, and reports whether it locked them. It never
// waits. Any goroutine.
func TryLock2(a, b *uint32) bool {
	if !TryLock(a) {
		return false
	}
	if a == b || TryLock(b) {
		return true
	}
	Unlock(a)
	return false
}

// Unlock2 unlocks both words after Lock2. Any goroutine.
func Unlock2(a, b *uint32) {
	Unlock(a)
	if a != b {
		Unlock(b)
	}
}

func tryLockSlow(w *uint32) bool {
	for {
		v := loadWord(w)
		if v&lockedBit != 0 {
			return false
		}
		if casWord(w, v, v|lockedBit) {
			return true
		}
	}
}

func lockSlow(w *uint32) {
	var since time.Duration // when this goroutine first parked, 0 if it never did
	for tries := 0; ; {
		v := loadWord(w)
		switch {
		case v&lockedBit == 0:
			if casWord(w, v, v|lockedBit) {
				return
			}
		case v&parkedBit == 0 && tries < spins:
			tries++
			if point.On && point.Explored() {
				tries = spins
			}
			runtime.Gosched()
		case v&parkedBit == 0 && !casWord(w, v, v|parkedBit):
			// The word changed: look again.
		default:
			again := since != 0
			if !again {
				since = now()
			}
			if park(w, since, again) {
				return
			}
		}
	}
}

// unlockSlow unlocks a word that is not just LOCKED. Once the PARKED bit is seen, it stays set
// until the holder unlocks.
func unlockSlow(w *uint32) {
	if loadWord(w)&lockedBit == 0 {
		fault.Throw(fault.Misuse{What: "the lock is not locked", On: fmt.Sprintf("lock word %#x", loadWord(w)), Want: "a lock that is held"})
	}
	unpark(w, now())
}

// loadWord loads a lock word. It panics if the value cannot be one.
func loadWord(w *uint32) uint32 {
	if point.On {
		point.Load(w)
	}
	v := atomic.LoadUint32(w)
	if v&^lockBits != 0 {
		fault.Throw(fault.Misuse{What: "not a lock word", On: fmt.Sprintf("%#x", v), Want: "a word that only Lock and Unlock write"})
	}
	return v
}

func storeWord(w *uint32, v uint32) {
	if point.On {
		point.Store(w)
	}
	atomic.StoreUint32(w, v)
}

func casWord(w *uint32, old, v uint32) bool {
	if point.On {
		point.Update(w)
	}
	return atomic.CompareAndSwapUint32(w, old, v)
}
