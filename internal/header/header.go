package header

import (
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/internal/race"
)

// Size is the size of a header in bytes: one granule of the arena.
const Size = 16

// Header is the beginning of every object, and the whole of a float. Its words lie in
// raw memory at 4-byte alignment, so the types of go.uber.org/atomic cannot be laid
// over them.
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
	// Safety: a live object begins at the granule, in the space that begins at base.
	return (*Header)(unsafe.Add(base, uintptr(granule)<<4))
}

// On returns the header of the object that begins at p.
func On(p unsafe.Pointer) *Header { return (*Header)(p) }

// Birth writes a header with one reference. The object is not yet visible to
// other threads: publishing it orders these stores before their loads.
func (h *Header) Birth(owner int32, meta uint32) {
	h.meta = meta // plain stores: no other thread sees the object yet
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

// BirthFloat writes the header of a float: the 64 bits of a number into local and meta,
// and a note below Notes into the owner word. The float is born merged, with one
// reference in shared, and no thread ever owns it. The count of a float that is born
// immortal is 0. No other function writes the number.
func (h *Header) BirthFloat(bits uint64, note uint32, immortal bool) {
	h.local, h.meta = uint32(bits), uint32(bits>>32) // plain stores, as in Birth
	h.owner, h.shared = Float|int32(note), One|Merged
	if immortal {
		h.owner, h.shared = Immortal|Float|int32(note), 0
	}
}

// BirthFrozen writes the header of a frozen object. Frozen objects are not counted, so
// local holds the object's distance from the start of its Frozen, and shared its size,
// both in granules. The bytes are the same in every process.
func (h *Header) BirthFrozen(meta, offset, size uint32) {
	h.owner, h.local, h.shared, h.meta = Immortal, offset, int32(size), meta
}

// BirthFrozenFloat is BirthFrozen for a float. The number takes the place of the
// offset, which a float does not need because it holds no references.
func (h *Header) BirthFrozenFloat(bits uint64, note uint32) {
	h.BirthFloat(bits, note, true)
	h.shared = 1
}

// Frozen validates bytes from an untrusted source, such as an image, and returns what
// BirthFrozen wrote. If ok is false, this is not the header of a frozen object at that
// offset, and the other results mean nothing.
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
// valid only while the float is alive: SetLink overwrites half of a dead float's
// number.
func (h *Header) Number() (bits uint64, note uint32, ok bool) {
	o := h.Owner()
	if o&Float == 0 {
		return 0, 0, false
	}
	return uint64(h.word())<<32 | uint64(h.Local()), uint32(o) & (Notes - 1), true
}

// FrozenFloat is Number for a header that never changes, so its loads are plain.
func (h *Header) FrozenFloat() (v float64, ok bool) {
	return math.Float64frombits(uint64(h.meta)<<32 | uint64(h.local)), h.owner&Float != 0
}

// Meta returns the type id and the layout flags, which never change. FLOAT in the owner
// word says whether the meta word holds them, and that bit never changes either.
func (h *Header) Meta() uint32 {
	if h.Owner()&Float != 0 {
		return FloatMeta
	}
	return h.word()
}

// CanIncLocal reports whether IncLocal may add a reference: the count is at neither
// end. Owner only. It is separate from IncLocal because the compiler joins the exits of
// an inlined function, and branches again if one of them has stored. In one function, a
// pair of calls by the owner takes an eighth longer (measured).
func (h *Header) CanIncLocal() bool {
	if point.On {
		point.Write(&h.local) // for the IncLocal that follows
	}
	return h.local-1 < StickyLocal-1
}

// IncLocal adds a reference, plainly. Owner only, after CanIncLocal.
func (h *Header) IncLocal() { h.local++ }

// CanDecLocal reports whether DecLocal may give up a reference: it is not the last one,
// and the count is not sticky. Owner only.
func (h *Header) CanDecLocal() bool {
	if point.On {
		point.Write(&h.local)
	}
	return h.local-2 < StickyLocal-2
}

// DecLocal gives up a reference, plainly. Owner only, after CanDecLocal.
func (h *Header) DecLocal() { h.local-- }

// IncForeign adds a reference to an object that another thread or nobody owns, and to
// any float. It must be inlined, and calls of the accessors would exceed the inliner's
// budget by one.
func (h *Header) IncForeign() Verdict {
	if point.On {
		point.Load(&h.shared)
	}
	if race.On {
		defer race.Hidden()()
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

// DecForeign gives up a reference to an object that another thread or nobody owns.
//
// If the word says exactly "one reference, merged, no weak references", the object dies
// without an atomic operation. The one reference is the caller's, so no other thread
// has one to copy. Nor can another thread get one from a slot, whose reference would be
// counted, or from a weak reference, whose bit would be set.
func (h *Header) DecForeign() Verdict {
	if race.On {
		race.Released(&h.shared)
	}
	s := h.Shared()
	if s == One|Merged {
		return h.found(Dead)
	}
	if IsMerged(s) && uint32(SharedCount(s)-1) < stickyShared-1 {
		return h.found(afterDec(h.addShared(-One))) // merged is terminal
	}
	for {
		next, v := decForeign(s)
		if next == s || h.casShared(s, next) {
			return h.found(v)
		}
		s = h.Shared()
	}
}

// found returns the verdict on a word that this thread has found or left.
func (h *Header) found(v Verdict) Verdict {
	if race.On && v == Dead {
		race.Acquired(&h.shared)
	}
	return v
}

// IncMerged is IncForeign for an object that nobody owns and that is mortal: it adds first, and
// looks at what comes out. If another core has written the header, a load before the add would
// fetch its cache line once, and the add would fetch it again. If the count was at an edge,
// IncMerged takes the increment back and returns false: then call Inc.
func (h *Header) IncMerged() bool {
	if race.On {
		race.Read(&h.meta)
	}
	if uint32(SharedCount(h.addShared(One))-2) < stickyShared-2 {
		return true
	}
	h.addShared(-One)
	return false
}

// DecMerged is DecForeign in the manner of IncMerged. It gives up the last reference by an
// atomic operation, so it is for objects that probably have others.
func (h *Header) DecMerged() Verdict {
	if race.On {
		race.Read(&h.meta)
		race.Released(&h.shared)
	}
	if s := h.addShared(-One); uint32(SharedCount(s)) < stickyShared-1 {
		return h.found(afterDec(s))
	}
	h.addShared(One)
	return h.DecForeign()
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

// pin moves a sticky count of shared to the middle of its band.
func (h *Header) pin() {
	for {
		s := h.Shared()
		if next := pinned(s); next == s || h.casShared(s, next) {
			return
		}
	}
}

// Dec gives up a reference for a thread with the given id. After Dead the object
// belongs to the caller alone.
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
func (h *Header) decLastLocal() Verdict {
	switch {
	case h.Local() >= StickyLocal:
		return Sticky
	case h.Local() == 0:
		return Broken
	case h.DecLastLocal():
		return Dead
	}
	return h.merge(-1)
}

// DecLastLocal gives up the owner's reference if it is the last one of all, and reports whether
// it was: then the object belongs to the caller alone. Owner only.
//
// If the whole word shared is 0, no other thread can reach the object: the reference in
// a slot would be counted, and a weak reference or a queue would have set its bit. So
// the object is dead, without an atomic operation.
func (h *Header) DecLastLocal() bool {
	if h.Local() != 1 || h.Shared() != 0 && !(mutant.On && mutant.Is(mutant.OwnerFreesQueued) && h.Shared()&stateMask == Queued) {
		return false
	}
	h.setLocal(0)
	return h.found(Dead) == Dead
}

// merge ends the object's ownership: it adds local and extra to shared. The caller is
// the owner, or has claimed the owner's thread state, or has stopped the world.
//
// local and owner are written before MERGED is published, because a thread that sees
// MERGED may free the object and the memory may be used again. A thread that sees owner
// 0 before it sees MERGED counts in shared as before.
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
	if race.On {
		race.Released(&h.shared)
	}
	for {
		s := h.Shared()
		next, v := merge(s, local)
		if h.casShared(s, next) {
			return h.found(v)
		}
	}
}

// Disown ends the ownership of the thread with the given id, which holds a reference. It does
// nothing if that thread is not the owner, or the count is sticky.
func (h *Header) Disown(id int32) Verdict {
	if h.Owner() != id || h.Local()-1 >= StickyLocal-1 {
		return Alive
	}
	return h.merge(0)
}

// mergeLate is a planted bug: merge with its stores in the wrong order, and a delay
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

// Drain gives up the reference that a queue holds. It merges an object that still has
// an owner, and is a plain DecForeign for one that has none. The caller must meet the
// conditions of merge.
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

// TryInc adds a reference unless the object is dead. It is for a thread that has found
// the object in a weak table and holds no reference to it, within a grace period that
// keeps the memory in place. The object's weak bit is set, so it cannot die without
// being merged.
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

// Revive gives one reference to a dead object, which nobody owns from then on. The dead
// object belongs to the caller, and is not a float. Another thread that finds it in a
// weak table sees it either dead or alive again.
func (h *Header) Revive() {
	h.setLocal(0)
	h.setOwner(Nobody)
	h.setShared(revived(h.Shared()))
}

// SetWeak notes that weak references may lead to the object. Its death is then an
// atomic operation, and its memory outlives it by a grace period. SetWeak writes
// nothing to an immortal.
func (h *Header) SetWeak() {
	if h.Owner() < 0 && !(mutant.On && mutant.Is(mutant.WeakMarks)) {
		return
	}
	h.orShared(Weak)
}

// IsWeak reports whether weak references may lead to the object.
func (h *Header) IsWeak() bool { return h.Shared()&Weak != 0 }

// Count returns the number of references, or false for an immortal, which is not
// counted. World stopped.
func (h *Header) Count() (int64, bool) {
	if h.Owner() < 0 {
		return 0, false
	}
	return int64(h.counted()) + int64(SharedCount(h.Shared())), true
}

// IsSticky reports whether a count of the object is sticky. World stopped.
func (h *Header) IsSticky() bool { return h.counted() >= StickyLocal || sticky(h.Shared()) }

// counted returns local if it is a count, and 0 for a float, where it is half of a
// number.
func (h *Header) counted() uint32 {
	if h.Owner()&Float != 0 {
		return 0
	}
	return h.Local()
}

// Immortalize makes the object immortal for good, and reports whether it was mortal
// before. A float remains a float, and keeps its note. World stopped.
func (h *Header) Immortalize() bool {
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

// Dead objects form lists, linked through local. The word is free for this: nobody
// counts in it any more, and nobody reads the number of a dead float.

// Bury marks a dead object whose memory is about to be freed. Until the memory is used again,
// a decrement too many finds a broken count. The dead object belongs to the caller, so the
// store is plain.
func (h *Header) Bury() {
	if point.On {
		point.Write(&h.shared)
	}
	h.shared = Merged
}

// SetLink stores the next dead object. The dead object belongs to the caller.
func (h *Header) SetLink(granule uint32) { h.setLocal(granule) }

// Link returns what SetLink stored.
func (h *Header) Link() uint32 { return h.Local() }

// Poison overwrites the header of a freed object with values that checked mode
// recognises: owner 0, count 0, and a type that does not exist.
func (h *Header) Poison(meta uint32) {
	h.meta = meta
	h.setLocal(0)
	h.setShared(Merged)
	h.setOwner(Nobody)
}

// SetCounts overwrites both counts, for tests of the bands. A float has only the one in
// shared.
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
