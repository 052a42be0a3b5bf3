package objects

import (
	"math/bits"

	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a Dict's block, which is its table: entries in insertion order, and an index
// from hashes to entries unless there are only a few (Raymond Hettinger's compact layout,
// as in CPython 3.6).
//
//	0  capacity in entries
//	1  index: log2 of its size, 0 for none; TAGS << 8; GATES << 16; KEYED << 17
//	2  state, 64 bits: entries used, live entries << 32, DELETING << 63
//	4  the entry that is being deleted
//	5  first word of the entries
//	   if there is an index:
//	6  oldest: how many entries at the beginning are known to be dead. Only writers
//	   read it
//	7  index: see below
//	   in any case:
//	   entries: hash, key, value
//	   gates, in large tables: see dictgates.go
//
// A place of the index is 0, or leads to an entry. Without TAGS a place is a byte, the
// entry's number + 1. With TAGS it is a word:
//
//	31 ............ log2  log2-1 ............ 0
//	bits of the hash      entry's number + 1
//
// The lower bits of the hash give the place where a search for it begins. The upper bits,
// in the place, let a search pass over nearly all entries with other hashes. To look at an
// entry costs a cache miss in a large table, and such misses are most of the time of a
// lookup.
//
// An entry's hash and key are written before the entry is published, and never again. A
// value of Nil says that the entry is dead. A dead entry keeps its key until the table is
// rebuilt. If the key is inserted again, that adds an entry. A dead entry never comes back
// to life, so oldest only grows, and PopFirst looks at each dead entry once. In a new table
// oldest is 0. A table without an index has few entries, and does without oldest.
//
// Of all entries with one key, only the youngest has a place of the index that leads to it:
// a key that is inserted again takes over the place of its dead entry. So deleting and
// setting a key makes no search longer. Otherwise the entry that a place leads to never
// changes.
//
// The hash of an entry is Hash of its key, a fixed function. In a table that is KEYED it is
// keyedHash, which depends on the runtime's seed. A rebuild makes a table KEYED if a search
// for a free place has passed more than chainMax filled ones (see chainMax).
//
// Readers may rely on this order of stores:
//
//	change      order of stores                                    takes effect at
//	insert      entry, index, state with used+1 and live+1         state
//	overwrite   value                                              value
//	delete      deleting, state with DELETING, value := Nil,       value
//	            state with live−1
//	rebuild     all of a new table, then the dict's block          changes nothing
//
// So a reader takes an entry to be present if its number is below used, and its value is
// not Nil. Suppose that a place leads a reader to a dead entry, and the key has come back
// since. Then the key was absent at its deletion, or at the beginning of the call if the
// deletion was earlier. For the new entry takes over the place before it is published, and
// the reader has found the old one there. A reader that wants the length looks at the entry
// that is being deleted, to learn whether live still holds: see dictLen.
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

	// linearMax is the largest capacity without an index. A scan of that many hashes in a
	// row costs no more than a probe. A guess.
	linearMax = 8

	// chainMax is how many filled places a search for a free place passes in an index with
	// TAGS before the table becomes KEYED. In a quarter-full table, a run of k filled
	// places begins at a given place with a probability of e^(-k(α-1-ln α)), α = 1/4. For k
	// = 64 that is 2e-18, and the probability of such a run anywhere in an index of 2^28
	// places is 6e-10. So chance alone does not produce one.
	chainMax = 64
)

// maxEntries is the most entries that a dict can have. With one more, the index would
// double and the table would be larger than the largest block, 2 GiB. Tests lower it.
var maxEntries = 1<<26 - 1

// alwaysKeyed makes all new tables KEYED. For tests.
var alwaysKeyed = false

func usedOf(state uint64) int { return int(state & stateUsed) }
func liveOf(state uint64) int { return int(state &^ stateDeleting >> 32) }

// shape is the layout of a table.
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

// place returns the number, counted from 1, of the entry that place i of the index leads
// to, or 0 if the place is empty. rest is 0 if the bits of the hash that the place holds
// match hash.
func (s shape) place(b rt.Body, i, hash uint32) (n, rest uint32) {
	if !s.tags {
		return byteAt(b, i), 0
	}
	p := b.Load(dictIndex + int(i))
	return p & s.mask, (p ^ hash) &^ s.mask
}

// put makes place i lead to entry n.
func (s shape) put(b rt.Body, i, n, hash uint32) {
	if s.tags {
		b.Store(dictIndex+int(i), n|hash&^s.mask)
		return
	}
	w, shift := dictIndex+int(i>>2), i&3*8
	b.Store(w, b.Load(w)&^(0xff<<shift)|n<<shift)
}

// tableIn returns the table r, or the zero Body for Nil.
func tableIn(t *rt.Thread, r rt.Ref) rt.Body {
	if r.IsNil() {
		return rt.Body{}
	}
	return t.Block(r)
}

// isKeyed reports whether the table b, which may be the zero Body, is KEYED.
func isKeyed(b rt.Body) bool { return !b.IsNil() && b.Word(dictShape)&shapeKeyed != 0 }

// maskOf returns the mask of the index in a table whose shape word is w.
func maskOf(w uint32) uint32 { return 1<<(w&31) - 1 }

// firstEntry returns the first word of the entries in a table whose shape word is w.
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

// shapeFor returns the shape word of a table for n entries.
func shapeFor(n int) uint32 {
	if n <= linearMax {
		return 0
	}
	if n < 1<<8 {
		return uint32(bits.Len(uint(n + n/2))) // at most two thirds full
	}
	return uint32(bits.Len(uint(4*n))) | shapeTags // at most a quarter full: see docs/rationale.md
}

// newTable returns an empty table for the dict d, with room for at least n entries.
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

// remove makes the entry at e dead and returns its value. Writer only.
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
// While an entry is being deleted, live still includes it. If the state is unchanged after
// a look at the entry, the look tells whether the entry was dead. If the state has changed,
// that deletion is over, and it took effect before the call or within it. (used only grows
// within a table, so the same state cannot come back.)
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

// grown returns the capacity of a new table for the live entries and one more.
func grown(live int) int { return min(max(live+live/2+1, 4), maxEntries) }

// rebuilt returns a table for the dict d with the live entries of b, which may be the zero
// Body, and room for n entries in all.
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
		insert(to, p, b.Ref(e+entryKey), value) // moved, with its counts
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
	hash, _ := Hash(t, key) // no error: it is a key
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
