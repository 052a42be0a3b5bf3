package header

// Owners.
const (
	Immortal int32 = -1
	Nobody   int32 = 0 // merged: local is 0, shared holds the count
)

// Fields of shared.
const (
	countShift = 3
	One        = 1 << countShift // one reference
	Weak       = 1 << 2          // weak references may lead to the object
	stateMask  = 3
	Merged     = 3 // nobody owns it; terminal
)

// Bands. Both are wider than any number of operations that can be under way
// between a test and the count that it allowed: one for each thread.
const (
	// StickyLocal is where local freezes. It is the sign bit, so that the
	// test is one comparison.
	StickyLocal = 1 << 31
	// stickyShared is where the count in shared freezes, on either side of 0:
	// 2^26 short of the 2^28 that the word could hold.
	stickyShared = 1<<28 - 1<<26
)

// Verdict is what a change of a count means for the object.
type Verdict uint8

const (
	Alive  Verdict = iota
	Dead           // the last reference went: the caller frees the object
	Sticky         // the count is frozen: ask for the object to be immortalised
	Broken         // there was no reference to give up, or to copy
)

// SharedCount returns the count in a shared word.
func SharedCount(shared int32) int32 { return shared >> countShift }

// IsMerged reports whether nobody owns an object with this shared word.
func IsMerged(shared int32) bool { return shared&stateMask == Merged }

// sticky reports whether the count of a shared word is in a band.
func sticky(shared int32) bool {
	return uint32(SharedCount(shared)+stickyShared-1) > 2*stickyShared-2
}

// incMerged judges an increment of a merged object's count.
func incMerged(shared int32) Verdict {
	if uint32(SharedCount(shared)-1) < stickyShared-1 {
		return Alive
	}
	if sticky(shared) {
		return Sticky
	}
	return Broken
}

// decMerged judges a decrement of a merged object's count, before it is made.
//
// A word that says exactly "one reference, merged, no weak references" needs no
// atomic operation to die: the one reference is the caller's, so no other
// thread has one to copy, and none can come by one through a slot (whose
// reference would be counted) or a weak reference (whose bit would be set).
func decMerged(shared int32) (v Verdict, final bool) {
	if shared == One|Merged {
		return Dead, true
	}
	v = incMerged(shared)
	return v, v != Alive
}

// afterDec judges the word that an atomic decrement left. The count was above 0
// when it was tested: it is below now only if a reference was released twice.
func afterDec(shared int32) Verdict {
	switch c := SharedCount(shared); {
	case c > 0:
		return Alive
	case c == 0:
		return Dead
	}
	return Broken
}
