package header

import (
	"sync/atomic"

	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/internal/race"
)

// The loads and stores of header words after birth. Each is a single memory access,
// preceded by a point of the explorer. Accesses to owner and shared are atomic, those
// to local and meta are plain.
//
// Counting is hidden from the race detector, because it orders less than other atomic operations
// do. The detector learns the order from race.Released, before a reference is given up or a merge is
// published, and from race.Acquired, where an object is found dead. A thread that counts an object
// which it was not given, or which is freed, is reported because it also loads the owner, or,
// where it does not, by race.Read.

// Owner returns the owner word: negative for an immortal.
func (h *Header) Owner() int32 {
	if point.On {
		point.Load(&h.owner)
	}
	return atomic.LoadInt32(&h.owner)
}

func (h *Header) setOwner(v int32) {
	if point.On {
		point.Store(&h.owner)
	}
	if race.On {
		defer race.Hidden()()
	}
	atomic.StoreInt32(&h.owner, v)
}

// Local returns the owner's count. A float has none. Owner only, or world stopped.
func (h *Header) Local() uint32 {
	if point.On {
		point.Read(&h.local)
	}
	return h.local
}

func (h *Header) setLocal(v uint32) {
	if point.On {
		point.Write(&h.local)
	}
	h.local = v
}

// Shared returns the shared word.
func (h *Header) Shared() int32 {
	if point.On {
		point.Load(&h.shared)
	}
	if race.On {
		defer race.Hidden()()
	}
	return atomic.LoadInt32(&h.shared)
}

func (h *Header) setShared(v int32) {
	if point.On {
		point.Store(&h.shared)
	}
	atomic.StoreInt32(&h.shared, v)
}

func (h *Header) addShared(d int32) int32 {
	if point.On {
		point.Update(&h.shared)
	}
	if race.On {
		defer race.Hidden()()
	}
	return atomic.AddInt32(&h.shared, d)
}

func (h *Header) casShared(old, v int32) bool {
	if point.On {
		point.Update(&h.shared)
	}
	if race.On {
		defer race.Hidden()()
	}
	return atomic.CompareAndSwapInt32(&h.shared, old, v)
}

func (h *Header) orShared(bits int32) {
	if point.On {
		point.Update(&h.shared)
	}
	atomic.OrInt32(&h.shared, bits)
}

// word returns the meta word, which for a float holds half of the number.
func (h *Header) word() uint32 {
	if point.On {
		point.Read(&h.meta)
	}
	return h.meta
}
