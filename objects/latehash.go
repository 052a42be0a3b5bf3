package objects

import rt "github.com/ichor-go/ichor/runtime"

// The hash of a text or a tuple is computed when it is first needed, and stored in the object.
// Most objects die without it.
//
//	0     condition: a mortal whose hash nobody has asked for, or a tuple that cannot be a key
//	      to a hash by a thread that needs it: an atomic store, always of the same value
//	else  the hash, for good
//
// An immortal object is never written. So its hash is stored before it becomes immortal: at
// birth in a region, and by settle before Immortalize and Freeze. A word of 0 in an immortal
// tuple therefore says that it cannot be a key. (The hash of a text is 0 once in four billion:
// then it is computed again each time.)

// textHashOf returns the hash of the text key, whose body is o.
func textHashOf(t *rt.Thread, key rt.Ref, o rt.Body) uint32 {
	if h := o.Load(textHash); h != 0 {
		return h
	}
	h := hashOfText(t.Kind(key), o)
	keepHash(t, key, o, textHash, h)
	return h
}

// hashOfText computes the hash of a text.
func hashOfText(kind rt.TypeID, o rt.Body) uint32 {
	h := fold(hashText(o.Bytes(textBytes, int(o.Word(textLen)))))
	if kind == rt.TypeBytes {
		h ^= bytesMark
	}
	return h
}

// keepHash stores a hash in a mortal. No safe point lies between the look and the store, so the
// object does not become immortal in between.
func keepHash(t *rt.Thread, key rt.Ref, o rt.Body, word int, h uint32) {
	if h != 0 && !t.IsImmortal(key) {
		o.Store(word, h)
	}
}

// tupleHashOf returns the hash of the tuple key, whose body is o; 0 if it cannot be a key. The
// time is proportional to the size of the tuples in it whose hash is not known.
func tupleHashOf(t *rt.Thread, key rt.Ref, o rt.Body) uint32 {
	h := o.Load(tupleHash)
	if h != 0 || t.IsImmortal(key) {
		return h
	}
	return hashTuple(t, key)
}

// hashTuple computes the hash of a tuple, and those of the tuples in it. Tuples whose hash is
// unknown wait in a list, each of them above the tuples that contain it, so that deep nesting
// takes no stack.
func hashTuple(t *rt.Thread, key rt.Ref) (h uint32) {
	var some [8]rt.Ref
	for work := append(some[:0], key); len(work) > 0; {
		r, n := work[len(work)-1], len(work)
		o := t.Body(r)
		if h = o.Load(tupleHash); h == 0 {
			h = tupleMark
			for i := range int(o.Word(tupleLen)) {
				x := t.Slot(r, o, tupleSlots+i)
				if xo, ok := t.Object(x, rt.TypeTuple); ok && xo.Load(tupleHash) == 0 && !t.IsImmortal(x) {
					work = append(work, x)
				}
				if len(work) > n {
					continue // h will be computed when the others are known
				}
				xh, err := Hash(t, x)
				if err != nil {
					return 0
				}
				h = addHash(h, xh)
			}
			if len(work) > n {
				continue
			}
			keepHash(t, r, o, tupleHash, h)
		}
		work = work[:n-1]
	}
	return h
}

// settleText and settleTuple store the hash of an object that is about to become immortal or to
// be frozen.
func settleText(t *rt.Thread, r rt.Ref)  { textHashOf(t, r, t.Body(r)) }
func settleTuple(t *rt.Thread, r rt.Ref) { tupleHashOf(t, r, t.Body(r)) }
