package objects

import (
	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// listBlock is a list's block as a writer sees it while it holds the list's lock. The
// meaning of the states and the order of stores are described in list.go.
type listBlock struct {
	rt.Body
	ref        rt.Ref // Nil if the list has none
	first, end int
	room       int // capacity in slots
}

// openList returns the block of the list o, which is locked.
func openList(t *rt.Thread, o rt.Body) (b listBlock) {
	if b.ref = o.LoadRef(boxBlock); !b.ref.IsNil() {
		b.Body = t.Block(b.ref)
		b.first, b.end = bounds(b.LoadUint64(listState))
		b.room = int(o.Load(boxCap))
	}
	return b
}

func (b *listBlock) len() int { return b.end - b.first }

// slot returns the word of the block that holds item i.
func (b *listBlock) slot(i int) int { return listSlots + b.first + i }

// publish sets the bounds: the items are those from first up to, but not including, end.
func (b *listBlock) publish(first, end int) {
	b.first, b.end = first, end
	b.StoreUint64(listState, stateOf(first, end))
}

// add appends v. The block has room.
func (b *listBlock) add(v rt.Ref) {
	b.StoreRef(b.slot(b.len()), v)
	b.publish(b.first, b.end+1)
}

// popLast removes the last item and returns it. The list is not empty.
func (b *listBlock) popLast() rt.Ref {
	b.publish(b.first, b.end-1)
	return b.SwapRef(b.slot(b.len()), rt.Nil)
}

// popFirst removes the first item and returns it. The list is not empty.
func (b *listBlock) popFirst() rt.Ref {
	b.publish(b.first+1, b.end)
	return b.SwapRef(b.slot(-1), rt.Nil)
}

// newListBlock returns an empty block for the list l, with room for at least n items.
func newListBlock(t *rt.Thread, l rt.Ref, n int) (r rt.Ref, b rt.Body, room int, err error) {
	if refuseBlocks {
		return rt.Nil, rt.Body{}, 0, rt.ErrMemoryLimit
	}
	bytes := t.BlockBytes(l, 4*(listSlots+n))
	r, b, err = t.NewBlock(l, bytes)
	return r, b, min(bytes/4-listSlots, maxItems), err
}

// copyTo returns a new block with room for at least room items, filled with those of b. At
// index i it leaves a gap of one slot (gap 1), or leaves out one item (gap -1).
func (b *listBlock) copyTo(t *rt.Thread, l List, room, i, gap int) (fresh listBlock, err error) {
	fresh.ref, fresh.Body, fresh.room, err = newListBlock(t, l, room)
	if err != nil {
		return fresh, err
	}
	for k := range i {
		fresh.SetRef(listSlots+k, b.LoadRef(b.slot(k))) // moved, with its count
	}
	for k := i + max(-gap, 0); k < b.len(); k++ {
		fresh.SetRef(listSlots+k+gap, b.LoadRef(b.slot(k)))
	}
	fresh.end = b.len() + gap
	return fresh, nil
}

// copyForInsert is copyTo with a gap for one more item at index i, which is within the
// list.
func (b *listBlock) copyForInsert(t *rt.Thread, l List, i int) (listBlock, error) {
	room := b.room
	if b.len() >= room {
		room = b.roomToAdd(1)
	}
	if b.len() >= maxItems {
		return listBlock{}, errManyItems(b.len() + 1)
	}
	return b.copyTo(t, l, room, i, 1)
}

// takeOver makes b, which no other thread has seen, the block of the list o.
func (b *listBlock) takeOver(o rt.Body) {
	b.SetUint64(listState, stateOf(0, b.end))
	o.Store(boxCap, uint32(b.room))
	o.StoreRef(boxBlock, b.ref)
}

// roomToAdd returns the capacity of a new block that is to take n more items.
func (b *listBlock) roomToAdd(n int) int {
	have := b.len()
	return min(max(have+n, have+have/2, 4), maxItems)
}

// reserve ensures that b has room for n more items. It returns the block that it has
// replaced, which the caller retires. A replacement also reclaims the slots before first.
func (b *listBlock) reserve(t *rt.Thread, l List, o rt.Body, n int) (old rt.Ref, err error) {
	if b.end+n <= b.room {
		return rt.Nil, nil
	}
	if b.len()+n > maxItems {
		return rt.Nil, errManyItems(b.len() + n)
	}
	fresh, err := b.copyTo(t, l, b.roomToAdd(n), b.len(), 0)
	if err != nil {
		return rt.Nil, err
	}
	if mutant.On && mutant.Is(mutant.GrowDrops) {
		fresh.end = max(fresh.end-1, 0)
	}
	fresh.takeOver(o)
	old, *b = b.ref, fresh
	return old, nil
}

// leastRoom is the capacity up to which a block is not replaced by a smaller one. A guess.
const leastRoom = 16

// shrink replaces a block of which less than a quarter is in use by one half as large, if
// there is memory for it. About half of the remaining items must then be removed before the
// next replacement. An empty block is dropped. shrink returns the block to retire, or Nil.
func (b *listBlock) shrink(t *rt.Thread, l List, o rt.Body) (old rt.Ref) {
	n := b.len()
	switch {
	case b.room <= leastRoom || n >= b.room/4:
		return rt.Nil
	case n == 0:
		o.StoreRef(boxBlock, rt.Nil)
		return b.ref
	}
	half := (listSlots+b.room)/2 - listSlots // half of the bytes: half of the slots might be rounded up to the same size
	fresh, err := b.copyTo(t, l, half, n, 0)
	if err != nil {
		return rt.Nil
	}
	fresh.takeOver(o)
	return b.ref
}

// removeInside removes item i, which is neither the first nor the last. It returns the
// item, and the block that it has replaced, or Nil.
func (b *listBlock) removeInside(t *rt.Thread, l List, o rt.Body, i int) (gone, old rt.Ref) {
	gone = b.LoadRef(b.slot(i))
	last := b.len() - 1
	if !t.LockFree() { // no other thread reads meanwhile
		copy(b.Refs(b.slot(i), last-i), b.Refs(b.slot(i+1), last-i))
		b.popLast()
		return gone, rt.Nil
	}
	fresh, err := b.copyTo(t, l, min(last+last/2, b.room), i, -1)
	if err == nil {
		fresh.takeOver(o)
		return gone, b.ref
	}
	b.StoreUint64(listState, listMoving)
	for k := i; k < last; k++ {
		b.StoreRef(b.slot(k), b.LoadRef(b.slot(k+1)))
	}
	b.StoreRef(b.slot(last), rt.Nil)
	b.publish(b.first, b.end-1)
	return gone, rt.Nil
}
