package objects

import (
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

func TestInt(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		o.AddressSpace = smallSpace
		clean(t, o, func(th *rt.Thread) {
			for _, v := range []int64{0, 1, -1, rt.MinInt, rt.MinInt - 1, rt.MaxInt, rt.MaxInt + 1, math.MinInt64, math.MaxInt64} {
				r := must(NewInt(th, v))
				if got, ok := IntOf(th, r); got != v || !ok {
					t.Errorf("%d became %d, %v", v, got, ok)
				}
				if small := v >= rt.MinInt && v <= rt.MaxInt; r.IsInt() != small {
					t.Errorf("%d is an object of its own: %v", v, small)
				}
				if got := Format(th, r); got != strconv.FormatInt(v, 10) {
					t.Errorf("%d is written as %s", v, got)
				}
				th.DecRef(r)
			}
		})
		rapid.Check(t, func(t *rapid.T) {
			a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
			clean(t, o, func(th *rt.Thread) {
				x, y, z := must(NewInt(th, a)), must(NewInt(th, b)), must(NewInt(th, a))
				if got, ok := IntOf(th, x); got != a || !ok {
					t.Fatalf("an integer changed")
				}
				if sameKey(th, x, y) != (a == b) || !sameKey(th, x, z) || must(Hash(th, x)) != must(Hash(th, z)) {
					t.Fatalf("keys are equal unlike their numbers")
				}
				th.DecRefs([]rt.Ref{x, y, z})
			})
		})
	})
}

func TestFloat(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			key := func(v float64) rt.Ref { return must(NewFloat(th, v)) }
			nan := math.Float64frombits(0x7ff8_0000_0000_0001)
			other := math.Float64frombits(0x7ff8_0000_0000_0002)
			for _, c := range []struct {
				a, b float64
				same bool
			}{
				{0, math.Copysign(0, -1), true}, {1, 1, true}, {1, 2, false}, {1, -1, false},
				{nan, nan, true}, {nan, other, false}, {math.Inf(1), math.Inf(-1), false}, {5e-324, 0, false},
			} {
				x, y := key(c.a), key(c.b)
				if v, ok := FloatOf(th, x); math.Float64bits(v) != math.Float64bits(c.a) || !ok {
					t.Errorf("%v became %v", c.a, v)
				}
				if got := sameKey(th, x, y); got != c.same || got && must(Hash(th, x)) != must(Hash(th, y)) {
					t.Errorf("%v and %v are the same key: %v", c.a, c.b, got)
				}
				th.DecRefs([]rt.Ref{x, y})
			}
			one := key(1)
			if sameKey(th, one, smallInt(1)) || sameKey(th, smallInt(1), one) {
				t.Error("1.0 and 1 are one key")
			}
			th.DecRef(one)
		})
	})
}

func TestScalarWrongKind(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			big := newBig(th, 1)
			defer th.DecRef(big)
			for _, r := range []rt.Ref{rt.Nil, rt.None, rt.True, rt.EmptyString} {
				if _, ok := IntOf(th, r); ok {
					t.Errorf("%s is an integer", r)
				}
			}
			for _, r := range []rt.Ref{rt.Nil, rt.None, smallInt(1), big} {
				if _, ok := FloatOf(th, r); ok {
					t.Errorf("%s is a float", r)
				}
			}
		})
	})
	for _, c := range []struct {
		r     rt.Ref
		v, ok bool
	}{{rt.True, true, true}, {rt.False, false, true}, {rt.None, false, false}, {rt.Nil, false, false}} {
		if v, ok := BoolOf(c.r); v != c.v || ok != c.ok {
			t.Errorf("BoolOf(%s) = %v, %v", c.r, v, ok)
		}
	}
}
