package objects

import (
	"iter"

	rt "github.com/ichor-go/ichor/runtime"
)

// All ranges over the entries in insertion order: see Snapshot, which it calls when the
// loop begins. The references are borrowed, and good until the loop ends, also across safe
// points, because the loop holds counts. The loop body may change the dictionary. Attached
// thread.
func (d Dict) All(t *rt.Thread) iter.Seq2[rt.Ref, rt.Ref] {
	return func(yield func(k, v rt.Ref) bool) {
		pairs := d.Snapshot(t, nil)
		t.Hold(&pairs)
		defer func() { t.Unhold(&pairs); t.DecRefs(pairs) }()
		for i := 0; i < len(pairs); i += 2 {
			if !yield(pairs[i], pairs[i+1]) {
				return
			}
		}
	}
}

// Snapshot appends two new references to dst for each entry: its key, then its value. It is
// weakly consistent: it reads the entries one after the other, not all at one moment. The
// references that dst holds already are borrowed. If d is not a dictionary, Snapshot
// appends nothing. Attached thread.
func (d Dict) Snapshot(t *rt.Thread, dst []rt.Ref) []rt.Ref {
	n := len(dst)
	dst = d.appendBorrowed(t, dst)
	t.IncRefs(dst[n:])
	return dst
}

// appendBorrowed appends borrowed references to the key and the value of each entry.
func (d Dict) appendBorrowed(t *rt.Thread, dst []rt.Ref) []rt.Ref {
	if d.IsFrozen() {
		for _, e := range frozenEntries(t, d) {
			dst = append(dst, e.key, e.value)
		}
		return dst
	}
	o, ok := t.Object(d, rt.TypeDict)
	if !ok {
		return dst
	}
	r := o.LoadRef(boxBlock)
	if r.IsNil() {
		return dst
	}
	b := t.Block(r)
	eachEntry(b, func(e int, value rt.Ref) {
		if !value.IsNil() {
			dst = append(dst, b.Ref(e+entryKey), value)
		}
	})
	return dst
}
