package main

import (
	"errors"
	"fmt"

	rt "github.com/ichor-go/ichor/runtime"
)

// A deque keeps its items in a block of its own, a ring of slots that gives way to a larger
// one when it is full. Writers take the deque's lock; readers take none.

// Words of a deque's body.
const (
	wordLock    = 0 // the writers' mutex
	wordBlock   = 1 // the block, which only this word leads to
	wordVersion = 2 // 64 bits: how many changes have begun
	bodyWords   = 4
)

// Words of its block. Items are in n slots from head on, and go on at the first slot behind
// the last one. All other slots are Nil.
const (
	blockState = 0 // 64 bits: head | n << 32, so that one load has both
	blockRoom  = 2 // how many slots there are; it never changes
	blockSlots = 3
)

// Words of a frozen deque's body. It has no lock, no version and no block, as it never
// changes: its items are in the body.
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
				return o, 0, 0 // NewDeque has got no memory for a block
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

// ErrEmpty says that there was nothing to pop.
var ErrEmpty = errors.New("the deque is empty")

// Deque is a double-ended queue. Any number of attached threads use one at the same time,
// and each call is linearizable. Its methods borrow it.
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

// newBlock returns a block without items, and with at least that much room.
func newBlock(t *rt.Thread, d rt.Ref, room int) (rt.Ref, rt.Body, error) {
	bytes := t.BlockBytes(d, 4*(blockSlots+room)) // all that is allocated for so many
	ref, b, err := t.NewBlock(d, bytes)
	if err == nil {
		b.SetWord(blockRoom, uint32(bytes/4-blockSlots))
	}
	return ref, b, err
}

// view is a deque as it was at one moment. For a thread that has it locked, it is so still.
type view struct {
	version uint64 // before anything else was read
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

// publish makes the items those in n slots from head on.
func (v *view) publish(head, n uint32) {
	v.head, v.n = head, n
	v.block.StoreUint64(blockState, uint64(n)<<32|uint64(head))
}

// item returns a borrowed reference to item i of a deque that is not locked, and whether the
// slot held it at one moment since the look. If not, somebody has changed the deque: look again.
func (v *view) item(o rt.Body, i uint32) (rt.Ref, bool) {
	r := v.block.LoadRef(v.slot(i))
	return r, !r.IsNil() && o.LoadUint64(wordVersion) == v.version
}

// At returns a borrowed reference to item i, counted from the front, and whether there is
// one. It takes no lock, and looks again only if a writer has begun or ended a change
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

// Len returns the number of items; 0 if d is no deque. It takes no lock. Attached thread.
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

// PushBack adds r, which it borrows, behind the last item. Attached thread.
func (d Deque) PushBack(t *rt.Thread, r rt.Ref) error {
	return d.push(t, r, func(v *view) {
		v.block.StoreRef(v.slot(v.n), r)
		v.publish(v.head, v.n+1)
	})
}

// push has store put r into a slot that is free, and publish it.
func (d Deque) push(t *rt.Thread, r rt.Ref, store func(v *view)) error {
	if r.IsNil() {
		return rt.ErrNilRef // Nil stands for an empty slot
	}
	o, err := d.lock(t)
	if err != nil {
		return err
	}
	v, old, err := d.reserve(t, o)
	if err == nil {
		t.IncRef(r) // the slot's own count
		change(o)
		store(&v)
	}
	t.Unlock(o, wordLock)
	t.RetireBlock(old) // readers may be looking at it
	return err
}

// PopFront takes the first item out and returns a new reference to it. Attached thread.
func (d Deque) PopFront(t *rt.Thread) (rt.Ref, error) {
	return d.pop(t, func(v *view) (at int) {
		at = v.slot(0)
		v.publish(uint32(v.slot(1)-blockSlots), v.n-1)
		return at
	})
}

// PopBack takes the last item out and returns a new reference to it. Attached thread.
func (d Deque) PopBack(t *rt.Thread) (rt.Ref, error) {
	return d.pop(t, func(v *view) (at int) {
		v.publish(v.head, v.n-1)
		return v.slot(v.n)
	})
}

// pop has leave publish that an item is gone, of which there is one. It returns its slot.
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
	t.IncRef(r) // the caller's count
	t.Retire(r) // the slot's: a reader may have loaded it, and be about to count
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

// change raises the version of a deque that is locked: readers and Freeze find out by it.
func change(o rt.Body) { o.StoreUint64(wordVersion, o.LoadUint64(wordVersion)+1) }

// reserve sees to it that a deque that is locked has room for one more item, and returns the
// block that it has replaced, or Nil. The caller retires that.
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
		b.SetRef(blockSlots+int(i), v.block.LoadRef(v.slot(i))) // the counts move along
	}
	b.SetUint64(blockState, uint64(v.n)<<32)
	old = o.SwapRef(wordBlock, ref)
	return look(t, o), old, nil
}

// copyDeque makes the frozen form of a deque.
func copyDeque(c *rt.Copy) error {
	t := c.Thread()
	r, o := c.Source()
	if r.IsFrozen() {
		return copyItems(c, o.Word(frozenLen), func(i uint32) rt.Ref { return t.Slot(r, o, frozenSlots+int(i)) })
	}
	t.Lock(o, wordLock) // the version and the items are of one moment
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

// checkDeque looks at a deque of an image. It believes nothing: not even that the length
// fits the body.
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

// label names the i-th slot in the path of an error.
func label(t *rt.Thread, r rt.Ref, i int) string {
	v := look(t, t.Body(r))
	return fmt.Sprintf("[%d]", (uint32(i)+v.room-v.head)%v.room)
}
