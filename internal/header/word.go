package header

import "github.com/ichor-go/ichor/internal/mutant"

// Owners.
//
//	31        30     29 ......................... 0
//	IMMORTAL  FLOAT  thread id, or a float's note
//
// 0 means that nobody owns the object. The owner of a mortal float is Float or above.
// That is no thread's id, so no thread takes itself for the owner of a float.
const (
	Immortal int32 = -1 << 31
	Nobody   int32 = 0       // merged: local is 0, shared holds the count
	Float    int32 = 1 << 30 // local and meta hold a number: see BirthFloat
	Notes          = 1 << 30 // the limit of a float's note
)

// FloatMeta is what Meta returns for a float, whose meta word holds half of its number:
// the type id of package runtime's TypeFloat, without flags.
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

// Bands. A thread that meets a count of shared in its band moves it to the middle of
// the band. Each other thread may still add one operation that it tested before, and
// half a band has room for all of them. A count in local stays where it is, as only its
// owner changes it.
const (
	// StickyLocal is where local becomes sticky. It is the sign bit, so the test is one
	// comparison.
	StickyLocal = 1 << 31
	// stickyShared is where the count in shared becomes sticky, on either side of 0.
	// The word has room for 2^28, and the band begins 2^26 below that.
	stickyShared = 1<<28 - 1<<26
	pinnedShared = stickyShared + 1<<25
)

// Verdict is what a change of a count means for the object.
type Verdict uint8

const (
	Alive  Verdict = iota
	Dead           // the last reference is gone: the caller frees the object
	Queue          // the reference is the queue's now: the caller puts the object there
	Sticky         // the count is sticky: the caller asks for the object to be made immortal
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

// pinned returns the word with its count moved to the middle of the band.
func pinned(shared int32) int32 {
	c := int32(pinnedShared)
	if shared < 0 {
		c = -c
	}
	return c<<countShift | shared&(Weak|stateMask)
}

// incForeign returns the verdict on an increment by a thread that is not the owner. The
// count in shared may be below 0 if a thread owns the object: the owner's count makes
// up for it.
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

// decForeign returns the word after a decrement by a thread that is not the owner, and
// the verdict, which holds if the caller's compare-and-swap succeeds. If the decrement
// does not change the word, next equals shared.
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

// tryInc returns the word after an increment by a thread that holds no reference, and
// whether the object is alive. The weak bit is set, so a dead object is merged. A count
// in a band is moved to the middle: near the edge, a decrement that another thread
// tested before could take it out of the band, and the reference that was not counted
// here would be missing. If the increment does not change the word, next equals shared.
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

// revived returns the word of a dead object that is given one reference.
func revived(shared int32) int32 { return One | Merged | shared&Weak }

// merge returns the word of an object after local references have been added to those
// in shared, and the verdict. A sum that reaches the band is pinned.
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

// afterDec returns the verdict on the word that an atomic decrement of a merged object
// has left. The count was above 0 when it was tested, so it is below 0 now only if some
// reference was given up twice.
func afterDec(shared int32) Verdict {
	switch c := SharedCount(shared); {
	case c > 0:
		return Alive
	case c == 0:
		return Dead
	}
	return Broken
}
