package objects

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"

	rt "github.com/ichor-go/ichor/runtime"
)

// The body of a frozen Dict is its table: entries in the order of insertion, and for
// more than a few an index from hashes to entries.
//
//	0  length
//	1  log2 of the index's size, 0 for none
//	2  index
//	   entries: hash, key, value
//
// A place of the index is 0, or leads to an entry. Up to 255 entries it is a byte, the
// entry's number + 1; beyond that a word as in the table of others, with bits of the
// hash above the number. The index is half full at most, two thirds where it is bytes,
// so a search for what is not there ends soon.
const (
	frozenLog   = 1
	frozenIndex = 2
)

// frozenTable is the form of a frozen table for n entries.
type frozenTable struct {
	n, log int
	words  bool // places are words
	first  int  // first word of the entries
}

func frozenTableFor(n int) frozenTable {
	f := frozenTable{n: n, first: frozenIndex}
	switch {
	case n <= linearMax:
	case n < 1<<8:
		f.log = bits.Len(uint(n + n/2))
		f.first += 1 << f.log / 4
	default:
		f.log, f.words = bits.Len(uint(2*n-1)), true
		f.first += 1 << f.log
	}
	return f
}

func (f frozenTable) mask() uint32 { return 1<<f.log - 1 }

func (f frozenTable) size() int { return f.first + entryWords*f.n }

// place returns what leads to entry n, counted from 1, in place i of the index; 0 if
// that is empty. rest is 0 if the bits of the hash are right.
func (f frozenTable) place(o rt.Body, i, hash uint32) (n, rest uint32) {
	if !f.words {
		return o.Word(frozenIndex+int(i>>2)) >> (i & 3 * 8) & 0xff, 0
	}
	p := o.Word(frozenIndex + int(i))
	return p & f.mask(), (p ^ hash) &^ f.mask()
}

// put has place i lead to entry n.
func (f frozenTable) put(o rt.Body, i, n, hash uint32) {
	if f.words {
		o.SetWord(frozenIndex+int(i), n|hash&^f.mask())
		return
	}
	w := frozenIndex + int(i>>2)
	o.SetWord(w, o.Word(w)|n<<(i&3*8))
}

// lookupFrozen is Dict.Lookup.
func (d Dict) lookupFrozen(t *rt.Thread, key rt.Ref) (rt.Ref, bool) {
	o, hash, err := d.open(t, key)
	if err != nil {
		return rt.Nil, false
	}
	home := t.Home(rt.Ref(d))
	n := int(o.Word(frozenLength))
	if n <= linearMax {
		for e := frozenIndex; n > 0; e, n = e+entryWords, n-1 {
			if o.Word(e+entryHash) == hash && sameKey(t, home.Ref(o.Ref(e+entryKey)), key) {
				return home.Ref(o.Ref(e + entryValue)), true
			}
		}
		return rt.Nil, false
	}
	f := frozenTableFor(n)
	mask := f.mask()
	for i := hash & mask; ; i = (i + 1) & mask {
		n, rest := f.place(o, i, hash)
		if n == 0 {
			return rt.Nil, false
		}
		if rest != 0 {
			continue
		}
		e := f.first + int(n-1)*entryWords
		if o.Word(e+entryHash) == hash && sameKey(t, home.Ref(o.Ref(e+entryKey)), key) {
			return home.Ref(o.Ref(e + entryValue)), true
		}
	}
}

// frozenEntries returns the entries of a frozen Dict; none if r is of another kind.
func frozenEntries(t *rt.Thread, r rt.Ref) []entry {
	o, ok := t.Object(r, rt.TypeDict)
	if !ok {
		return nil
	}
	home, f := t.Home(r), frozenTableFor(int(o.Word(frozenLength)))
	list := make([]entry, f.n)
	for i := range list {
		e := f.first + i*entryWords
		list[i] = entry{home.Ref(o.Ref(e + entryKey)), home.Ref(o.Ref(e + entryValue)), o.Word(e + entryHash)}
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

// dictVersion has the dict's version, and below it the sum of those of its table's
// gates: while the dict's stays the same the table does.
func dictVersion(h rt.Heap, o rt.Body) uint64 {
	v := uint64(o.Load(boxVersion)) << 32
	if r := o.LoadRef(boxBlock); r != rt.Nil {
		if b := h.Block(r); hasGates(b) {
			for i := range gates {
				v += uint64(b.Load(gate(b, i) + gateVersion))
			}
		}
	}
	return v
}

func copyDict(c *rt.Copy) error {
	t := c.Thread()
	r, o := c.Source()
	if r.IsFrozen() {
		entries := frozenEntries(t, r)
		w, err := newTableCopy(c, len(entries))
		if err == nil {
			for _, x := range entries {
				w.add(x.key, x.value, x.hash)
			}
			w.finish()
		}
		return err
	}
	lockToCopy(t, o)
	defer unlock(t, o)
	table := o.LoadRef(boxBlock)
	if table == rt.Nil {
		_, err := newTableCopy(c, 0)
		return err
	}
	b := t.Block(table)
	if hasGates(b) {
		shut(t, table)
		defer reopen(t, table)
	}
	state := b.LoadUint64(dictState)
	w, err := newTableCopy(c, liveOf(state)) // nobody is deleting
	if err != nil {
		return err
	}
	e := shapeOf(b).entries
	for range usedOf(state) {
		if value := b.LoadRef(e + entryValue); value != rt.Nil {
			w.add(b.Ref(e+entryKey), value, b.Word(e+entryHash))
		}
		e += entryWords
	}
	w.finish()
	return nil
}

// tableCopy is a frozen table that is being filled.
type tableCopy struct {
	frozenTable
	c      *rt.Copy
	to     rt.Body
	i      int // entries so far
	looked int // places that had an entry already
}

func newTableCopy(c *rt.Copy, n int) (tableCopy, error) {
	w := tableCopy{frozenTable: frozenTableFor(n), c: c}
	var err error
	if w.to, err = c.Alloc(4 * w.size()); err == nil {
		w.to.SetWord(frozenLength, uint32(n))
		w.to.SetWord(frozenLog, uint32(w.log))
	}
	return w, err
}

// add adds an entry. The key is different from the others.
func (w *tableCopy) add(key, value rt.Ref, hash uint32) {
	e := w.first + w.i*entryWords
	w.i++
	w.to.SetWord(e+entryHash, hash)
	w.c.Slot(e+entryKey, key)
	w.c.Slot(e+entryValue, value)
	if w.log == 0 || w.looked > crowded*w.n {
		return
	}
	p := hash & w.mask()
	for ; w.entryAt(w.to, p) != 0; p = (p + 1) & w.mask() {
		w.looked++
	}
	w.put(w.to, p, uint32(w.i), hash)
}

// crowded is how many places of an index may be looked at for each entry, on average. Keys
// that nobody has chosen take one. With more, what depends on the hashes is given up.
const crowded = 8

// finish makes the index anew if add has given it up. Entries come in the order of where
// searches for them begin, so each goes behind the one before or to where its own search
// begins; what comes to the end goes on at the beginning, where that leaves gaps.
func (w *tableCopy) finish() {
	if w.looked <= crowded*w.n {
		return
	}
	clear(w.to.Refs(frozenIndex, w.first-frozenIndex))
	hash := func(i uint32) uint32 { return w.to.Word(w.entry(int(i)) + entryHash) }
	order := make([]uint32, w.n)
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(i, j uint32) int {
		return cmp.Or(cmp.Compare(hash(i)&w.mask(), hash(j)&w.mask()), cmp.Compare(i, j))
	})
	next, gap := uint32(0), uint32(0)
	for _, i := range order {
		p := max(hash(i)&w.mask(), next)
		if p <= w.mask() {
			next = p + 1
		} else {
			for w.entryAt(w.to, gap) != 0 {
				gap++
			}
			p = gap
		}
		w.put(w.to, p, i+1, hash(i))
	}
}

// entry returns the first word of entry i.
func (f frozenTable) entry(i int) int { return f.first + i*entryWords }

// entryAt returns which entry place i of the index leads to, counted from 1; 0 if none.
func (f frozenTable) entryAt(o rt.Body, i uint32) uint32 {
	n, _ := f.place(o, i, 0)
	return n
}

// dictLabel names a value by its key, and a key by itself. Traverse visits a key before
// its value.
func dictLabel(t *rt.Thread, r rt.Ref, i int) string {
	table := t.Body(r).LoadRef(boxBlock)
	if table == rt.Nil {
		return "[?]" // emptied meanwhile
	}
	b := t.Block(table)
	key := b.Ref(shapeOf(b).entries + i/2*entryWords + entryKey)
	name, ok := String(key).View(t)
	if ok && len(name) <= formatted {
		name = fmt.Sprintf("[%q]", name)
	} else {
		name = "[" + Format(t, key) + "]"
	}
	if i%2 == 0 {
		return ".key" + name
	}
	return name
}
