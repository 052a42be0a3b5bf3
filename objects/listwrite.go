package objects

import (
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// write checks that l is a list that can be changed and that v is not Nil. It returns the
// list's body.
func (l List) write(t *rt.Thread, v rt.Ref) (o rt.Body, err error) {
	o, err = writable(t, l, rt.TypeList)
	t.MustUse(v)
	if err == nil && v.IsNil() {
		err = fault.Errorf("list: item: %w", rt.ErrNilRef)
	}
	return o, err
}

// Append adds v at the end. Amortised constant time. v is borrowed: the list takes a count
// of its own. The error is rt.ErrNilRef, a *rt.TypeError, rt.ErrFrozen, a *rt.SizeError or
// rt.ErrMemoryLimit. Attached thread.
func (l List) Append(t *rt.Thread, v rt.Ref) error {
	t.IncRef(v)
	err := l.AppendSteal(t, v)
	if err != nil {
		t.DecRef(v)
	}
	return err
}

// AppendSteal is like Append, but steals the reference to v unless it fails. Attached
// thread.
func (l List) AppendSteal(t *rt.Thread, v rt.Ref) error {
	o, err := l.write(t, v)
	if err != nil {
		return err
	}
	lock(t, o)
	if r := o.LoadRef(boxBlock); !r.IsNil() { // openList and add, inlined by hand
		b := t.Block(r)
		if state := b.LoadUint64(listState); uint32(state>>32) < o.Load(boxCap) {
			b.StoreRef(listSlots+int(state>>32), v)
			b.StoreUint64(listState, state+1<<32)
			unlock(t, o)
			return nil
		}
	}
	return l.appendSlow(t, o, v)
}

// appendSlow is AppendSteal for a list whose block is full or missing. The list is locked,
// and appendSlow unlocks it.
func (l List) appendSlow(t *rt.Thread, o rt.Body, v rt.Ref) error {
	b := openList(t, o)
	old, err := b.reserve(t, l, o, 1)
	if err == nil {
		b.add(v)
	}
	unlock(t, o)
	t.RetireBlock(old)
	return err
}

// Set replaces item i with v. v is borrowed: the list takes a count of its own. The error
// is an *IndexError, rt.ErrNilRef, a *rt.TypeError or rt.ErrFrozen. Attached thread.
func (l List) Set(t *rt.Thread, i int, v rt.Ref) error {
	o, err := l.write(t, v)
	if err != nil {
		return err
	}
	t.IncRef(v)
	lock(t, o)
	b := openList(t, o)
	if uint(i) >= uint(b.len()) {
		unlock(t, o)
		t.DecRef(v)
		return &IndexError{Index: i, Len: b.len()}
	}
	old := b.SwapRef(b.slot(i), v)
	unlock(t, o)
	t.Retire(old)
	if mutant.On && mutant.Is(mutant.DoubleRelease) {
		t.Retire(old)
	}
	if mutant.On && mutant.Is(mutant.ForgottenIncRef) {
		t.DecRef(v)
	}
	return nil
}

// Pop removes the last item and returns a new reference to it. Amortised constant time.
// The error is ErrEmpty, a *rt.TypeError or rt.ErrFrozen. Attached thread.
func (l List) Pop(t *rt.Thread) (rt.Ref, error) { return l.pop(t, false) }

// PopFirst removes the first item and returns a new reference to it. Amortised constant
// time: with Append and PopFirst, a list is a queue. Errors as for Pop. Attached thread.
func (l List) PopFirst(t *rt.Thread) (rt.Ref, error) { return l.pop(t, true) }

// pop is PopFirst if first is true, and Pop otherwise.
func (l List) pop(t *rt.Thread, first bool) (rt.Ref, error) {
	o, err := writable(t, l, rt.TypeList)
	if err != nil {
		return rt.Nil, err
	}
	lock(t, o)
	b := openList(t, o)
	if b.len() == 0 {
		unlock(t, o)
		return rt.Nil, ErrEmpty
	}
	var r rt.Ref
	if first {
		r = b.popFirst()
	} else {
		r = b.popLast()
	}
	old := b.shrink(t, l, o)
	unlock(t, o)
	t.RetireBlock(old)
	if mutant.On && mutant.Is(mutant.PopHandsOver) {
		return r, nil
	}
	t.IncRef(r) // the slot's own count is retired: a reader may have loaded it
	t.Retire(r)
	return r, nil
}

// Insert puts v before item i. If i is the length, Insert is Append. Otherwise the items
// from i on move up. In lock-free mode this changes more than one slot, so all items are
// copied to a new block. v is borrowed: the list takes a count of its own. Errors as for
// Append, and an *IndexError. Attached thread.
func (l List) Insert(t *rt.Thread, i int, v rt.Ref) error {
	o, err := l.write(t, v)
	if err != nil {
		return err
	}
	if mutant.On && mutant.Is(mutant.WrongPlace) && t.LockFree() {
		i = max(i-1, 0)
	}
	t.IncRef(v)
	lock(t, o)
	b := openList(t, o)
	var old rt.Ref
	switch n := b.len(); {
	case i < 0 || i > n:
		err = &IndexError{Index: i, Len: n}
	case i == n:
		if old, err = b.reserve(t, l, o, 1); err == nil {
			b.add(v)
		}
	case b.end < b.room && !t.LockFree(): // no other thread reads meanwhile
		copy(b.Refs(b.slot(i+1), n-i), b.Refs(b.slot(i), n-i))
		b.SetRef(b.slot(i), v)
		b.publish(b.first, b.end+1)
	default:
		var fresh listBlock
		if fresh, err = b.copyForInsert(t, l, i); err == nil {
			fresh.SetRef(fresh.slot(i), v)
			fresh.takeOver(o)
			old = b.ref
		}
	}
	unlock(t, o)
	t.RetireBlock(old)
	if err != nil {
		t.DecRef(v)
	}
	return err
}

// Remove removes item i. Removing the first or the last item takes amortised constant time.
// Otherwise the items after it move down. In lock-free mode all items are copied to a new
// block. If there is no memory for one, they move within the existing block, and readers
// wait until that is done. The error is an *IndexError, a *rt.TypeError or rt.ErrFrozen.
// Attached thread.
func (l List) Remove(t *rt.Thread, i int) error {
	o, err := writable(t, l, rt.TypeList)
	if err != nil {
		return err
	}
	lock(t, o)
	b := openList(t, o)
	n := b.len()
	if uint(i) >= uint(n) {
		unlock(t, o)
		return &IndexError{Index: i, Len: n}
	}
	var gone, old rt.Ref
	switch i {
	case n - 1:
		gone = b.popLast()
	case 0:
		gone = b.popFirst()
	default:
		gone, old = b.removeInside(t, l, o, i)
	}
	if old.IsNil() {
		old = b.shrink(t, l, o)
	}
	unlock(t, o)
	t.RetireBlock(old)
	t.Retire(gone)
	return nil
}

// Clear removes all items. The error is a *rt.TypeError or rt.ErrFrozen. Attached thread.
func (l List) Clear(t *rt.Thread) error {
	o, err := writable(t, l, rt.TypeList)
	if err != nil {
		return err
	}
	lock(t, o)
	b := openList(t, o)
	o.StoreRef(boxBlock, rt.Nil)
	unlock(t, o)
	for i := range b.len() {
		if mutant.On && mutant.Is(mutant.ClearKeeps) {
			break
		}
		t.Retire(b.LoadRef(b.slot(i)))
	}
	t.RetireBlock(b.ref)
	return nil
}

// Extend appends the items of other, as they are at one moment: both lists are locked. l
// and other may be the same list. other is borrowed. The error is a *rt.TypeError,
// rt.ErrFrozen, a *rt.SizeError or rt.ErrMemoryLimit. Attached thread.
func (l List) Extend(t *rt.Thread, other List) error {
	o, err := writable(t, l, rt.TypeList)
	if err != nil {
		return err
	}
	p, ok := t.Object(other, rt.TypeList)
	if !ok {
		return t.WantType(other, rt.TypeList)
	}
	if other.IsFrozen() {
		return l.extendFrozen(t, o, other)
	}
	lock2(t, o, p)
	from, b := openList(t, p), openList(t, o)
	n := from.len()
	old, err := b.reserve(t, l, o, n)
	if err == nil && n > 0 {
		for i := range n {
			r := from.LoadRef(from.slot(i))
			if !(mutant.On && mutant.Is(mutant.ExtendUncounted)) {
				t.IncRef(r)
			}
			b.StoreRef(b.slot(b.len()+i), r)
		}
		b.publish(b.first, b.end+n) // one store makes them all visible
	}
	unlock2(t, o, p)
	t.RetireBlock(old)
	return err
}

// extendFrozen is Extend for a frozen list, which does not change and is not counted.
func (l List) extendFrozen(t *rt.Thread, o rt.Body, other List) error {
	home, items := frozenItems(t, other)
	lock(t, o)
	b := openList(t, o)
	old, err := b.reserve(t, l, o, len(items))
	if err == nil && len(items) > 0 {
		for i, r := range items {
			b.StoreRef(b.slot(b.len()+i), home.Ref(r))
		}
		b.publish(b.first, b.end+len(items))
	}
	unlock(t, o)
	t.RetireBlock(old)
	return err
}
