package objects

import (
	"math/bits"

	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a Dict's block, which is its table: entries in the order of
// insertion, and for more than a few an index from hashes to entries (the
// compact layout of Raymond Hettinger's, as in CPython 3.6).
//
//	0  capacity in entries
//	1  index: log2 of its size, 0 for none; TAGS << 8; GATES << 16
//	2  state, 64 bits: entries used, live entries << 32, DELETING << 63
//	4  the entry that is being deleted
//	5  first word of the entries
//	6  index: see below
//	   entries: hash, key, value
//	   gates, in large tables: see dictgates.go
//
// A place of the index is 0, or leads to an entry. Without TAGS it is a byte, the
// entry's number + 1. With TAGS it is a word:
//
//	31 ............ log2  log2-1 ............ 0
//	the hash's bits       entry's number + 1
//
// The lower bits of the hash are where its place is, or should be. So hardly ever
// is an entry looked at that has another hash: its cache line would be what a
// lookup in a large table waits for.
//
// An entry's hash and key are written before it is published, and never again.
// A value of Nil says that the entry is dead. Dead entries keep their keys until
// the table is rebuilt; inserting the key again adds an entry.
//
// What a reader may rely on:
//
//	change      order of stores                                    takes effect at
//	insert      entry, index, state with used+1 and live+1         state
//	overwrite   value                                              value
//	delete      deleting, state with DELETING, value := Nil,       value
//	            state with live−1
//	rebuild     all of a new table, then the dict's block          changes nothing
//
// So a reader takes an entry for present if it is below used, and its value is
// not Nil. One that counts looks at the entry being deleted to learn whether
// live still holds: see dictLen.
const (
	dictCap      = 0
	dictShape    = 1
	dictState    = 2
	dictDeleting = 4
	dictFirst    = 5
	dictIndex    = 6

	entryHash  = 0
	entryKey   = 1
	entryValue = 2
	entryWords = 3

	shapeTags  = 1 << 8
	shapeGates = 1 << 16

	stateUsed     = 1<<32 - 1
	stateOneLive  = 1 << 32
	stateDeleting = 1 << 63

	// linearMax is the largest capacity without an index: looking through as
	// many hashes in a row costs no more than a probe. A guess.
	linearMax  = 8
	maxEntries = 1 << 30
)

func usedOf(state uint64) int { return int(state & stateUsed) }
func liveOf(state uint64) int { return int(state &^ stateDeleting >> 32) }

// shape is the form of a table.
type shape struct {
	mask    uint32 // of the index; 0 for none
	tags    bool
	entries int // first word of the entries
}

func shapeOf(b rt.Body) shape {
	w := b.Word(dictShape)
	return shape{mask: maskOf(w), tags: w&shapeTags != 0, entries: int(b.Word(dictFirst))}
}

func hasTags(b rt.Body) bool { return b.Word(dictShape)&shapeTags != 0 }

// maskOf returns the mask of the index in a table of the form w.
func maskOf(w uint32) uint32 { return 1<<(w&31) - 1 }

// firstEntry returns the first word of the entries in a table of the form w.
func firstEntry(w uint32) int {
	places := int(maskOf(w)) + 1
	switch {
	case w&31 == 0:
		return dictIndex
	case w&shapeTags != 0:
		return dictIndex + places
	}
	return dictIndex + places/4
}

// shapeFor returns the form of a table for n entries.
func shapeFor(n int) uint32 {
	if n <= linearMax {
		return 0
	}
	if n < 1<<8 {
		return uint32(bits.Len(uint(n + n/2))) // at most two thirds full
	}
	return uint32(bits.Len(uint(4*n))) | shapeTags // at most a quarter full: see docs/rationale.md
}

// newTable returns an empty table for the dict d and at least n entries.
func newTable(t *rt.Thread, d rt.Ref, n int) (rt.Ref, rt.Body, error) {
	w := shapeFor(n)
	first, behind := firstEntry(w), 0
	if n >= gatesFrom && t.LockFree() {
		behind = gatesSize
	}
	bytes := t.BlockBytes(d, 4*(first+entryWords*n+behind))
	r, b, err := t.NewBlock(d, bytes)
	if err != nil {
		return rt.Nil, rt.Body{}, err
	}
	room := (bytes/4 - first - behind) / entryWords
	if w == 0 {
		room = min(room, linearMax)
	} else if shapeFor(room) != w {
		room = n
	}
	if behind > 0 {
		w |= shapeGates
	}
	b.SetWord(dictCap, uint32(room))
	b.SetWord(dictShape, w)
	b.SetWord(dictFirst, uint32(first))
	return r, b, nil
}

// byteAt and setByte are for an index without tags. The place is empty before.
func byteAt(b rt.Body, i uint32) uint32 { return b.Load(dictIndex+int(i>>2)) >> (i & 3 * 8) & 0xff }

func setByte(b rt.Body, i, v uint32) {
	w := dictIndex + int(i>>2)
	b.Store(w, b.Load(w)|v<<(i&3*8))
}

// find returns the words of the live entry with the key, and its value. A
// reader may call it while a writer is at work.
func find(t *rt.Thread, b rt.Body, key rt.Ref, hash uint32) (e int, value rt.Ref, ok bool) {
	s := shapeOf(b)
	switch {
	case s.tags:
		return findTagged(t, b, key, hash)
	case s.mask == 0:
		e = s.entries
		for range usedOf(b.LoadUint64(dictState)) {
			if b.Ref(e+entryKey) == key || equalKey(t, b, e, key, hash) {
				if v := b.LoadRef(e + entryValue); v != rt.Nil {
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
			if v := published(b, e, n); v != rt.Nil {
				return e, v, true
			}
		}
	}
}

// findTagged is find in a table with TAGS: what lookups in large tables spend
// their time on.
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
			if v := published(b, e, n); v != rt.Nil {
				return e, v, true
			}
		}
	}
}

// equalKey reports whether the entry at e has an equal key.
func equalKey(t *rt.Thread, b rt.Body, e int, key rt.Ref, hash uint32) bool {
	return b.Word(e+entryHash) == hash && sameKey(t, b.Ref(e+entryKey), key)
}

// published returns the value of entry n, which lies at e, if it is published and
// alive. An index may lead to one that is not.
func published(b rt.Body, e int, n uint32) rt.Ref {
	if v := b.LoadRef(e + entryValue); int(n) <= usedOf(b.LoadUint64(dictState)) {
		return v
	}
	return rt.Nil
}

// insert adds an entry. The key has no live one, and there is room. Writer only.
func insert(b rt.Body, key, value rt.Ref, hash uint32) {
	s := shapeOf(b)
	state := b.LoadUint64(dictState)
	n := usedOf(state)
	e := s.entries + n*entryWords
	b.SetWord(e+entryHash, hash)
	b.SetRef(e+entryKey, key)
	b.StoreRef(e+entryValue, value)
	i := hash & s.mask
	switch {
	case s.tags:
		for b.Load(dictIndex+int(i)) != 0 {
			i = (i + 1) & s.mask
		}
		b.Store(dictIndex+int(i), uint32(n+1)|hash&^s.mask)
	case s.mask != 0:
		for byteAt(b, i) != 0 {
			i = (i + 1) & s.mask
		}
		setByte(b, i, uint32(n+1))
	}
	b.StoreUint64(dictState, state+1+stateOneLive)
}

// remove kills the entry at e and returns its value. Writer only.
func remove(b rt.Body, e int) rt.Ref {
	state := b.LoadUint64(dictState)
	b.Store(dictDeleting, uint32(e))
	b.StoreUint64(dictState, state|stateDeleting)
	v := b.SwapRef(e+entryValue, rt.Nil)
	if mutant.On && mutant.Is(mutant.EntryReused) && e == shapeOf(b).entries+(usedOf(state)-1)*entryWords {
		state--
	}
	b.StoreUint64(dictState, state-stateOneLive)
	return v
}

// dictLen returns the number of live entries, at some moment of the call.
//
// While an entry is being deleted, live is that with it. If the state is still
// the same after a look at the entry, the look tells whether it was gone; if not,
// that deletion is over, and it took effect before the call or within it. (used
// only grows within a table, so the same state cannot come back.)
func dictLen(b rt.Body) int {
	state := b.LoadUint64(dictState)
	n := liveOf(state)
	if state&stateDeleting == 0 {
		return n
	}
	gone := b.LoadRef(int(b.Load(dictDeleting))+entryValue) == rt.Nil
	if gone || b.LoadUint64(dictState) != state {
		return n - 1
	}
	return n
}

// rebuilt returns a table for the dict d with the live entries of b and room for n in all.
func rebuilt(t *rt.Thread, d rt.Ref, b rt.Body, n int) (rt.Ref, rt.Body, error) {
	r, to, err := newTable(t, d, n)
	if err != nil || b.IsNil() {
		return r, to, err
	}
	eachEntry(b, func(e int, value rt.Ref) {
		if value != rt.Nil && !(mutant.On && mutant.Is(mutant.RebuildLoses) && dictLen(to) == 2) {
			insert(to, b.Ref(e+entryKey), value, b.Word(e+entryHash)) // moved: counts go along
		}
	})
	return r, to, nil
}

// eachEntry calls f with every published entry, live or dead.
func eachEntry(b rt.Body, f func(e int, value rt.Ref)) {
	e := shapeOf(b).entries
	for range usedOf(b.LoadUint64(dictState)) {
		f(e, b.LoadRef(e+entryValue))
		e += entryWords
	}
}
