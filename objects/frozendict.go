package objects

import (
	"fmt"
	"sort"

	rt "github.com/ichor-go/ichor/runtime"
)

// The body of a frozen Dict is its table. Of a few entries it has just these, in insertion
// order:
//
//	0  length, at most linearMax
//	1  form: 0
//	   entries: hash, key, value
//
// Otherwise a hash leads to the one place where its entry can be (compress, hash and displace:
// Belazzougui, Botelho and Dietzfelbinger, ESA 2009):
//
//	0  length
//	1  form: log2 of the bytes of a place's number + 1; KEYED << 8; twins << 9
//	2  places
//	3  buckets
//	4  first word of the order
//	5  first word of the places, an even number
//	   if KEYED: the seed, 128 bits
//	   pilots, a byte for each bucket
//	   order: for each entry, in insertion order, the number of its place
//	   places: key, value; two zeros if no hash leads there
//	   twins: hash, key, value
//
//	bucket = hash · buckets / 2^32
//	place  = mixed(hash, the bucket's pilot) · places / 2^32
//
// Of several entries with one hash, the first has the place. The others are twins, sorted by
// hash. Their numbers follow those of the places. A lookup looks at the place, which does not
// straddle a cache line. If the key there is another object, it looks at that too. If that has
// the same hash and is another key, it looks for twins.
//
// The hash is Hash of the key, unless there are no pilots for these hashes, as with chosen
// keys. Then the table is KEYED, and the hash is SipHash with a seed that depends on all the
// keys (see frozenSeed). So nobody can choose keys for the seed, and the bytes of a frozen
// graph still depend on the graph alone. A table with more than runMax equal hashes is neither
// made nor opened.
const (
	frozenForm    = 1
	frozenFew     = 2 // first word of the entries, if they are few
	frozenPlaces  = 2
	frozenBuckets = 3
	frozenOrder   = 4
	frozenFirst   = 5
	frozenPilots  = 6 // first word of the pilots, unless the table is KEYED
	frozenSeedAt  = 6

	frozenKeyed = 1 << 8
	twinShift   = 9
	seedWords   = 4
	placeWords  = 2
)

// runMax bounds how many entries with one hash a search looks at. Among the largest number of
// keys, chance makes five equal hashes. Tests lower it.
var runMax = 256

// frozenTable is the layout of a frozen table for n entries.
type frozenTable struct {
	n               int
	form            uint32
	places, buckets uint32 // 0 if the entries are few
	pilots          int    // first word of the pilots
	order           int    // first word of the order
	first           int    // first word of the places, or of the few entries
}

// frozenTableIn returns the layout of the frozen table with the body o.
func frozenTableIn(o rt.Body) frozenTable {
	n, form := int(o.Word(frozenLength)), o.Word(frozenForm)
	if form == 0 {
		return frozenTable{n: n, first: frozenFew}
	}
	f := frozenTable{
		n: n, form: form, places: o.Word(frozenPlaces), buckets: o.Word(frozenBuckets),
		pilots: frozenPilots, order: int(o.Word(frozenOrder)), first: int(o.Word(frozenFirst)),
	}
	if f.keyed() {
		f.pilots += seedWords
	}
	return f
}

// frozenTableFor returns the layout for n entries. The number of places was doubled grow times.
func frozenTableFor(n, grow int, keyed bool, twins int) frozenTable {
	if n <= linearMax {
		return frozenTable{n: n, first: frozenFew}
	}
	x := uint32(n)
	f := frozenTable{n: n, pilots: frozenPilots, places: (x + x>>2 + x>>4 + 1) << grow}
	f.buckets = f.places>>2 + f.places>>4 + 1
	f.form = wideFor(f.places+uint32(twins)) + 1 | uint32(twins)<<twinShift
	if keyed {
		f.form |= frozenKeyed
		f.pilots += seedWords
	}
	f.order = f.pilots + int(f.buckets+3)/4
	f.first = (f.order + (n<<f.wide()+3)/4 + 1) &^ 1
	return f
}

// setLayout writes all that frozenTableIn reads.
func (f frozenTable) setLayout(o rt.Body) {
	o.SetWord(frozenLength, uint32(f.n))
	if f.form != 0 {
		o.SetWord(frozenForm, f.form)
		o.SetWord(frozenPlaces, f.places)
		o.SetWord(frozenBuckets, f.buckets)
		o.SetWord(frozenOrder, uint32(f.order))
		o.SetWord(frozenFirst, uint32(f.first))
	}
}

// wide returns log2 of the bytes of a place's number.
func (f frozenTable) wide() uint32 { return f.form&3 - 1 }

func (f frozenTable) keyed() bool { return f.form&frozenKeyed != 0 }
func (f frozenTable) twins() int  { return int(f.form >> twinShift) }

// size returns the words of the table.
func (f frozenTable) size() int {
	if f.form == 0 {
		return f.first + entryWords*f.n
	}
	return f.twin(f.twins())
}

// few returns the first word of entry i of a few.
func (f frozenTable) few(i int) int { return f.first + i*entryWords }

// twin returns the first word of twin i.
func (f frozenTable) twin(i int) int { return f.first + placeWords*int(f.places) + entryWords*i }

// at returns the word of the key at place p, or of a twin. The value is in the next word.
func (f frozenTable) at(p uint32) int {
	if p < f.places {
		return f.first + placeWords*int(p)
	}
	return f.twin(int(p-f.places)) + entryKey
}

// key returns the word of the key of entry i, which comes before the value.
func (f frozenTable) key(o rt.Body, i int) int {
	if f.form == 0 {
		return f.few(i) + entryKey
	}
	return f.at(narrow(o, f.order, uint32(i), f.wide()))
}

// wideFor returns log2 of the bytes that hold the number of one of n places.
func wideFor(n uint32) uint32 {
	switch {
	case n <= 1<<8:
		return 0
	case n <= 1<<16:
		return 1
	}
	return 2
}

// scaledTo maps x to a number below n, in proportion.
func scaledTo(x, n uint32) uint32 { return uint32(uint64(x) * uint64(n) >> 32) }

// mixed returns different bits for each pilot. The multiplier is that of MurmurHash3.
func mixed(hash, pilot uint32) uint32 {
	return uint32(uint64(hash^pilot*0x9e3779b9) * 0xff51afd7ed558ccd >> 32)
}

func (f frozenTable) bucket(hash uint32) uint32       { return scaledTo(hash, f.buckets) }
func (f frozenTable) place(hash, pilot uint32) uint32 { return scaledTo(mixed(hash, pilot), f.places) }

// placeOf returns the place of a hash.
func (f frozenTable) placeOf(o rt.Body, hash uint32) uint32 {
	return f.place(hash, narrow(o, f.pilots, f.bucket(hash), 0))
}

// narrow returns item i of those that begin with the first word and take 1<<wide bytes each.
func narrow(o rt.Body, first int, i, wide uint32) uint32 {
	at := uint64(i) << wide
	return o.Word(first+int(at>>2)) >> (at & 3 * 8) & (^uint32(0) >> (32 - 8<<wide))
}

// setNarrow sets an item that is 0.
func setNarrow(o rt.Body, first int, i, wide, v uint32) {
	at := uint64(i) << wide
	w := first + int(at>>2)
	o.SetWord(w, o.Word(w)|v<<(at&3*8))
}

// findFrozen is find for the frozen dict d with the body o. hash is Hash of the key.
func findFrozen(t *rt.Thread, d Dict, o rt.Body, key rt.Ref, hash uint32) (rt.Ref, bool) {
	home, f := t.Home(d), frozenTableIn(o)
	if f.form == 0 {
		for e, n := frozenFew, f.n; n > 0; e, n = e+entryWords, n-1 {
			k := home.Ref(o.Ref(e + entryKey))
			if k == key || o.Word(e+entryHash) == hash && sameKey(t, k, key) {
				return home.Ref(o.Ref(e + entryValue)), true
			}
		}
		return rt.Nil, false
	}
	own := hash
	if f.keyed() {
		hash = fold(seedOf(t, o).hash(key))
	}
	w := f.at(f.placeOf(o, hash))
	k := home.Ref(o.Ref(w))
	if k == key || equalFrozenKey(t, k, key, own) {
		return home.Ref(o.Ref(w + 1)), true
	}
	return f.findTwin(o, home, hash, func(k rt.Ref) bool { return k == key || equalFrozenKey(t, k, key, own) })
}

// equalFrozenKey reports whether the key k of a frozen dict, which is Nil at an empty place,
// equals key. hash is Hash of key.
func equalFrozenKey(t *rt.Thread, k, key rt.Ref, hash uint32) bool {
	if t.QuickKind(k) == rt.TypeString {
		return t.Body(k).Word(textHash) == hash && sameKey(t, k, key)
	}
	if k.IsNil() {
		return false
	}
	h, _ := Hash(t, k) // no error: it is a key
	return h == hash && sameKey(t, k, key)
}

// findTwin returns the value of the twin with the given hash for whose key same returns true.
func (f frozenTable) findTwin(o rt.Body, home rt.Home, hash uint32, same func(key rt.Ref) bool) (rt.Ref, bool) {
	i := sort.Search(f.twins(), func(i int) bool { return o.Word(f.twin(i)+entryHash) >= hash })
	for ; i < f.twins() && o.Word(f.twin(i)+entryHash) == hash; i++ {
		if e := f.twin(i); same(home.Ref(o.Ref(e + entryKey))) {
			return home.Ref(o.Ref(e + entryValue)), true
		}
	}
	return rt.Nil, false
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
		w := f.key(o, i)
		list[i] = entry{key: home.Ref(o.Ref(w)), value: home.Ref(o.Ref(w + 1))}
		list[i].hash, _ = Hash(t, list[i].key) // no error: it is a key
	}
	return list
}

var dictFreezing = rt.Freezing{
	Layout:    "length, form, entries: hash, key, value; or length, form, places, buckets, where the rest is, pilots, order, places: key, value, twins",
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
	shut(t, b)
	defer reopen(b)
	return fillTable(c, dictLen(b), func(f func(x entry)) { eachLive(t, b, f) })
}

// fillTable makes the frozen table of n entries. The function each calls its argument once
// for each of them.
func fillTable(c *rt.Copy, n int, each func(f func(x entry))) error {
	w := tableCopy{frozenTable: frozenTableFor(n, 0, false, 0), c: c}
	var at *placing
	if n > linearMax {
		at = placings.Get().(*placing)
		defer placings.Put(at)
		if !w.fits(at, each) {
			seed := newFrozenSeed(c.Thread(), n)
			each(func(x entry) { seed.add(x.key) })
			w.frozenTable, w.seeded = frozenTableFor(n, 0, true, 0), seed.sum().remembering()
			if !w.fits(at, each) {
				return errCollide
			}
		}
		w.frozenTable = at.frozenTable
	}
	var err error
	if w.to, err = c.Alloc(4 * w.size()); err != nil {
		return err
	}
	w.setLayout(w.to)
	if w.keyed() {
		setSeed(w.to, w.seeded)
	}
	if n <= linearMax {
		each(w.add)
		return nil
	}
	for b, pilot := range at.pilots {
		setNarrow(w.to, w.pilots, uint32(b), 0, uint32(pilot))
	}
	each(func(x entry) { w.put(at.placed[w.i], x) })
	return nil
}

var errCollide = fmt.Errorf("keys collide: no table with at most %d entries of one hash", runMax)

// tableCopy is a frozen table that is being filled.
type tableCopy struct {
	frozenTable
	seeded seeded // if KEYED
	c      *rt.Copy
	to     rt.Body
	i      int // entries so far
}

// fits reports whether there is a table for the entries, which at then holds.
func (w *tableCopy) fits(at *placing, each func(f func(x entry))) bool {
	at.hashes = at.hashes[:0]
	each(func(x entry) { at.hashes = append(at.hashes, w.hashOf(x)) })
	return at.arrange(w.keyed())
}

// hashOf returns the hash of an entry in the table.
func (w *tableCopy) hashOf(x entry) uint32 {
	if w.keyed() {
		return fold(w.seeded.hash(x.key))
	}
	return x.hash
}

// add adds one of a few entries. No other entry has an equal key.
func (w *tableCopy) add(x entry) {
	e := w.few(w.i)
	w.i++
	w.to.SetWord(e+entryHash, x.hash)
	w.c.Slot(e+entryKey, x.key)
	w.c.Slot(e+entryValue, x.value)
}

// put adds an entry at place p.
func (w *tableCopy) put(p uint32, x entry) {
	setNarrow(w.to, w.order, uint32(w.i), w.wide(), p)
	w.i++
	at := w.at(p)
	if p >= w.places {
		w.to.SetWord(at-entryKey+entryHash, w.hashOf(x))
	}
	w.c.Slot(at, x.key)
	w.c.Slot(at+1, x.value)
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
