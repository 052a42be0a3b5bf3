package runtime

import (
	"fmt"

	"github.com/ichor-go/ichor/internal/arena"
)

// Ref names an object, or is a small integer. The zero Ref is no reference;
// counting it does nothing.
//
//	from         what                                     counted
//	0            Nil
//	1            objects on the counted heap              by their header
//	Limit        objects in regions: born immortal        never, nor is memory touched
//	0xA000_0000  frozen objects: see Thread.Freeze        never, nor is memory written
//	0xC000_0000  kept for slots of frozen objects         -
//	0xD000_0000  small integers, -2^28 to 2^28-1          -
//	0xFFFF_F000  None and the other singletons            -
//
// A reference below the integers is the number of a 16-byte granule. Compare two
// references to learn whether they name the same object. Methods borrow it, and count
// nothing. A plain value: any goroutine may have one; what it names is another matter.
type Ref uint32

const (
	// Nil is no reference, and counted by nobody.
	Nil Ref = 0

	// Limit divides mortal from immortal by address: a reference at or above
	// it is counted by nobody. The test is the sign bit.
	Limit Ref = 1 << 31

	frozenBase  = Ref(arena.FrozenBits)
	frozenCount = Ref(arena.FrozenEnd - arena.FrozenBits)

	// Slots of frozen objects lead to others of the same Frozen by their distance
	// from its start, on top of selfBase: so they mean the same wherever it lies.
	selfBase  = Ref(arena.FrozenEnd)
	selfCount = Ref(1 << 28) // granules: 4 GiB

	intBase  Ref = 0xD000_0000
	intCount     = 1 << 29

	// MinInt and MaxInt bound the integers that fit a reference.
	MinInt = -intCount / 2
	MaxInt = intCount/2 - 1
)

// The singletons lie in the last span of every arena, at the same references
// in every runtime. They are counted by nobody.
const (
	None        Ref = Ref(arena.Fixed) + 0xF00 + 2*iota
	True            // the boolean true
	False           // the boolean false
	EmptyString     // the string of length 0
	EmptyBytes      // the bytes of length 0
	EmptyTuple      // the tuple of length 0
	endSingletons
)

// Int returns the reference that is the integer v, and whether v fits. It is counted by
// nobody. Any goroutine.
func Int(v int64) (Ref, bool) {
	if v < MinInt || v > MaxInt {
		return Nil, false
	}
	return intBase + Ref(v-MinInt), true
}

// IsInt reports whether r is a small integer.
func (r Ref) IsInt() bool { return r-intBase < intCount }

// Int returns the small integer that r is. r.IsInt() holds.
func (r Ref) Int() int64 { return int64(r-intBase) + MinInt }

// Bool returns the singleton for b, which is counted by nobody. Any goroutine.
func Bool(b bool) Ref {
	if b {
		return True
	}
	return False
}

// IsFrozen reports whether r names a frozen object: see Thread.Freeze.
func (r Ref) IsFrozen() bool { return r-frozenBase < frozenCount }

// ImmortalByAddress reports whether the reference alone says that it is not
// counted.
func (r Ref) ImmortalByAddress() bool { return r >= Limit }

// String formats the reference, not the object.
func (r Ref) String() string {
	switch {
	case r == Nil:
		return "nil"
	case r == None:
		return "None"
	case r == True:
		return "True"
	case r == False:
		return "False"
	case r.IsInt():
		return fmt.Sprintf("int %d", r.Int())
	}
	return fmt.Sprintf("%#08x", uint32(r))
}
