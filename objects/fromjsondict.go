package objects

import rt "github.com/ichor-go/ichor/runtime"

// newSmallDict is newDictSteal. The pairs have strings as keys. It is faster for tables without
// an index, as most objects of a document have: it fills the table with plain stores, and
// publishes all entries at once, before another thread can see the dict.
func newSmallDict(t *rt.Thread, pairs []rt.Ref) (Dict, error) {
	n := len(pairs) / 2
	if n == 0 || n > min(linearMax, maxEntries) || alwaysKeyed {
		return newDictSteal(t, pairs)
	}
	d, o, err := t.New(dictType, boxBytes)
	if err != nil {
		return rt.Nil, err
	}
	r, b, err := newTable(t, d, n, false)
	if err != nil {
		t.DecRef(d)
		return rt.Nil, err
	}
	e := shapeOf(b).entries
	for i := 0; i < len(pairs); i += 2 {
		b.SetWord(e+entryHash, textHashOf(t, pairs[i], t.Body(pairs[i])))
		b.SetRef(e+entryKey, pairs[i])
		b.SetRef(e+entryValue, pairs[i+1])
		e += entryWords
	}
	b.SetUint64(dictState, uint64(n)*(stateOneLive+1))
	o.SetRef(boxBlock, r)
	return d, nil
}
