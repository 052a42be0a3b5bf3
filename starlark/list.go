package starlark

import (
	"fmt"

	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a list. A writer holds the lock. A reader loads the length, then the block, and
// takes an empty slot for an item that is gone.
const (
	listLock  = 0
	listFlags = 1
	listLen   = 2
	listBlock = 3
)

// Words of a list's block.
const (
	blockCap   = 0
	blockSlots = 1
)

const flagFrozen = 1

func (th *Thread) newList(n int) (Value, error) {
	r, _, err := th.t.New(listType, 16)
	if err != nil {
		return 0, err
	}
	v := counted(r)
	if n > 0 {
		if err := th.listGrow(v.ref(), th.t.Body(r), n); err != nil {
			th.drop(v)
			return 0, err
		}
	}
	return v, nil
}

// makeList returns a new list of the values, which it steals, unless it fails.
func (th *Thread) makeList(vs ...Value) (Value, error) {
	v, err := th.newList(len(vs))
	if err != nil || len(vs) == 0 {
		return v, err
	}
	o := th.t.Body(v.ref())
	b := th.t.Block(o.LoadRef(listBlock))
	for i, x := range vs {
		r, err := th.box(x)
		if err != nil {
			th.drop(v)
			for j := range i {
				vs[j] = 0
			}
			return 0, err
		}
		b.SetRef(blockSlots+i, r)
	}
	o.Store(listLen, uint32(len(vs)))
	return v, nil
}

// listGrow gives the list room for n items in all. The caller holds the lock.
func (th *Thread) listGrow(r rt.Ref, o rt.Body, n int) error {
	if n > maxItems {
		return th.limitError(&rt.SizeError{Of: "list", Size: int64(n), Unit: "items", Most: maxItems})
	}
	bytes := th.t.BlockBytes(r, 4*(blockSlots+n))
	if err := th.large(bytes); err != nil {
		return err
	}
	nr, nb, err := th.t.NewBlock(r, bytes)
	if err != nil {
		return err
	}
	nb.SetWord(blockCap, uint32(bytes/4-blockSlots))
	old := o.LoadRef(listBlock)
	if !old.IsNil() {
		b := th.t.Block(old)
		for i := range int(o.Load(listLen)) {
			nb.SetRef(blockSlots+i, b.LoadRef(blockSlots+i))
		}
	}
	o.StoreRef(listBlock, nr)
	if !old.IsNil() {
		th.t.RetireBlock(old)
	}
	return nil
}

func (th *Thread) lock(o rt.Body) {
	if th.parallel {
		th.t.Lock(o, 0)
	}
}

func (th *Thread) unlock(o rt.Body) {
	if th.parallel {
		th.t.Unlock(o, 0)
	}
}

// mutable returns an error if the container r cannot be changed by this thread now.
func (th *Thread) mutable(r rt.Ref, o rt.Body, verb, what string) error {
	if o.Load(listFlags)&flagFrozen != 0 {
		return fmt.Errorf("cannot %s frozen %s", verb, what)
	}
	if len(th.its) > 0 && th.iterates(r) {
		return fmt.Errorf("cannot %s %s during iteration", verb, what)
	}
	return nil
}

func (th *Thread) listMutable(v Value, verb string) error {
	return th.mutable(v.ref(), th.t.Body(v.ref()), verb, "list")
}

func (th *Thread) listLen(v Value) int { return int(th.t.Body(v.ref()).Load(listLen)) }

// listSlot returns the borrowed reference to item i, or Nil.
func (th *Thread) listSlot(v Value, i int) rt.Ref {
	o := th.t.Body(v.ref())
	if uint(i) >= uint(o.Load(listLen)) {
		return rt.Nil
	}
	b := th.t.Block(o.LoadRef(listBlock))
	if uint32(i) >= b.Word(blockCap) {
		return rt.Nil // the list has grown since
	}
	return b.LoadRef(blockSlots + i)
}

// listAt returns item i as a borrowed value, or 0.
func (th *Thread) listAt(v Value, i int) Value {
	if r := th.listSlot(v, i); !r.IsNil() {
		return th.peek(r)
	}
	return 0
}

// listAppend appends x, which it steals, unless it fails.
func (th *Thread) listAppend(v, x Value) error {
	r, err := th.box(x)
	if err != nil {
		return err
	}
	o := th.t.Body(v.ref())
	th.lock(o)
	n := o.Load(listLen)
	br := o.LoadRef(listBlock)
	if br.IsNil() || n >= th.t.Block(br).Word(blockCap) {
		if err := th.listGrow(v.ref(), o, max(int(n)+int(n)/2, 4)); err != nil {
			if err2 := th.listGrow(v.ref(), o, int(n)+1); err2 != nil {
				th.unlock(o)
				th.unbox1(x, r)
				return err
			}
		}
		br = o.LoadRef(listBlock)
	}
	th.t.Block(br).StoreRef(blockSlots+int(n), r)
	o.Store(listLen, n+1)
	th.unlock(o)
	return nil
}

// listAdd appends x, which it steals in any case.
func (th *Thread) listAdd(v, x Value) error {
	err := th.listAppend(v, x)
	if err != nil {
		th.drop(x)
	}
	return err
}

// unbox1 undoes box(x), which has returned r.
func (th *Thread) unbox1(x Value, r rt.Ref) {
	if x>>48 != 1 {
		th.t.DecRef(r)
	}
}

// listSet replaces item i by x, which it steals, unless it fails.
func (th *Thread) listSet(v Value, i int, x Value) error {
	r, err := th.box(x)
	if err != nil {
		return err
	}
	o := th.t.Body(v.ref())
	th.lock(o)
	if n := int(o.Load(listLen)); uint(i) >= uint(n) {
		th.unlock(o)
		th.unbox1(x, r)
		return th.outOfRange(v, i, n)
	}
	old := th.t.Block(o.LoadRef(listBlock)).SwapRef(blockSlots+i, r)
	th.unlock(o)
	th.retire(old)
	return nil
}

// retire gives up a reference that was in a slot.
func (th *Thread) retire(r rt.Ref) {
	if r.Handle < rt.Limit && !r.IsNil() {
		th.t.Retire(r)
	}
}

// listInsert puts x, which it steals unless it fails, before item i.
func (th *Thread) listInsert(v Value, i int, x Value) error {
	r, err := th.box(x)
	if err != nil {
		return err
	}
	o := th.t.Body(v.ref())
	th.lock(o)
	defer th.unlock(o)
	n := int(o.Load(listLen))
	i = min(i, n)
	br := o.LoadRef(listBlock)
	if br.IsNil() || n >= int(th.t.Block(br).Word(blockCap)) {
		if err := th.listGrow(v.ref(), o, max(n+n/2, 4)); err != nil {
			th.unbox1(x, r)
			return err
		}
		br = o.LoadRef(listBlock)
	}
	b := th.t.Block(br)
	th.charge((n - i) >> 5)
	for j := n; j > i; j-- {
		b.StoreRef(blockSlots+j, b.LoadRef(blockSlots+j-1))
	}
	b.StoreRef(blockSlots+i, r)
	o.Store(listLen, uint32(n+1))
	return nil
}

// listPop removes item i, counted from the end if it is negative, and returns it with a count of
// its own.
func (th *Thread) listPop(v Value, i int) (Value, error) {
	o := th.t.Body(v.ref())
	th.lock(o)
	n := int(o.Load(listLen))
	at := i
	if i < 0 {
		i += n
	}
	if uint(i) >= uint(n) {
		th.unlock(o)
		return 0, th.outOfRange(v, at, n)
	}
	r := th.closeGap(o, i, n)
	th.unlock(o)
	x := th.load(r)
	th.retire(r)
	return x, nil
}

// listDelete removes the first item that is equal to x, and reports whether there is one. It holds the
// lock meanwhile, so that no item moves past it.
func (th *Thread) listDelete(v, x Value) (found bool, err error) {
	o := th.t.Body(v.ref())
	th.lock(o)
	defer th.unlock(o)
	n := int(o.Load(listLen))
	for i := range n {
		if err := th.work(); err != nil {
			return false, err
		}
		if eq, err := th.equal(th.listAt(v, i), x); err != nil {
			return false, err
		} else if eq {
			th.retire(th.closeGap(o, i, n))
			return true, nil
		}
	}
	return false, nil
}

// closeGap takes item i out of a locked list of n items, and returns its slot.
func (th *Thread) closeGap(o rt.Body, i, n int) rt.Ref {
	b := th.t.Block(o.LoadRef(listBlock))
	r := b.LoadRef(blockSlots + i)
	th.charge((n - i) >> 5)
	for j := i; j < n-1; j++ {
		b.StoreRef(blockSlots+j, b.LoadRef(blockSlots+j+1))
	}
	o.Store(listLen, uint32(n-1))
	b.StoreRef(blockSlots+n-1, rt.Nil)
	return r
}

func (th *Thread) listClear(v Value) {
	o := th.t.Body(v.ref())
	th.lock(o)
	n := int(o.Load(listLen))
	o.Store(listLen, 0)
	br := o.LoadRef(listBlock)
	if br.IsNil() {
		th.unlock(o)
		return
	}
	o.StoreRef(listBlock, rt.Nil)
	th.unlock(o)
	b := th.t.Block(br)
	for i := range n {
		th.retire(b.LoadRef(blockSlots + i))
	}
	th.t.RetireBlock(br)
}

// listExtend appends the items of the iterable x.
func (th *Thread) listExtend(v, x Value) error {
	switch th.kind(x) {
	case kList, kTuple:
		n := th.length(x)
		for i := range n {
			e := th.itemAt(x, i)
			if e == 0 {
				break
			}
			if err := th.listAppend(v, e.borrowed()); err != nil {
				return err
			}
		}
		return nil
	}
	return th.each(x, func(e Value) error { return th.listAppend(v, e.borrowed()) })
}

// itemAt returns item i of a list or tuple as a borrowed value, or 0.
func (th *Thread) itemAt(v Value, i int) Value {
	if th.kind(v) == kTuple {
		return th.tupleAt(v, i)
	}
	return th.listAt(v, i)
}

func (th *Thread) outOfRange(v Value, i, n int) error {
	if n == 0 {
		return fmt.Errorf("index %d out of range: empty %s", i, th.typeName(v))
	}
	return fmt.Errorf("%s index %d out of range [%d:%d]", th.typeName(v), i, -n, n-1)
}
