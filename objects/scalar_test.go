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
				if got, ok := r.Value(th); got != v || !ok {
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
				if got, ok := x.Value(th); got != a || !ok {
					t.Fatalf("an integer changed")
				}
				if sameKey(th, x, y) != (a == b) || !sameKey(th, x, z) || must(Hash(th, x)) != must(Hash(th, z)) {
					t.Fatalf("keys and their numbers disagree on equality")
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
				if v, ok := Float(x).Value(th); math.Float64bits(v) != math.Float64bits(c.a) || !ok {
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

// TestFloatWays reads one number written in several ways, and makes it immortal in both
// ways. All are one key, and each is written as it was read.
func TestFloatWays(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			literals := []string{"1.5", "1.50", "15e-1", "1.5E+00", "1.5e0", "0.15e1", "1.500000000000000000000000000000000000000000000000000000000000"}
			var keys []rt.Ref
			for _, literal := range literals {
				r := parse(t, th, literal)
				if th.Kind(r) != rt.TypeFloat { // 15e-1 and 0.15e1 keep their text
					th.DecRef(r)
					continue
				}
				inPlace := parse(t, th, literal)
				must0(t, th.Immortalize(inPlace))
				keys = append(keys, r, inPlace, parse(t, th, literal, JSONOptions{Immortal: true}))
				for _, k := range keys[len(keys)-3:] {
					if got := Format(th, k); got != literal {
						t.Errorf("%s is written as %s", literal, got)
					}
				}
			}
			if len(keys) != 3*5 {
				t.Errorf("%d keys are floats", len(keys))
			}
			keys = append(keys, must(NewFloat(th, 1.5)))
			for i, k := range keys {
				d := must(NewDict(th))
				must0(t, d.Set(th, k, smallInt(i)))
				for _, other := range keys {
					if v, ok := d.Lookup(th, other); !ok || v != smallInt(i) || !sameKey(th, k, other) {
						t.Errorf("%s and %s are not one key", Format(th, k), Format(th, other))
					}
					must0(t, d.Set(th, other, smallInt(i)))
				}
				if d.Len(th) != 1 {
					t.Errorf("%d keys for one number", d.Len(th))
				}
				a, b := must(NewTuple(th, k)), must(NewTuple(th, keys[0]))
				if !sameKey(th, a, b) || must(Hash(th, a)) != must(Hash(th, b)) {
					t.Error("tuples of one number are not one key")
				}
				th.DecRefs([]rt.Ref{d, a, b})
			}
			if _, ok := th.Object(keys[0], rt.TypeInt); ok {
				t.Error("a float is an integer")
			}
			audit(t, th, keys...)
			th.DecRefs(keys)
		})
	})
}

// TestFloatBytes: a float takes a granule. A list of two floats takes 16 bytes for its
// header, 16 for its body and 16 for its block.
func TestFloatBytes(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			const n = 1000
			var floats, lists []rt.Ref
			memory := func() rt.Memory {
				th.Collect() // publishes the accounts
				return th.Runtime().Memory()
			}
			for i := range n {
				floats = append(floats, must(NewFloat(th, float64(i))), parse(t, th, "1.50"))
			}
			if m := memory(); m.ObjectBytes != 2*n*16 || m.Objects != 2*n {
				t.Errorf("%d floats take %d bytes", m.Objects, m.ObjectBytes)
			}
			for i := range n {
				lists = append(lists, must(NewList(th, floats[2*i:2*i+2]...)))
			}
			if m := memory(); m.ObjectBytes != 2*n*16+n*32 || m.BlockBytes != n*16 {
				t.Errorf("%d lists of two floats take %d bytes, %d of them blocks", n, m.ObjectBytes+m.BlockBytes, m.BlockBytes)
			}
			for i, l := range lists { // the block is full: the next item takes a new one
				must0(t, List(l).Append(th, smallInt(i)))
				if r, ok := List(l).At(th, 2); !ok || r != smallInt(i) || List(l).Len(th) != 3 {
					t.Fatal("an item is lost when a block of two grows")
				}
			}
			th.DecRefs(lists)
			th.DecRefs(floats)
		})
	})
}

func TestScalarWrongKind(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			big := newBig(th, 1)
			defer th.DecRef(big)
			for _, r := range []rt.Ref{rt.Nil, rt.None, rt.True, rt.EmptyString} {
				if _, ok := Int(r).Value(th); ok {
					t.Errorf("%s is an integer", r)
				}
			}
			for _, r := range []rt.Ref{rt.Nil, rt.None, smallInt(1), big} {
				if _, ok := Float(r).Value(th); ok {
					t.Errorf("%s is a float", r)
				}
			}
		})
	})
	for _, c := range []struct {
		r     rt.Ref
		v, ok bool
	}{{rt.True, true, true}, {rt.False, false, true}, {rt.None, false, false}, {rt.Nil, false, false}} {
		if v, ok := Bool(c.r).Value(); v != c.v || ok != c.ok {
			t.Errorf("Bool(%s).Value() = %v, %v", c.r, v, ok)
		}
	}
}
