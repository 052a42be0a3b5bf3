package objects

import (
	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// listBlock is a list's block as a writer sees it, with the list locked. What the states mean,
// and the order of stores, is in list.go.
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

// slot returns the word of item i.
func (b *listBlock) slot(i int) int { return listSlots + b.first + i }

// publish makes the items those from first to below end.
func (b *listBlock) publish(first, end int) {
	b.first, b.end = first, end
	b.StoreUint64(listState, stateOf(first, end))
}

// add appends v. There is room.
func (b *listBlock) add(v rt.Ref) {
	b.StoreRef(b.slot(b.len()), v)
	b.publish(b.first, b.end+1)
}

// popLast takes the last item, of which there is one, out of the list.
func (b *listBlock) popLast() rt.Ref {
	b.publish(b.first, b.end-1)
	return b.SwapRef(b.slot(b.len()), rt.Nil)
}

// popFirst takes the first item, of which there is one, out of the list.
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

// copyTo returns a block with room for at least room items that has those of b. At place i
// it leaves room for one (gap 1), or leaves one out (gap -1).
func (b *listBlock) copyTo(t *rt.Thread, l List, room, i, gap int) (fresh listBlock, err error) {
	fresh.ref, fresh.Body, fresh.room, err = newListBlock(t, l, room)
	if err != nil {
		return fresh, err
	}
	for k := range i {
		fresh.SetRef(listSlots+k, b.LoadRef(b.slot(k))) // moved: counts go along
	}
	for k := i + max(-gap, 0); k < b.len(); k++ {
		fresh.SetRef(listSlots+k+gap, b.LoadRef(b.slot(k)))
	}
	fresh.end = b.len() + gap
	return fresh, nil
}

// copyForInsert is copyTo with room for one more at place i, which is within the list.
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

// takeOver makes b, which nobody has seen, the block of the list o.
func (b *listBlock) takeOver(o rt.Body) {
	b.SetUint64(listState, stateOf(0, b.end))
	o.Store(boxCap, uint32(b.room))
	o.StoreRef(boxBlock, b.ref)
}

// roomToAdd returns how much room a new block gets for n more items.
func (b *listBlock) roomToAdd(n int) int {
	have := b.len()
	return min(max(have+n, have+have/2, 4), maxItems)
}

// reserve sees to it that b has room for n more items. It returns the block that it has
// replaced, which the caller retires. What lies before first is gained by that as well.
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

// leastRoom is how many slots a block has at most that is not replaced by a smaller one. A
// guess.
const leastRoom = 16

// shrink replaces a block of which less than a quarter is in use by one half as large, if
// there is memory for it: then as many items as remain are to be removed until the next
// time. An empty one is let go. It returns the block that is to be retired, or Nil.
func (b *listBlock) shrink(t *rt.Thread, l List, o rt.Body) (old rt.Ref) {
	n := b.len()
	switch {
	case b.room <= leastRoom || n >= b.room/4:
		return rt.Nil
	case n == 0:
		o.StoreRef(boxBlock, rt.Nil)
		return b.ref
	}
	half := (listSlots+b.room)/2 - listSlots // of its bytes, or rounding up would give as many
	fresh, err := b.copyTo(t, l, half, n, 0)
	if err != nil {
		return rt.Nil
	}
	fresh.takeOver(o)
	return b.ref
}

// removeInside takes item i, which is neither the first nor the last, out of the list. It
// returns it and the block that it has replaced, or Nil.
func (b *listBlock) removeInside(t *rt.Thread, l List, o rt.Body, i int) (gone, old rt.Ref) {
	gone = b.LoadRef(b.slot(i))
	last := b.len() - 1
	if !t.LockFree() { // nobody reads meanwhile
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
