package runtime

import (
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/point"
)

// Ref is a reference: it names an object, or is a small integer. The zero Ref is Nil, which
// names nothing; counting it does nothing.
//
// Ref is an unnamed type. So a reference of any kind (objects.Dict and the others, which have
// it as their underlying type) is assignable to a Ref, and a Ref to any kind, without a
// conversion: docs/rationale.md has the reasons. Two references name the same object if and
// only if they are equal by ==. Methods borrow the reference, and count nothing. A Ref is a
// plain value, which any goroutine may hold; access to the object has rules of its own.
type Ref = struct{ Handle }

// Handle is the number that a reference consists of.
//
//	from         meaning                                  counted
//	0            Nil                                      -
//	1            objects on the counted heap              in their header
//	Limit        objects in regions: born immortal        never, and memory is not touched
//	0xA000_0000  frozen objects: see Thread.Freeze        never, and memory is not written
//	0xC000_0000  reserved for slots of frozen objects     -
//	0xD000_0000  small integers, -2^28 to 2^28-1          -
//	0xFFFF_F000  None and the other singletons            -
//
// A handle below the integers is the number of a 16-byte granule. Methods borrow the reference,
// and count nothing. Any goroutine.
type Handle uint32

const (
	// Limit divides mortal from immortal by address: a reference at or above it is not counted.
	// The test is the sign bit.
	Limit Handle = 1 << 31

	frozenBase  = Handle(arena.FrozenBits)
	frozenCount = Handle(arena.FrozenEnd - arena.FrozenBits)

	// A slot of a frozen object that leads to another object of the same Frozen holds selfBase
	// plus the distance from the start of the Frozen. So its contents do not depend on where
	// the Frozen lies.
	selfBase  = Handle(arena.FrozenEnd)
	selfCount = Handle(1 << 28) // granules: 4 GiB

	intBase  Handle = 0xD000_0000
	intCount        = 1 << 29

	// MinInt and MaxInt bound the integers that fit a reference.
	MinInt = -intCount / 2
	MaxInt = intCount/2 - 1
)

// The singletons lie in the last span of every arena, at the same handles in every runtime.
const (
	none Handle = Handle(arena.Fixed) + 0xF00 + 2*iota
	isTrue
	isFalse
	emptyString
	emptyBytes
	emptyTuple
	endSingletons
)

// The references to the singletons are the same in every runtime, and counted by nobody. They
// are variables because Go has no constants of struct types. Never assign to them.
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

// Int returns the integer v as a reference, and whether v fits. The reference is counted by
// nobody. Any goroutine.
func Int(v int64) (Ref, bool) {
	if v < MinInt || v > MaxInt {
		return Ref{}, false
	}
	return Ref{intBase + Handle(v-MinInt)}, true
}

// IsNil reports whether h is Nil.
func (h Handle) IsNil() bool { return h == 0 }

// IsInt reports whether h is a small integer.
func (h Handle) IsInt() bool { return h-intBase < intCount }

// Int returns the value of the small integer h. It requires h.IsInt().
func (h Handle) Int() int64 { return int64(h-intBase) + MinInt }

// Bool returns the singleton for b, which is counted by nobody. Any goroutine.
func Bool(b bool) Ref {
	if b {
		return True
	}
	return False
}

// IsFrozen reports whether h names a frozen object: see Thread.Freeze.
func (h Handle) IsFrozen() bool { return h-frozenBase < frozenCount }

// ImmortalByAddress reports whether the reference alone tells that it is not counted.
func (h Handle) ImmortalByAddress() bool { return h >= Limit }

// errNoJSON is what the methods below return to package encoding/json, which wraps it.
var errNoJSON = errors.New("a reference has no JSON form of its own: see objects.AppendJSON and objects.FromGo")

// MarshalJSON always fails: the number of a reference does not represent the object. Any
// goroutine.
func (h Handle) MarshalJSON() ([]byte, error) { return nil, errNoJSON }

// UnmarshalJSON always fails, as MarshalJSON does. Any goroutine.
func (h *Handle) UnmarshalJSON([]byte) error { return errNoJSON }

// String formats the reference, not the object: a small integer or a singleton as its value,
// everything else as the number of the handle.
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

// Heap translates references to memory. It is a small value, passed by copy. Its methods borrow
// the references that they take. Any goroutine may have a Heap; each method says which
// goroutines may access which objects.
type Heap struct {
	base unsafe.Pointer
	mask uint32
}

func (h Heap) at(r Ref) unsafe.Pointer {
	// Same as: &granules[r & mask].
	// Safety: the mask keeps it inside the reserved range.
	return unsafe.Add(h.base, uintptr(uint32(r.Handle)&h.mask)<<4)
}

func (h Heap) header(r Ref) *header.Header { return header.On(h.at(r)) }

// Address returns the address in memory of the header of the object r, for debuggers and other
// tools. r is borrowed, and must not be a small integer. Attached thread.
func (h Heap) Address(r Ref) uintptr { return uintptr(h.at(r)) }

// Body returns the memory behind the header of the object r, which it borrows. A Float has no
// body: what follows its header is not its own. The type of the object decides which accesses
// are safe. Attached thread.
func (h Heap) Body(r Ref) Body { return Body{unsafe.Add(h.at(r), header.Size)} }

// Block returns the storage block r, which it borrows. Attached thread.
func (h Heap) Block(r Ref) Body { return Body{h.at(r)} }

// born and freed tell the explorer of interleavings that the granules from r on were allocated,
// or are about to be freed.
func (h Heap) born(r Ref, granules uint32) {
	if point.On {
		point.Born((*byte)(h.at(r)), int(granules)<<arena.GranuleShift)
	}
}

func (h Heap) freed(r Ref, granules uint32) {
	if point.On {
		point.Freed((*byte)(h.at(r)), int(granules)<<arena.GranuleShift)
	}
}

// Slot returns the borrowed reference in slot i of b, which is the body or the block of the
// object r. It is LoadRef for objects that may be frozen. r is borrowed. Attached thread.
func (h Heap) Slot(r Ref, b Body, i int) Ref {
	v := b.LoadRef(i)
	if v.Handle-selfBase < selfCount {
		v = h.Home(r).Ref(v)
	}
	return v
}

// Home is the start of the Frozen that an object lies in. A frozen object stores its references
// to others of the same Frozen as distances from there, so they stay right wherever the Frozen
// lies. A Home is not a reference to be given up: like everything frozen it is counted by
// nobody. Any goroutine, while the Frozen is loaded.
type Home Handle

// Home returns the home of the frozen object r, which it borrows, and which must not be a
// Float. Any goroutine, while the Frozen is loaded.
func (h Heap) Home(r Ref) Home { return Home(r.Handle - Handle(h.header(r).Offset())) }

// Ref decodes v, the raw contents of a slot of a frozen object. Both references are borrowed.
// Any goroutine.
func (h Home) Ref(v Ref) Ref {
	if v.Handle-selfBase < selfCount {
		return Ref{Handle(h) + (v.Handle - selfBase)}
	}
	return v
}

// FrozenKind returns the type number of a frozen object of a built-in type. It returns 0 if r
// is not frozen, and a number that no type has if r is of a user-defined type. r is borrowed.
// It is inlined. Any goroutine, while the Frozen is loaded.
func (h Heap) FrozenKind(r Ref) TypeID {
	if !r.IsFrozen() {
		return 0
	}
	return TypeID(h.header(r).Meta() & metaTypeMax)
}

// FrozenFloat returns the value of r, and whether r is a frozen Float. r is borrowed. It is
// inlined. Any goroutine, while the Frozen is loaded.
func (h Heap) FrozenFloat(r Ref) (v float64, ok bool) {
	if !r.IsFrozen() {
		return 0, false
	}
	return h.header(r).FrozenFloat()
}

// Body is the memory of an object behind its header, or of a block. Its methods are the
// accessors for implementers of types. A word has 32 bits; words are numbered from 0. No access
// is checked against the size that was requested at birth.
//
// Words that several threads use at the same time may be accessed only by the atomic methods:
// Load, Store, Swap and so on. Under the race detector objects lie in Go memory, so it reports
// violations. Access each word with one width only: the race detector does not see overlaps of
// different widths. Attached threads may use a Body; any goroutine may use that of a frozen
// object, which is only read.
type Body struct{ p unsafe.Pointer }

// IsNil reports whether b is the zero Body.
func (b Body) IsNil() bool { return b.p == nil }

func (b Body) word(i int) *uint32 {
	// Same as: &words[i].
	// Safety: the type's layout has a word i.
	return (*uint32)(unsafe.Add(b.p, i*4))
}

// Word is a plain load of word i.
func (b Body) Word(i int) uint32 {
	if point.On {
		point.Read(b.word(i))
	}
	return *b.word(i)
}

// SetWord is a plain store to word i.
func (b Body) SetWord(i int, v uint32) {
	if point.On {
		point.Write(b.word(i))
	}
	*b.word(i) = v
}

// Load is an atomic load of word i.
func (b Body) Load(i int) uint32 {
	if point.On {
		point.Load(b.word(i))
	}
	return atomic.LoadUint32(b.word(i))
}

// Store is an atomic store to word i.
func (b Body) Store(i int, v uint32) {
	if point.On {
		point.Store(b.word(i))
	}
	atomic.StoreUint32(b.word(i), v)
}

// Swap is an atomic store to word i, and returns the previous value.
func (b Body) Swap(i int, v uint32) uint32 {
	if point.On {
		point.Update(b.word(i))
	}
	return atomic.SwapUint32(b.word(i), v)
}

// CAS is an atomic compare-and-swap of word i, and reports whether it swapped.
func (b Body) CAS(i int, old, v uint32) bool {
	if point.On {
		point.Update(b.word(i))
	}
	return atomic.CompareAndSwapUint32(b.word(i), old, v)
}

// Add is an atomic addition to word i, and returns the sum.
func (b Body) Add(i int, d uint32) uint32 {
	if point.On {
		point.Update(b.word(i))
	}
	return atomic.AddUint32(b.word(i), d)
}

// LoadRef is Load for a slot: it returns a borrowed reference.
func (b Body) LoadRef(i int) Ref { return refAt(b.Load(i)) }

// StoreRef is Store for a slot. It steals r: the slot owns the count from now on.
func (b Body) StoreRef(i int, r Ref) { b.Store(i, uint32(r.Handle)) }

// SwapRef is Swap for a slot. It steals r, and returns the slot's own reference, which the
// caller has to retire: see Thread.Retire.
func (b Body) SwapRef(i int, r Ref) Ref { return refAt(b.Swap(i, uint32(r.Handle))) }

// Ref is Word for a slot that never changes: it returns a borrowed reference.
func (b Body) Ref(i int) Ref { return refAt(b.Word(i)) }

// SetRef is SetWord for a slot of an object that is not yet published. It steals r.
func (b Body) SetRef(i int, r Ref) { b.SetWord(i, uint32(r.Handle)) }

func (b Body) long(i int) *uint64 { return (*uint64)(unsafe.Add(b.p, i*4)) }

// Uint64 is a plain load of words i and i+1; i is even.
func (b Body) Uint64(i int) uint64 {
	if point.On {
		point.Read(b.long(i))
	}
	return *b.long(i)
}

// SetUint64 is a plain store to words i and i+1; i is even.
func (b Body) SetUint64(i int, v uint64) {
	if point.On {
		point.Write(b.long(i))
	}
	*b.long(i) = v
}

// LoadUint64 is an atomic load of words i and i+1; i is even.
func (b Body) LoadUint64(i int) uint64 {
	if point.On {
		point.Load(b.long(i))
	}
	return atomic.LoadUint64(b.long(i))
}

// StoreUint64 is an atomic store to words i and i+1; i is even.
func (b Body) StoreUint64(i int, v uint64) {
	if point.On {
		point.Store(b.long(i))
	}
	atomic.StoreUint64(b.long(i), v)
}

// Lock returns a pointer to word i for use with package locks.
func (b Body) Lock(i int) *uint32 { return b.word(i) }

// Bytes returns n bytes from word i on. They are valid as long as the body is. Those of an
// immutable object must not be written.
func (b Body) Bytes(i, n int) []byte {
	if point.On {
		point.Read(b.word(i))
	}
	return unsafe.Slice((*byte)(unsafe.Add(b.p, i*4)), n)
}

// String is Bytes as a string. Copy the string if it has to outlive the object.
func (b Body) String(i, n int) string {
	if point.On {
		point.Read(b.word(i))
	}
	return unsafe.String((*byte)(unsafe.Add(b.p, i*4)), n)
}

// Refs returns n slots from word i on, for plain access. Each holds a borrowed reference; a
// reference that is written to one is stolen. Use it only for objects that are not yet
// published, and for those whose slots never change.
func (b Body) Refs(i, n int) []Ref {
	return unsafe.Slice((*Ref)(unsafe.Add(b.p, i*4)), n)
}
