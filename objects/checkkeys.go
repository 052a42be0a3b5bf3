package objects

import (
	"encoding/binary"
	"math"

	rt "github.com/ichor-go/ichor/runtime"
)

// hashOfKey returns the hash of an object of an image that is good, and whether it can be a
// key.
func hashOfKey(k *rt.Check, key rt.Ref) (uint32, bool) {
	if k.Kind(key) == rt.TypeString { // the usual one
		return k.Reader().Body(key).Word(textHash), true
	}
	hash, err := Hash(k.Reader(), key)
	return hash, err == nil
}

// identities tell equal keys of an image from others. Each object is looked at once, however
// often it is compared: texts can be long, tuples can share parts, and an image can make
// the hashes of all equal. Go's maps find contents, by hashes that no file can know.
type identities struct {
	known map[rt.Ref]rt.Ref   // by texts and tuples: the first that was seen with these contents
	first map[contents]rt.Ref // by contents
}

// contents is what keys have in common that are equal: of a number its bits, of a text the
// text, of a tuple the identities of its items.
type contents struct {
	kind rt.TypeID
	bits uint64
	text string
}

// identitiesOf returns those of the image that is checked.
func identitiesOf(k *rt.Check) *identities {
	return k.Kept(func() any { return &identities{map[rt.Ref]rt.Ref{}, map[contents]rt.Ref{}} }).(*identities)
}

// of returns the same for keys that are equal. The key is good.
func (x *identities) of(k *rt.Check, key rt.Ref) rt.Ref {
	for stack := []rt.Ref{key}; len(stack) > 0; {
		r := stack[len(stack)-1]
		if !x.lookup(k, r).IsNil() {
			stack = stack[:len(stack)-1]
			continue
		}
		n := len(stack)
		items, _ := Tuple(r).FrozenItems(k.Reader())
		for _, item := range items.All() {
			if x.lookup(k, item).IsNil() {
				stack = append(stack, item)
			}
		}
		if len(stack) > n {
			continue // they come first
		}
		c := contents{kind: k.Kind(r)}
		if c.kind == rt.TypeTuple {
			b := make([]byte, 0, 4*items.Len())
			for _, item := range items.All() {
				b = binary.NativeEndian.AppendUint32(b, uint32(x.lookup(k, item).Handle))
			}
			c.text = string(b)
		} else {
			c.text = textOf(k.Reader().Body(r))
		}
		x.known[r] = x.with(c, r)
	}
	return x.lookup(k, key)
}

// lookup returns what of returns for r; Nil if that is a text or a tuple and was not looked
// at yet.
func (x *identities) lookup(k *rt.Check, r rt.Ref) rt.Ref {
	if !r.IsFrozen() {
		return r // a small integer, or a singleton
	}
	switch kind := k.Kind(r); kind {
	case rt.TypeInt:
		return x.with(contents{kind: kind, bits: k.Reader().Body(r).Uint64(0)}, r)
	case rt.TypeFloat:
		v, _, _ := k.Reader().Float(r)
		if v == 0 {
			v = 0 // both zeros are the same key
		}
		return x.with(contents{kind: kind, bits: math.Float64bits(v)}, r)
	}
	return x.known[r]
}

// with returns the first object with these contents, which r has.
func (x *identities) with(c contents, r rt.Ref) rt.Ref {
	first, ok := x.first[c]
	if !ok {
		first = r
		x.first[c] = r
	}
	return first
}
