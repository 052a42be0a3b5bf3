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
	home  rt.Home
	words []rt.Ref // entries of hash, key and value
}

// FrozenEntries returns the entries of d, and whether d is a frozen Dict. Attached thread.
func (d Dict) FrozenEntries(t *rt.Thread) (FrozenEntries, bool) {
	if t.FrozenKind(d) != rt.TypeDict {
		return FrozenEntries{}, false
	}
	o := t.Body(d)
	f := frozenTableIn(o)
	return FrozenEntries{t.Home(d), o.Refs(f.first, entryWords*f.n)}, true
}

// Len returns the number of entries. Any goroutine.
func (x FrozenEntries) Len() int { return len(x.words) / entryWords }

// At returns borrowed references to the key and the value of entry i. It panics if there is
// none. Any goroutine.
func (x FrozenEntries) At(i int) (key, value rt.Ref) {
	e := x.words[i*entryWords:][:entryWords]
	return x.home.Ref(e[entryKey]), x.home.Ref(e[entryValue])
}

// All ranges over the entries, each borrowed. Any goroutine.
func (x FrozenEntries) All() iter.Seq2[rt.Ref, rt.Ref] {
	return func(yield func(k, v rt.Ref) bool) {
		for i := range x.Len() {
			if !yield(x.At(i)) {
				return
			}
		}
	}
}
