package runtime

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/ichor-go/ichor/internal/arena"
)

// Ref is a reference: it names an object, or is a small integer. The zero Ref is Nil, no
// reference; counting it does nothing.
//
// Ref is an unnamed type. So a reference of any kind (objects.Dict and the others, which
// have it as their underlying type) is assignable to a Ref, and a Ref to any kind, without
// a conversion: see docs/rationale.md. Compare two references with == to learn whether they
// name the same object. Methods borrow it, and count nothing. A plain value: any goroutine
// may have one; what it names is another matter.
type Ref = struct{ Handle }

// Handle is the number that a reference is.
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
// A handle below the integers is the number of a 16-byte granule. Methods borrow the
// reference, and count nothing. Any goroutine.
type Handle uint32

const (
	// Limit divides mortal from immortal by address: a reference at or above
	// it is counted by nobody. The test is the sign bit.
	Limit Handle = 1 << 31

	frozenBase  = Handle(arena.FrozenBits)
	frozenCount = Handle(arena.FrozenEnd - arena.FrozenBits)

	// Slots of frozen objects lead to others of the same Frozen by their distance
	// from its start, on top of selfBase: so they mean the same wherever it lies.
	selfBase  = Handle(arena.FrozenEnd)
	selfCount = Handle(1 << 28) // granules: 4 GiB

	intBase  Handle = 0xD000_0000
	intCount        = 1 << 29

	// MinInt and MaxInt bound the integers that fit a reference.
	MinInt = -intCount / 2
	MaxInt = intCount/2 - 1
)

// The singletons lie in the last span of every arena, at the same handles in every
// runtime.
const (
	none Handle = Handle(arena.Fixed) + 0xF00 + 2*iota
	isTrue
	isFalse
	emptyString
	emptyBytes
	emptyTuple
	endSingletons
)

// The references to the singletons are the same in every runtime, and counted by nobody.
// They are variables because Go has no constants of this type: nothing may assign to them.
var (
	Nil         = Ref{}            // no reference
	None        = Ref{none}        // the value that stands for no value
	True        = Ref{isTrue}      // the boolean true
	False       = Ref{isFalse}     // the boolean false
	EmptyString = Ref{emptyString} // the string of length 0
	EmptyBytes  = Ref{emptyBytes}  // the bytes of length 0
	EmptyTuple  = Ref{emptyTuple}  // the tuple of length 0
)

// refAt returns the reference with the number h.
func refAt(h uint32) Ref { return Ref{Handle(h)} }

// compareRefs orders references by their handles.
func compareRefs(a, b Ref) int { return cmp.Compare(a.Handle, b.Handle) }

// Int returns the reference that is the integer v, and whether v fits. It is counted by
// nobody. Any goroutine.
func Int(v int64) (Ref, bool) {
	if v < MinInt || v > MaxInt {
		return Ref{}, false
	}
	return Ref{intBase + Handle(v-MinInt)}, true
}

// IsNil reports whether h is no reference.
func (h Handle) IsNil() bool { return h == 0 }

// IsInt reports whether h is a small integer.
func (h Handle) IsInt() bool { return h-intBase < intCount }

// Int returns the small integer that h is. h.IsInt() holds.
func (h Handle) Int() int64 { return int64(h-intBase) + MinInt }

// Bool returns the singleton for b, which is counted by nobody. Any goroutine.
func Bool(b bool) Ref {
	if b {
		return True
	}
	return False
}

// IsFrozen reports whether r names a frozen object: see Thread.Freeze.
func (h Handle) IsFrozen() bool { return h-frozenBase < frozenCount }

// ImmortalByAddress reports whether the reference alone says that it is not
// counted.
func (h Handle) ImmortalByAddress() bool { return h >= Limit }

// errNoJSON is what package encoding/json gets, and puts into a message of its own.
var errNoJSON = errors.New("a reference has no JSON of its own: see objects.AppendJSON and objects.FromGo")

// MarshalJSON fails: the number of a reference says nothing of the object. Any goroutine.
func (h Handle) MarshalJSON() ([]byte, error) { return nil, errNoJSON }

// UnmarshalJSON fails, as MarshalJSON does. Any goroutine.
func (h *Handle) UnmarshalJSON([]byte) error { return errNoJSON }

// String formats the reference, not the object. Small integers and the singletons are what
// they are.
func (h Handle) String() string {
	switch {
	case h == 0:
		return "nil"
	case h == none:
		return "None"
	case h == isTrue:
		return "True"
	case h == isFalse:
		return "False"
	case h == emptyString:
		return `""`
	case h == emptyBytes:
		return `bytes ""`
	case h == emptyTuple:
		return "()"
	case h.IsInt():
		return fmt.Sprintf("int %d", h.Int())
	}
	return fmt.Sprintf("%#08x", uint32(h))
}
