package runtime

import (
	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/header"
)

// equalTable finds frozen objects without references by their contents: open
// addressing, at most two thirds full. A place is 0, or has an object's hash in the
// upper half and its offset in granules, + 1, in the lower one.
type equalTable struct {
	places []uint64
	n      int
}

// find returns the offset of an object like the one at offset at, or enters that one
// and returns at itself.
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

// contentHash hashes what sameContents compares. The first words of a text are its
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

// sameContents reports whether two frozen objects without references differ in their
// place alone.
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

// findEqual looks for a copy of an object that equals r, of a type whose Freezing has
// a Hash. Everything below an earlier one is copied by now: the walk has come back from
// there.
func (z *freezer) findEqual(r Ref, y *Type, hash uint32) (uint32, bool) {
	if hash == 0 {
		return 0, false
	}
	for _, at := range z.byHash[hash] {
		if z.sameAsCopy(r, z.start+Ref(at)) {
			return at, true
		}
	}
	return 0, false
}

// sameAsCopy compares the object r with a copy, with a list of what is still to be
// compared: no depth of nesting needs a deep stack.
func (z *freezer) sameAsCopy(r, copied Ref) bool {
	type pair struct{ r, copied Ref }
	t := z.t
	for work := []pair{{r, copied}}; len(work) > 0; {
		p := work[len(work)-1]
		work = work[:len(work)-1]
		if p.r == p.copied {
			continue // not an object
		}
		if p.r >= selfBase || p.copied >= selfBase {
			return false
		}
		at := uint32(p.copied - z.start)
		if have, ok := z.copies.get(p.r); ok {
			if have != at {
				return false
			}
			continue
		}
		y := t.rt.typeAt(p.r)
		if meta, err := z.meta(y); err != nil || meta != z.header(at).Meta() {
			return false
		}
		if y.Slots == nil {
			if !z.sameLeaf(p.r, at) {
				return false
			}
			continue
		}
		if y.Freezing == nil || y.Freezing.Hash == nil {
			return false
		}
		a, i, n := y.Slots(t.Heap, t.Body(p.r))
		b, j, m := y.Slots(t.Heap, z.body(at))
		if n != m {
			return false
		}
		for k := range n {
			work = append(work, pair{t.Slot(p.r, a, i+k), t.Slot(p.copied, b, j+k)})
		}
	}
	return true
}

// sameLeaf compares an object of a built-in type without references with a copy. The
// first granule of such a body tells how many there are.
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
