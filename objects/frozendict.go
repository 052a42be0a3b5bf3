package objects

import (
	"fmt"
	"math/bits"

	rt "github.com/ichor-go/ichor/runtime"
)

// The body of a frozen Dict is its table: entries in insertion order, and an index from
// hashes to entries unless there are only a few.
//
//	0  length
//	1  log2 of the index's size, 0 for none; KEYED << 8
//	   if KEYED: the seed, 128 bits
//	2  index
//	   entries: hash, key, value
//
// A place of the index is 0, or leads to an entry. Up to 255 entries a place is a byte, the
// entry's number + 1. Beyond that it is a word with bits of the hash above the number, as
// in the table of other dicts. The index is at most half full, or two thirds full if its
// places are bytes, so a search for an absent key ends soon.
//
// The hash of an entry is Hash of its key, unless that would fill more than runMax places
// in a row of an index of words, as chosen keys do. Then the table is KEYED, and the hash
// is SipHash with a seed that depends on all the keys (see frozenSeed). So nobody can
// choose keys for the seed, and the bytes of a frozen graph still depend on the graph
// alone. An index with a longer run of filled places is neither made nor opened.
const (
	frozenLog   = 1
	frozenIndex = 2

	frozenKeyed = 1 << 8
	seedWords   = 4

	// maxBytePlace is the most entries that places of a byte can lead to.
	maxBytePlace = 1<<8 - 1
)

// runMax bounds how many places a search looks at. In a half-full index, a run of 256
// filled places begins at a given place with a probability of 4e-22. The probability of
// such a run anywhere in the largest index is 5e-14: see chainMax. Tests lower it.
var runMax = 256

// frozenTable is the layout of a frozen table for n entries.
type frozenTable struct {
	n, log int
	words  bool // places are words
	keyed  bool
	index  int // first word of the index
	first  int // first word of the entries
}

// frozenTableIn returns the layout of the frozen table with the body o.
func frozenTableIn(o rt.Body) frozenTable {
	return frozenTableFor(int(o.Word(frozenLength)), o.Word(frozenLog)&frozenKeyed != 0)
}

func frozenTableFor(n int, keyed bool) frozenTable {
	f := frozenTable{n: n, keyed: keyed, index: frozenIndex}
	if keyed {
		f.index += seedWords
	}
	f.first = f.index
	switch {
	case n <= linearMax:
	case n <= maxBytePlace:
		f.log = bits.Len(uint(n + n/2))
		f.first += 1 << f.log / 4
	default:
		f.log, f.words = bits.Len(uint(2*n-1)), true
		f.first += 1 << f.log
	}
	return f
}

// form returns word 1 of the table.
func (f frozenTable) form() uint32 {
	if f.keyed {
		return uint32(f.log) | frozenKeyed
	}
	return uint32(f.log)
}

func (f frozenTable) mask() uint32 { return 1<<f.log - 1 }

func (f frozenTable) size() int { return f.first + entryWords*f.n }

// entry returns the first word of entry i.
func (f frozenTable) entry(i int) int { return f.first + i*entryWords }

// place returns the number, counted from 1, of the entry that place i of the index leads
// to, or 0 if the place is empty. rest is 0 if the bits of the hash that the place holds
// match hash.
func (f frozenTable) place(o rt.Body, i, hash uint32) (n, rest uint32) {
	if !f.words {
		return o.Word(f.index+int(i>>2)) >> (i & 3 * 8) & 0xff, 0
	}
	p := o.Word(f.index + int(i))
	return p & f.mask(), (p ^ hash) &^ f.mask()
}

// entryAt returns the number, counted from 1, of the entry that place i of the index leads
// to; 0 if none.
func (f frozenTable) entryAt(o rt.Body, i uint32) uint32 {
	n, _ := f.place(o, i, 0)
	return n
}

// put makes place i lead to entry n.
func (f frozenTable) put(o rt.Body, i, n, hash uint32) {
	if f.words {
		o.SetWord(f.index+int(i), n|hash&^f.mask())
		return
	}
	w := f.index + int(i>>2)
	o.SetWord(w, o.Word(w)|n<<(i&3*8))
}

// lookupFrozen is Dict.Lookup for a frozen dict.
func (d Dict) lookupFrozen(t *rt.Thread, key rt.Ref) (rt.Ref, bool) {
	var o rt.Body
	var hash uint32
	if t.QuickKind(d) == rt.TypeDict && t.QuickKind(key) == rt.TypeString {
		o, hash = t.Body(d), t.Body(key).Load(textHash) // open, inlined by hand
	}
	if hash == 0 {
		var err error
		if o, hash, err = d.openSlow(t, key); err != nil {
			return rt.Nil, false
		}
	}
	home := t.Home(d)
	switch n := o.Word(frozenLength); {
	case n <= linearMax:
		for e := frozenIndex; n > 0; e, n = e+entryWords, n-1 {
			if equalFrozenKey(t, o, home, e, key, hash) {
				return home.Ref(o.Ref(e + entryValue)), true
			}
		}
		return rt.Nil, false
	case n > maxBytePlace && o.Word(frozenLog)&frozenKeyed == 0:
		return findFrozen(t, o, home, key, hash)
	}
	f := frozenTableIn(o)
	if f.keyed {
		hash = f.hash(t, o, key)
	}
	mask := f.mask()
	for i := hash & mask; ; i = (i + 1) & mask {
		n, rest := f.place(o, i, hash)
		if n == 0 {
			return rt.Nil, false
		}
		if e := f.entry(int(n - 1)); rest == 0 && equalFrozenKey(t, o, home, e, key, hash) {
			return home.Ref(o.Ref(e + entryValue)), true
		}
	}
}

// findFrozen is lookupFrozen for a table with an index of words that is not KEYED. Lookups in
// large tables spend their time here.
func findFrozen(t *rt.Thread, o rt.Body, home rt.Home, key rt.Ref, hash uint32) (rt.Ref, bool) {
	size := uint32(1) << (o.Word(frozenLog) & 31)
	mask, first := size-1, frozenIndex+int(size)
	for i := hash & mask; ; i = (i + 1) & mask {
		p := o.Word(frozenIndex + int(i))
		n := p & mask
		if n == 0 {
			return rt.Nil, false
		}
		if (p^hash)&^mask != 0 {
			continue
		}
		e := first + int(n-1)*entryWords
		if home.Ref(o.Ref(e+entryKey)) == key || equalFrozenKey(t, o, home, e, key, hash) {
			return home.Ref(o.Ref(e + entryValue)), true
		}
	}
}

// equalFrozenKey reports whether the entry at e has an equal key. Most keys come from the same
// graph, or have another hash.
func equalFrozenKey(t *rt.Thread, o rt.Body, home rt.Home, e int, key rt.Ref, hash uint32) bool {
	k := home.Ref(o.Ref(e + entryKey))
	return k == key || o.Word(e+entryHash) == hash && sameKey(t, k, key)
}

// frozenEntries returns the entries of a frozen Dict; none if r is of another kind.
func frozenEntries(t *rt.Thread, r rt.Ref) []entry {
	o, ok := t.Object(r, rt.TypeDict)
	if !ok {
		return nil
	}
	home, f := t.Home(r), frozenTableIn(o)
	list := make([]entry, f.n)
	for i := range list {
		e := f.entry(i)
		list[i] = entry{home.Ref(o.Ref(e + entryKey)), home.Ref(o.Ref(e + entryValue)), o.Word(e + entryHash)}
		if f.keyed {
			list[i].hash, _ = Hash(t, list[i].key) // no error: it is a key
		}
	}
	return list
}

var dictFreezing = rt.Freezing{
	Layout:    "length, log2 of index, index, entries: hash, key, value",
	Copy:      copyDict,
	Version:   dictVersion,
	Check:     checkDict,
	CheckDeep: checkDictKeys,
	Label:     dictLabel,
}

func copyDict(c *rt.Copy) error {
	t := c.Thread()
	r, o := c.Source()
	if r.IsFrozen() {
		entries := frozenEntries(t, r)
		return fillTable(c, len(entries), func(f func(x entry)) {
			for _, x := range entries {
				f(x)
			}
		})
	}
	lockToRead(t, o)
	defer unlock(t, o)
	table := o.LoadRef(boxBlock)
	if table.IsNil() {
		return fillTable(c, 0, func(func(entry)) {})
	}
	b := t.Block(table)
	shut(b)
	defer reopen(b)
	return fillTable(c, dictLen(b), func(f func(x entry)) { eachLive(t, b, f) })
}

// fillTable makes the frozen table of n entries. The function each calls its argument once
// for each of them.
func fillTable(c *rt.Copy, n int, each func(f func(x entry))) error {
	w := tableCopy{frozenTable: frozenTableFor(n, false), c: c}
	if w.words && !w.fits(each) {
		seed := newFrozenSeed(c.Thread(), n)
		each(func(x entry) { seed.add(x.key) })
		w.frozenTable, w.seeded = frozenTableFor(n, true), seed.sum().remembering()
		if !w.fits(each) {
			return errCollide
		}
	}
	var err error
	if w.to, err = c.Alloc(4 * w.size()); err != nil {
		return err
	}
	w.to.SetWord(frozenLength, uint32(n))
	w.to.SetWord(frozenLog, w.form())
	if w.keyed {
		setSeed(w.to, w.seeded)
	}
	each(w.add)
	return nil
}

var errCollide = fmt.Errorf("keys collide: more than %d places of an index are filled in a row", runMax)

// tableCopy is a frozen table that is being filled.
type tableCopy struct {
	frozenTable
	seeded seeded // if KEYED
	c      *rt.Copy
	to     rt.Body
	i      int // entries so far
}

// fits reports whether no run of filled places would be longer than runMax.
func (w *tableCopy) fits(each func(f func(x entry))) bool {
	run, fits := newRuns(w.frozenTable), true
	each(func(x entry) { fits = fits && run.fill(w.hashOf(x)) })
	return fits && run.longest() <= runMax
}

// hashOf returns the hash of an entry in the table.
func (w *tableCopy) hashOf(x entry) uint32 {
	if w.keyed {
		return fold(w.seeded.hash(x.key))
	}
	return x.hash
}

// add adds an entry. No other entry has an equal key.
func (w *tableCopy) add(x entry) {
	hash := w.hashOf(x)
	e := w.entry(w.i)
	w.i++
	w.to.SetWord(e+entryHash, hash)
	w.c.Slot(e+entryKey, x.key)
	w.c.Slot(e+entryValue, x.value)
	if w.log == 0 {
		return
	}
	p := hash & w.mask()
	for w.entryAt(w.to, p) != 0 {
		p = (p + 1) & w.mask()
	}
	w.put(w.to, p, uint32(w.i), hash)
}

// dictLabel names a value by its key, and a key by itself. Traverse visits a key before its
// value.
func dictLabel(t *rt.Thread, r rt.Ref, i int) string {
	table := t.Body(r).LoadRef(boxBlock)
	if table.IsNil() {
		return "[?]" // the dict has been emptied
	}
	b := t.Block(table)
	if i/2 >= usedOf(b.LoadUint64(dictState)) {
		return "[?]" // i belongs to a table that this one has replaced
	}
	key := b.Ref(shapeOf(b).entries + i/2*entryWords + entryKey)
	name, ok := String(key).View(t)
	switch {
	case i%2 == 0:
		return "[key " + Format(t, key) + "]"
	case ok && len(name) <= formatted:
		return label(name)
	}
	return "[" + Format(t, key) + "]"
}
