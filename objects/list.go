package objects

import (
	"fmt"
	"iter"
	"slices"

	"github.com/ichor-go/ichor/internal/fault"
	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a List's block. The capacity of a block never changes: a list grows by
// publishing a new block. The capacity is in boxCap, which only writers read.
//
//	0  state, 64 bits: first | end << 32, or listMoving
//	2  slots
//
// The items are in the slots from first up to, but not including, end. All other slots are
// Nil. One load reads both numbers, and so the length at one moment. Within a block first
// only rises, and no slot below it is filled again.
//
//	change                    order of stores                           takes effect at
//	append, extend            slots, state with a higher end            state
//	overwrite                 slot                                      slot
//	pop                       state with a lower end, slot := Nil       state
//	pop first                 state with a higher first, slot := Nil    state
//	insert, remove,           all of a new block, then the list's       the list's block
//	  growth, shrink          block
//	remove when out of        state := listMoving, slots, state         the last store
//	  memory
//	clear                     the list's block := Nil                   the list's block
//
// A reader of item i loads the block, the state, the slot first + i, and the state again.
// Let first be the same in both states.
//
//   - If the slot was filled and i is below the length in both states, the slot held item i.
//     The item was published: an item at or above end counts from the moment that end covers it,
//     and if only the second state covers it, that moment was within the call. The item had not
//     been popped before the call: the first state includes it, so a pop whose second store the
//     reader did not see came later.
//   - If the slot was Nil, or i is not below the length in one of the states, there was no item
//     i: at the state that says so, or when the item was popped, which was after the first
//     state.
//
// If first has moved, item i is in another slot now, and the reader tries again in the same
// block. It tries at most as often as the block has slots. If the list has another block by
// then, the old one keeps the contents that it had when it was replaced. That was within
// the call, so the answer is true of that moment. A read is therefore wait-free, with one
// exception. If there is no memory for a new block, Remove moves items in the existing one.
// Its readers see listMoving, and wait for the list's lock. (A reader that sees the same
// state before and after has loaded the contents of the slot before or after the whole
// move, which lies within its call.)
const (
	listState = 0
	listSlots = 2

	// listMoving is the state of a block whose items are being moved. Read as bounds it
	// means length 0, because first and end are the same, and both are beyond any block's
	// capacity.
	listMoving = 1<<63 | 1<<31
)

// maxItems is the most items that a list can have. They must fit a block, which is less
// than 2 GiB, and a multiple of 64 KiB if it is large. Tests lower it.
var maxItems = (1<<31-1<<16)/4 - listSlots

func errManyItems(n int) error {
	return &rt.SizeError{Of: "list", Size: int64(n), Unit: "items", Most: int64(maxItems)}
}

func stateOf(first, end int) uint64 { return uint64(end)<<32 | uint64(first) }

// bounds returns the first filled slot, and the one after the last.
func bounds(state uint64) (first, end int) { return int(uint32(state)), int(state >> 32) }

// lengthOf returns the number of items; 0 for listMoving.
func lengthOf(state uint64) int { return int(uint32(state>>32) - uint32(state)) }

var listType = core.Define(rt.TypeList, rt.Type{
	Name:    "list",
	Mutable: true,
	Slots: func(h rt.Heap, o rt.Body) (rt.Body, int, int) {
		r := o.LoadRef(boxBlock)
		if r.IsNil() {
			return o, 0, 0
		}
		b := h.Block(r)
		state := b.LoadUint64(listState)
		if state == listMoving {
			return b, listSlots, 0 // Freeze searches for a path during a move: see rt.Freeze
		}
		first, _ := bounds(state)
		return b, listSlots + first, lengthOf(state)
	},
	Block:    func(o rt.Body) rt.Ref { return o.LoadRef(boxBlock) },
	Freezing: &listFreezing,
}, nil, nil)

// IndexError reports that an index is out of range.
type IndexError struct{ Index, Len int }

func (e *IndexError) Error() string {
	return fmt.Sprintf("%sindex %d is out of range: the list has %d items", fault.Prefix, e.Index, e.Len)
}

// List is a mutable sequence of references. Its methods borrow it. Any number of attached
// threads may use one at the same time.
type List rt.Ref

// NewList returns a new reference to a list of the items. The items are borrowed: the list
// takes counts of its own. The error is rt.ErrNilRef, a *rt.SizeError or rt.ErrMemoryLimit.
// Attached thread.
func NewList(t *rt.Thread, items ...rt.Ref) (List, error) {
	r, err := NewListSteal(t, items...)
	if err == nil {
		t.IncRefs(items)
	}
	return r, err
}

// NewListSteal is like NewList and returns a new reference, but steals the references to
// the items unless it fails. Attached thread.
func NewListSteal(t *rt.Thread, items ...rt.Ref) (List, error) {
	for i, r := range items {
		t.MustUse(r)
		if r.IsNil() {
			return rt.Nil, fault.Errorf("new list: item %d: %w", i, rt.ErrNilRef)
		}
	}
	if len(items) > maxItems {
		return rt.Nil, errManyItems(len(items))
	}
	r, o, err := t.New(listType, boxBytes)
	if err != nil || len(items) == 0 {
		return r, err
	}
	ref, b, room, err := newListBlock(t, r, len(items))
	if err != nil {
		t.DecRef(r)
		return rt.Nil, err
	}
	copy(b.Refs(listSlots, len(items)), items)
	b.SetUint64(listState, stateOf(0, len(items)))
	o.SetRef(boxBlock, ref)
	o.SetWord(boxCap, uint32(room))
	return r, nil
}

// Len returns the number of items; 0 if l is not a list. Wait-free as far as At is.
// Attached thread.
func (l List) Len(t *rt.Thread) int {
	if l.IsFrozen() {
		return frozenLen(t, l, rt.TypeList)
	}
	o, ok := t.Object(l, rt.TypeList)
	if !ok {
		return 0
	}
	r := o.LoadRef(boxBlock)
	if r.IsNil() {
		return 0
	}
	state := t.Block(r).LoadUint64(listState)
	if state == listMoving {
		return lengthWhenMoved(t, o)
	}
	return lengthOf(state)
}

// lengthWhenMoved waits until Remove has finished moving the items of the list o, and
// returns their number.
func lengthWhenMoved(t *rt.Thread, o rt.Body) int {
	lockToRead(t, o)
	defer unlock(t, o)
	if r := o.LoadRef(boxBlock); !r.IsNil() {
		return lengthOf(t.Block(r).LoadUint64(listState))
	}
	return 0
}

// At returns a borrowed reference to item i, and whether there is one. Wait-free, except
// while memory has run out and Remove moves items: see Remove. Attached thread.
func (l List) At(t *rt.Thread, i int) (rt.Ref, bool) {
	if l.IsFrozen() {
		return frozenItem(t, l, i)
	}
	o, ok := t.Object(l, rt.TypeList)
	if !ok {
		return rt.Nil, false
	}
	ref := o.LoadRef(boxBlock)
	if ref.IsNil() {
		return rt.Nil, false
	}
	b := t.Block(ref)
	state := b.LoadUint64(listState)
	if uint(i) >= uint(lengthOf(state)) {
		if state == listMoving {
			return atWhenMoved(t, o, i)
		}
		return rt.Nil, false
	}
	r := b.LoadRef(listSlots + int(uint32(state)) + i)
	now := b.LoadUint64(listState)
	if !r.IsNil() && now == state {
		return r, true
	}
	return atAgain(t, o, b, i, uint32(state), r, now)
}

// atAgain continues List.At in a block that other threads are changing. The caller loaded r
// from the slot of item i according to first, and then loaded state.
func atAgain(t *rt.Thread, o, b rt.Body, i int, first uint32, r rt.Ref, state uint64) (rt.Ref, bool) {
	for state != listMoving {
		if uint(i) >= uint(lengthOf(state)) {
			return rt.Nil, false
		}
		if uint32(state) == first {
			return r, !r.IsNil()
		}
		first = uint32(state)
		r = b.LoadRef(listSlots + int(first) + i)
		state = b.LoadUint64(listState)
	}
	return atWhenMoved(t, o, i)
}

// atWhenMoved waits until Remove has finished moving the items of the list o, and returns
// item i.
func atWhenMoved(t *rt.Thread, o rt.Body, i int) (rt.Ref, bool) {
	lockToRead(t, o)
	defer unlock(t, o)
	ref := o.LoadRef(boxBlock)
	if ref.IsNil() {
		return rt.Nil, false
	}
	b := t.Block(ref)
	state := b.LoadUint64(listState)
	if uint(i) >= uint(lengthOf(state)) {
		return rt.Nil, false
	}
	return b.LoadRef(listSlots + int(uint32(state)) + i), true
}

// Get returns a new reference to item i. The error is an *IndexError or a *rt.TypeError.
// Wait-free as far as At is. Attached thread.
func (l List) Get(t *rt.Thread, i int) (rt.Ref, error) {
	r, ok := l.At(t, i)
	if !ok {
		return rt.Nil, l.missing(t, i)
	}
	t.IncRef(r)
	return r, nil
}

func (l List) missing(t *rt.Thread, i int) error {
	if _, ok := t.Object(l, rt.TypeList); !ok {
		return t.WantType(l, rt.TypeList)
	}
	n := l.Len(t)
	if i >= 0 {
		n = min(n, i) // the list may have grown since item i was not found
	}
	return &IndexError{Index: i, Len: n}
}

// All ranges over the items by index, as they are when the loop begins: see Snapshot. The
// items are borrowed, and good until the loop ends, also across safe points, because the
// loop holds counts. The loop body may change the list. Attached thread.
func (l List) All(t *rt.Thread) iter.Seq2[int, rt.Ref] {
	return func(yield func(int, rt.Ref) bool) {
		list := l.Snapshot(t, []rt.Ref{l}) // and l itself, whose count keeps a Frozen loaded
		t.IncRef(l)
		t.Hold(&list)
		defer func() { t.Unhold(&list); t.DecRefs(list) }()
		for i, r := range list[1:] {
			if !yield(i, r) {
				return
			}
		}
	}
}

// Snapshot appends the items to dst, as they are at one moment, each as a new reference. It
// takes the list's lock only if another thread holds the lock, or changes the list during
// each of a few attempts to copy it. The references that dst holds already are borrowed. If
// l is not a list, Snapshot appends nothing. Attached thread.
func (l List) Snapshot(t *rt.Thread, dst []rt.Ref) []rt.Ref {
	n := len(dst)
	if l.IsFrozen() {
		dst = appendFrozenItems(t, dst, l)
	} else if o, ok := t.Object(l, rt.TypeList); ok {
		dst = appendItems(t, o, slices.Grow(dst, l.Len(t))) // room for all items before the lock is taken, unless the list grows
	}
	t.IncRefs(dst[n:]) // still borrowed: a reference that leaves a slot is retired
	return dst
}

// snapshotTries is how often Snapshot tries to copy a list without its lock. A guess.
const snapshotTries = 3

// appendItems appends the items of the list o, as they are at one moment. Let the version
// be the same before and after a copy, and let the lock be free at a moment between the
// first load of the version and the copy. A writer that had the lock earlier has released
// it. A writer that takes it later raises the version before it changes anything. So
// nothing has changed during the copy. The reader stored nothing to the list, which may lie
// on a page that processes share.
func appendItems(t *rt.Thread, o rt.Body, dst []rt.Ref) []rt.Ref {
	n := len(dst)
	for range snapshotTries {
		version := o.Load(boxVersion)
		if o.Load(boxLock) != 0 {
			break
		}
		dst = appendSlots(t, o, dst[:n])
		if o.Load(boxVersion) == version {
			return dst
		}
	}
	lockToRead(t, o)
	dst = appendSlots(t, o, dst[:n])
	unlock(t, o)
	return dst
}

// appendSlots appends the references in the slots of the list o.
func appendSlots(t *rt.Thread, o rt.Body, dst []rt.Ref) []rt.Ref {
	b := openList(t, o)
	for i := range b.len() {
		dst = append(dst, b.LoadRef(b.slot(i)))
	}
	return dst
}
