package header

import (
	"sync/atomic"
	"unsafe"
)

// Size is the size of a header in bytes: one granule of the arena.
const Size = 16

// Header is the beginning of every object. Its words lie in raw memory at
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

// Owner returns the owner word: negative for an immortal.
func (h *Header) Owner() int32 { return atomic.LoadInt32(&h.owner) }

// Local returns the owner's count. Owner only, or world stopped.
func (h *Header) Local() uint32 { return h.local }

// Shared returns the shared word.
func (h *Header) Shared() int32 { return atomic.LoadInt32(&h.shared) }

// Meta returns the type id and the layout flags. They never change.
func (h *Header) Meta() uint32 { return h.meta }

// IncLocal adds a reference, plainly, unless the count is at either end. Owner
// only.
func (h *Header) IncLocal() bool {
	if h.local-1 < StickyLocal-1 {
		h.local++
		return true
	}
	return false
}

// DecLocal is IncLocal for giving up a reference that is not the last one.
func (h *Header) DecLocal() bool {
	if h.local-2 < StickyLocal-2 {
		h.local--
		return true
	}
	return false
}

// IncMerged adds a reference to an object that nobody owns.
func (h *Header) IncMerged() Verdict {
	v := incMerged(atomic.LoadInt32(&h.shared))
	if v == Alive {
		atomic.AddInt32(&h.shared, One)
	}
	return v
}

// DecMerged gives up a reference to an object that nobody owns.
func (h *Header) DecMerged() Verdict {
	v, final := decMerged(atomic.LoadInt32(&h.shared))
	if final {
		return v
	}
	return afterDec(atomic.AddInt32(&h.shared, -One))
}

// Inc adds a reference for a thread with the given id.
func (h *Header) Inc(id int32) Verdict {
	switch o := h.Owner(); {
	case o < 0:
		return Alive
	case o != id:
		return h.IncMerged()
	case h.IncLocal():
		return Alive
	case h.local == 0:
		return Broken
	}
	return Sticky
}

// Dec gives up a reference of a thread with the given id. After Dead the
// object is the caller's alone.
func (h *Header) Dec(id int32) Verdict {
	switch o := h.Owner(); {
	case o < 0:
		return Alive
	case o != id:
		return h.DecMerged()
	case h.DecLocal():
		return Alive
	}
	return h.decLastLocal()
}

// decLastLocal gives up the owner's last reference, or meets a sticky count.
func (h *Header) decLastLocal() Verdict {
	switch {
	case h.local >= StickyLocal:
		return Sticky
	case h.local == 0:
		return Broken
	}
	h.local = 0
	return Dead
}

// TryInc adds a reference unless the object is dead. It is for whoever comes by
// an object without holding a reference to it: a weak table, within a grace
// period that keeps the memory in place.
func (h *Header) TryInc(id int32) bool {
	for {
		o := h.Owner()
		if o < 0 {
			return true
		}
		if o == id {
			if h.local == 0 {
				return false
			}
			if h.local < StickyLocal {
				h.local++
			}
			return true
		}
		s := h.Shared()
		if SharedCount(s) <= 0 {
			return false
		}
		if sticky(s) || atomic.CompareAndSwapInt32(&h.shared, s, s+One) {
			return true
		}
	}
}

// SetWeak notes that weak references may lead to the object: its death is then
// an atomic operation, and its memory outlives it by a grace period. It tests
// for immortality first, and writes nothing to an immortal.
func (h *Header) SetWeak() {
	if h.Owner() < 0 {
		return
	}
	atomic.OrInt32(&h.shared, Weak)
}

// IsWeak reports whether weak references may lead to the object.
func (h *Header) IsWeak() bool { return h.Shared()&Weak != 0 }

// Count returns the number of references, and whether it means anything: an
// immortal's does not. World stopped.
func (h *Header) Count() (int64, bool) {
	if h.Owner() < 0 {
		return 0, false
	}
	return int64(h.local) + int64(SharedCount(h.Shared())), true
}

// IsSticky reports whether a count of the object is frozen. World stopped.
func (h *Header) IsSticky() bool { return h.local >= StickyLocal || sticky(h.Shared()) }

// Immortalise makes the object immortal for good. World stopped. It reports
// whether it was mortal before.
func (h *Header) Immortalise() bool {
	if h.Owner() < 0 {
		return false
	}
	atomic.StoreInt32(&h.owner, Immortal)
	return true
}

// Dead headers form lists through local, which nobody counts in any more.

// SetLink stores the next dead object. The caller owns the dead one.
func (h *Header) SetLink(granule uint32) { h.local = granule }

// Link returns what SetLink stored.
func (h *Header) Link() uint32 { return h.local }

// Poison overwrites the header of a freed object with what checked mode
// recognises: an owner that no thread has and a type that does not exist.
func (h *Header) Poison(meta uint32) {
	h.meta = meta
	h.local = 0
	atomic.StoreInt32(&h.shared, Merged)
	atomic.StoreInt32(&h.owner, Nobody)
}

// SetCounts overwrites both counts, for tests of the bands.
func (h *Header) SetCounts(local uint32, count int32) {
	h.local = local
	atomic.StoreInt32(&h.shared, count<<countShift|h.Shared()&(stateMask|Weak))
}

// Bytes returns a copy of the four words, for tests that compare them.
func (h *Header) Bytes() [4]uint32 {
	return [4]uint32{uint32(h.Owner()), h.local, uint32(h.Shared()), h.meta}
}
