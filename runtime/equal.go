package runtime

import (
	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/header"
)

// equalTable finds frozen objects without references by their contents. It uses open
// addressing, and is at most two thirds full. An entry is 0 if it is empty; else its upper half
// is the object's hash, and its lower half the object's offset in granules, plus 1.
type equalTable struct {
	places []uint64
	n      int
}

// find returns the offset of an object equal to the one at offset at. If there is none, it
// enters that one and returns at.
func (e *equalTable) find(z *freezer, at uint32) uint32 {
	if 3*(e.n+1) > 2*len(e.places) {
		e.grow()
	}
	hash := z.contentHash(at)
	mask := uint32(len(e.places) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch p := e.places[i]; {
		case p == 0:
			e.places[i] = uint64(hash)<<32 | uint64(at+1)
			e.n++
			return at
		case uint32(p>>32) == hash && z.sameContents(uint32(p)-1, at):
			return uint32(p) - 1
		}
	}
}

func (e *equalTable) grow() {
	old := e.places
	e.places = make([]uint64, max(2*len(old), 1024))
	mask := uint32(len(e.places) - 1)
	for _, p := range old {
		if p == 0 {
			continue
		}
		i := uint32(p>>32) & mask
		for e.places[i] != 0 {
			i = (i + 1) & mask
		}
		e.places[i] = p
	}
}

// contentHash hashes the bytes that sameContents compares. The first words of a text are its
// hash and its length.
func (z *freezer) contentHash(at uint32) uint32 {
	h := z.header(at)
	meta, size := h.Meta(), h.FrozenSize()
	var x uint64
	switch {
	case meta == header.FloatMeta:
		bits, note, _ := h.Number()
		x = bits ^ uint64(note)<<32
	case TypeID(meta) == TypeString, TypeID(meta) == TypeBytes, TypeID(meta) == TypeNumber:
		x = z.body(at).Uint64(0)
	default:
		x = xxhash.Sum64(z.body(at).Bytes(0, int(size-1)*granuleWords*4))
	}
	x = (x ^ uint64(meta)<<40) * 0x9e37_79b9_7f4a_7c15
	return uint32(x >> 32)
}

// sameContents reports whether two frozen objects without references differ only in their
// offset.
func (z *freezer) sameContents(a, b uint32) bool {
	ha, hb := z.header(a), z.header(b)
	meta, size := ha.Meta(), ha.FrozenSize()
	if meta != hb.Meta() || size != hb.FrozenSize() {
		return false
	}
	if meta == header.FloatMeta {
		x, note, _ := ha.Number()
		y, other, _ := hb.Number()
		return x == y && note == other
	}
	n := int(size-1) * granuleWords * 4
	return z.body(a).String(0, n) == z.body(b).String(0, n)
}

// findEqual looks for a copy of an object that equals r, of a type with Freezing.Hash.
// Everything below earlier objects is copied by now, since the walk has returned from there.
func (z *freezer) findEqual(r Ref, y *Type, hash uint32) (uint32, bool) {
	if hash == 0 {
		return 0, false
	}
	for _, at := range z.byHash[hash] {
		if z.sameAsCopy(pair{r, at}) {
			return at, true
		}
	}
	return 0, false
}

// pair is an object and the offset of a copy that may equal it.
type pair struct {
	r  Ref
	at uint32
}

// comparing is a pair whose slots are being compared, and the position in them.
type comparing struct {
	pair
	a, b    Body
	i, j, n int // slots of a from i on, slots of b from j on
}

// sameAsCopy compares an object with a copy. It uses an explicit stack, so deep nesting is no
// problem. It records the result for each pair that it has compared, in copies or in unlike. So
// no pair is compared twice in a Freeze, however many paths lead to it, and the time is linear
// in the number of objects.
func (z *freezer) sameAsCopy(p pair) bool {
	var open []comparing
	next := p
	for {
		same, known := z.samePair(next)
		if !known {
			var c comparing
			if c, same = z.compare(next); same && c.n > 0 {
				open = append(open, c)
			} else {
				z.note(next, same)
			}
		}
		for {
			if len(open) == 0 {
				return same
			}
			c := &open[len(open)-1]
			if same && c.n > 0 {
				var done bool
				if next, done, same = z.nextSlot(c); !done {
					break
				}
				continue
			}
			z.note(c.pair, same)
			open = open[:len(open)-1]
		}
	}
}

// note records the result of a comparison. An object that equals a copy is not copied.
func (z *freezer) note(p pair, same bool) {
	if same {
		z.copies.Set(uint32(p.r.Handle), p.at)
		return
	}
	z.unlike[p] = true
}

// samePair reports whether a pair is equal, if that is known. An object that has a copy equals
// that copy and no other, since equal copies are stored once.
func (z *freezer) samePair(p pair) (same, known bool) {
	if have, ok := z.copies.Get(uint32(p.r.Handle)); ok {
		return have == p.at, true
	}
	return false, z.unlike[p]
}

// nextSlot advances to the next slots of a pair. If both hold objects, it returns these as the
// pair to compare next. Otherwise done is true, and same reports whether the slots are equal.
func (z *freezer) nextSlot(c *comparing) (next pair, done, same bool) {
	r, copied := z.t.Slot(c.r, c.a, c.i), z.t.Slot(Ref{z.start + Handle(c.at)}, c.b, c.j)
	c.i, c.j, c.n = c.i+1, c.j+1, c.n-1
	if r.Handle >= selfBase || copied.Handle >= selfBase {
		return next, true, r == copied
	}
	return pair{r, uint32(copied.Handle - z.start)}, false, true
}

// compare compares two objects except for the targets of their slots, which are still to be
// compared.
func (z *freezer) compare(p pair) (c comparing, same bool) {
	t := z.t
	y := t.rt.typeAt(p.r)
	if meta, err := z.meta(y); err != nil || meta != z.header(p.at).Meta() {
		return c, false
	}
	if y.Slots == nil {
		return c, z.sameLeaf(p.r, p.at)
	}
	a, b := t.Body(p.r), z.body(p.at)
	if y.Freezing == nil || y.Freezing.Hash == nil {
		return c, false
	}
	if hash := y.Freezing.Hash(a); hash == 0 || hash != y.Freezing.Hash(b) {
		return c, false
	}
	c = comparing{pair: p}
	var m int
	c.a, c.i, c.n = y.Slots(t.Heap, a)
	c.b, c.j, m = y.Slots(t.Heap, b)
	return c, c.n == m
}

// sameLeaf compares an object of a built-in type without references with a copy. The first
// granule of such a body tells its size.
func (z *freezer) sameLeaf(r Ref, at uint32) bool {
	a, b := z.t.header(r), z.header(at)
	if x, note, ok := a.Number(); ok {
		y, other, _ := b.Number()
		return x == y && note == other
	}
	x, y := z.t.Body(r), z.body(at)
	if TypeID(b.Meta()&metaTypeMax) >= typeLocal || x.Uint64(0) != y.Uint64(0) || x.Uint64(2) != y.Uint64(2) {
		return false
	}
	n := int(b.FrozenSize()-1) * granuleWords * 4
	return x.String(0, n) == y.String(0, n)
}
