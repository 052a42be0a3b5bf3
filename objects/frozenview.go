package objects

import (
	"iter"

	rt "github.com/ichor-go/ichor/runtime"
)

// A view reads the contents of a frozen container where they lie: it counts nothing, copies
// nothing and takes no memory. It stays good, across safe points and on any thread, until
// the Frozen is unloaded. Views are the fastest way through a frozen graph. Code that reads
// both frozen and other containers uses All, At and Lookup.

// FrozenItems are the items of a frozen List or Tuple. The zero value has none. Any
// goroutine, while the Frozen is loaded.
type FrozenItems struct {
	home  rt.Home
	slots []rt.Ref
}

// FrozenItems returns the items of l, and whether l is a frozen List. Attached thread.
func (l List) FrozenItems(t *rt.Thread) (FrozenItems, bool) {
	if t.FrozenKind(l) != rt.TypeList {
		return FrozenItems{}, false
	}
	o := t.Body(l)
	return FrozenItems{t.Home(l), o.Refs(frozenSlots, int(o.Word(frozenLength)))}, true
}

// FrozenItems returns the items of s, and whether s is a frozen Tuple. rt.EmptyTuple is not
// one. Attached thread.
func (s Tuple) FrozenItems(t *rt.Thread) (FrozenItems, bool) {
	if t.FrozenKind(s) != rt.TypeTuple {
		return FrozenItems{}, false
	}
	o := t.Body(s)
	return FrozenItems{t.Home(s), o.Refs(tupleSlots, int(o.Word(tupleLen)))}, true
}

// Len returns the number of items. Any goroutine.
func (x FrozenItems) Len() int { return len(x.slots) }

// At returns a borrowed reference to item i. It panics if there is none. Any goroutine.
func (x FrozenItems) At(i int) rt.Ref { return x.home.Ref(x.slots[i]) }

// All ranges over the items, each borrowed. Any goroutine.
func (x FrozenItems) All() iter.Seq2[int, rt.Ref] {
	return func(yield func(int, rt.Ref) bool) {
		for i, r := range x.slots {
			if !yield(i, x.home.Ref(r)) {
				return
			}
		}
	}
}

// FrozenEntries are the entries of a frozen Dict, in insertion order. The zero value has
// none. Any goroutine, while the Frozen is loaded.
type FrozenEntries struct {
	home rt.Home
	few  []rt.Ref // entries of hash, key and value, if they are few
	o    rt.Body  // of the dict, if they are not
}

// FrozenEntries returns the entries of d, and whether d is a frozen Dict. Attached thread.
func (d Dict) FrozenEntries(t *rt.Thread) (FrozenEntries, bool) {
	if t.FrozenKind(d) != rt.TypeDict {
		return FrozenEntries{}, false
	}
	o := t.Body(d)
	if o.Word(frozenForm) == 0 {
		return FrozenEntries{home: t.Home(d), few: o.Refs(frozenFew, entryWords*int(o.Word(frozenLength)))}, true
	}
	return FrozenEntries{home: t.Home(d), o: o}, true
}

// Len returns the number of entries. Any goroutine.
func (x FrozenEntries) Len() int {
	if x.o.IsNil() {
		return len(x.few) / entryWords
	}
	return int(x.o.Word(frozenLength))
}

// At returns borrowed references to the key and the value of entry i. It panics if there is
// none. Any goroutine.
func (x FrozenEntries) At(i int) (key, value rt.Ref) {
	if x.o.IsNil() {
		e := x.few[i*entryWords:][:entryWords]
		return x.home.Ref(e[entryKey]), x.home.Ref(e[entryValue])
	}
	o := x.o // frozenTable.key, inlined by hand, with no more of the layout than it needs
	if uint(i) >= uint(o.Word(frozenLength)) {
		x.outside(i)
	}
	p := narrow(o, int(o.Word(frozenOrder)), uint32(i), o.Word(frozenForm)&3-1)
	w := int(o.Word(frozenFirst)) + placeWords*int(p)
	if p >= o.Word(frozenPlaces) {
		w = frozenTableIn(o).at(p)
	}
	return x.home.Ref(o.Ref(w)), x.home.Ref(o.Ref(w + 1))
}

// outside panics, since there is no entry i.
func (x FrozenEntries) outside(i int) { _ = x.o.Refs(0, x.Len())[i] }

// at returns the key in word w, and the value behind it.
func (x FrozenEntries) at(w int) (key, value rt.Ref) {
	return x.home.Ref(x.o.Ref(w)), x.home.Ref(x.o.Ref(w + 1))
}

// All ranges over the entries, each borrowed. Any goroutine.
func (x FrozenEntries) All() iter.Seq2[rt.Ref, rt.Ref] {
	return func(yield func(k, v rt.Ref) bool) {
		for e := x.few; len(e) >= entryWords; e = e[entryWords:] {
			if !yield(x.home.Ref(e[entryKey]), x.home.Ref(e[entryValue])) {
				return
			}
		}
		if x.o.IsNil() {
			return
		}
		f := frozenTableIn(x.o)
		wide := f.wide()
		for i := range uint32(f.n) {
			p := narrow(x.o, f.order, i, wide)
			w := f.first + placeWords*int(p) // frozenTable.key, inlined by hand
			if p >= f.places {
				w = f.at(p)
			}
			if !yield(x.at(w)) {
				return
			}
		}
	}
}
