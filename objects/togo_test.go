package objects

import (
	"fmt"
	"math"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestToGoSiblings: an object that several paths lead to is no cycle, and an error after it
// has the path to the object that cannot be converted, and its type.
func TestToGoSiblings(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		a, nan := must(Intern(th, "a")), must(NewFloat(th, math.NaN()))
		y := must(DefineRecord("to Go, twice", "x", "y"))
		l, d, rec := must(NewList(th, smallInt(1))), must(NewDict(th)), must(y.New(th, smallInt(1), smallInt(2)))
		ok(d.Set(th, a, smallInt(1)))
		c := must(NewCell(th, rt.None))
		all := must(NewList(th, l, l, d, d, rec, rec))
		if got := fmt.Sprint(must(ToGo[any](th, all))); got != "[[1] [1] map[a:1] map[a:1] map[x:1 y:2] map[x:1 y:2]]" {
			t.Errorf("%s", got)
		}
		ok(all.Append(th, c))
		inner := must(NewList(th, l, nan))
		numbered := must(NewDict(th))
		ok(numbered.Set(th, a, smallInt(1)))
		ok(numbered.Set(th, smallInt(2), smallInt(1)))
		for want, err := range map[string]error{
			"ichor: convert root[6], of type cell: it cannot become a Go value": second(ToGo[any](th, all)),
			"ichor: convert root, of type list: not JSON: the float NaN":        second(ToGo[[]float32](th, inner)),
			"ichor: convert root, of type dict: the key 2 is not a string":      second(ToGo[any](th, numbered)),
		} {
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		}
		th.DecRefs([]rt.Ref{a, nan, l, d, rec, c, all, inner, numbered})
	})
}

// TestToGoOfShorterList: if a list becomes shorter meanwhile, the result ends there.
func TestToGoOfShorterList(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		l := must(NewList(th, smallInt(1), smallInt(2)))
		c := goReader{t: th}
		if got, err := c.items(l, 4, l.At); err != nil || fmt.Sprint(got) != "[1 2]" {
			t.Errorf("%v, %v", got, err)
		}
		th.DecRef(l)
	})
}

// TestIntAsFloat: an integer becomes a float if that loses nothing.
func TestIntAsFloat(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		for n, exact := range map[int64]bool{
			0: true, 1: true, -1: true, 1<<53 - 1: true, 1 << 53: true, 1<<53 + 1: false, 1<<53 + 2: true, 1<<54 - 1: false, 1<<54 - 2: true,
			-(1<<53 - 1): true, -(1<<53 + 1): false, -(1<<54 - 2): true,
			math.MaxInt64: false, math.MaxInt64 - 1<<9: false, math.MaxInt64 - 1<<10 + 1: true, math.MinInt64: true, math.MinInt64 + 1: false,
		} {
			r := must(NewInt(th, n))
			if got, err := ToGo[float64](th, r); (err == nil) != exact || exact && int64(got) != n {
				t.Errorf("%d became %g, %v", n, got, err)
			}
			th.DecRef(r)
		}
	})
}
