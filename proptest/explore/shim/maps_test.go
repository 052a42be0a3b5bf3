package shim

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
)

// TestMap goes through maps that the loop changes, as Go allows it.
func TestMap(t *testing.T) {
	m := map[int]string{1: "a", 2: "b", 3: "c"}
	var got []string
	for i := Map(m); i.Next(); {
		got = append(got, fmt.Sprint(i.Key, i.Value))
	}
	slices.Sort(got)
	if fmt.Sprint(got) != "[1a 2b 3c]" {
		t.Errorf("entries %v", got)
	}
	n := 0
	for i := Map(m); i.Next(); n++ {
		m[10+n] = "new"
		delete(m, 1)
		delete(m, 2)
		delete(m, 3)
	}
	if n != 1 || len(m) != 1 {
		t.Errorf("%d iterations, and %v stays", n, m)
	}
	for i := Map(map[int]int(nil)); i.Next(); {
		t.Error("an entry of nil")
	}
	nan := map[float64]int{math.NaN(): 1, 2: 3}
	sum := 0
	for i := Map(nan); i.Next(); {
		sum += i.Value
	}
	if sum != 4 {
		t.Errorf("with NaN the sum is %d, want 4", sum)
	}
	for i := Map(nan); i.Next(); {
		if n++; n > 2 {
			t.Error("an entry after clear")
		}
		clear(nan)
	}
}

// TestCompare has pairs of values in their order.
func TestCompare(t *testing.T) {
	type pair struct {
		a string
		b any
	}
	for _, c := range [][]any{
		{false, true}, {-1, 2}, {uint8(1), uint8(200)}, {1.5, 2.5}, {"a", "b"}, {2 + 1i, 2 + 2i},
		{[2]int{1, 2}, [2]int{1, 3}}, {pair{"a", 1}, pair{"a", 2}}, {pair{"a", nil}, pair{"a", 1}},
		{pair{"a", 2}, pair{"a", "x"}}, {pair{"a", 9}, pair{"b", 1}},
	} {
		a, b := reflect.ValueOf(c[0]), reflect.ValueOf(c[1])
		if compare(a, b) >= 0 || compare(b, a) <= 0 || compare(a, a) != 0 {
			t.Errorf("%v and %v: %d, %d, %d", a, b, compare(a, b), compare(b, a), compare(a, a))
		}
	}
	if x, y := new(int), new(int); compare(reflect.ValueOf(x), reflect.ValueOf(y)) != 0 {
		t.Error("pointers have an order")
	}
}

// TestRandom draws numbers outside of an exploration.
func TestRandom(t *testing.T) {
	seen := map[uint64]bool{}
	for range 10 {
		seen[Rand64()], seen[uint64(Rand32())], seen[Rand.Uint64()], seen[RandV2.Uint64()] = true, true, true, true
		if n := RandN(int8(3)); n < 0 || n > 2 {
			t.Errorf("RandN(3) = %d", n)
		}
		if n := Rand.Int63(); n < 0 {
			t.Errorf("Int63 = %d", n)
		}
	}
	if len(seen) < 35 {
		t.Errorf("%d numbers of 40", len(seen))
	}
	defer func() {
		if recover() == nil {
			t.Error("RandN(0) does not panic")
		}
	}()
	RandN(0)
}
