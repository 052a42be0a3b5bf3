package header

import "github.com/ichor-go/ichor/internal/mutant"

// Owners.
//
//	31        30     29 ......................... 0
//	IMMORTAL  FLOAT  thread id, or a float's note
//
// 0 is nobody. A float that is mortal has an owner of Float or above, which is no
// thread's id: so whoever counts it is not its owner.
const (
	Immortal int32 = -1 << 31
	Nobody   int32 = 0       // merged: local is 0, shared holds the count
	Float    int32 = 1 << 30 // local and meta hold a number: see BirthFloat
	Notes          = 1 << 30 // a float's note is below it
)

// FloatMeta is the meta word that a float would have if a number were not in its
// place: the type id of package runtime's TypeFloat, and no flags.
const FloatMeta uint32 = 4

// Fields of shared.
const (
	countShift = 3
	One        = 1 << countShift // one reference
	Weak       = 1 << 2          // weak references may lead to the object
	stateMask  = 3
	Queued     = 2 // in its owner's queue, which holds one of the references
	Merged     = 3 // nobody owns it; terminal
)

// Bands. Whoever meets a count in shared that is in its band moves it to the
// middle of the band: an operation that was tested before, one for each thread at
// most, may still land, and half a band is wider than that. A count in local has
// its owner alone, so it stays where it is.
const (
	// StickyLocal is where local freezes. It is the sign bit, so that the
	// test is one comparison.
	StickyLocal = 1 << 31
	// stickyShared is where the count in shared freezes, on either side of 0:
	// 2^26 short of the 2^28 that the word could hold.
	stickyShared = 1<<28 - 1<<26
	pinnedShared = stickyShared + 1<<25
)

// Verdict is what a change of a count means for the object.
type Verdict uint8

const (
	Alive  Verdict = iota
	Dead           // the last reference went: the caller frees the object
	Queue          // the reference is the queue's now: the caller puts the object there
	Sticky         // the count is frozen: ask for the object to be immortalised
	Broken         // there was no reference to give up, or to copy
)

// SharedCount returns the count in a shared word.
func SharedCount(shared int32) int32 { return shared >> countShift }

// IsMerged reports whether nobody owns an object with this shared word.
func IsMerged(shared int32) bool { return shared&stateMask == Merged }

// sticky reports whether the count of a shared word is in a band.
func sticky(shared int32) bool {
	if mutant.On && mutant.Is(mutant.NeverSticky) {
		return false
	}
	return uint32(SharedCount(shared)+stickyShared-1) > 2*stickyShared-2
}

// pinned returns a word in a band with its count in the middle.
func pinned(shared int32) int32 {
	c := int32(pinnedShared)
	if shared < 0 {
		c = -c
	}
	return c<<countShift | shared&(Weak|stateMask)
}

// incForeign judges an increment by a thread that is not the owner. An object
// that somebody owns may be counted below 0 here: the owner's count makes up for
// it.
func incForeign(shared int32) Verdict {
	switch {
	case uint32(SharedCount(shared)-1) < stickyShared-1:
		return Alive
	case sticky(shared):
		return Sticky
	case IsMerged(shared):
		return Broken
	}
	return Alive
}

// decForeign returns the word after a decrement by a thread that is not the
// owner, and what it means, if the word is still the same when it is stored. A
// word that is not to be stored comes back unchanged.
//
//	shared          next             verdict
//	in a band       its middle       Sticky
//	default, 0      QUEUED, 0        Queue: the count is not lowered, the queue inherits it
//	default, n      default, n-1     Alive
//	QUEUED, n       QUEUED, n-1      Alive: the queue's merge sees the sum
//	MERGED, n > 1   MERGED, n-1      Alive
//	MERGED, 1       MERGED, 0        Dead
//	MERGED, n < 1   -                Broken
func decForeign(shared int32) (next int32, v Verdict) {
	n := SharedCount(shared)
	switch {
	case sticky(shared):
		return pinned(shared), Sticky
	case IsMerged(shared) && n < 1:
		return shared, Broken
	case shared == One|Merged || shared == One|Merged|Weak:
		return shared - One, Dead
	case shared&^Weak == 0:
		if mutant.On && mutant.Is(mutant.QueueSubtracts) {
			return shared - One | Queued, Queue
		}
		return shared | Queued, Queue
	}
	return shared - One, Alive
}

// tryInc returns the word after an increment by who holds no reference, and
// whether the object is alive. The weak bit is set, so a dead one is merged. A word
// in a band goes to its middle: else a decrement that was tested before could take it
// out again, and the reference that is not counted here would be missing. A word that
// is not to be stored comes back unchanged.
func tryInc(shared int32) (next int32, alive bool) {
	switch {
	case IsMerged(shared) && SharedCount(shared) <= 0 && !sticky(shared) && !(mutant.On && mutant.Is(mutant.DeadRevived)):
		return shared, false
	case sticky(shared) && mutant.On && mutant.Is(mutant.TryIncThaws):
		return shared, true
	case sticky(shared):
		return pinned(shared), true
	}
	return shared + One, true
}

// revived returns the word of a dead object that gets one reference back.
func revived(shared int32) int32 { return One | Merged | shared&Weak }

// merge returns the word of an object after local references, from the word
// local, have been added to those in shared, and what it means. A sum that
// leaves no room is pinned in the band.
func merge(shared int32, local int64) (next int32, v Verdict) {
	n := int64(SharedCount(shared)) + local
	switch {
	case sticky(shared) || n >= stickyShared:
		n, v = pinnedShared, Sticky
	case n == 0:
		v = Dead
	case n < 0:
		v = Broken
	}
	return int32(n)<<countShift | shared&Weak | Merged, v
}

// afterDec judges the word that an atomic decrement of a merged object left. The
// count was above 0 when it was tested: it is below now only if a reference was
// released twice.
func afterDec(shared int32) Verdict {
	switch c := SharedCount(shared); {
	case c > 0:
		return Alive
	case c == 0:
		return Dead
	}
	return Broken
}
