package objects

import (
	"github.com/cespare/xxhash/v2"

	rt "github.com/ichor-go/ichor/runtime"
)

// Lookups of strings by their text. They search in the same way as find and lookupFrozen,
// but make no String object for the key.

// LookupString is Lookup of the string with the given text, and returns a borrowed
// reference. It makes no object, and allocates nothing. Wait-free. Attached thread.
func (d Dict) LookupString(t *rt.Thread, text string) (rt.Ref, bool) {
	o, ok := t.Object(d, rt.TypeDict)
	if !ok {
		return rt.Nil, false
	}
	hash := fold(xxhash.Sum64String(text)) // hashText
	if d.IsFrozen() {
		return frozenTableIn(o).lookupText(t, o, t.Home(d), text, hash)
	}
	r := o.LoadRef(boxBlock)
	if r.IsNil() {
		return rt.Nil, false
	}
	return findText(t, t.Block(r), text, hash)
}

// isString reports whether key is the string with the given text.
func isString(t *rt.Thread, key rt.Ref, text string) bool {
	have, ok := String(key).View(t)
	return ok && have == text
}

// findText is find for the string with the given text. hash is Hash of that string.
func findText(t *rt.Thread, b rt.Body, text string, hash uint32) (rt.Ref, bool) {
	s := shapeOf(b)
	if s.keyed {
		k0, k1 := core.HashSeed(t.Runtime())
		hash = fold(seeded{k0: k0, k1: k1}.text(text))
	}
	same := func(e int) bool { return b.Word(e+entryHash) == hash && isString(t, b.Ref(e+entryKey), text) }
	if s.mask == 0 {
		e := s.entries
		for range usedOf(b.LoadUint64(dictState)) {
			if same(e) {
				if v := b.LoadRef(e + entryValue); !v.IsNil() {
					return v, true
				}
			}
			e += entryWords
		}
		return rt.Nil, false
	}
	for i := hash & s.mask; ; i = (i + 1) & s.mask {
		n, rest := s.place(b, i, hash)
		if n == 0 {
			return rt.Nil, false
		}
		if rest != 0 {
			continue
		}
		if e := s.entry(n); same(e) {
			if v := published(b, e, n); !v.IsNil() {
				return v, true
			}
		}
	}
}

// lookupText is lookupFrozen for the string with the given text, in the table with the body
// o.
func (f frozenTable) lookupText(t *rt.Thread, o rt.Body, home rt.Home, text string, hash uint32) (rt.Ref, bool) {
	if f.keyed() {
		hash = fold(seedOf(t, o).text(text))
	}
	if f.form == 0 {
		for i := range f.n {
			e := f.few(i)
			if o.Word(e+entryHash) == hash && isString(t, home.Ref(o.Ref(e+entryKey)), text) {
				return home.Ref(o.Ref(e + entryValue)), true
			}
		}
		return rt.Nil, false
	}
	w := f.at(f.placeOf(o, hash))
	if k := home.Ref(o.Ref(w)); !k.IsNil() && isString(t, k, text) {
		return home.Ref(o.Ref(w + 1)), true
	}
	return f.findTwin(o, home, hash, func(key rt.Ref) bool { return isString(t, key, text) })
}
