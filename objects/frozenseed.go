package objects

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	rt "github.com/ichor-go/ichor/runtime"
)

// frozenSeed computes the seed of a frozen table that is KEYED: the beginning of SHA-256
// over the number of entries and an unseeded hash of each key, in order. Keys that are
// chosen to collide with one seed produce another one.
type frozenSeed struct {
	plain seeded
	all   hash.Hash
}

func newFrozenSeed(t *rt.Thread, n int) frozenSeed {
	s := frozenSeed{seeded{t: t}.remembering(), sha256.New()}
	s.word(uint64(n))
	return s
}

func (s frozenSeed) word(v uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	s.all.Write(b[:])
}

// add takes in the next key.
func (s frozenSeed) add(key rt.Ref) { s.word(s.plain.hash(key)) }

// sum returns SipHash with the seed.
func (s frozenSeed) sum() seeded {
	b := s.all.Sum(nil)
	return seeded{t: s.plain.t, k0: binary.LittleEndian.Uint64(b), k1: binary.LittleEndian.Uint64(b[8:])}
}

// setSeed writes the seed to a KEYED table with the body o.
func setSeed(o rt.Body, s seeded) {
	for i, k := range [...]uint64{s.k0, s.k1} {
		o.SetWord(frozenSeedAt+2*i, uint32(k))
		o.SetWord(frozenSeedAt+2*i+1, uint32(k>>32))
	}
}

// seedOf returns SipHash with the seed of a KEYED table with the body o.
func seedOf(t *rt.Thread, o rt.Body) seeded {
	word := func(i int) uint64 {
		return uint64(o.Word(frozenSeedAt+i)) | uint64(o.Word(frozenSeedAt+i+1))<<32
	}
	return seeded{t: t, k0: word(0), k1: word(2)}
}
