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
		o.SetWord(frozenIndex+2*i, uint32(k))
		o.SetWord(frozenIndex+2*i+1, uint32(k>>32))
	}
}

// seedOf returns SipHash with the seed of a KEYED table with the body o.
func seedOf(t *rt.Thread, o rt.Body) seeded {
	word := func(i int) uint64 {
		return uint64(o.Word(frozenIndex+i)) | uint64(o.Word(frozenIndex+i+1))<<32
	}
	return seeded{t: t, k0: word(0), k1: word(2)}
}

// hash returns the hash of the key in a KEYED table with the body o.
func (f frozenTable) hash(t *rt.Thread, o rt.Body, key rt.Ref) uint32 {
	return fold(seedOf(t, o).hash(key))
}

// runs are the filled places of an index, a bit each. Which places get filled does not
// depend on the order of the entries.
type runs struct {
	mask uint32
	bits []uint64
}

func newRuns(f frozenTable) runs { return runs{f.mask(), make([]uint64, f.mask()/64+1)} }

func (r runs) set(i uint32)         { r.bits[i/64] |= 1 << (i % 64) }
func (r runs) filled(i uint32) bool { return r.bits[i/64]>>(i%64)&1 != 0 }

// fill fills the place of an entry with the given hash. It looks at runMax places at most,
// and reports whether one of them was free.
func (r runs) fill(hash uint32) bool {
	for k := range uint32(runMax) {
		if i := (hash + k) & r.mask; !r.filled(i) {
			r.set(i)
			return true
		}
	}
	return false
}

// longest returns the length of the longest run of filled places. A run may wrap around the
// end.
func (r runs) longest() (most int) {
	run := 0
	for i := range 2 * (uint64(r.mask) + 1) {
		if !r.filled(uint32(i) & r.mask) {
			run = 0
			continue
		}
		run++
		most = max(most, run)
	}
	return min(most, int(r.mask)+1)
}
