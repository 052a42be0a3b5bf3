package objects

import rt "github.com/ichor-go/ichor/runtime"

// Keys are compared while the dict is locked and other threads wait for the lock. For most
// kinds the time is bounded by the length of the two keys' texts. A tuple, however, may
// have any number of objects. So the spot of a tuple is looked up before the dict is locked.
// Under the lock, the tuple is compared only with the entries that were added since. If
// that would take too many comparisons, the lock is released and the search begins again.

// lockedLooks is how many pairs of references may be compared under a dict's lock to find
// one tuple. A guess.
const lockedLooks = 256

// lockAt locks the dict o, and returns its table, if it has one, and the key's spot there.
// hash is Hash of the key.
func lockAt(t *rt.Thread, o rt.Body, key rt.Ref, hash uint32) (r rt.Ref, b rt.Body, p spot) {
	if !key.IsInt() && isTuple(t, key) {
		return lockAtTuple(t, o, key, hash)
	}
	lock(t, o)
	if r = o.LoadRef(boxBlock); !r.IsNil() {
		b = t.Block(r)
		p = search(t, b, key, hash)
	}
	return r, b, p
}

// lockAtTuple is lockAt for a key that is a tuple.
func lockAtTuple(t *rt.Thread, o rt.Body, key rt.Ref, hash uint32) (r rt.Ref, b rt.Body, p spot) {
	for {
		seen, used := o.LoadRef(boxBlock), 0
		if !seen.IsNil() {
			b = t.Block(seen)
			used = usedOf(b.LoadUint64(dictState)) // before the search
			p = search(t, b, key, hash)
		}
		lock(t, o)
		r = o.LoadRef(boxBlock)
		if r.IsNil() {
			return r, rt.Body{}, spot{}
		}
		if r == seen {
			if now, ok := p.now(t, b, used, key); ok {
				return r, b, now
			}
		}
		unlock(t, o)
	}
}

// now brings the spot of a tuple in the table b up to date. The first used entries were in
// the table before the search that found p. It gives up if that would take too many
// comparisons. The dict is locked.
func (p spot) now(t *rt.Thread, b rt.Body, used int, key rt.Ref) (spot, bool) {
	s := shapeOf(b)
	switch {
	case p.e != 0 && s.mask != 0:
		n, _ := s.place(b, p.place, 0)
		p.e = s.entry(n) // the youngest one
		return p, true
	case p.e != 0 && alive(b, p.e):
		return p, true
	}
	p.e = 0
	looks := 0
	for n := used + 1; n <= usedOf(b.LoadUint64(dictState)); n++ {
		e := s.entry(uint32(n))
		if b.Word(e+entryHash) != p.hash {
			continue
		}
		same, more := compareKeys(t, b.Ref(e+entryKey), key, lockedLooks-looks)
		if looks += more; looks > lockedLooks {
			return p, false
		}
		if same && (s.mask != 0 || alive(b, e)) {
			p.e = e
		}
	}
	if s.mask == 0 {
		return p, true
	}
	for i := p.place; ; i = (i + 1) & s.mask {
		n, _ := s.place(b, i, 0)
		if n == 0 {
			return p.at(s, i), true
		}
		if s.entry(n) == p.e {
			p.place = i
			return p, true
		}
	}
}
