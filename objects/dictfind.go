package objects

import (
	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// Readers search a table with find, while a writer may be at work. Writers search it with
// search. The time that a search takes has a bound that does not depend on other threads. A
// search looks at each place of the index at most once, compares the key only with entries
// that have its hash, and looks at each object of two compared keys at most once. With high
// probability there are few such places and entries: see chainMax.

// hashIn returns the hash of the key in the table b. hash is Hash of the key.
func hashIn(t *rt.Thread, b rt.Body, key rt.Ref, hash uint32) uint32 {
	if isKeyed(b) {
		return keyedHash(t, key)
	}
	return hash
}

// find returns the first word of the live entry with the key, and its value. hash is Hash
// of the key. A reader may call it while a writer is at work.
func find(t *rt.Thread, b rt.Body, key rt.Ref, hash uint32) (e int, value rt.Ref, ok bool) {
	s := shapeOf(b)
	if s.keyed {
		hash = keyedHash(t, key)
	}
	switch {
	case s.tags:
		return findTagged(t, b, key, hash)
	case s.mask == 0:
		e = s.entries
		for range usedOf(b.LoadUint64(dictState)) {
			if b.Ref(e+entryKey) == key || equalKey(t, b, e, key, hash) {
				if v := b.LoadRef(e + entryValue); !v.IsNil() {
					return e, v, true
				} else if mutant.On && mutant.Is(mutant.TombstoneStops) {
					return 0, rt.Nil, false
				}
			}
			e += entryWords
		}
		return 0, rt.Nil, false
	}
	for i := hash & s.mask; ; i = (i + 1) & s.mask {
		n := byteAt(b, i)
		if n == 0 {
			return 0, rt.Nil, false
		}
		if e = s.entries + int(n-1)*entryWords; b.Ref(e+entryKey) == key || equalKey(t, b, e, key, hash) {
			if v := published(b, e, n); !v.IsNil() {
				return e, v, true
			}
		}
	}
}

// findTagged is find for a table with TAGS. hash is the key's hash in that table. Lookups
// in large tables spend their time here.
func findTagged(t *rt.Thread, b rt.Body, key rt.Ref, hash uint32) (e int, value rt.Ref, ok bool) {
	mask, first := maskOf(b.Word(dictShape)), int(b.Word(dictFirst))
	for i := hash & mask; ; i = (i + 1) & mask {
		p := b.Load(dictIndex + int(i))
		n := p & mask
		if n == 0 {
			return 0, rt.Nil, false
		}
		if (p^hash)&^mask != 0 {
			continue
		}
		if e = first + int(n-1)*entryWords; b.Ref(e+entryKey) == key || equalKey(t, b, e, key, hash) {
			if v := published(b, e, n); !v.IsNil() {
				return e, v, true
			}
		}
	}
}

// equalKey reports whether the entry at e has an equal key.
func equalKey(t *rt.Thread, b rt.Body, e int, key rt.Ref, hash uint32) bool {
	return b.Word(e+entryHash) == hash && sameKey(t, b.Ref(e+entryKey), key)
}

// published returns the value of entry n, whose first word is e, if the entry is published
// and alive, else Nil. An index may lead to an entry that is not published yet.
func published(b rt.Body, e int, n uint32) rt.Ref {
	if v := b.LoadRef(e + entryValue); int(n) <= usedOf(b.LoadUint64(dictState)) {
		return v
	}
	return rt.Nil
}

// byteAt returns a place of an index without TAGS.
func byteAt(b rt.Body, i uint32) uint32 { return b.Load(dictIndex+int(i>>2)) >> (i & 3 * 8) & 0xff }

// A spot is where a key belongs in a table.
//
//	e        place
//	not 0    the place of the index that leads to e, an entry with the key, alive or dead
//	0        a free place, where the search for the key ended
//
// A table without an index has no places, and there e is a live entry.
type spot struct {
	e     int // first word of the entry
	place uint32
	hash  uint32 // of the key, in this table
	long  bool   // the search passed more than chainMax filled places
}

// search returns the spot of the key. hash is Hash of the key. It is for writers: it also
// finds entries that are dead, or not published yet.
func search(t *rt.Thread, b rt.Body, key rt.Ref, hash uint32) spot {
	s := shapeOf(b)
	if s.keyed {
		hash = keyedHash(t, key)
	}
	p := spot{hash: hash}
	if s.mask == 0 {
		e := s.entries
		for range usedOf(b.LoadUint64(dictState)) {
			if (b.Ref(e+entryKey) == key || equalKey(t, b, e, key, hash)) && alive(b, e) {
				p.e = e
				return p
			}
			e += entryWords
		}
		return p
	}
	for i := hash & s.mask; ; i = (i + 1) & s.mask {
		n, rest := s.place(b, i, hash)
		if n == 0 {
			return p.at(s, i)
		}
		if rest != 0 {
			continue
		}
		if e := s.entry(n); b.Ref(e+entryKey) == key || equalKey(t, b, e, key, hash) {
			p.e, p.place = e, i
			return p
		}
	}
}

// at returns the spot of a key whose search ended at place i, which is free.
func (p spot) at(s shape, i uint32) spot {
	p.place, p.long = i, s.tags && (i-p.hash)&s.mask > chainMax
	return p
}

// vacant returns the spot of a key that is not in the table b. hash is the key's hash
// there.
func vacant(b rt.Body, hash uint32) spot {
	s, p := shapeOf(b), spot{hash: hash}
	if s.mask == 0 {
		return p
	}
	p.place = hash & s.mask
	return p.free(b, s)
}

// free continues from the place of p to the next free one.
func (p spot) free(b rt.Body, s shape) spot {
	i := p.place
	for n, _ := s.place(b, i, 0); n != 0; n, _ = s.place(b, i, 0) {
		i = (i + 1) & s.mask
	}
	return p.at(s, i)
}

// alive reports whether the entry at e, which is published, is alive.
func alive(b rt.Body, e int) bool { return !b.LoadRef(e + entryValue).IsNil() }

// insert adds an entry at the spot of a key that has no live entry. The table has room.
// Writer only.
func insert(b rt.Body, p spot, key, value rt.Ref) {
	state := b.LoadUint64(dictState)
	prepare(b, p, uint32(usedOf(state)+1), key, value)
	b.StoreUint64(dictState, state+1+stateOneLive)
}

// prepare writes entry n, which comes after the published ones, and makes the index lead to
// it. Writer only.
func prepare(b rt.Body, p spot, n uint32, key, value rt.Ref) {
	s := shapeOf(b)
	e := s.entry(n)
	b.SetWord(e+entryHash, p.hash)
	b.SetRef(e+entryKey, key)
	b.StoreRef(e+entryValue, value)
	if s.mask != 0 {
		s.put(b, p.place, n, p.hash)
	}
}
