package main

import (
	"errors"
	"fmt"

	rt "github.com/ichor-go/ichor/runtime"
)

// A deque keeps its items in a block of its own, a ring of slots. When it is full, a larger
// block takes its place. Writers take the deque's lock; readers take none.

// Words of a deque's body.
const (
	wordLock    = 0 // the mutex that writers take
	wordBlock   = 1 // the block; no other word leads to it
	wordVersion = 2 // 64 bits: how many changes have begun
	bodyWords   = 4
)

// Words of its block. The items are in n slots, beginning at the slot head and continuing at
// the first slot after the last one. All other slots are Nil.
const (
	blockState = 0 // 64 bits: head | n << 32, so that one load returns both
	blockRoom  = 2 // how many slots there are; never changes
	blockSlots = 3
)

// Words of a frozen deque's body. A frozen deque never changes, so it has no lock, no version
// and no block: its items are in the body.
const (
	frozenLen   = 0
	frozenSlots = 1
)

// leastRoom is the room of a new deque: its block then fills 32 bytes.
const leastRoom = 5

var dequeType = func() *rt.Type {
	y, err := rt.DefineType(rt.Type{
		Name:    "deque",
		Mutable: true,
		Block:   func(o rt.Body) rt.Ref { return o.LoadRef(wordBlock) },
		Slots: func(h rt.Heap, o rt.Body) (rt.Body, int, int) {
			ref := o.LoadRef(wordBlock)
			if ref.IsNil() {
				return o, 0, 0 // NewDeque got no memory for a block
			}
			b := h.Block(ref)
			return b, blockSlots, int(b.Word(blockRoom))
		},
		Freezing: &rt.Freezing{
			Layout:  "length, items",
			Version: func(_ rt.Heap, o rt.Body) uint64 { return o.LoadUint64(wordVersion) },
			Copy:    copyDeque,
			Check:   checkDeque,
			Label:   label,
		},
	})
	if err != nil {
		panic(err)
	}
	return y
}()

// ErrEmpty reports that there is nothing to pop.
var ErrEmpty = errors.New("the deque is empty")

// Deque is a double-ended queue. Any number of attached threads may use one at the same
// time, and each call is linearizable. Its methods borrow it.
type Deque rt.Ref

// NewDeque returns a new reference to an empty deque. Attached thread.
func NewDeque(t *rt.Thread) (Deque, error) {
	r, o, err := t.New(dequeType, 4*bodyWords)
	if err != nil {
		return rt.Nil, err
	}
	ref, _, err := newBlock(t, r, leastRoom)
	if err != nil {
		t.DecRef(r)
		return rt.Nil, err
	}
	o.SetRef(wordBlock, ref)
	return r, nil
}

// newBlock returns an empty block for the deque d, with at least the given room.
func newBlock(t *rt.Thread, d rt.Ref, room int) (rt.Ref, rt.Body, error) {
	bytes := t.BlockBytes(d, 4*(blockSlots+room)) // the real size of such an allocation
	ref, b, err := t.NewBlock(d, bytes)
	if err == nil {
		b.SetWord(blockRoom, uint32(bytes/4-blockSlots))
	}
	return ref, b, err
}

// view is what look has read of a deque. While the deque is locked, nothing can change it.
type view struct {
	version uint64 // read before everything else
	block   rt.Body
	room    uint32
	head, n uint32
}

func look(t *rt.Thread, o rt.Body) view {
	version := o.LoadUint64(wordVersion)
	b := t.Block(o.LoadRef(wordBlock))
	state := b.LoadUint64(blockState)
	return view{version, b, b.Word(blockRoom), uint32(state), uint32(state >> 32)}
}

// slot returns the word of item i, which is at most n.
func (v *view) slot(i uint32) int {
	at := v.head + i
	if at >= v.room {
		at -= v.room
	}
	return blockSlots + int(at)
}

// publish makes the n slots from head on the deque's items.
func (v *view) publish(head, n uint32) {
	v.head, v.n = head, n
	v.block.StoreUint64(blockState, uint64(n)<<32|uint64(head))
}

// item returns a borrowed reference to item i, and whether that was item i at some moment
// since the look. If it was not, a writer has changed the deque, and the caller looks
// again.
func (v *view) item(o rt.Body, i uint32) (rt.Ref, bool) {
	r := v.block.LoadRef(v.slot(i))
	return r, !r.IsNil() && o.LoadUint64(wordVersion) == v.version
}

// At returns a borrowed reference to item i, counted from the front, and whether there is
// one. Lock-free: it takes no lock, and looks again only if a writer has made progress
// meanwhile. Attached thread.
func (d Deque) At(t *rt.Thread, i int) (rt.Ref, bool) {
	o, ok := t.Object(d, dequeType.ID())
	if !ok || i < 0 {
		return rt.Nil, false
	}
	if d.IsFrozen() {
		if uint64(i) >= uint64(o.Word(frozenLen)) {
			return rt.Nil, false
		}
		return t.Slot(d, o, frozenSlots+i), true
	}
	for {
		v := look(t, o)
		if uint64(i) >= uint64(v.n) {
			return rt.Nil, false
		}
		if r, ok := v.item(o, uint32(i)); ok {
			return r, true
		}
	}
}

// Len returns the number of items; 0 if d is not a deque. It takes no lock. Attached
// thread.
func (d Deque) Len(t *rt.Thread) int {
	o, ok := t.Object(d, dequeType.ID())
	switch {
	case !ok:
		return 0
	case d.IsFrozen():
		return int(o.Word(frozenLen))
	}
	v := look(t, o)
	return int(v.n)
}

// PushFront adds r, which it borrows, before the first item. Attached thread.
func (d Deque) PushFront(t *rt.Thread, r rt.Ref) error {
	return d.push(t, r, func(v *view) {
		head := v.head
		if head == 0 {
			head = v.room
		}
		v.block.StoreRef(blockSlots+int(head-1), r)
		v.publish(head-1, v.n+1)
	})
}

// PushBack adds r, which it borrows, after the last item. Attached thread.
func (d Deque) PushBack(t *rt.Thread, r rt.Ref) error {
	return d.push(t, r, func(v *view) {
		v.block.StoreRef(v.slot(v.n), r)
		v.publish(v.head, v.n+1)
	})
}

// push makes room and calls store, which puts r into a free slot and publishes it.
func (d Deque) push(t *rt.Thread, r rt.Ref, store func(v *view)) error {
	if r.IsNil() {
		return rt.ErrNilRef // Nil marks an empty slot
	}
	o, err := d.lock(t)
	if err != nil {
		return err
	}
	v, old, err := d.reserve(t, o)
	if err == nil {
		t.IncRef(r) // the slot's own reference
		change(o)
		store(&v)
	}
	t.Unlock(o, wordLock)
	t.RetireBlock(old) // readers may still be looking at it
	return err
}

// PopFront removes the first item and returns a new reference to it. Attached thread.
func (d Deque) PopFront(t *rt.Thread) (rt.Ref, error) {
	return d.pop(t, func(v *view) (at int) {
		at = v.slot(0)
		v.publish(uint32(v.slot(1)-blockSlots), v.n-1)
		return at
	})
}

// PopBack removes the last item and returns a new reference to it. Attached thread.
func (d Deque) PopBack(t *rt.Thread) (rt.Ref, error) {
	return d.pop(t, func(v *view) (at int) {
		v.publish(v.head, v.n-1)
		return v.slot(v.n)
	})
}

// pop calls leave, which publishes the deque without one item and returns the slot of that
// item. The deque is not empty when leave is called.
func (d Deque) pop(t *rt.Thread, leave func(v *view) int) (rt.Ref, error) {
	o, err := d.lock(t)
	if err != nil {
		return rt.Nil, err
	}
	v := look(t, o)
	if v.n == 0 {
		t.Unlock(o, wordLock)
		return rt.Nil, ErrEmpty
	}
	change(o)
	r := v.block.SwapRef(leave(&v), rt.Nil)
	t.Unlock(o, wordLock)
	t.IncRef(r) // the caller's reference
	t.Retire(r) // the slot's: a reader may have loaded it and not counted it yet
	return r, nil
}

// lock returns the body of d, locked for a change.
func (d Deque) lock(t *rt.Thread) (rt.Body, error) {
	o, ok := t.Object(d, dequeType.ID())
	switch {
	case !ok:
		return rt.Body{}, t.WantType(d, dequeType.ID())
	case d.IsFrozen():
		return rt.Body{}, t.FrozenError(d)
	}
	t.Lock(o, wordLock)
	return o, nil
}

// change raises the version of a locked deque, to tell readers and Freeze that it changes.
func change(o rt.Body) { o.StoreUint64(wordVersion, o.LoadUint64(wordVersion)+1) }

// reserve makes room for one more item in a locked deque. It returns the block that it has
// replaced, which the caller retires, or Nil.
func (d Deque) reserve(t *rt.Thread, o rt.Body) (v view, old rt.Ref, err error) {
	v = look(t, o)
	if v.n < v.room {
		return v, rt.Nil, nil
	}
	ref, b, err := newBlock(t, d, 2*int(v.room))
	if err != nil {
		return v, rt.Nil, err // nothing has changed
	}
	for i := range v.n {
		b.SetRef(blockSlots+int(i), v.block.LoadRef(v.slot(i))) // the slot's reference moves with it
	}
	b.SetUint64(blockState, uint64(v.n)<<32)
	old = o.SwapRef(wordBlock, ref)
	return look(t, o), old, nil
}

// copyDeque makes the frozen form of a deque, which may be frozen already.
func copyDeque(c *rt.Copy) error {
	t := c.Thread()
	r, o := c.Source()
	if r.IsFrozen() {
		return copyItems(c, o.Word(frozenLen), func(i uint32) rt.Ref { return t.Slot(r, o, frozenSlots+int(i)) })
	}
	t.Lock(o, wordLock) // no writer is in the middle of a change
	defer t.Unlock(o, wordLock)
	v := look(t, o)
	return copyItems(c, v.n, func(i uint32) rt.Ref { return v.block.LoadRef(v.slot(i)) })
}

func copyItems(c *rt.Copy, n uint32, at func(i uint32) rt.Ref) error {
	to, err := c.Alloc(4 * (frozenSlots + int(n)))
	if err != nil {
		return err
	}
	to.SetWord(frozenLen, n)
	for i := range n {
		c.Slot(frozenSlots+int(i), at(i))
	}
	return nil
}

// checkDeque checks a deque of an image, which an attacker may have written.
func checkDeque(k *rt.Check) error {
	if k.Bytes() < 4*frozenSlots {
		return errors.New("a body without a length")
	}
	n := k.Body().Word(frozenLen)
	if uint64(n) > uint64(k.Bytes()/4-frozenSlots) {
		return fmt.Errorf("length %d in a body of %d bytes", n, k.Bytes())
	}
	if err := k.Exactly(4 * (frozenSlots + int(n))); err != nil {
		return err
	}
	return k.Slots(frozenSlots, int(n))
}

// label returns the name of the item in slot i of the block, for the path in an error.
func label(t *rt.Thread, r rt.Ref, i int) string {
	v := look(t, t.Body(r))
	return fmt.Sprintf("[%d]", (uint32(i)+v.room-v.head)%v.room)
}
