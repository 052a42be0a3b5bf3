package objects

import (
	"math"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// frozenSizes are lengths around those at which the form of a frozen Dict changes.
var frozenSizes = []int{0, 1, linearMax, linearMax + 1, 255, 256, 1000}

// freeze returns a frozen copy of r. It steals r.
func freeze(t *testing.T, th *rt.Thread, r rt.Ref) rt.Ref {
	t.Helper()
	f, err := th.Freeze(r)
	must0(t, err)
	th.DecRef(r)
	return f.Root()
}

// TestFrozenEntries: a view has the same entries as All, in insertion order.
func TestFrozenEntries(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for _, n := range frozenSizes {
				d := must(NewDict(th))
				for i := range n {
					key, value := must(NewInt(th, int64(n-i))), must(NewFloat(th, float64(i)))
					must0(t, d.Set(th, key, value))
					th.DecRef(key)
					th.DecRef(value)
				}
				if _, ok := d.FrozenEntries(th); ok {
					t.Fatal("a mortal dict has a view")
				}
				d = freeze(t, th, d)
				x, ok := d.FrozenEntries(th)
				if !ok || x.Len() != n {
					t.Fatalf("%d entries, want %d: %v", x.Len(), n, ok)
				}
				i := 0
				for key, value := range x.All() {
					k, v := x.At(i)
					f, isFloat := th.FrozenFloat(value)
					if k != key || v != value || !key.IsInt() || key.Int() != int64(n-i) || !isFloat || f != float64(i) {
						t.Fatalf("entry %d of %d is %v, %v", i, n, key, value)
					}
					if got, ok := d.Lookup(th, key); !ok || got != value {
						t.Fatalf("entry %d of %d is not the one that a lookup finds", i, n)
					}
					i++
				}
				if i != n {
					t.Fatalf("%d entries were seen, want %d", i, n)
				}
				for range x.All() {
					break
				}
				mustPanic(t, func() { x.At(n) })
			}
		})
	})
}

// TestFrozenEntriesOfTwins has entries whose keys have one hash, so that all but the first have no
// place of their own.
func TestFrozenEntriesOfTwins(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			numbers := colliding(4)
			for i := range 20 {
				numbers = append(numbers, int64(i))
			}
			d := must(NewDict(th))
			for i, n := range numbers {
				key := must(NewInt(th, n))
				value, _ := rt.Int(int64(i))
				must0(t, d.Set(th, key, value))
				th.DecRef(key)
			}
			d = freeze(t, th, d)
			if f := frozenTableIn(th.Body(d)); f.twins() != 3 || f.keyed() {
				t.Fatalf("%d twins, keyed %v; want 3, and no seed of its own", f.twins(), f.keyed())
			}
			x, _ := d.FrozenEntries(th)
			i := 0
			for key, value := range x.All() {
				k, v := x.At(i)
				if n, ok := Int(key).Value(th); k != key || v != value || !ok || n != numbers[i] || v.Int() != int64(i) {
					t.Errorf("entry %d is %v, %v by All, and %v, %v by At", i, key, value, k, v)
				}
				i++
			}
		})
	})
}

func TestFrozenItems(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for _, n := range frozenSizes {
				items := make([]rt.Ref, n)
				for i := range items {
					items[i], _ = rt.Int(int64(i * i))
				}
				if n > 1 {
					items[1] = must(NewString(th, "text"))
				}
				list, tuple := must(NewList(th, items...)), must(NewTuple(th, items...))
				if n > 1 {
					th.DecRef(items[1])
				}
				_, ok := list.FrozenItems(th)
				if _, ok2 := tuple.FrozenItems(th); ok || ok2 {
					t.Fatal("a mortal object has a view")
				}
				list, tuple = freeze(t, th, list), freeze(t, th, tuple)
				inList, ok := list.FrozenItems(th)
				inTuple, ok2 := tuple.FrozenItems(th)
				if !ok || inList.Len() != n || ok2 != (n > 0) || inTuple.Len() != n {
					t.Fatalf("%d items in a list, %d in a tuple, want %d", inList.Len(), inTuple.Len(), n)
				}
				for _, x := range []FrozenItems{inList, inTuple} {
					seen := 0
					for i, r := range x.All() {
						text, isText := String(r).View(th)
						if r != x.At(i) || i != seen || i != 1 && r != items[i] || i == 1 && (!isText || text != "text") {
							t.Fatalf("item %d is %v", i, r)
						}
						seen++
					}
					if seen != n {
						t.Fatalf("%d items were seen, want %d", seen, n)
					}
					for range x.All() {
						break
					}
					mustPanic(t, func() { x.At(n) })
				}
			}
		})
	})
}

// TestFrozenKinds: an object of another kind has no view, even a float whose bits look like
// a type.
func TestFrozenKinds(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		for _, kind := range []rt.TypeID{rt.TypeList, rt.TypeDict, rt.TypeTuple} {
			number := math.Float64frombits(uint64(kind)<<32 | 3)
			r := freeze(t, th, must(NewFloat(th, number)))
			if got, ok := th.FrozenFloat(r); !ok || got != number || th.FrozenKind(r) != rt.TypeFloat {
				t.Errorf("%v %v, kind %d, want the float %v", got, ok, th.FrozenKind(r), number)
			}
			wantNoView(t, th, r)
		}
		for _, r := range []rt.Ref{rt.Nil, rt.None, rt.True, rt.EmptyTuple, rt.EmptyString, intRef(7), freeze(t, th, must(NewString(th, "x")))} {
			wantNoView(t, th, r)
			if _, ok := th.FrozenFloat(r); ok {
				t.Errorf("%v is a float", r)
			}
			if want := th.Kind(r); r.IsFrozen() && th.FrozenKind(r) != want || !r.IsFrozen() && th.FrozenKind(r) != 0 {
				t.Errorf("%v has frozen kind %d, and kind %d", r, th.FrozenKind(r), want)
			}
		}
	})
}

func wantNoView(t *testing.T, th *rt.Thread, r rt.Ref) {
	t.Helper()
	_, list := List(r).FrozenItems(th)
	_, tuple := Tuple(r).FrozenItems(th)
	_, dict := Dict(r).FrozenEntries(th)
	if list || tuple || dict {
		t.Errorf("%v has a view", r)
	}
}

func mustPanic(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("it did not panic")
		}
	}()
	f()
}

func intRef(v int64) rt.Ref {
	r, _ := rt.Int(v)
	return r
}

// TestFrozenOfAnotherKind: a call for lists or dicts on a frozen object of another kind finds
// nothing, and a list has no items before the first one and behind the last one.
func TestFrozenOfAnotherKind(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			d := must(NewDict(th))
			must0(t, d.Set(th, intRef(1), rt.True))
			list, dict := freeze(t, th, must(NewList(th, rt.True, rt.None))), freeze(t, th, d)
			for _, r := range []rt.Ref{list, dict, freeze(t, th, must(NewTuple(th, rt.True))), freeze(t, th, must(NewFloat(th, 0.5))), freeze(t, th, must(NewString(th, "x")))} {
				if v, found := List(r).At(th, 0); r != list && (List(r).Len(th) != 0 || len(List(r).Snapshot(th, nil)) != 0 || found || v != rt.Nil) {
					t.Errorf("%s has the items of a list", Format(th, r))
				}
				n := 0
				for range Dict(r).All(th) {
					n++
				}
				if r != dict && (Dict(r).Len(th) != 0 || n != 0) {
					t.Errorf("%s has the entries of a dict", Format(th, r))
				}
			}
			for i, want := range map[int]rt.Ref{-1: rt.Nil, 0: rt.True, 1: rt.None, 2: rt.Nil} {
				if v, found := List(list).At(th, i); v != want || found != (want != rt.Nil) {
					t.Errorf("item %d is %s, %t", i, v, found)
				}
			}
		})
	})
}
