package objects

import (
	"encoding/binary"
	"math"

	rt "github.com/ichor-go/ichor/runtime"
)

// hashOfKey returns the hash of an object of an image that has passed its checks, and
// whether the object can be a key.
func hashOfKey(k *rt.Check, key rt.Ref) (uint32, bool) {
	if k.Kind(key) == rt.TypeString { // the usual kind
		return k.Reader().Body(key).Word(textHash), true
	}
	hash, err := Hash(k.Reader(), key)
	return hash, err == nil
}

// identities tell equal keys of an image from different ones. Each object is examined once,
// however often it is compared: texts can be long, tuples can share parts, and an image can
// make all hashes equal. Go's maps find equal contents, by hashes with a seed that no file
// can know.
type identities struct {
	known map[rt.Ref]rt.Ref   // of texts and tuples: the first object seen with the same contents
	first map[contents]rt.Ref // the first object seen with these contents
}

// contents is equal for equal keys: the bits of a number, the text of a text, the
// identities of a tuple's items.
type contents struct {
	kind rt.TypeID
	bits uint64
	text string
}

// identitiesOf returns the identities of the image that k checks.
func identitiesOf(k *rt.Check) *identities {
	return k.Kept(func() any { return &identities{map[rt.Ref]rt.Ref{}, map[contents]rt.Ref{}} }).(*identities)
}

// of returns the identity of a key: the same reference for equal keys. The key has passed
// its checks.
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
			continue // nested items come first
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

// lookup returns the identity of r; Nil if r is a text or a tuple that has not been
// examined yet.
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

// with returns the first object with the contents c, which r has.
func (x *identities) with(c contents, r rt.Ref) rt.Ref {
	first, ok := x.first[c]
	if !ok {
		first = r
		x.first[c] = r
	}
	return first
}
