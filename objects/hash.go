package objects

import (
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/fault"
	rt "github.com/ichor-go/ichor/runtime"
)

// Hashes are fixed functions, the same in every process and on every machine, because
// images store them. Text has xxHash64 with seed 0. Integers and floats have the finaliser
// of MurmurHash3 over their 64 bits and a mark for the kind. These functions do not defend
// against chosen keys. A dict whose keys collide switches to keyedHash: see dicttable.go,
// and frozendict.go for frozen dicts.

// hashText returns the 64-bit hash of text. Objects keep 32 bits of it, folded.
func hashText(b []byte) uint64 { return xxhash.Sum64(b) }

func fold(h uint64) uint32 { return uint32(h) ^ uint32(h>>32) }

func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

const (
	intMark   = 0x9e3779b97f4a7c15
	floatMark = 0xbf58476d1ce4e5b9
	bytesMark = 0x94d0_49bb
	tupleMark = 0x2545_f491
)

func hashInt(v int64) uint32 { return fold(mix(uint64(v) ^ intMark)) }

func hashFloat(v float64) uint32 {
	if v == 0 {
		v = 0 // both zeros are the same key
	}
	return fold(mix(math.Float64bits(v) ^ floatMark))
}

// UnhashableError reports that an object cannot be a key.
type UnhashableError struct{ Type string }

func (e *UnhashableError) Error() string {
	return fmt.Sprintf("%s%s cannot be a key: want int, float, number, string, bytes, bool, None, or a tuple of these", fault.Prefix, e.Type)
}

// Hash returns the hash of a key. The error is an *UnhashableError. key is borrowed.
// Attached thread.
func Hash(t *rt.Thread, key rt.Ref) (uint32, error) {
	if key.IsInt() {
		return hashInt(key.Int()), nil
	}
	switch kind, o := t.Kind(key), t.Body(key); kind {
	case rt.TypeString, rt.TypeNumber, rt.TypeBytes:
		return textHashOf(t, key, o), nil
	case rt.TypeInt:
		return hashInt(int64(o.Uint64(0))), nil
	case rt.TypeFloat:
		v, _, _ := t.Float(key)
		return hashFloat(v), nil
	case rt.TypeNone, rt.TypeBool:
		return fold(mix(uint64(key.Handle))), nil
	case rt.TypeTuple:
		if h := tupleHashOf(t, key, o); h != 0 || key == rt.EmptyTuple {
			return h, nil
		}
		return 0, &UnhashableError{"a tuple with an item of another kind"}
	}
	return 0, unhashable(t, key)
}

func unhashable(t *rt.Thread, key rt.Ref) error {
	if y := t.TypeOf(key); y != nil {
		return &UnhashableError{y.String()}
	}
	return &UnhashableError{"nil reference"}
}
