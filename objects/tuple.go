package objects

import (
	"iter"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/kinds"
	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a Tuple's body. For the hash see latehash.go.
const (
	tupleLen   = kinds.TupleLen
	tupleHash  = kinds.TupleHash
	tupleSlots = kinds.TupleSlots
)

// maxTuple is the most items that a tuple can have. They must fit an object, which is less
// than 2 GiB. Tests lower it.
var maxTuple = (1<<31-1)/4 - tupleSlots

var tupleType = core.Define(rt.TypeTuple, rt.Type{
	Name: "tuple",
	Slots: func(_ rt.Heap, o rt.Body) (rt.Body, int, int) {
		return o, tupleSlots, int(o.Word(tupleLen))
	},
	Freezing: &tupleFreezing,
}, nil, settleTuple)

// Tuple is a fixed sequence of references. Immutable. Its methods borrow it.
type Tuple rt.Ref

// NewTuple returns a new reference to a tuple of the items. The items are borrowed: the
// tuple takes counts of its own. Without items it returns rt.EmptyTuple. The error is
// rt.ErrNilRef, a *rt.SizeError or rt.ErrMemoryLimit. Attached thread.
func NewTuple(t *rt.Thread, items ...rt.Ref) (Tuple, error) {
	r, err := NewTupleSteal(t, items...)
	if err == nil {
		t.IncRefs(items)
	}
	return r, err
}

// NewTupleSteal is like NewTuple and returns a new reference, but steals the references to
// the items unless it fails. Attached thread.
func NewTupleSteal(t *rt.Thread, items ...rt.Ref) (Tuple, error) {
	if len(items) == 0 {
		return rt.EmptyTuple, nil
	}
	if len(items) > maxTuple {
		return rt.Nil, &rt.SizeError{Of: "tuple", Size: int64(len(items)), Unit: "items", Most: int64(maxTuple)}
	}
	for i, r := range items {
		t.MustUse(r)
		if r.IsNil() {
			return rt.Nil, fault.Errorf("new tuple: item %d: %w", i, rt.ErrNilRef)
		}
	}
	r, o, err := t.New(tupleType, 4*(tupleSlots+len(items)))
	if err != nil {
		return rt.Nil, err
	}
	o.SetWord(tupleLen, uint32(len(items)))
	copy(o.Refs(tupleSlots, len(items)), items)
	if r.Handle >= rt.Limit {
		o.SetWord(tupleHash, hashTuple(t, r))
	}
	return r, nil
}

// addHash adds the hash x of an item that is a key to a tuple's hash h.
func addHash(h, x uint32) uint32 { return max(fold(mix(uint64(h)<<32|uint64(x))), 1) }

// Len returns the number of items; 0 if s is not a tuple. Attached thread.
func (s Tuple) Len(t *rt.Thread) int {
	o, ok := t.Object(s, rt.TypeTuple)
	if !ok {
		return 0
	}
	return int(o.Word(tupleLen))
}

// At returns a borrowed reference to item i, and whether there is one. The reference is
// good as long as the tuple is. Attached thread.
func (s Tuple) At(t *rt.Thread, i int) (rt.Ref, bool) {
	o, ok := t.Object(s, rt.TypeTuple)
	if !ok || uint(i) >= uint(o.Word(tupleLen)) {
		return rt.Nil, false
	}
	return t.Slot(s, o, tupleSlots+i), true
}

// Items returns borrowed references to all items, good as long as the tuple is. The caller
// must not write to the slice. For a frozen tuple Items allocates the slice. Attached
// thread.
func (s Tuple) Items(t *rt.Thread) []rt.Ref {
	o, ok := t.Object(s, rt.TypeTuple)
	if !ok {
		return nil
	}
	items := o.Refs(tupleSlots, int(o.Word(tupleLen)))
	if !s.IsFrozen() {
		return items
	}
	home, own := t.Home(s), make([]rt.Ref, len(items))
	for i, r := range items {
		own[i] = home.Ref(r)
	}
	return own
}

// All ranges over the items by index. Each is borrowed, and good until the loop ends, also
// across safe points, because the loop holds a count of the tuple. Attached thread.
func (s Tuple) All(t *rt.Thread) iter.Seq2[int, rt.Ref] {
	return func(yield func(int, rt.Ref) bool) {
		tuple := []rt.Ref{s}
		t.IncRefs(tuple)
		t.Hold(&tuple)
		defer func() { t.Unhold(&tuple); t.DecRefs(tuple) }()
		for i := range s.Len(t) {
			r, _ := s.At(t, i)
			if !yield(i, r) {
				return
			}
		}
	}
}
