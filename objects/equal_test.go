package objects

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// equalBoth compares a and b both ways.
func equalBoth(t rapid.TB, th *rt.Thread, a, b rt.Ref) bool {
	t.Helper()
	if !Equal(th, a, a) || !Equal(th, b, b) {
		t.Fatalf("something is not equal to itself")
	}
	e := Equal(th, a, b)
	if Equal(th, b, a) != e {
		t.Fatalf("whether two are equal depends on their order")
	}
	return e
}

// TestEqual compares several objects with each other, with equal copies, and with frozen
// copies.
func TestEqual(t *testing.T) {
	point, other := must(DefineRecord("equal point", "x", "y")), must(DefineRecord("equal other", "x", "y"))
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			text := func(s string) rt.Ref { return must(NewString(th, s)) }
			list := func(items ...rt.Ref) rt.Ref { return must(NewListSteal(th, items...)) }
			tuple := func(items ...rt.Ref) rt.Ref { return must(NewTupleSteal(th, items...)) }
			float := func(v float64) rt.Ref { return must(NewFloat(th, v)) }
			dict := func(pairs ...rt.Ref) rt.Ref { return must(newDictSteal(th, pairs)) }
			record := func(y *RecordType, items ...rt.Ref) rt.Ref {
				r := must(y.New(th, items...))
				th.DecRefs(items)
				return r
			}
			makes := []func() rt.Ref{ // the results of different functions are unequal
				func() rt.Ref { return rt.None },
				func() rt.Ref { return rt.True },
				func() rt.Ref { return rt.EmptyTuple },
				func() rt.Ref { return rt.EmptyString },
				func() rt.Ref { return smallInt(1) },
				func() rt.Ref { return newBig(th, 1) },
				func() rt.Ref { return newBig(th, 2) },
				func() rt.Ref { return float(1) },
				func() rt.Ref { return float(0) },
				func() rt.Ref { return float(math.NaN()) },
				func() rt.Ref { return must(newFloat(th, 1.5, 'f'|2<<8)) }, // as 1.50
				func() rt.Ref { return must(newNumber(th, []byte("1e400"))) },
				func() rt.Ref { return text("a") },
				func() rt.Ref { return text("1e400") },
				func() rt.Ref { return must(NewBytes(th, []byte("a"))) },
				func() rt.Ref { return list() },
				func() rt.Ref { return list(text("a")) },
				func() rt.Ref { return list(text("a"), list()) },
				func() rt.Ref { return list(list(), text("a")) },
				func() rt.Ref { return tuple(text("a")) },
				func() rt.Ref { return tuple(list(), text("a")) },
				func() rt.Ref { return tuple(list(text("b")), text("a")) },
				func() rt.Ref { return dict() },
				func() rt.Ref { return dict(text("a"), rt.None) },
				func() rt.Ref { return dict(text("a"), rt.True) },
				func() rt.Ref { return dict(text("b"), rt.True) },
				func() rt.Ref { return dict(text("a"), list(), tuple(smallInt(1), text("x")), newBig(th, 7)) },
				func() rt.Ref { return record(point, text("a"), rt.None) },
				func() rt.Ref { return record(point, text("b"), rt.None) },
				func() rt.Ref { return record(other, text("a"), rt.None) },
			}
			var all, again, frozen []rt.Ref
			for _, make := range makes {
				all, again = append(all, make()), append(again, make())
				f, err := th.Freeze(all[len(all)-1])
				must0(t, err)
				frozen = append(frozen, f.Root())
			}
			for i, a := range all {
				for k, b := range again {
					if got := equalBoth(t, th, a, b); got != (i == k) {
						t.Errorf("%s and %s: %v", Format(th, a), Format(th, b), got)
					}
					if got := equalBoth(t, th, frozen[k], a); got != (i == k) {
						t.Errorf("%s and %s, frozen: %v", Format(th, a), Format(th, b), got)
					}
				}
			}
			for _, f := range th.Runtime().Frozen() {
				must0(t, th.Unload(f))
			}
			// Objects that are equal although they look different.
			zero, minus := float(0), float(math.Copysign(0, -1))
			shown, plain := must(newFloat(th, 1.5, 'f'|2<<8)), float(1.5)
			one := dict(text("a"), smallInt(1), text("b"), smallInt(2))
			two := dict(text("b"), smallInt(2), text("a"), smallInt(1))
			if !equalBoth(t, th, zero, minus) || !equalBoth(t, th, shown, plain) || !equalBoth(t, th, one, two) {
				t.Error("both zeros, a float that is written in another way, or a dict in another order differs")
			}
			// Objects that equal only themselves.
			c, d := must(NewCell(th, rt.None)), must(NewCell(th, rt.None))
			f, g := must(NewForeign(th, 1, nil)), must(NewForeign(th, 1, nil))
			if equalBoth(t, th, c, d) || equalBoth(t, th, f, g) {
				t.Error("two cells or two Go values are equal")
			}
			if !Equal(th, rt.Nil, rt.Nil) || Equal(th, rt.Nil, rt.None) || Equal(th, smallInt(1), rt.Nil) {
				t.Error("no reference equals one, or does not equal itself")
			}
			th.DecRefs(slices.Concat(all, again, []rt.Ref{zero, minus, shown, plain, one, two, c, d, f, g}))
		})
	})
}

// TestEqualCycles compares cycles that look the same from their beginnings, and differ in
// their number of objects.
func TestEqualCycles(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		ring := func(n int, last rt.Ref) List {
			var first, prev List
			for range n {
				l := must(NewList(th, rt.True))
				if prev.IsNil() {
					first = l
				} else {
					ok(prev.AppendSteal(th, l))
				}
				prev = l
			}
			if last.IsNil() {
				last = first
			}
			ok(prev.Append(th, last))
			return first
		}
		var all []rt.Ref
		for _, n := range []int{1, 2, 3, 7, 100, 101} {
			all = append(all, ring(n, rt.Nil))
		}
		for _, a := range all {
			for _, b := range all {
				if !Equal(th, a, b) {
					t.Error("two rings that cannot be told apart are not equal")
				}
			}
			open := ring(3, rt.None)
			if Equal(th, a, open) || Equal(th, open, a) {
				t.Error("a ring equals a graph that is not a ring")
			}
			th.DecRef(open)
		}
		// Dicts and records in cycles.
		y := must(DefineRecord("equal knot", "d"))
		knot := func(v rt.Ref) rt.Ref {
			d := must(NewDict(th))
			r := must(y.New(th, d))
			ok(d.SetSteal(th, rt.None, r))
			ok(d.Set(th, rt.True, v))
			return d
		}
		k1, k2, k3 := knot(smallInt(1)), knot(smallInt(1)), knot(smallInt(2))
		if !equalBoth(t, th, k1, k2) || equalBoth(t, th, k1, k3) {
			t.Error("knots")
		}
		th.DecRefs(append(all, k1, k2, k3))
		th.Collect()
	})
}

// TestEqualShared compares objects that many paths lead to: each is looked at about once.
func TestEqualShared(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		ladder := func(rungs int, last rt.Ref) rt.Ref {
			var r rt.Ref = must(NewList(th, last))
			for range rungs {
				up := must(NewList(th, r, r, r))
				th.DecRef(r)
				r = up
			}
			return r
		}
		a, b, c := ladder(200, smallInt(1)), ladder(200, smallInt(1)), ladder(200, smallInt(2))
		if !equalBoth(t, th, a, b) || equalBoth(t, th, a, c) {
			t.Error("ladders")
		}
		x := comparison{t: th}
		for equal := x.pair(a, b); equal && len(x.open) > 0; {
			p := x.open[len(x.open)-1]
			x.open = x.open[:len(x.open)-1]
			equal = x.contents(p)
		}
		if x.looks > 3*201*2 {
			t.Errorf("%d looks", x.looks)
		}
		// The first few looks note nothing.
		few := comparison{t: th}
		for i := range classesFrom + 1 {
			if few.equal != nil {
				t.Errorf("objects are put in classes after %d looks", i)
			}
			few.pair(a, b)
		}
		if few.equal == nil {
			t.Errorf("objects are not put in classes after %d looks", few.looks)
		}
		// Tuples whose hashes are known to differ are not looked into.
		text1, text2 := must(NewString(th, "one")), must(NewString(th, "two"))
		t1, t2 := must(NewTupleSteal(th, text1)), must(NewTupleSteal(th, text2))
		other := comparison{t: th}
		for i, r := range []rt.Ref{t1, t2} {
			if other.contents(containers{t1, t2, rt.TypeTuple}) || other.contents(containers{t2, t1, rt.TypeTuple}) || other.looks != 2*(i+1) {
				t.Errorf("%d looks at the items of tuples of which %d have a hash", other.looks, i)
			}
			must(Hash(th, r))
		}
		other.looks = 0
		if other.contents(containers{t1, t2, rt.TypeTuple}) || other.looks != 0 {
			t.Errorf("%d looks at the items of tuples that differ in their hash", other.looks)
		}
		// Lists that have become shorter do not equal.
		empty1, empty2 := must(NewList(th)), must(NewList(th, rt.None))
		if other.items(2, 2, empty1.At, empty2.At) || other.items(2, 2, empty2.At, empty1.At) || other.items(2, 2, empty2.At, empty2.At) {
			t.Error("items that are not there are equal")
		}
		th.DecRefs([]rt.Ref{t1, t2, empty1, empty2})
		// A long text in many places is compared once.
		long := strings.Repeat("long", 1000)
		s1, s2 := must(NewString(th, long)), must(NewString(th, long))
		l1, l2 := must(NewList(th, slices.Repeat([]rt.Ref{s1}, 50_000)...)), must(NewList(th, slices.Repeat([]rt.Ref{s2}, 50_000)...))
		if !equalBoth(t, th, l1, l2) {
			t.Error("texts")
		}
		littleStack(t)
		deep := func() rt.Ref {
			var r rt.Ref = rt.None
			for range levels {
				r = must(NewListSteal(th, r))
			}
			return r
		}
		d1, d2 := deep(), deep()
		if !Equal(th, d1, d2) {
			t.Error("deep lists")
		}
		th.DecRefs([]rt.Ref{a, b, c, s1, s2, l1, l2, d1, d2})
	})
}

// TestEqualModel compares random objects, and plain Go values of the same contents.
func TestEqualModel(t *testing.T) {
	withRuntime(t, rt.Options{}, func(r *rt.Runtime) {
		must0(t, r.Do(func(th *rt.Thread) error {
			rapid.Check(t, func(t *rapid.T) {
				a, shownA := drawValue(t, th, 3)
				b, shownB := drawValue(t, th, 3)
				if got := equalBoth(t, th, a, b); got != (shownA == shownB) {
					t.Fatalf("%s and %s: %v", shownA, shownB, got)
				}
				th.DecRefs([]rt.Ref{a, b})
			})
			return nil
		}))
	})
}

// drawValue draws an object from a small set, and returns a text that is the same for equal
// objects.
func drawValue(t *rapid.T, th *rt.Thread, depth int) (rt.Ref, string) {
	kinds := 3
	if depth > 0 {
		kinds = 6
	}
	kind, n := rapid.IntRange(0, kinds-1).Draw(t, "kind"), rapid.IntRange(0, 2).Draw(t, "n")
	switch kind {
	case 0:
		return smallInt(n), strings.Repeat("i", n+1)
	case 1:
		return newBig(th, n), strings.Repeat("b", n+1)
	case 2:
		return must(NewString(th, strings.Repeat("s", n))), strings.Repeat("s", n+1)
	}
	var items []rt.Ref
	var parts []string
	for range n {
		r, s := drawValue(t, th, depth-1)
		items, parts = append(items, r), append(parts, s)
	}
	switch kind {
	case 3:
		return must(NewListSteal(th, items...)), "[" + strings.Join(parts, ",") + "]"
	case 4:
		return must(NewTupleSteal(th, items...)), "(" + strings.Join(parts, ",") + ")"
	}
	d := must(NewDict(th))
	keys := rapid.Permutation([]int{0, 1, 2}).Draw(t, "keys")
	for i, r := range items {
		ok(d.SetSteal(th, smallInt(keys[i]), r))
		parts[i] = strings.Repeat("k", keys[i]) + ":" + parts[i]
	}
	slices.Sort(parts)
	return d, "{" + strings.Join(parts, ",") + "}"
}
