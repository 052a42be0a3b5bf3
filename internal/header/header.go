package header

import (
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// Size is the size of a header in bytes: one granule of the arena.
const Size = 16

// Header is the beginning of every object, and the whole of a float. Its words lie in raw memory at
// 4-byte alignment, which go.uber.org/atomic's types cannot overlay.
type Header struct {
	owner  int32
	local  uint32
	shared int32
	meta   uint32
}

const _ = -uint(unsafe.Sizeof(Header{}) ^ Size) // the size is fixed

// At returns the header at a granule of the counted half.
func At(base unsafe.Pointer, granule uint32) *Header {
	// Same as: &headers[granule].
	// Safety: the caller's granule is that of a live object in the space that
	// begins at base.
	return (*Header)(unsafe.Add(base, uintptr(granule)<<4))
}

// On returns the header at p, which is where an object begins.
func On(p unsafe.Pointer) *Header { return (*Header)(p) }

// Birth writes a header with one reference. The object is not yet visible to
// other threads: publishing it orders these stores before their loads.
func (h *Header) Birth(owner int32, meta uint32) {
	h.meta = meta // plain stores: nobody else sees the object yet
	switch {
	case owner > 0:
		h.local, h.shared = 1, 0
	case owner == Nobody:
		h.local, h.shared = 0, One|Merged
	default:
		h.local, h.shared = 0, 0
	}
	h.owner = owner
}

// BirthFloat writes the header of a float: 64 bits of a number, which lie where
// others have local and meta, and a note below Notes, which lies in the owner word.
// It is born merged, with one reference in shared, and nobody ever owns it; if it is
// born immortal its count is 0. Its number is written here alone.
func (h *Header) BirthFloat(bits uint64, note uint32, immortal bool) {
	h.local, h.meta = uint32(bits), uint32(bits>>32) // plain stores, as in Birth
	h.owner, h.shared = Float|int32(note), One|Merged
	if immortal {
		h.owner, h.shared = Immortal|Float|int32(note), 0
	}
}

// BirthFrozen writes the header of a frozen object: nobody counts in local and shared,
// so they say how far the object lies from the start of its Frozen, and how large it
// is, both in granules. The bytes are the same in every process.
func (h *Header) BirthFrozen(meta, offset, size uint32) {
	h.owner, h.local, h.shared, h.meta = Immortal, offset, int32(size), meta
}

// BirthFrozenFloat is BirthFrozen for a float. Its number is where others have their
// offset, which a float does not need, as it leads nowhere.
func (h *Header) BirthFrozenFloat(bits uint64, note uint32) {
	h.BirthFloat(bits, note, true)
	h.shared = 1
}

// Frozen returns what BirthFrozen wrote, for a check of bytes that somebody else has
// written: ok is false if this is no header of a frozen object at that offset. Only an
// ok one is any more than words.
func (h *Header) Frozen(offset uint32) (meta, size uint32, ok bool) {
	size = uint32(h.shared)
	if h.owner == Immortal {
		return h.meta, size, h.local == offset && size >= 1 && h.meta != FloatMeta
	}
	return FloatMeta, size, h.owner&(Immortal|Float) == Immortal|Float && size == 1
}

// Offset returns the offset that BirthFrozen wrote.
func (h *Header) Offset() uint32 { return h.local }

// FrozenSize returns the size that BirthFrozen wrote.
func (h *Header) FrozenSize() uint32 { return uint32(h.shared) }

// Number returns what BirthFloat wrote, and whether the header is a float's. It is
// good as long as the object is: of a dead one SetLink has overwritten half.
func (h *Header) Number() (bits uint64, note uint32, ok bool) {
	o := h.Owner()
	if o&Float == 0 {
		return 0, 0, false
	}
	return uint64(h.word())<<32 | uint64(h.Local()), uint32(o) & (Notes - 1), true
}

// FrozenFloat is Number for a header that never changes: a plain load is enough.
func (h *Header) FrozenFloat() (v float64, ok bool) {
	return math.Float64frombits(uint64(h.meta)<<32 | uint64(h.local)), h.owner&Float != 0
}

// Meta returns the type id and the layout flags. They never change. The owner word
// tells where they are, and what it tells never changes either.
func (h *Header) Meta() uint32 {
	if h.Owner()&Float != 0 {
		return FloatMeta
	}
	return h.word()
}

// CanIncLocal reports whether the owner's count can grow: it is at neither end. Owner
// only. It is apart from IncLocal, since the compiler joins the ways out of what it
// inlines, and then branches again, if one of them has stored: that made a pair of own
// counts an eighth slower.
func (h *Header) CanIncLocal() bool {
	if point.On {
		point.Write(&h.local) // which follows
	}
	return h.local-1 < StickyLocal-1
}

// IncLocal adds a reference, plainly, after CanIncLocal. Owner only.
func (h *Header) IncLocal() { h.local++ }

// CanDecLocal is CanIncLocal for giving up a reference: it must not be the last one.
func (h *Header) CanDecLocal() bool {
	if point.On {
		point.Write(&h.local)
	}
	return h.local-2 < StickyLocal-2
}

// DecLocal gives up a reference, plainly, after CanDecLocal. Owner only.
func (h *Header) DecLocal() { h.local-- }

// IncForeign adds a reference to an object that another thread owns, or nobody:
// to any float. It is inlined, for which calls of the accessors cost one unit too
// much.
func (h *Header) IncForeign() Verdict {
	if point.On {
		point.Load(&h.shared)
	}
	v := incForeign(atomic.LoadInt32(&h.shared))
	if v == Alive {
		if point.On {
			point.Update(&h.shared)
		}
		atomic.AddInt32(&h.shared, One)
	}
	return v
}

// DecForeign gives up a reference to an object that another thread owns, or
// nobody.
//
// A word that says exactly "one reference, merged, no weak references" needs no
// atomic operation to die: the one reference is the caller's, so no other
// thread has one to copy, and none can come by one through a slot (whose
// reference would be counted) or a weak reference (whose bit would be set).
func (h *Header) DecForeign() Verdict {
	s := h.Shared()
	if s == One|Merged {
		return Dead
	}
	if IsMerged(s) && uint32(SharedCount(s)-1) < stickyShared-1 {
		return afterDec(h.addShared(-One)) // merged is for good
	}
	for {
		next, v := decForeign(s)
		if next == s || h.casShared(s, next) {
			return v
		}
		s = h.Shared()
	}
}

// Inc adds a reference for a thread with the given id.
func (h *Header) Inc(id int32) Verdict {
	switch o := h.Owner(); {
	case Tested && o < 0:
		return Alive
	case o != id && mutant.On && mutant.Is(mutant.IncLost):
		return Alive
	case o != id:
		v := h.IncForeign()
		if v == Sticky {
			h.pin()
		}
		return v
	case h.CanIncLocal():
		h.IncLocal()
		return Alive
	case h.Local() == 0:
		return Broken
	}
	return Sticky
}

// pin moves a count in its band to the middle of it.
func (h *Header) pin() {
	for {
		s := h.Shared()
		if next := pinned(s); next == s || h.casShared(s, next) {
			return
		}
	}
}

// Dec gives up a reference of a thread with the given id. After Dead the
// object is the caller's alone.
func (h *Header) Dec(id int32) Verdict {
	switch o := h.Owner(); {
	case Tested && o < 0:
		return Alive
	case o != id:
		return h.DecForeign()
	case h.CanDecLocal():
		h.DecLocal()
		return Alive
	}
	return h.decLastLocal()
}

// decLastLocal gives up the owner's last reference, or meets a sticky count.
//
// If shared is 0, all of it, no other thread can reach the object: a slot's
// reference would be counted, a weak reference has set its bit, a queue its
// state. So it is dead without an atomic operation.
func (h *Header) decLastLocal() Verdict {
	switch {
	case h.Local() >= StickyLocal:
		return Sticky
	case h.Local() == 0:
		return Broken
	case h.Shared() == 0, mutant.On && mutant.Is(mutant.OwnerFreesQueued) && h.Shared()&stateMask == Queued:
		h.setLocal(0)
		return Dead
	}
	return h.merge(-1)
}

// merge ends the object's ownership: it adds extra and local to shared. The
// caller is the owner, has claimed its state, or has stopped the world.
//
// local and owner are written before MERGED is published: whoever sees MERGED
// may free the object and its memory may be used again. Who sees owner 0 and not
// yet MERGED counts in shared like before.
func (h *Header) merge(extra int64) Verdict {
	local := int64(h.Local()) + extra
	if mutant.On && mutant.Is(mutant.MergeLoses) {
		local = extra
	}
	if mutant.On && mutant.Is(mutant.MergeLate) {
		return h.mergeLate(local)
	}
	h.setLocal(0)
	h.setOwner(Nobody)
	for {
		s := h.Shared()
		next, v := merge(s, local)
		if h.casShared(s, next) {
			return v
		}
	}
}

// mergeLate is a planted bug: merge with its stores in the wrong order, and time
// between them.
func (h *Header) mergeLate(local int64) Verdict {
	for {
		s := h.Shared()
		next, v := merge(s, local)
		if h.casShared(s, next) {
			mutant.Dawdle()
			h.setLocal(0)
			h.setOwner(Nobody)
			return v
		}
	}
}

// Drain gives up the reference that a queue holds: it merges an object that is
// still owned, and is a plain decrement of one that is not. Who may: see merge.
func (h *Header) Drain() Verdict {
	switch {
	case h.Owner() < 0 && !(mutant.On && mutant.Is(mutant.MergeForgets)):
		return Alive
	case IsMerged(h.Shared()) && mutant.On && mutant.Is(mutant.DrainLost):
		return Alive
	case IsMerged(h.Shared()):
		return h.DecForeign()
	case h.Local() >= StickyLocal:
		return Sticky
	}
	return h.merge(-1)
}

// TryInc adds a reference unless the object is dead. It is for whoever comes by
// an object without holding a reference to it: a weak table, within a grace
// period that keeps the memory in place. The object's weak bit is set, so it
// cannot die without being merged.
func (h *Header) TryInc(id int32) bool {
	for {
		o := h.Owner()
		if o < 0 {
			if mutant.On && mutant.Is(mutant.TryIncWrites) {
				h.addShared(One)
			}
			if mutant.On && mutant.Is(mutant.TryIncTouches) {
				h.addShared(0)
			}
			return true
		}
		if o == id {
			if h.Local() == 0 {
				return false
			}
			if h.Local() < StickyLocal {
				h.setLocal(h.Local() + 1)
			}
			return true
		}
		s := h.Shared()
		next, alive := tryInc(s)
		if next == s || h.casShared(s, next) {
			return alive
		}
	}
}

// Revive gives a dead object one reference, which is nobody's own. The caller has
// the dead object, which is no float; who meets it in a weak table sees it dead, or
// alive again.
func (h *Header) Revive() {
	h.setLocal(0)
	h.setOwner(Nobody)
	h.setShared(revived(h.Shared()))
}

// SetWeak notes that weak references may lead to the object: its death is then
// an atomic operation, and its memory outlives it by a grace period. It tests
// for immortality first, and writes nothing to an immortal.
func (h *Header) SetWeak() {
	if h.Owner() < 0 && !(mutant.On && mutant.Is(mutant.WeakMarks)) {
		return
	}
	h.orShared(Weak)
}

// IsWeak reports whether weak references may lead to the object.
func (h *Header) IsWeak() bool { return h.Shared()&Weak != 0 }

// Count returns the number of references, and whether it means anything: an
// immortal's does not. World stopped.
func (h *Header) Count() (int64, bool) {
	if h.Owner() < 0 {
		return 0, false
	}
	return int64(h.counted()) + int64(SharedCount(h.Shared())), true
}

// IsSticky reports whether a count of the object is frozen. World stopped.
func (h *Header) IsSticky() bool { return h.counted() >= StickyLocal || sticky(h.Shared()) }

// counted returns local where it is a count: of a float it is half of a number.
func (h *Header) counted() uint32 {
	if h.Owner()&Float != 0 {
		return 0
	}
	return h.Local()
}

// Immortalise makes the object immortal for good. World stopped. It reports
// whether it was mortal before. A float stays one, and keeps its note.
func (h *Header) Immortalise() bool {
	o := h.Owner()
	if o < 0 {
		return false
	}
	next := Immortal
	if o&Float != 0 {
		next |= o
	}
	h.setOwner(next)
	return true
}

// Dead headers form lists through local, which nobody counts in any more, and from
// which nobody reads a float's number any more.

// SetLink stores the next dead object. The caller owns the dead one.
func (h *Header) SetLink(granule uint32) { h.setLocal(granule) }

// Link returns what SetLink stored.
func (h *Header) Link() uint32 { return h.Local() }

// Poison overwrites the header of a freed object with what checked mode
// recognises: an owner that no thread has and a type that does not exist.
func (h *Header) Poison(meta uint32) {
	h.meta = meta
	h.setLocal(0)
	h.setShared(Merged)
	h.setOwner(Nobody)
}

// SetCounts overwrites both counts, for tests of the bands. A float has one.
func (h *Header) SetCounts(local uint32, count int32) {
	if h.Owner()&Float == 0 {
		h.setLocal(local)
	}
	h.setShared(count<<countShift | h.Shared()&(stateMask|Weak))
}

// Bytes returns a copy of the four words, for tests that compare them.
func (h *Header) Bytes() [4]uint32 {
	return [4]uint32{uint32(h.Owner()), h.Local(), uint32(h.Shared()), h.word()}
}
