package runtime

import (
	"math"
	"testing"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/header"
)

// TestContentHash checks that objects that differ in the hashed part of their contents have
// different hashes, and that objects that differ only behind it have the same.
func TestContentHash(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		z := &freezer{t: th}
		const n = 500
		hashes := func(meta uint32, word, times int) int {
			seen := map[uint32]bool{}
			x, o, err := th.New(leafType, 48)
			must0(t, err)
			was := th.header(x).Meta()
			th.header(x).BirthFrozen(meta, uint32(x.Handle), arena.Rounded(4))
			for i := range times {
				o.SetWord(word, uint32(i))
				seen[z.contentHash(uint32(x.Handle))] = true
			}
			th.header(x).Birth(th.stamp, was)
			th.DecRef(x)
			return len(seen)
		}
		for _, id := range []TypeID{TypeString, TypeBytes, TypeNumber} {
			for word, want := range []int{n, n, 1, 1} { // hash and length identify a text
				if got := hashes(uint32(id), word, n); got != want {
					t.Errorf("texts of type %d that differ in word %d have %d hashes, want %d", id, word, got, want)
				}
			}
		}
		for _, meta := range []uint32{uint32(TypeInt), uint32(TypeTuple), uint32(typeLocal), 1<<localShift | uint32(typeLocal)} {
			for word := range 12 {
				if got := hashes(meta, word, n); got != n {
					t.Errorf("objects of type %#x that differ in word %d have %d hashes, want %d", meta, word, got, n)
				}
			}
		}
		floats := map[uint32]bool{}
		for i := range n {
			for _, x := range []Ref{newFloat(th, uint64(i), 0), newFloat(th, uint64(i+1)<<40, 0), newFloat(th, 1<<62, uint32(i+1))} {
				floats[z.contentHash(uint32(x.Handle))] = true
				th.DecRef(x)
			}
		}
		if len(floats) != 3*n {
			t.Errorf("%d floats have %d hashes", 3*n, len(floats))
		}
		a, b := hashes(uint32(TypeInt), 0, 1), hashes(uint32(typeLocal), 0, 1)
		if a != 1 || b != 1 {
			t.Errorf("one object has %d hashes", max(a, b))
		}
	})
}

// TestSameContents compares objects that differ only in their offset, and objects that differ
// otherwise.
func TestSameContents(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		z := &freezer{t: th}
		var all []Ref
		of := func(bytes int, meta uint32, word int, v uint32) uint32 {
			x, o, err := th.New(leafType, bytes)
			must0(t, err)
			all = append(all, x)
			o.SetWord(word, v)
			th.header(x).BirthFrozen(meta, uint32(x.Handle), uint32(bytes+header.Size)/arena.GranuleSize)
			return uint32(x.Handle)
		}
		for _, c := range []struct {
			what string
			a, b uint32
			same bool
		}{
			{"twins", of(32, uint32(TypeInt), 7, 1), of(32, uint32(TypeInt), 7, 1), true},
			{"the last word", of(32, uint32(TypeInt), 7, 1), of(32, uint32(TypeInt), 7, 2), false},
			{"the type", of(32, uint32(TypeInt), 0, 0), of(32, uint32(TypeBytes), 0, 0), false},
			{"the size", of(32, uint32(TypeInt), 0, 0), of(48, uint32(TypeInt), 0, 0), false},
			{"the size, the other way", of(48, uint32(TypeInt), 0, 0), of(32, uint32(TypeInt), 0, 0), false},
		} {
			if z.sameContents(c.a, c.b) != c.same {
				t.Errorf("%s: the same: %t", c.what, !c.same)
			}
		}
		for _, x := range all {
			th.header(x).Birth(th.stamp, leafType.meta)
		}
		for _, c := range []struct {
			bits uint64
			note uint32
			same bool
		}{{1, 2, true}, {1, 3, false}, {2, 2, false}} {
			x, y := newFloat(th, 1, 2), newFloat(th, c.bits, c.note)
			if z.sameContents(uint32(x.Handle), uint32(y.Handle)) != c.same {
				t.Errorf("floats %d with note %d: the same: %t", c.bits, c.note, !c.same)
			}
			th.DecRefs([]Ref{x, y})
		}
		th.DecRefs(all)
	})
}

// TestEqualTable freezes many objects, each several times, and finds one of each, even after the
// table of copies has grown.
func TestEqualTable(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		for _, n := range []int{1, 682, 683, 3000} {
			var refs []Ref
			for range 3 {
				for i := range n {
					refs = append(refs, newFloat(th, uint64(i), 0))
				}
			}
			root := newWide(th, refs...)
			f, err := th.Freeze(root, FreezeOptions{ShareEqual: true})
			must0(t, err)
			if f.Objects() != int64(n+1) {
				t.Errorf("%d objects, want %d", f.Objects(), n+1)
			}
			r := f.Root()
			for i := range 3 * n {
				if v, _, is := th.Float(th.Slot(r, th.Body(r), 1+i)); !is || v != math.Float64frombits(uint64(i%n)) {
					t.Fatalf("slot %d is %g", i, v)
				}
			}
			th.DecRef(root)
			must0(t, th.Unload(f))
		}
	})
}
