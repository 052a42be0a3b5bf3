package objects

import (
	"fmt"
	"iter"

	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a List's block. A block's capacity never changes: growing publishes
// a new block. Slots at or above the length are Nil.
const (
	listLen   = 0
	listCap   = 1
	listSlots = 2
)

var listType = rt.DefineBuiltin(rt.TypeList, rt.Type{
	Name:    "list",
	Mutable: true,
	Slots: func(h rt.Heap, o rt.Body) (rt.Body, int, int) {
		r := o.LoadRef(boxBlock)
		if r == rt.Nil {
			return o, 0, 0
		}
		b := h.Block(r)
		return b, listSlots, int(b.Load(listLen))
	},
	Block:    func(o rt.Body) rt.Ref { return o.LoadRef(boxBlock) },
	Freezing: &listFreezing,
})

// IndexError says that an index is out of range.
type IndexError struct{ Index, Len int }

func (e *IndexError) Error() string {
	return fmt.Sprintf("index %d is out of range: the list has %d items", e.Index, e.Len)
}

// List is a sequence that can change. Its methods borrow it. Any number of attached
// threads use one at the same time.
type List rt.Ref

// NewList returns a new reference to a list of the items. They are borrowed: the list
// takes counts of its own. Attached thread.
func NewList(t *rt.Thread, items ...rt.Ref) (rt.Ref, error) {
	r, err := NewListSteal(t, items...)
	if err == nil {
		t.IncRefs(items)
	}
	return r, err
}

// NewListSteal is NewList, so returns a new reference, and steals the references to the
// items unless it fails. Attached thread.
func NewListSteal(t *rt.Thread, items ...rt.Ref) (rt.Ref, error) {
	for i, r := range items {
		if r == rt.Nil {
			return rt.Nil, fmt.Errorf("ichor: new list: item %d is a nil reference", i)
		}
	}
	r, o, err := t.New(listType, boxBytes)
	if err != nil || len(items) == 0 {
		return r, err
	}
	ref, b, err := newListBlock(t, r, len(items))
	if err != nil {
		t.DecRef(r)
		return rt.Nil, err
	}
	copy(b.Refs(listSlots, len(items)), items)
	b.SetWord(listLen, uint32(len(items)))
	o.SetRef(boxBlock, ref)
	return r, nil
}

// newListBlock returns an empty block for the list l, with room for at least n
// items.
func newListBlock(t *rt.Thread, l rt.Ref, n int) (rt.Ref, rt.Body, error) {
	bytes := t.BlockBytes(l, 4*(listSlots+n))
	r, b, err := t.NewBlock(l, bytes)
	if err != nil {
		return rt.Nil, rt.Body{}, err
	}
	b.SetWord(listCap, uint32(bytes/4-listSlots))
	return r, b, nil
}

// listBlock returns the list's block; ok is false if it has none.
func listBlock(t *rt.Thread, o rt.Body) (b rt.Body, ok bool) {
	r := o.LoadRef(boxBlock)
	if r == rt.Nil {
		return rt.Body{}, false
	}
	return t.Block(r), true
}

// Len returns the number of items; 0 if l is no list. Wait-free. Attached thread.
func (l List) Len(t *rt.Thread) int {
	if rt.Ref(l).IsFrozen() {
		return frozenLen(t, rt.Ref(l), rt.TypeList)
	}
	o, ok := t.Object(rt.Ref(l), rt.TypeList)
	if !ok {
		return 0
	}
	if b, ok := listBlock(t, o); ok {
		return int(b.Load(listLen))
	}
	return 0
}

// At returns a borrowed reference to item i, and whether there is one.
// Wait-free. Attached thread.
func (l List) At(t *rt.Thread, i int) (rt.Ref, bool) {
	if rt.Ref(l).IsFrozen() {
		return frozenItem(t, rt.Ref(l), i)
	}
	o, ok := t.Object(rt.Ref(l), rt.TypeList)
	if !ok {
		return rt.Nil, false
	}
	b, ok := listBlock(t, o)
	if !ok || uint(i) >= uint(b.Load(listLen)) {
		return rt.Nil, false
	}
	// Nil here means that the item was popped since the length was read. A slot
	// may also be filled again before its new item counts: hence the second look
	// at the length.
	r := b.LoadRef(listSlots + i)
	if r == rt.Nil || uint(i) >= uint(b.Load(listLen)) {
		return rt.Nil, false
	}
	return r, true
}

// Get returns a new reference to item i. The error is an *IndexError or a
// *rt.TypeError. Wait-free. Attached thread.
func (l List) Get(t *rt.Thread, i int) (rt.Ref, error) {
	r, ok := l.At(t, i)
	if !ok {
		return rt.Nil, l.missing(t, i)
	}
	t.IncRef(r)
	return r, nil
}

func (l List) missing(t *rt.Thread, i int) error {
	if _, ok := t.Object(rt.Ref(l), rt.TypeList); !ok {
		return t.WantType(rt.Ref(l), rt.TypeList)
	}
	n := l.Len(t)
	if i >= 0 {
		n = min(n, i) // it may have grown since item i was missed
	}
	return &IndexError{i, n}
}

// write checks that l is a list that can be changed and v a reference, and returns the
// list's body.
func (l List) write(t *rt.Thread, v rt.Ref) (rt.Body, error) {
	o, err := writable(t, rt.Ref(l), rt.TypeList)
	if err != nil {
		return o, err
	}
	if v == rt.Nil {
		return o, fmt.Errorf("ichor: list: nil reference as an item")
	}
	return o, nil
}

// Append adds v at the end. Amortised constant time. v is borrowed: the list takes a count
// of its own. Attached thread.
func (l List) Append(t *rt.Thread, v rt.Ref) error {
	t.IncRef(v)
	err := l.AppendSteal(t, v)
	if err != nil {
		t.DecRef(v)
	}
	return err
}

// AppendSteal is Append, and steals the reference to v unless it fails.
// Attached thread.
func (l List) AppendSteal(t *rt.Thread, v rt.Ref) error {
	o, err := l.write(t, v)
	if err != nil {
		return err
	}
	lock(t, o)
	b, old, err := listRoom(t, l, o, 1)
	if err == nil {
		n := b.Load(listLen)
		b.StoreRef(listSlots+int(n), v) // slot, then length: a reader sees both or neither
		b.Store(listLen, n+1)
	}
	unlock(t, o)
	t.RetireBlock(old)
	return err
}

// listRoom returns a block with room for n more items, and the block that it
// replaced, which the caller retires. The list is locked.
func listRoom(t *rt.Thread, l List, o rt.Body, n int) (b rt.Body, old rt.Ref, err error) {
	old = o.LoadRef(boxBlock)
	have := 0
	if old != rt.Nil {
		b = t.Block(old)
		have = int(b.Load(listLen))
		if have+n <= int(b.Word(listCap)) {
			return b, rt.Nil, nil
		}
	}
	r, grown, err := newListBlock(t, rt.Ref(l), max(have+n, have+have/2, 4))
	if err != nil {
		return b, rt.Nil, err
	}
	for i := range have {
		grown.SetRef(listSlots+i, b.LoadRef(listSlots+i)) // moved: counts go along
	}
	if mutant.On && mutant.Is(mutant.GrowDrops) {
		have = max(have-1, 0)
	}
	grown.SetWord(listLen, uint32(have))
	o.StoreRef(boxBlock, r)
	return grown, old, nil
}

// Set replaces item i by v. v is borrowed: the list takes a count of its own. Attached
// thread.
func (l List) Set(t *rt.Thread, i int, v rt.Ref) error {
	o, err := l.write(t, v)
	if err != nil {
		return err
	}
	t.IncRef(v)
	lock(t, o)
	b, ok := listBlock(t, o)
	n := 0
	if ok {
		n = int(b.Load(listLen))
	}
	if uint(i) >= uint(n) {
		unlock(t, o)
		t.DecRef(v)
		return &IndexError{i, n}
	}
	old := b.SwapRef(listSlots+i, v)
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

// Pop removes the last item and returns a new reference to it. Attached thread.
func (l List) Pop(t *rt.Thread) (rt.Ref, error) {
	o, err := writable(t, rt.Ref(l), rt.TypeList)
	if err != nil {
		return rt.Nil, err
	}
	lock(t, o)
	b, ok := listBlock(t, o)
	if !ok || b.Load(listLen) == 0 {
		unlock(t, o)
		return rt.Nil, &IndexError{-1, 0}
	}
	n := b.Load(listLen) - 1
	b.Store(listLen, n)
	r := b.SwapRef(listSlots+int(n), rt.Nil)
	unlock(t, o)
	if mutant.On && mutant.Is(mutant.PopHandsOver) {
		return r, nil
	}
	t.IncRef(r) // the slot's own count is retired: a reader may have loaded it
	t.Retire(r)
	return r, nil
}

// Insert puts v before item i, or at the end if i is the length. It publishes a new block,
// since more than one slot changes. v is borrowed: the list takes a count of its own.
// Attached thread.
func (l List) Insert(t *rt.Thread, i int, v rt.Ref) error {
	o, err := l.write(t, v)
	if err != nil {
		return err
	}
	if mutant.On && mutant.Is(mutant.WrongPlace) && t.LockFree() {
		i = max(i-1, 0)
	}
	t.IncRef(v)
	if _, err = l.replace(t, o, i, 0, v); err != nil {
		t.DecRef(v)
	}
	return err
}

// Remove removes item i. It publishes a new block. Attached thread.
func (l List) Remove(t *rt.Thread, i int) error {
	o, err := writable(t, rt.Ref(l), rt.TypeList)
	if err != nil {
		return err
	}
	gone, err := l.replace(t, o, i, 1)
	if err == nil {
		t.Retire(gone)
	}
	return err
}

// replace publishes a block in which n items from i on, at most one, have given
// way to the items with, which it steals unless it fails. It returns what was
// replaced.
func (l List) replace(t *rt.Thread, o rt.Body, i, n int, with ...rt.Ref) (gone rt.Ref, err error) {
	lock(t, o)
	old := o.LoadRef(boxBlock)
	have := 0
	var from rt.Body
	if old != rt.Nil {
		from = t.Block(old)
		have = int(from.Load(listLen))
	}
	if i < 0 || i > have-n {
		unlock(t, o)
		return rt.Nil, &IndexError{i, have}
	}
	r, to, err := newListBlock(t, rt.Ref(l), have-n+len(with))
	if err != nil {
		unlock(t, o)
		return rt.Nil, err
	}
	for k := range i {
		to.SetRef(listSlots+k, from.LoadRef(listSlots+k))
	}
	for k, v := range with {
		to.SetRef(listSlots+i+k, v)
	}
	for k := i + n; k < have; k++ {
		to.SetRef(listSlots+k-n+len(with), from.LoadRef(listSlots+k))
	}
	if n == 1 {
		gone = from.LoadRef(listSlots + i)
	}
	to.SetWord(listLen, uint32(have-n+len(with)))
	o.StoreRef(boxBlock, r)
	unlock(t, o)
	t.RetireBlock(old)
	return gone, nil
}

// Clear removes all items. Attached thread.
func (l List) Clear(t *rt.Thread) error {
	o, err := writable(t, rt.Ref(l), rt.TypeList)
	if err != nil {
		return err
	}
	lock(t, o)
	old := o.LoadRef(boxBlock)
	o.StoreRef(boxBlock, rt.Nil)
	unlock(t, o)
	if old != rt.Nil {
		b := t.Block(old)
		for i := range int(b.Load(listLen)) {
			if mutant.On && mutant.Is(mutant.ClearKeeps) {
				break
			}
			t.Retire(b.LoadRef(listSlots + i))
		}
		t.RetireBlock(old)
	}
	return nil
}

// Extend appends the items of other, as they are at one moment: both lists are locked. l
// and other may be the same. other is borrowed. Attached thread.
func (l List) Extend(t *rt.Thread, other List) error {
	o, err := writable(t, rt.Ref(l), rt.TypeList)
	if err != nil {
		return err
	}
	p, ok := t.Object(rt.Ref(other), rt.TypeList)
	if !ok {
		return t.WantType(rt.Ref(other), rt.TypeList)
	}
	if rt.Ref(other).IsFrozen() {
		return l.extendFrozen(t, o, other)
	}
	lock2(t, o, p)
	var old rt.Ref
	if from, ok := listBlock(t, p); ok {
		n := int(from.Load(listLen))
		var b rt.Body
		if b, old, err = listRoom(t, l, o, n); err == nil {
			have := int(b.Load(listLen))
			for i := range n {
				r := from.LoadRef(listSlots + i)
				if !(mutant.On && mutant.Is(mutant.ExtendUncounted)) {
					t.IncRef(r)
				}
				b.StoreRef(listSlots+have+i, r)
			}
			b.Store(listLen, uint32(have+n)) // one store makes them all visible
		}
	}
	unlock2(t, o, p)
	t.RetireBlock(old)
	return err
}

// extendFrozen is Extend by a list that does not change, and is not counted.
func (l List) extendFrozen(t *rt.Thread, o rt.Body, other List) error {
	home, items := frozenItems(t, rt.Ref(other))
	lock(t, o)
	b, old, err := listRoom(t, l, o, len(items))
	if err == nil {
		have := int(b.Load(listLen))
		for i, r := range items {
			b.StoreRef(listSlots+have+i, home.Ref(r))
		}
		b.Store(listLen, uint32(have+len(items)))
	}
	unlock(t, o)
	t.RetireBlock(old)
	return err
}

// All ranges over the items by index, each borrowed. It looks at the list anew at
// each step, so the body may change the list and reach safe points; it sees
// what is there when it gets there. Attached thread.
func (l List) All(t *rt.Thread) iter.Seq2[int, rt.Ref] {
	return func(yield func(int, rt.Ref) bool) {
		t.IncRef(rt.Ref(l))
		defer t.DecRef(rt.Ref(l))
		for i := 0; ; i++ {
			r, ok := l.At(t, i)
			if !ok || !yield(i, r) {
				return
			}
		}
	}
}
