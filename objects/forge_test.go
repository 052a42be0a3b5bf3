package objects

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	rt "github.com/ichor-go/ichor/runtime"
)

// A forgery is an image that a test writes itself or changes, object by object and word by
// word. Its checksums and lengths always match.
type forgery struct {
	head    []byte // the beginning of an image that the library has written
	words   []uint32
	root    uint32
	objects int // the number in the header
	types   int
	table   []byte
}

const (
	forgedSelf   = 0xC000_0000 // slots that lead to an object of the image
	forgedHeader = 4           // words of a header
	forgedLocal  = 63          // the type of objects of user-defined types, in the lower half of a meta word
)

// forge takes an image apart.
func forge(image []byte) *forgery {
	le := binary.LittleEndian
	m := &forgery{
		head: image[:imageHeader], root: le.Uint32(image[40:]),
		objects: int(le.Uint64(image[32:])), types: int(le.Uint32(image[44:])),
	}
	end := len(image) - typeBytesOf(image)
	for at := imageData; at < end; at += 4 {
		m.words = append(m.words, binary.NativeEndian.Uint32(image[at:]))
	}
	m.table = bytes.Clone(image[end:])
	return m
}

// empty returns the forgery without its objects.
func (m *forgery) empty() *forgery {
	return &forgery{head: m.head, types: m.types, table: m.table}
}

// add appends an object and returns the word of a slot that leads to it.
func (m *forgery) add(meta uint32, body ...uint32) uint32 {
	at := uint32(len(m.words) / 4)
	m.words = append(m.words, 1<<31, at, 1+uint32(len(body)+3)/4, meta)
	m.words = append(m.words, body...)
	for len(m.words)%4 != 0 {
		m.words = append(m.words, 0)
	}
	m.objects++
	return forgedSelf + at
}

// next returns the slot of the object that is added next.
func (m *forgery) next() uint32 { return forgedSelf + uint32(len(m.words)/4) }

func (m *forgery) text(s string) uint32 {
	b := append([]byte(s), 0, 0, 0)
	body := []uint32{fold(hashText([]byte(s))), uint32(len(s))}
	for ; len(b) >= 4; b = b[4:] {
		body = append(body, binary.NativeEndian.Uint32(b))
	}
	return m.add(uint32(rt.TypeString), body...)
}

func (m *forgery) int(v int64) uint32 {
	b := binary.NativeEndian.AppendUint64(nil, uint64(v))
	return m.add(uint32(rt.TypeInt), binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint32(b[4:]))
}

func (m *forgery) float(v float64) uint32 {
	at := m.next()
	b := math.Float64bits(v)
	m.words = append(m.words, 3<<30, uint32(b), 1, uint32(b>>32))
	m.objects++
	return at
}

// tuple adds a tuple with its correct hash.
func (m *forgery) tuple(items ...uint32) uint32 {
	h := uint32(tupleMark)
	for _, x := range items {
		if y, ok := m.hash(x); ok && h != 0 {
			h = addHash(h, y)
		} else {
			h = 0
		}
	}
	return m.add(uint32(rt.TypeTuple), append([]uint32{uint32(len(items)), h}, items...)...)
}

func (m *forgery) list(items ...uint32) uint32 {
	return m.add(uint32(rt.TypeList), append([]uint32{uint32(len(items))}, items...)...)
}

// dict adds a dict with the given keys, each its own value, and places for them.
func (m *forgery) dict(keys ...uint32) uint32 {
	pairs := make([][2]uint32, len(keys))
	for i, key := range keys {
		pairs[i] = [2]uint32{key, key}
	}
	body, ok := m.tableOf(pairs)
	if !ok {
		panic("these keys fit no table")
	}
	return m.add(uint32(rt.TypeDict), body...)
}

// tableOf returns the body of a dict, and whether there is one. It may have any number of keys
// with one hash.
func (m *forgery) tableOf(pairs [][2]uint32) ([]uint32, bool) {
	w := &placing{frozenTable: frozenTableFor(len(pairs), 0, false, 0)}
	for _, x := range pairs {
		h, _ := m.hash(x[0])
		w.hashes = append(w.hashes, h)
	}
	if w.form != 0 {
		defer func(n int) { runMax = n }(runMax)
		runMax = math.MaxInt
		if !w.arrange(false) {
			return nil, false
		}
	}
	body := make([]uint32, w.size())
	w.write(body)
	for i, x := range pairs {
		at := w.few(i) + entryKey
		if w.form != 0 {
			at = w.at(w.placed[i])
		}
		if w.form == 0 || w.placed[i] >= w.places {
			body[at-1] = w.hashes[i]
		}
		body[at], body[at+1] = x[0], x[1]
	}
	return body, true
}

// write writes the layout, the pilots and the order to the body of a table.
func (w *placing) write(body []uint32) {
	f := w.frozenTable
	body[frozenLength] = uint32(f.n)
	if f.form == 0 {
		return
	}
	copy(body[frozenForm:], []uint32{f.form, f.places, f.buckets, uint32(f.order), uint32(f.first)})
	clear(body[f.pilots:])
	for b, pilot := range w.pilots {
		setNarrowIn(body, f.pilots, b, 0, uint32(pilot))
	}
	for i, p := range w.placed {
		setNarrowIn(body, f.order, i, f.wide(), p)
	}
}

// narrowIn and setNarrowIn are narrow and setNarrow for a body in a slice. setNarrowIn changes an
// item that need not be 0.
func narrowIn(body []uint32, first, i int, wide uint32) uint32 {
	return body[first+i<<wide/4] >> (i << wide % 4 * 8) & (^uint32(0) >> (32 - 8<<wide))
}

func setNarrowIn(body []uint32, first, i int, wide, v uint32) {
	mask := ^uint32(0) >> (32 - 8<<wide)
	at, shift := first+i<<wide/4, i<<wide%4*8
	body[at] = body[at]&^(mask<<shift) | v<<shift
}

// layoutOf returns the layout that the body of a table says it has, and whether it has it.
func layoutOf(b []uint32) (frozenTable, bool) {
	n, form := int(b[frozenLength]), b[frozenForm]
	if n > len(b) || int(form>>twinShift) > n {
		return frozenTable{}, false
	}
	for grow := range growMost + 1 {
		f := frozenTableFor(n, grow, form&frozenKeyed != 0, int(form>>twinShift))
		if f.size() <= len(b) && f.form == form && (form == 0 || f.places == b[frozenPlaces] && f.first == int(b[frozenFirst])) {
			return f, true
		}
	}
	return frozenTable{}, false
}

// keyIn is key for a body in a slice.
func (f frozenTable) keyIn(b []uint32, i int) int {
	if f.form == 0 {
		return f.few(i) + entryKey
	}
	return f.at(narrowIn(b, f.order, i, f.wide()))
}

// replace makes the dict at a granule a correct one of the same keys and values, if that has the
// same size, and it is not KEYED.
func (m *forgery) replace(at int) {
	b := m.words[4*at+forgedHeader : 4*(at+int(m.words[4*at+2]))]
	f, ok := layoutOf(b)
	if !ok || f.keyed() {
		return
	}
	var pairs [][2]uint32
	for i := range f.n {
		w := f.keyIn(b, i)
		if w < 0 || w+1 >= len(b) {
			return
		}
		pairs = append(pairs, [2]uint32{b[w], b[w+1]})
	}
	if body, ok := m.tableOf(pairs); ok && (len(body)+3)/4 == (len(b)+3)/4 {
		clear(b[copy(b, body):])
	}
}

// at returns the words of the object that a slot leads to; nil if it leads to none.
func (m *forgery) at(slot uint32) []uint32 {
	granule := uint64(slot - forgedSelf)
	if slot < forgedSelf || 4*granule+forgedHeader > uint64(len(m.words)) {
		return nil
	}
	i := int(4 * granule)
	if m.words[i]&(1<<30) != 0 {
		return m.words[i : i+forgedHeader]
	}
	n := 4 * uint64(m.words[i+2])
	if n < forgedHeader || n > uint64(len(m.words)-i) {
		return nil
	}
	return m.words[i : i+int(n)]
}

// hash returns the hash of the key in a slot, as far as the objects determine it.
func (m *forgery) hash(slot uint32) (uint32, bool) {
	r := rt.Ref{Handle: rt.Handle(slot)}
	switch {
	case r.IsInt():
		return hashInt(r.Int()), true
	case r.Handle >= rt.None.Handle:
		// The hash of a singleton that is a text or a tuple is in its body.
		switch r {
		case rt.EmptyString:
			return fold(hashText(nil)), true
		case rt.EmptyBytes:
			return fold(hashText(nil)) ^ bytesMark, true
		case rt.EmptyTuple:
			return tupleMark, true
		}
		return fold(mix(uint64(r.Handle))), true
	}
	o := m.at(slot)
	switch {
	case o == nil:
	case o[0]&(1<<30) != 0:
		return hashFloat(math.Float64frombits(uint64(o[3])<<32 | uint64(o[1]))), true
	case len(o) < 2*forgedHeader:
	case o[3] == uint32(rt.TypeInt):
		b := binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, o[4]), o[5])
		return hashInt(int64(binary.NativeEndian.Uint64(b))), true
	case o[3] == uint32(rt.TypeTuple):
		return o[4+tupleHash], o[4+tupleHash] != 0
	case o[3] == uint32(rt.TypeString) || o[3] == uint32(rt.TypeBytes) || o[3] == uint32(rt.TypeNumber):
		return o[4+textHash], true
	}
	return 0, false
}

// image returns the file.
func (m *forgery) image() []byte {
	le := binary.LittleEndian
	b := append(slices.Clip(m.head), make([]byte, imageData-imageHeader)...)
	for _, w := range m.words {
		b = binary.NativeEndian.AppendUint32(b, w)
	}
	le.PutUint64(b[32:], uint64(m.objects))
	le.PutUint32(b[40:], m.root)
	le.PutUint32(b[44:], uint32(m.types))
	return reseal(append(b, m.table...), len(m.table))
}

// colliding returns n numbers that are not small integers, and have the same hash.
func colliding(n int) []int64 { return withHash(n, 0x1234_5678) }

// withHash returns n numbers that are not small integers, and have the given hash.
func withHash(n int, hash uint32) []int64 {
	list := unhash(n+n/8+10, intMark, hash)
	list = slices.DeleteFunc(list, func(v int64) bool { _, small := rt.Int(v); return small })
	return list[:n]
}

// unhash returns n numbers with the given hash: as integers or as floats, according to
// mark.
func unhash(n int, mark uint64, hash uint32) (list []int64) {
	for hi := uint64(0); len(list) < n; hi++ {
		x := hi<<32 | (hi^uint64(hash))&math.MaxUint32 // fold(x) is hash
		x ^= x >> 33
		x *= 0x9cb4b2f8129337db
		x ^= x >> 33
		x *= 0x4f74430c22a54005
		x ^= x >> 33
		list = append(list, int64(x^mark))
	}
	return list
}

// collidingTexts returns two texts that begin with the prefix and have the same hash.
func collidingTexts(prefix string) (a, b string) {
	var begun xxhash.Digest
	begun.Reset()
	_, _ = begun.WriteString(prefix)
	seen := map[uint32]int{}
	for i := 0; ; i++ {
		d := begun
		end := binary.LittleEndian.AppendUint32(nil, uint32(i))
		for j := range end {
			end[j] &= 0x7f // ASCII
		}
		if uint32(i)&0x8080_8080 != 0 {
			continue
		}
		_, _ = d.Write(end)
		h := fold(d.Sum64())
		if j, ok := seen[h]; ok {
			other := binary.LittleEndian.AppendUint32(nil, uint32(j))
			return prefix + string(other), prefix + string(end)
		}
		seen[h] = i
	}
}

// sumOf returns the checksum of b as images hold it.
func sumOf(b []byte) []byte { return binary.LittleEndian.AppendUint64(nil, xxhash.Sum64(b)) }
