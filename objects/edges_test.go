package objects

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestCallsOfAnotherKind: a call on an object of another kind finds nothing, changes
// nothing and returns an error, also with a string key, which takes a shortcut.
func TestCallsOfAnotherKind(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			key, blob := must(NewString(th, "key")), must(NewBytes(th, []byte("key")))
			x := newBig(th, 1)
			all := []rt.Ref{
				must(NewWeak(th, x)), must(NewCell(th, x)), must(NewList(th, x)), must(NewTuple(th, x)),
				must(NewForeign(th, 1, nil)), key, blob, x,
			}
			for _, r := range append(all, rt.None, smallInt(1), rt.EmptyString, rt.Nil) {
				d := Dict(r)
				if v, found := d.Lookup(th, key); found || v != rt.Nil || d.Has(th, key) || d.Len(th) != 0 {
					t.Errorf("%s has a key: %s", Format(th, r), v)
				}
				var kind *rt.TypeError
				_, get := d.Get(th, key)
				_, del := d.Delete(th, key)
				_, pop := d.Pop(th, key)
				for _, err := range []error{get, del, pop, d.Set(th, key, rt.None)} {
					if !errors.As(err, &kind) || kind.Want != "dict" {
						t.Errorf("%s: %v", Format(th, r), err)
					}
				}
				if text, is := String(r).View(th); is != (r == key || r == rt.EmptyString) || !is && text != "" {
					t.Errorf("%s is a string: %t, %q", Format(th, r), is, text)
				}
			}
			audit(t, th, all...)
			th.DecRefs(all)
		})
	})
}

// TestLabels: a key that is not an identifier is quoted.
func TestLabels(t *testing.T) {
	for name, want := range map[string]string{
		"x": ".x", "_": "._", "a": ".a", "z": ".z", "A": ".A", "Z": ".Z", "x_1": ".x_1", "xyz09": ".xyz09", "éa": `["éa"]`,
		"1x": `["1x"]`, "9": `["9"]`, "a b": `["a b"]`, "`": "[\"`\"]", "{": `["{"]`, "@": `["@"]`, "[": `["["]`, "x/": `["x/"]`, "x:": `["x:"]`, `"`: `["\""]`,
	} {
		if got := label(name); got != want {
			t.Errorf("%q is named %s, want %s", name, got, want)
		}
	}
}

// TestJSONNumberEdges tests texts that are just within the JSON grammar of numbers, and
// just outside.
func TestJSONNumberEdges(t *testing.T) {
	for text, want := range map[string]bool{
		"0": true, "-0": true, "9": true, "10": true, "0.0": true, "1e9": true, "1E+09": true, "1e-1": true, "9.99": true,
		"00": false, "01": false, "09": false, "-09": false, "-": false, "": false, "1.": false, ".1": false, "1e": false, "1e+": false, "1x": false, "+1": false, "1.e1": false,
	} {
		if isJSONNumber([]byte(text)) != want {
			t.Errorf("%q is a number: %t", text, !want)
		}
	}
}

// TestCompareKeysCounts: comparing two keys counts the looks.
func TestCompareKeysCounts(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		var all []rt.Ref
		own := func(r rt.Ref, err error) rt.Ref {
			all = append(all, must(r, err))
			return r
		}
		text := func() rt.Ref { return own(NewString(th, "text")) }
		for _, c := range []struct {
			a, b  rt.Ref
			same  bool
			looks int
		}{
			{rt.None, rt.None, true, 0},
			{smallInt(1), smallInt(2), false, 0},
			{smallInt(1), own(NewInt(th, bigBase)), false, 0},
			{text(), text(), true, 1},
			{text(), own(NewString(th, "texT")), false, 1},
			{text(), own(NewBytes(th, []byte("text"))), false, 1},
			{own(NewInt(th, bigBase)), own(NewInt(th, bigBase)), true, 1},
			{own(NewInt(th, bigBase)), own(NewInt(th, bigBase+1)), false, 1},
			{own(NewFloat(th, 1.5)), own(NewFloat(th, 1.5)), true, 1},
			{own(NewFloat(th, math.NaN())), own(NewFloat(th, math.NaN())), true, 1},
			{own(NewFloat(th, 0)), own(NewFloat(th, math.Copysign(0, -1))), true, 1},
			{own(NewList(th)), own(NewList(th)), false, 1},
			{rt.True, rt.False, false, 1},
		} {
			if same, looks := compareKeys(th, c.a, c.b, 100); same != c.same || looks != c.looks {
				t.Errorf("%s and %s are the same: %t, after %d looks; want %t, %d", Format(th, c.a), Format(th, c.b), same, looks, c.same, c.looks)
			}
		}
		// Tuples that differ in a small integer, and have one hash.
		a, b := own(NewTuple(th, rt.None, smallInt(2))), own(NewTuple(th, rt.None, smallInt(3)))
		th.Body(b).SetWord(tupleHash, must(Hash(th, a)))
		if same, looks := compareKeys(th, a, b, 100); same || looks != 2 {
			t.Errorf("%s and %s are the same: %t, after %d looks", Format(th, a), Format(th, b), same, looks)
		}
		th.DecRefs(all)
	})
}

// TestInternEdges: the empty string is in no table, and of two texts with one hash the
// first keeps its place.
func TestInternEdges(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			table := core.Interned(th.Runtime())
			if r := must(Intern(th, "")); r != rt.EmptyString || table.Size() != 0 {
				t.Errorf("the empty string is %s, and %d are in the table", r, table.Size())
			}
			first, other := must(NewString(th, "first")), must(NewString(th, "other"))
			h := hashText([]byte("other"))
			th.SetWeak(first)
			table.Store(h, first)
			if r := must(Intern(th, "other")); r == first {
				t.Error("another text was found")
			} else {
				th.DecRef(r)
			}
			if r := internFresh(th, table, h, other); r != other {
				t.Errorf("the string is %s", Format(th, r))
			}
			if r, found := table.Load(h); !found || r != first {
				t.Errorf("in the table is %s, %t", r, found)
			}
			table.Delete(h)
			th.DecRefs([]rt.Ref{first, other})
		})
	})
}

// TestBirthsThatFail: a constructor that fails returns an error, and no reference.
func TestBirthsThatFail(t *testing.T) {
	broken, left := errors.New("broken"), -1
	o := rt.Options{Checked: true, Inject: func(what rt.Injection) error {
		if what == rt.AllocateObject && left >= 0 {
			if left--; left < 0 {
				return broken
			}
		}
		return nil
	}}
	clean(t, o, func(th *rt.Thread) {
		for name, birth := range map[string]func() (rt.Ref, error){
			"foreign":       func() (rt.Ref, error) { return NewForeign(th, 1, nil) },
			"foreign owner": func() (rt.Ref, error) { return NewForeignOwner(th, 1, func(*rt.Thread, any) { t.Error("released") }) },
			"json": func() (rt.Ref, error) {
				r, err := FromJSON(th, bytes.NewReader([]byte(`{"key": ["text", 1.5, 100000000000]}`)))
				if err != nil && !errors.Is(err, broken) {
					t.Error(err)
				}
				return r, err
			},
		} {
			n := 0
			for ; ; n++ {
				left = n
				r, err := birth()
				if left >= 0 { // nothing has failed
					must0(t, err)
					left = -1
					if name == "foreign owner" {
						core.Foreign(th.Runtime()).Delete(r)
					}
					th.DecRef(r)
					break
				}
				if r != rt.Nil || !errors.Is(err, broken) {
					t.Errorf("%s, allocation %d fails: %s, %v", name, n, r, err)
				}
			}
			if n == 0 {
				t.Errorf("%s allocates nothing", name)
			}
		}
		left = -1
	})
}

// TestForeignValueIsGone: an object whose value is gone has none.
func TestForeignValueIsGone(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		r := must(NewForeign(th, 7, nil))
		if v, ok := Foreign(r).Value(th); !ok || v != 7 {
			t.Errorf("the value is %v, %t", v, ok)
		}
		core.Foreign(th.Runtime()).Delete(r)
		if v, ok := Foreign(r).Value(th); ok || v != nil {
			t.Errorf("the value is %v, %t, and it is gone", v, ok)
		}
		th.DecRef(r)
	})
}

// endsWith reads its text, and returns its error together with the last bytes.
type endsWith struct {
	text string
	err  error
}

func (f *endsWith) Read(b []byte) (int, error) {
	n := copy(b, f.text)
	if f.text = f.text[n:]; f.text == "" {
		return n, f.err
	}
	return n, nil
}

// TestFromJSONEdges: only keys are interned. A fault in a text is reported even if the
// reader fails after it.
func TestFromJSONEdges(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		r := must(FromJSON(th, bytes.NewReader([]byte(`["a", "b", "c", ["d"]]`))))
		if n := core.Interned(th.Runtime()).Size(); n != 0 {
			t.Errorf("%d strings are interned, and none is a key", n)
		}
		th.DecRef(r)
		r = must(FromJSON(th, bytes.NewReader([]byte(`{"a": "b", "c": ["d"]}`))))
		if n := core.Interned(th.Runtime()).Size(); n != 2 {
			t.Errorf("%d strings are interned, and two are keys", n)
		}
		th.DecRef(r)
		broken := errors.New("broken")
		var e *JSONError
		if _, err := FromJSON(th, &endsWith{`[1,,2]`, broken}); !errors.As(err, &e) || errors.Is(err, broken) || e.Byte != 3 {
			t.Errorf("a fault before the reader's: %v", err)
		}
		if _, err := FromJSON(th, &endsWith{`[1,2`, broken}); !errors.As(err, &e) || !errors.Is(err, broken) || e.Err != broken {
			t.Errorf("the reader's: %v", err)
		}
		if _, err := FromJSON(th, &endsWith{`[1,2`, io.EOF}); !errors.As(err, &e) || e.Byte != 4 || e.Err != nil {
			t.Errorf("too short: %v", err)
		}
	})
}

// TestJSONObjectBound: an object has as many entries as a dict can have.
func TestJSONObjectBound(t *testing.T) {
	defer func(n int) { maxEntries = n }(maxEntries)
	maxEntries = 3
	clean(t, rt.Options{}, func(th *rt.Thread) {
		r := must(FromJSON(th, bytes.NewReader([]byte(`{"a": 1, "b": 2, "c": 3}`))))
		if n := Dict(r).Len(th); n != 3 {
			t.Errorf("%d entries", n)
		}
		th.DecRef(r)
		if _, err := FromJSON(th, bytes.NewReader([]byte(`{"a": 1, "b": 2, "c": 3, "d": 4}`))); err == nil || err.Error() != "ichor: dict of 4 entries, want 0 to 3" {
			t.Errorf("one too many: %v", err)
		}
	})
}

// TestTablesUseTheirBlocks: a block may be larger than requested. A table has room for as
// many entries as fit its block, as long as its index stays the same.
func TestTablesUseTheirBlocks(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		d := must(NewDict(th))
		more := 0
		for n := range 300 {
			r, b, err := newTable(th, d, n, false)
			must0(t, err)
			room := int(b.Word(dictCap))
			fits := (th.BlockBytes(d, 4*(firstEntry(shapeFor(n))+entryWords*n))/4 - firstEntry(shapeFor(n))) / entryWords
			want := fits
			if shapeFor(fits) != shapeFor(n) {
				want = n
			}
			if room != want {
				t.Errorf("a table for %d entries has room for %d, want %d", n, room, want)
			}
			if room > n {
				more++
			}
			th.FreeBlock(r)
		}
		if more == 0 {
			t.Error("no table has more room than was asked for")
		}
		th.DecRef(d)
	})
}

// TestInsertKeepsRoom: a list with room is copied into a block of the same size.
func TestInsertKeepsRoom(t *testing.T) {
	clean(t, rt.Options{Mode: rt.LockFree}, func(th *rt.Thread) {
		l := numbered(th, 100)
		for l.Len(th) > 60 {
			must0(t, l.Remove(th, l.Len(th)-1))
		}
		room := th.Body(rt.Ref(l)).Load(boxCap)
		for range 10 {
			must0(t, l.Insert(th, 30, rt.None))
			if now := th.Body(rt.Ref(l)).Load(boxCap); now != room {
				t.Errorf("with %d items a list with room for %d got room for %d", l.Len(th), room, now)
			}
		}
		audit(t, th, rt.Ref(l))
		th.DecRef(rt.Ref(l))
	})
}

// TestExtendByNothing: an empty list that is extended by nothing stays without a block.
func TestExtendByNothing(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			empty := List(must(NewList(th)))
			f := must(th.Freeze(rt.Ref(empty)))
			must0(t, empty.Extend(th, List(f.Root())))
			must0(t, empty.Extend(th, empty))
			if empty.Len(th) != 0 || th.Body(rt.Ref(empty)).LoadRef(boxBlock) != rt.Nil {
				t.Error("it has a block")
			}
			th.DecRef(rt.Ref(empty))
			must0(t, th.Unload(f))
		})
	})
}

// TestRemoveInPlaceGivesUp: if there is no memory for another block, the count of a removed
// item is given up, and the other items stay in order.
func TestRemoveInPlaceGivesUp(t *testing.T) {
	o := rt.Options{Mode: rt.LockFree, MemoryLimit: 4 << 20}
	clean(t, o, func(th *rt.Thread) {
		const n = 20_000 // in a block of some spans
		l := numbered(th, n)
		want := make([]int, n)
		for i := range want {
			want[i] = i
		}
		var held []rt.Ref
		for _, i := range []int{500, 1, n - 4, 300} {
			held = append(held, hog(t, th)...)
			block := th.Body(rt.Ref(l)).LoadRef(boxBlock)
			must0(t, l.Remove(th, i))
			if th.Body(rt.Ref(l)).LoadRef(boxBlock) != block {
				t.Error("there was memory for another block")
			}
			want = slices.Delete(want, i, i+1)
			if l.Len(th) != len(want) {
				t.Fatalf("%d items are left, want %d", l.Len(th), len(want))
			}
			for k, x := range want {
				if r, found := l.At(th, k); !found || bigOf(th, r) != x {
					t.Fatalf("item %d is %s, want %d", k, Format(th, r), x)
				}
			}
			audit(t, th, append(held, rt.Ref(l))...)
		}
		th.DecRefs(append(held, rt.Ref(l)))
	})
}

// TestFrozenLookupOfNoKey: an object that cannot be a key is in no frozen dict.
func TestFrozenLookupOfNoKey(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		d := Dict(must(NewDict(th)))
		must0(t, d.Set(th, smallInt(1), rt.True))
		f := must(th.Freeze(rt.Ref(d)))
		for _, r := range []rt.Ref{rt.Ref(d), rt.Nil} {
			if v, found := Dict(f.Root()).Lookup(th, r); found || v != rt.Nil {
				t.Errorf("%s is a key, of %s", Format(th, r), v)
			}
		}
		th.DecRef(rt.Ref(d))
		must0(t, th.Unload(f))
	})
}

// TestImageFloats: a float's note in an image is one that a float can have, and only finite
// numbers have a formatting.
func TestImageFloats(t *testing.T) {
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		of := func(v float64, note uint32) *forgery {
			m := empty()
			m.root = m.list(m.float(v))
			for i := 0; i+3 < len(m.words); i += 4 {
				if m.words[i] == 3<<30 {
					m.words[i] |= note
				}
			}
			return m
		}
		for _, note := range []uint32{1, 'g', 'f' | 61<<8, 'f' | 1<<16, 'e' | 2<<16, 'E' | 4<<24, 1<<30 - 1} {
			refuse(t, r, "a note", bytes.NewReader(of(1.5, note).image()), "its format is unknown")
		}
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			refuse(t, r, "no number", bytes.NewReader(of(v, 'f'|2<<8).image()), "its format is unknown")
		}
		for _, x := range []struct {
			v    float64
			note uint32
		}{{1.5, 0}, {math.NaN(), 0}, {math.Inf(1), 0}, {1.5, 'f' | 60<<8}, {1.5, 'e' | 1<<16 | 3<<24}, {1.5, 'E'}} {
			accept(t, r, "a float", of(x.v, x.note).image(), func(th *rt.Thread, root rt.Ref) {
				item, _ := List(root).At(th, 0)
				if v, note, is := th.Float(item); !is || note != x.note || v != x.v && !math.IsNaN(x.v) {
					t.Errorf("the float is %g with %#x, want %g with %#x", v, note, x.v, x.note)
				}
			})
		}
	})
}
