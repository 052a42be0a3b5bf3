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
//	1  index: log2 of its size, 0 for none; TAGS << 8; GATES << 16; KEYED << 17
//	2  state, 64 bits: entries used, live entries << 32, DELETING << 63
//	4  the entry that is being deleted
//	5  first word of the entries
//	   if there is an index:
//	6  oldest: how many entries at the beginning are known to be dead. Writers alone look
//	   at it
//	7  index: see below
//	   in any case:
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
// the table is rebuilt; inserting the key again adds an entry. A dead entry never comes
// back to life: so oldest only grows, and PopFirst looks at each entry once. In a new
// table it is 0. A table without an index has few entries, and needs no such word.
//
// Of all entries with one key, one place of the index leads to the youngest: a key that is
// inserted again takes over the place that leads to its dead entry. So deleting and
// setting a key makes no search longer. Where a place leads never changes otherwise.
//
// The hash of an entry is Hash of its key, a fixed function; in a table that is KEYED it is
// keyedHash, with the runtime's seed. A table becomes KEYED when it is rebuilt because a
// search for a free place has gone past chainMax others (see there).
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
// not Nil. If a place leads it to an entry that is dead, and its key has come back since,
// the key was not there at the deletion, or at the beginning of the call if that was
// later: the new entry takes the place before it is published, and the reader has
// found the old one there. One that counts looks at the entry being deleted to learn whether
// live still holds: see dictLen.
const (
	dictCap      = 0
	dictShape    = 1
	dictState    = 2
	dictDeleting = 4
	dictFirst    = 5
	dictOldest   = 6
	dictIndex    = 7

	entryHash  = 0
	entryKey   = 1
	entryValue = 2
	entryWords = 3

	shapeTags  = 1 << 8
	shapeGates = 1 << 16
	shapeKeyed = 1 << 17

	stateUsed     = 1<<32 - 1
	stateOneLive  = 1 << 32
	stateDeleting = 1 << 63

	// linearMax is the largest capacity without an index: looking through as
	// many hashes in a row costs no more than a probe. A guess.
	linearMax = 8

	// chainMax is how many filled places a search for a free one goes past in an index
	// with TAGS before the table becomes KEYED. In a quarter-full table a run of filled
	// places as long as k begins at a given one with a probability of e^(-k(α-1-ln α)),
	// α = 1/4; with k = 64 that is 2e-18, and with 2^28 places there is one with 6e-10. So it
	// never happens by chance.
	chainMax = 64
)

// maxEntries is the most entries that a dict can have: with one more the index doubles, and
// the table would be larger than a block can be, 2 GiB. Tests have it smaller.
var maxEntries = 1<<26 - 1

// alwaysKeyed has all tables KEYED. For tests.
var alwaysKeyed = false

func usedOf(state uint64) int { return int(state & stateUsed) }
func liveOf(state uint64) int { return int(state &^ stateDeleting >> 32) }

// shape is the form of a table.
type shape struct {
	mask    uint32 // of the index; 0 for none
	tags    bool
	keyed   bool
	entries int // first word of the entries
}

func shapeOf(b rt.Body) shape {
	w := b.Word(dictShape)
	return shape{mask: maskOf(w), tags: w&shapeTags != 0, keyed: w&shapeKeyed != 0, entries: int(b.Word(dictFirst))}
}

// entry returns the first word of entry n, counted from 1.
func (s shape) entry(n uint32) int { return s.entries + int(n-1)*entryWords }

// place returns what leads to an entry, counted from 1, in place i of the index; 0 if that is
// empty. rest is 0 if the bits of the hash are right.
func (s shape) place(b rt.Body, i, hash uint32) (n, rest uint32) {
	if !s.tags {
		return byteAt(b, i), 0
	}
	p := b.Load(dictIndex + int(i))
	return p & s.mask, (p ^ hash) &^ s.mask
}

// put has place i lead to entry n.
func (s shape) put(b rt.Body, i, n, hash uint32) {
	if s.tags {
		b.Store(dictIndex+int(i), n|hash&^s.mask)
		return
	}
	w, shift := dictIndex+int(i>>2), i&3*8
	b.Store(w, b.Load(w)&^(0xff<<shift)|n<<shift)
}

// tableIn returns the table r; the zero Body for Nil.
func tableIn(t *rt.Thread, r rt.Ref) rt.Body {
	if r.IsNil() {
		return rt.Body{}
	}
	return t.Block(r)
}

// isKeyed reports whether the table b, which may be the zero Body, is KEYED.
func isKeyed(b rt.Body) bool { return !b.IsNil() && b.Word(dictShape)&shapeKeyed != 0 }

// maskOf returns the mask of the index in a table of the form w.
func maskOf(w uint32) uint32 { return 1<<(w&31) - 1 }

// firstEntry returns the first word of the entries in a table of the form w.
func firstEntry(w uint32) int {
	places := int(maskOf(w)) + 1
	switch {
	case w&31 == 0:
		return dictOldest
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
func newTable(t *rt.Thread, d rt.Ref, n int, keyed bool) (rt.Ref, rt.Body, error) {
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
	if shapeFor(room) != w {
		room = n
	}
	if behind > 0 {
		w |= shapeGates
	}
	if keyed || alwaysKeyed {
		w |= shapeKeyed
	}
	b.SetWord(dictCap, uint32(min(room, max(n, maxEntries))))
	b.SetWord(dictShape, w)
	b.SetWord(dictFirst, uint32(first))
	return r, b, nil
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
	gone := b.LoadRef(int(b.Load(dictDeleting)) + entryValue).IsNil()
	if gone || b.LoadUint64(dictState) != state {
		return n - 1
	}
	return n
}

// grown is how much room a table gets that has live entries and is to take one more.
func grown(live int) int { return min(max(live+live/2+1, 4), maxEntries) }

// rebuilt returns a table for the dict d with the live entries of b, which may be the zero
// Body, and room for n in all.
func rebuilt(t *rt.Thread, d rt.Ref, b rt.Body, n int, keyed bool) (rt.Ref, rt.Body, error) {
	r, to, err := newTable(t, d, n, keyed)
	if err != nil || b.IsNil() {
		return r, to, err
	}
	long := false
	eachEntry(b, func(e int, value rt.Ref) {
		if value.IsNil() || mutant.On && mutant.Is(mutant.RebuildLoses) && dictLen(to) == 2 {
			return
		}
		p := vacant(to, entryHashIn(t, b, e, to))
		long = long || p.long
		insert(to, p, b.Ref(e+entryKey), value) // moved: counts go along
	})
	if long && !isKeyed(to) {
		t.FreeBlock(r)
		return rebuilt(t, d, b, n, true)
	}
	return r, to, nil
}

// entryHashIn returns the hash that the entry at e in b has in the table to.
func entryHashIn(t *rt.Thread, b rt.Body, e int, to rt.Body) uint32 {
	if isKeyed(b) == isKeyed(to) {
		return b.Word(e + entryHash)
	}
	key := b.Ref(e + entryKey)
	hash, _ := Hash(t, key) // it is a key
	return hashIn(t, to, key, hash)
}

// eachEntry calls f with every published entry, live or dead.
func eachEntry(b rt.Body, f func(e int, value rt.Ref)) {
	e := shapeOf(b).entries
	for range usedOf(b.LoadUint64(dictState)) {
		f(e, b.LoadRef(e+entryValue))
		e += entryWords
	}
}
