package objects

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/dchest/siphash"

	rt "github.com/ichor-go/ichor/runtime"
)

// keyedHash returns the hash of a key in tables that are KEYED: SipHash-2-4 of its kind and
// contents, with the runtime's seed. The seed is secret, so nobody outside can choose keys
// that collide. Equal keys have equal hashes.
func keyedHash(t *rt.Thread, key rt.Ref) uint32 {
	k0, k1 := core.HashSeed(t.Runtime())
	return fold(seeded{t: t, k0: k0, k1: k1}.hash(key))
}

// seeded is SipHash with a seed.
type seeded struct {
	t      *rt.Thread
	k0, k1 uint64
	known  map[rt.Ref]uint64 // hashes of tuples, to be shared by several keys; nil for a single key
}

// remembering returns the same hash function with a memory, for keys that share parts: it
// visits each tuple once for all keys. The tuples must not change as long as it is used.
func (s seeded) remembering() seeded {
	s.known = map[rt.Ref]uint64{}
	return s
}

// hash returns the hash of a key.
func (s seeded) hash(key rt.Ref) uint64 {
	if isKeyTuple(s.t, key) {
		return s.tuple(key)
	}
	return s.flat(key)
}

// bytes returns the hash of b as the contents of an object of the given kind.
func (s seeded) bytes(kind rt.TypeID, b []byte) uint64 {
	return siphash.Hash(s.k0, s.k1^uint64(kind), b)
}

// text returns the hash of the string with the given text. It avoids the copy to a byte
// slice that siphash.Hash would need, and computes the same function, SipHash-2-4 (Aumasson
// and Bernstein, INDOCRYPT 2012).
func (s seeded) text(text string) uint64 {
	h := newSip(s.k0, s.k1^uint64(rt.TypeString))
	last := uint64(len(text)) << 56
	for ; len(text) >= 8; text = text[8:] {
		h.add(word64(text))
	}
	return h.sum(last | word64(text))
}

// word64 returns up to 8 bytes from the start of text as a little-endian number.
func word64(text string) (v uint64) {
	for i := range min(len(text), 8) {
		v |= uint64(text[i]) << (8 * i)
	}
	return v
}

// sip is the state of SipHash.
type sip struct{ a, b, c, d uint64 }

func newSip(k0, k1 uint64) sip {
	return sip{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
}

func (h *sip) round() {
	h.a += h.b
	h.c += h.d
	h.b = bits.RotateLeft64(h.b, 13) ^ h.a
	h.d = bits.RotateLeft64(h.d, 16) ^ h.c
	h.a = bits.RotateLeft64(h.a, 32) + h.d
	h.c += h.b
	h.d = bits.RotateLeft64(h.d, 21) ^ h.a
	h.b = bits.RotateLeft64(h.b, 17) ^ h.c
	h.c = bits.RotateLeft64(h.c, 32)
}

func (h *sip) add(m uint64) {
	h.d ^= m
	h.round()
	h.round()
	h.a ^= m
}

func (h *sip) sum(last uint64) uint64 {
	h.add(last)
	h.c ^= 0xff
	for range 4 {
		h.round()
	}
	return h.a ^ h.b ^ h.c ^ h.d
}

func (s seeded) word(kind rt.TypeID, v uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return s.bytes(kind, b[:])
}

// flat is hash for a key that is not a tuple, or is the empty tuple.
func (s seeded) flat(key rt.Ref) uint64 {
	if key.IsInt() {
		return s.word(rt.TypeInt, uint64(key.Int()))
	}
	switch kind, o := s.t.Kind(key), s.t.Body(key); kind {
	case rt.TypeString, rt.TypeNumber, rt.TypeBytes:
		return s.bytes(kind, o.Bytes(textBytes, int(o.Word(textLen))))
	case rt.TypeInt:
		return s.word(kind, o.Uint64(0))
	case rt.TypeFloat:
		v, _, _ := s.t.Float(key)
		if v == 0 {
			v = 0 // both zeros are the same key
		}
		return s.word(kind, math.Float64bits(v))
	default: // None, a boolean, the empty tuple
		return s.word(kind, uint64(key.Handle))
	}
}

// tuple is hash for a tuple. It visits each nested tuple once, however many paths lead to
// it, and deep nesting needs no deep stack. It does not look into a nested tuple that
// cannot be a key: a hostile image may contain such a tuple, which may contain itself.
func (s seeded) tuple(key rt.Ref) uint64 {
	known := s.known
	if known == nil {
		known = map[rt.Ref]uint64{}
	}
	var b []byte
	for work := []rt.Ref{key}; len(work) > 0; {
		r := work[len(work)-1]
		if _, ok := known[r]; ok {
			work = work[:len(work)-1]
			continue
		}
		o, n := s.t.Body(r), len(work)
		b = b[:0]
		for i := range int(o.Word(tupleLen)) {
			x := s.t.Slot(r, o, tupleSlots+i)
			h, ok := known[x]
			switch {
			case ok:
			case isKeyTuple(s.t, x):
				work = append(work, x)
			default:
				h = s.flat(x)
			}
			b = binary.LittleEndian.AppendUint64(b, h)
		}
		if len(work) == n { // the hashes of all nested tuples are known
			known[r] = s.bytes(rt.TypeTuple, b)
		}
	}
	return known[key]
}

// isKeyTuple reports whether r is a tuple that can be a key, and is not the empty one.
func isKeyTuple(t *rt.Thread, r rt.Ref) bool {
	o, ok := t.Object(r, rt.TypeTuple)
	return ok && tupleHashOf(t, r, o) != 0
}
