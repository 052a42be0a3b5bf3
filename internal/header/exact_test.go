package header

import (
	"math"
	"testing"
)

// words returns the words of a header after write, over memory that was used before.
func words(write func(h *Header)) [4]uint32 {
	h := &Header{-0x55, 0xaaaa_aaaa, 0x3333_3333, 0xcccc_cccc}
	write(h)
	return h.Bytes()
}

// u converts a signed word.
func u(n int32) uint32 { return uint32(n) }

// TestExactWords checks that each call leaves exactly these words, whatever the memory
// held before.
func TestExactWords(t *testing.T) {
	const me, other = 7, 8
	owned := func(local uint32, count int32, flags int32) func(*Header) {
		return func(h *Header) { *h = Header{me, local, count<<countShift | flags, 5} }
	}
	for _, x := range []struct {
		name  string
		write func(h *Header)
		want  [4]uint32
	}{
		{"birth with the first owner", func(h *Header) { h.Birth(1, 5) }, [4]uint32{1, 1, 0, 5}},
		{"birth with an owner", func(h *Header) { h.Birth(me, 5) }, [4]uint32{me, 1, 0, 5}},
		{"birth without an owner", func(h *Header) { h.Birth(Nobody, 5) }, [4]uint32{0, 0, One | Merged, 5}},
		{"birth of an immortal", func(h *Header) { h.Birth(Immortal, 5) }, [4]uint32{u(Immortal), 0, 0, 5}},
		{"birth of a float", func(h *Header) { h.BirthFloat(2<<32|3, 9, false) }, [4]uint32{u(Float | 9), 3, One | Merged, 2}},
		{"birth of an immortal float", func(h *Header) { h.BirthFloat(2<<32|3, 9, true) }, [4]uint32{u(Immortal | Float | 9), 3, 0, 2}},
		{"birth of a frozen object", func(h *Header) { h.BirthFrozen(5, 33, 2) }, [4]uint32{u(Immortal), 33, 2, 5}},
		{"birth of a frozen float", func(h *Header) { h.BirthFrozenFloat(2<<32|3, 9) }, [4]uint32{u(Immortal | Float | 9), 3, 1, 2}},
		{"poison", func(h *Header) { h.Poison(1 << 31) }, [4]uint32{0, 0, Merged, 1 << 31}},
		{"revival", func(h *Header) { owned(3, 4, Weak)(h); h.Revive() }, [4]uint32{0, 0, One | Weak | Merged, 5}},
		{"immortalization", func(h *Header) { owned(3, 4, 0)(h); h.Immortalize() }, [4]uint32{u(Immortal), 3, 4 << countShift, 5}},

		// A death without an atomic operation does not change the shared word.
		{"death of an object that was never shared", func(h *Header) { owned(1, 0, 0)(h); is(t, h.Dec(me), Dead) }, [4]uint32{me, 0, 0, 5}},
		{"death of an object without an owner", func(h *Header) { h.Birth(Nobody, 5); is(t, h.Dec(me), Dead) }, [4]uint32{0, 0, One | Merged, 5}},
		{"the owner's last reference, one of another left", func(h *Header) { owned(1, 1, 0)(h); is(t, h.Dec(me), Alive) }, [4]uint32{0, 0, One | Merged, 5}},
		{"the owner's last reference, of an object with weak ones", func(h *Header) { owned(1, 0, Weak)(h); is(t, h.Dec(me), Dead) }, [4]uint32{0, 0, Weak | Merged, 5}},
		{"a decrement of a dead object", func(h *Header) { *h = Header{0, 0, Merged, 5}; is(t, h.Dec(me), Broken) }, [4]uint32{0, 0, Merged, 5}},

		// A shared count in its band moves to the middle; a local one stays.
		{"an increment at the edge", func(h *Header) { owned(1, stickyShared, Weak)(h); is(t, h.Inc(other), Sticky) }, [4]uint32{me, 1, pinnedShared<<countShift | Weak, 5}},
		{"an increment in the middle", func(h *Header) { owned(1, pinnedShared, Weak)(h); is(t, h.Inc(other), Sticky) }, [4]uint32{me, 1, pinnedShared<<countShift | Weak, 5}},
		{"an increment before the edge", func(h *Header) { owned(1, stickyShared-1, Queued)(h); is(t, h.Inc(other), Alive) }, [4]uint32{me, 1, stickyShared<<countShift | Queued, 5}},
		{"a decrement at the lower edge", func(h *Header) { owned(1, -stickyShared, Queued)(h); is(t, h.Dec(other), Sticky) }, [4]uint32{me, 1, u(-pinnedShared<<countShift | Queued), 5}},
		{"a decrement at local's edge", func(h *Header) { owned(StickyLocal, 1, 0)(h); is(t, h.Dec(me), Sticky) }, [4]uint32{me, StickyLocal, One, 5}},
		{"draining at local's edge", func(h *Header) { owned(StickyLocal, 1, Queued)(h); is(t, h.Drain(), Sticky) }, [4]uint32{me, StickyLocal, One | Queued, 5}},
		{"draining before local's edge", func(h *Header) { owned(StickyLocal-1, 1, Queued)(h); is(t, h.Drain(), Sticky) }, [4]uint32{0, 0, pinnedShared<<countShift | Merged, 5}},
		{"a weak get before local's edge", func(h *Header) { owned(StickyLocal-1, 0, Weak)(h); h.TryInc(me) }, [4]uint32{me, StickyLocal, Weak, 5}},
		{"a weak get at local's edge", func(h *Header) { owned(StickyLocal, 0, Weak)(h); h.TryInc(me) }, [4]uint32{me, StickyLocal, Weak, 5}},
	} {
		t.Run(x.name, func(t *testing.T) {
			if got := words(x.write); got != x.want {
				t.Errorf("%#x, want %#x", got, x.want)
			}
		})
	}
}

func is(t *testing.T, got, want Verdict) {
	t.Helper()
	if got != want {
		t.Errorf("verdict %d, want %d", got, want)
	}
}

// TestFrozen checks that Frozen accepts what BirthFrozen and BirthFrozenFloat write,
// and rejects everything else.
func TestFrozen(t *testing.T) {
	h := new(Header)
	h.BirthFrozen(5, 33, 2)
	if meta, size, ok := h.Frozen(33); !ok || meta != 5 || size != 2 || h.Offset() != 33 || h.FrozenSize() != 2 {
		t.Errorf("type %d, size %d, %t; at %d, size %d", meta, size, ok, h.Offset(), h.FrozenSize())
	}
	if _, ok := h.FrozenFloat(); ok {
		t.Error("an object is a float")
	}
	for _, x := range []Header{
		{Immortal, 33, 0, 5},             // no size
		{Immortal, 34, 2, 5},             // another offset
		{Immortal, 32, 2, 5},             // another offset
		{Immortal, 33, 2, FloatMeta},     // a float's type without FLOAT
		{Immortal + 1, 33, 2, 5},         // another owner
		{Nobody, 33, 1, 5},               // mortal
		{7, 33, 1, 5},                    // owned
		{Float | 9, 33, 1, 5},            // a mortal float
		{Immortal | 9, 33, 1, 5},         // a note without FLOAT
		{Immortal | Float | 9, 33, 0, 5}, // a float without a size
		{Immortal | Float | 9, 33, 2, 5}, // a float of another size
	} {
		if _, _, ok := x.Frozen(33); ok {
			t.Errorf("%#x is frozen", x.Bytes())
		}
	}
	for _, meta := range []uint32{FloatMeta - 1, FloatMeta + 1} {
		if got, size, ok := (&Header{Immortal, 33, 1, meta}).Frozen(33); !ok || got != meta || size != 1 {
			t.Errorf("type %d: %d, size %d, %t", meta, got, size, ok)
		}
	}
	h.BirthFrozenFloat(math.Float64bits(2.5), 0)
	if meta, size, ok := h.Frozen(33); !ok || meta != FloatMeta || size != 1 {
		t.Errorf("a float: type %d, size %d, %t", meta, size, ok)
	}
	if v, ok := h.FrozenFloat(); !ok || v != 2.5 {
		t.Errorf("2.5 is %v, %t", v, ok)
	}
}

// TestBeyondTheContract gives up one reference too many, and checks that the verdict
// says so.
func TestBeyondTheContract(t *testing.T) {
	is(t, afterDec(2<<countShift|Merged), Alive)
	is(t, afterDec(Merged), Dead)
	is(t, afterDec(-One|Merged), Broken)
	for _, state := range []int32{0, Queued} {
		for _, c := range []int32{0, -1, -5} { // the owner's count makes up for it
			s := c<<countShift | Weak | state
			if next, alive := tryInc(s); !alive || next != s+One {
				t.Errorf("try inc of count %d, state %d: %#x %t", c, state, next, alive)
			}
		}
	}
}

// TestOwnersCount: the owner counts in local, and finds there that an object is dead.
func TestOwnersCount(t *testing.T) {
	var h Header
	h.Birth(7, 5)
	shared := h.Shared()
	if v := h.Inc(7); v != Alive || h.Local() != 2 || h.Shared() != shared {
		t.Errorf("incremented: %d, local %d, shared %#x", v, h.Local(), h.Shared())
	}
	if !h.TryInc(7) || h.Local() != 3 || h.Shared() != shared {
		t.Errorf("a weak get: local %d, shared %#x", h.Local(), h.Shared())
	}
	if v := h.Dec(7); v != Alive || h.Local() != 2 || h.Shared() != shared {
		t.Errorf("decremented: %d, local %d, shared %#x", v, h.Local(), h.Shared())
	}
	h.setLocal(0)
	if h.Inc(7) != Broken || h.Dec(7) != Broken || h.TryInc(7) || h.Local() != 0 || h.Shared() != shared {
		t.Errorf("a dead object was counted: local %d, shared %#x", h.Local(), h.Shared())
	}
	h.setLocal(StickyLocal)
	if h.Inc(7) != Sticky || h.Dec(7) != Sticky || !h.TryInc(7) || h.Local() != StickyLocal || h.Shared() != shared {
		t.Errorf("a count in its band moved: local %#x, shared %#x", h.Local(), h.Shared())
	}
}
