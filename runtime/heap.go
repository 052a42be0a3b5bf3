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

// Heap turns references into memory. It is a value: pass it on. References given to its
// methods are borrowed. Any goroutine may have one; whose objects it may look at, each
// method says.
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

// Address returns where in memory the header of the object r lies: for tools that ask the
// system, or a debugger, about it. r is borrowed, and not an integer. Attached thread.
func (h Heap) Address(r Ref) uintptr { return uintptr(h.at(r)) }

// Body returns what follows the header of the object r, which it borrows: of a Float, what
// is not its own. Reading and writing it is as safe as its type's own rules make it.
// Attached thread.
func (h Heap) Body(r Ref) Body { return Body{unsafe.Add(h.at(r), header.Size)} }

// Block returns the storage block r, which it borrows. Attached thread.
func (h Heap) Block(r Ref) Body { return Body{h.at(r)} }

// born and freed tell the explorer of interleavings that granules from r on were given
// out, and are given back.
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

// Slot returns what slot i in b leads to, where b is the body or the block of the object
// r: LoadRef for an object that may be frozen, so a borrowed reference. r is borrowed.
// Attached thread.
func (h Heap) Slot(r Ref, b Body, i int) Ref {
	v := b.LoadRef(i)
	if v.Handle-selfBase < selfCount {
		v = h.Home(r).Ref(v)
	}
	return v
}

// Home is where the Frozen begins that an object lies in. What frozen objects hold of each
// other is kept as the distance from there, so that it is right wherever the Frozen lies.
// It is no reference to give up: counted by nobody, as all that is frozen. Any goroutine,
// while the Frozen is loaded.
type Home Handle

// Home returns the home of the frozen object r, which it borrows, and which is no Float.
// Any goroutine, while the Frozen is loaded.
func (h Heap) Home(r Ref) Home { return Home(r.Handle - Handle(h.header(r).Offset())) }

// Ref returns the reference that a slot with the raw contents v stands for; both are
// borrowed. Any goroutine.
func (h Home) Ref(v Ref) Ref {
	if v.Handle-selfBase < selfCount {
		return Ref{Handle(h) + (v.Handle - selfBase)}
	}
	return v
}

// FrozenKind returns the number of the type of r if r is a frozen object of a built-in
// type; 0 if it is not frozen, and no type's number for one of a user-defined type. r is
// borrowed. It is inlined. Any goroutine, while the Frozen is loaded.
func (h Heap) FrozenKind(r Ref) TypeID {
	if !r.IsFrozen() {
		return 0
	}
	return TypeID(h.header(r).Meta() & metaTypeMax)
}

// FrozenFloat returns the number of r, and whether r is a frozen Float. r is borrowed. It
// is inlined. Any goroutine, while the Frozen is loaded.
func (h Heap) FrozenFloat(r Ref) (v float64, ok bool) {
	if !r.IsFrozen() {
		return 0, false
	}
	return h.header(r).FrozenFloat()
}

// Body is the memory of an object behind its header, or of a block: the payload
// accessors, for those who define types. Words are 32 bits, counted from 0.
// Nothing is checked against the size that was asked for at birth.
//
// A word that several threads use at once is used with Load, Store, Swap and their kin
// alone. Under the race detector a mistake shows, as the memory is Go memory there. One
// width for each word: the detector sees no overlap of different widths. Attached threads
// use it; that of a frozen object, which is only read, any goroutine does.
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

// Swap is an atomic store to word i that returns what was there.
func (b Body) Swap(i int, v uint32) uint32 {
	if point.On {
		point.Update(b.word(i))
	}
	return atomic.SwapUint32(b.word(i), v)
}

// CAS is an atomic compare and swap of word i, and reports whether it swapped.
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

// StoreRef is Store for a slot. It steals r: the count is the slot's from now on.
func (b Body) StoreRef(i int, r Ref) { b.Store(i, uint32(r.Handle)) }

// SwapRef is Swap for a slot. It steals r, and returns the slot's own reference, which
// the caller has to retire: see Thread.Retire.
func (b Body) SwapRef(i int, r Ref) Ref { return refAt(b.Swap(i, uint32(r.Handle))) }

// Ref is Word for a slot that never changes: it returns a borrowed reference.
func (b Body) Ref(i int) Ref { return refAt(b.Word(i)) }

// SetRef is SetWord for a slot of an object that is not yet published. It steals r.
func (b Body) SetRef(i int, r Ref) { b.SetWord(i, uint32(r.Handle)) }

func (b Body) long(i int) *uint64 { return (*uint64)(unsafe.Add(b.p, i*4)) }

// Uint64 is a plain load of words i and i+1, i even.
func (b Body) Uint64(i int) uint64 {
	if point.On {
		point.Read(b.long(i))
	}
	return *b.long(i)
}

// SetUint64 is a plain store to words i and i+1, i even.
func (b Body) SetUint64(i int, v uint64) {
	if point.On {
		point.Write(b.long(i))
	}
	*b.long(i) = v
}

// LoadUint64 is an atomic load of words i and i+1, i even.
func (b Body) LoadUint64(i int) uint64 {
	if point.On {
		point.Load(b.long(i))
	}
	return atomic.LoadUint64(b.long(i))
}

// StoreUint64 is an atomic store to words i and i+1, i even.
func (b Body) StoreUint64(i int, v uint64) {
	if point.On {
		point.Store(b.long(i))
	}
	atomic.StoreUint64(b.long(i), v)
}

// Lock returns word i for use with package locks.
func (b Body) Lock(i int) *uint32 { return b.word(i) }

// Bytes returns n bytes from word i on. They are good as long as the body is;
// of an immutable object they must not be written.
func (b Body) Bytes(i, n int) []byte {
	if point.On {
		point.Read(b.word(i))
	}
	return unsafe.Slice((*byte)(unsafe.Add(b.p, i*4)), n)
}

// String is Bytes as a string. Copy it if it is to outlive the object.
func (b Body) String(i, n int) string {
	if point.On {
		point.Read(b.word(i))
	}
	return unsafe.String((*byte)(unsafe.Add(b.p, i*4)), n)
}

// Refs returns n plain slots from word i on, each a borrowed reference; what is written to
// one is stolen. It is for objects that are not yet published, and for those whose slots
// never change.
func (b Body) Refs(i, n int) []Ref {
	return unsafe.Slice((*Ref)(unsafe.Add(b.p, i*4)), n)
}
