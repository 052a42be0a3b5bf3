package runtime

import "github.com/ichor-go/ichor/locks"

// A container's lock is a leaf: between locking and unlocking there is no safe point, no
// other lock but the second of a pair, and no code of users. But there may be a panic: a
// reference that somebody has given up once too often shows wherever it is counted. It ends
// the write, and leaves the lock. So a thread notes which words it holds:
//
//	locked[0], locked[1]  the words of locks that the thread holds; nil for none
//
// What a panic has left is unlocked when the thread comes to a safe point, which it does at
// its end, and before it takes another lock.

// Lock locks word i of o, the mutex of a mutable object, for a write; under the GIL it does
// nothing, as no other thread runs. Nothing that may wait or call users' code comes before
// Unlock, and no other lock: for a pair see Lock2. Attached thread.
func (t *Thread) Lock(o Body, i int) {
	if t.rt.gil == nil {
		if t.locked[0] != nil {
			t.unlockLeft()
		}
		locks.Lock(o.word(i))
		t.locked[0] = o.word(i)
	}
}

// Unlock undoes Lock. Attached thread.
func (t *Thread) Unlock(o Body, i int) {
	if t.rt.gil == nil {
		t.locked[0] = nil
		locks.Unlock(o.word(i))
	}
}

// Lock2 locks word i of both a and b, which may be the same. Attached thread.
func (t *Thread) Lock2(a, b Body, i int) {
	if t.rt.gil == nil {
		if t.locked[0] != nil {
			t.unlockLeft()
		}
		locks.Lock2(a.word(i), b.word(i))
		t.locked = [2]*uint32{a.word(i), b.word(i)}
	}
}

// Unlock2 undoes Lock2. Attached thread.
func (t *Thread) Unlock2(a, b Body, i int) {
	if t.rt.gil == nil {
		t.locked = [2]*uint32{}
		locks.Unlock2(a.word(i), b.word(i))
	}
}

// unlockLeft unlocks what a panic has left locked.
func (t *Thread) unlockLeft() {
	left := t.locked
	t.locked = [2]*uint32{}
	if left[1] == nil {
		left[1] = left[0]
	}
	locks.Unlock2(left[0], left[1])
}
