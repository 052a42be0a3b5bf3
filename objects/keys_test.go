package objects

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// A keyMaker makes a new reference to the key with a number, and names it: keys with one
// name are equal. Where the kind has objects, each call makes another object.
type keyMaker func(th *rt.Thread, n int) (key rt.Ref, name string)

// anyKey makes keys of every kind.
func anyKey(th *rt.Thread, n int) (rt.Ref, string) {
	kind, v := n%12, n/12
	text := strconv.Itoa(v)
	switch kind {
	case 0, 1:
		return smallInt(v), "int " + text
	case 2:
		return newBig(th, v), "big " + text
	case 3:
		return must(NewString(th, text)), "string " + text
	case 4:
		return must(Intern(th, text)), "string " + text
	case 5:
		return must(NewBytes(th, []byte(text))), "bytes " + text
	case 6:
		return must(NewFloat(th, float64(v))), "float " + text
	case 7:
		odd := []float64{math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 0.5}
		i := v % len(odd)
		if i == 0 {
			return must(NewFloat(th, odd[0])), "float 0" // equal to the other zero
		}
		return must(NewFloat(th, odd[i])), fmt.Sprint("float ", odd[i])
	case 8:
		return must(newNumber(th, []byte(text))), "number " + text
	case 9:
		r := []rt.Ref{rt.None, rt.True, rt.False, rt.EmptyTuple, rt.EmptyString, rt.EmptyBytes}[v%6]
		return r, "singleton " + r.String()
	}
	var items []rt.Ref
	var names []string
	for i := range v%3 + 1 {
		r, name := anyKey(th, v/3+i)
		items, names = append(items, r), append(names, name)
	}
	return must(NewTupleSteal(th, items...)), "(" + strings.Join(names, ",") + ")"
}

// unmix undoes mix.
func unmix(x uint64) uint64 {
	inverse := func(c uint64) uint64 {
		y := c
		for range 6 {
			y *= 2 - c*y
		}
		return y
	}
	x ^= x >> 33
	x *= inverse(0xc4ceb9fe1a85ec53)
	x ^= x >> 33
	x *= inverse(0xff51afd7ed558ccd)
	return x ^ x>>33
}

// sameHashKey makes ints and floats that all have one 32-bit hash.
func sameHashKey(th *rt.Thread, n int) (rt.Ref, string) {
	n %= 1000
	high := uint64(n/2 + 1)
	x := unmix(high<<32 | high ^ oneHash)
	if n%2 == 0 {
		return must(NewInt(th, int64(x^intMark))), "int " + strconv.Itoa(n)
	}
	return must(NewFloat(th, math.Float64frombits(x^floatMark))), "float " + strconv.Itoa(n)
}

// nearHashKey makes ints whose hashes have the same low 12 bits.
func nearHashKey(th *rt.Thread, n int) (rt.Ref, string) {
	n %= 4000
	x := unmix(uint64(n)<<12 | 0x5a5)
	return must(NewInt(th, int64(x^intMark))), strconv.Itoa(n)
}

func TestCollidingKeys(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		seen := map[uint64]bool{}
		for n := range 1000 {
			k, _ := sameHashKey(th, n)
			l, _ := nearHashKey(th, n)
			if h := must(Hash(th, k)); h != oneHash {
				t.Fatalf("key %d has hash %#x", n, h)
			}
			if h := must(Hash(th, l)); h&0xfff != 0x5a5 {
				t.Fatalf("key %d has hash %#x", n, h)
			}
			if v, ok := Int(l).Value(th); !ok || seen[uint64(v)] {
				t.Fatalf("key %d twice", n)
			} else {
				seen[uint64(v)] = true
			}
			th.DecRefs([]rt.Ref{k, l})
		}
	})
}

// TestDeepTupleKeys compares keys that are nested too deep for recursion.
func TestDeepTupleKeys(t *testing.T) {
	littleStack(t)
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			key := func(innermost int) rt.Ref {
				r := smallInt(innermost)
				for range levels {
					r = must(NewTupleSteal(th, r, rt.None))
				}
				return r
			}
			a, b, c := key(1), key(1), key(2)
			d := must(NewDict(th))
			must0(t, d.Set(th, a, rt.True))
			if !d.Has(th, b) || d.Has(th, c) {
				t.Error("equal deep keys differ, or different ones are equal")
			}
			th.DecRefs([]rt.Ref{a, b, c, d})
		})
	})
}
