package objects

import (
	"fmt"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// The one word of a Cell's body. A cell has no version, because it cannot be frozen.
const (
	cellSlot  = 0 // never Nil
	cellBytes = 4
)

var cellType = core.Define(rt.TypeCell, rt.Type{
	Name:     "cell",
	Mutable:  true,
	Traverse: func(_ rt.Heap, o rt.Body, visit func(rt.Ref)) { visit(o.LoadRef(cellSlot)) },
}, nil, nil)

// Cell holds one reference, which threads load, store and compare atomically. It has no
// lock: each change takes effect at one atomic operation on the slot. Under the GIL the
// same code runs, and no other thread runs between two safe points of a thread.
//
// The count of a slot that other threads may be reading is always given up by Retire (see
// docs/memory-model.md, Retire and grace periods). So Swap and CompareAndSwap do not hand
// the slot's own count to the caller. The methods borrow the cell. Any number of attached
// threads may use one at the same time.
type Cell rt.Ref

// NewCell returns a new reference to a cell that holds v. v is borrowed: the cell takes a
// count of its own. The error is rt.ErrNilRef or rt.ErrMemoryLimit. Attached thread.
func NewCell(t *rt.Thread, v rt.Ref) (Cell, error) {
	t.MustUse(v)
	if v.IsNil() {
		return rt.Nil, fault.Errorf("new cell: value: %w", rt.ErrNilRef)
	}
	r, o, err := t.New(cellType, cellBytes)
	if err != nil {
		return rt.Nil, err
	}
	t.IncRef(v)
	o.SetRef(cellSlot, v)
	return r, nil
}

// At returns a borrowed reference to the value that the cell holds, and whether c is a
// cell. Wait-free: one load. Attached thread.
func (c Cell) At(t *rt.Thread) (rt.Ref, bool) {
	o, ok := t.Object(c, rt.TypeCell)
	if !ok {
		return rt.Nil, false
	}
	return o.LoadRef(cellSlot), true
}

// Load returns a new reference to the value that the cell holds. The error is a
// *rt.TypeError. Wait-free: a load, and an increment that cannot fail, because the slot's
// count is not given up before this thread's next safe point. Attached thread.
func (c Cell) Load(t *rt.Thread) (rt.Ref, error) {
	r, ok := c.At(t)
	if !ok {
		return rt.Nil, t.WantType(c, rt.TypeCell)
	}
	t.IncRef(r)
	return r, nil
}

// write checks that c is a cell and that v is not Nil. It returns the cell's body.
func (c Cell) write(t *rt.Thread, v rt.Ref) (o rt.Body, err error) {
	o, ok := t.Object(c, rt.TypeCell)
	t.MustUse(v)
	switch {
	case !ok:
		err = t.WantType(c, rt.TypeCell)
	case v.IsNil():
		err = fault.Errorf("cell: value: %w", rt.ErrNilRef)
	}
	return o, err
}

// Store replaces the value that the cell holds with v. v is borrowed: the cell takes a
// count of its own. The error is a *rt.TypeError or rt.ErrNilRef. Lock-free. Attached
// thread.
func (c Cell) Store(t *rt.Thread, v rt.Ref) error {
	o, err := c.write(t, v)
	if err != nil {
		return err
	}
	t.IncRef(v)
	if old := o.SwapRef(cellSlot, v); !(mutant.On && mutant.Is(mutant.StoreKeeps)) {
		t.Retire(old)
	}
	return nil
}

// StoreSteal is like Store, but steals the reference to v unless it fails. Lock-free.
// Attached thread.
func (c Cell) StoreSteal(t *rt.Thread, v rt.Ref) error {
	o, err := c.write(t, v)
	if err != nil {
		return err
	}
	t.Retire(o.SwapRef(cellSlot, v))
	return nil
}

// Swap is like Store, and returns a new reference to the old value. v is borrowed.
// Lock-free. Attached thread.
func (c Cell) Swap(t *rt.Thread, v rt.Ref) (rt.Ref, error) {
	o, err := c.write(t, v)
	if err != nil {
		return rt.Nil, err
	}
	t.IncRef(v)
	old := o.SwapRef(cellSlot, v)
	t.IncRef(old) // the slot's own count is retired: a reader may have loaded it
	t.Retire(old)
	return old, nil
}

// CompareAndSwap stores v if the cell holds old, and reports whether it did. It compares
// references, not values: two references are equal if they name the same object, or are
// equal small integers. The caller owns a reference to old, or has borrowed it since its
// last safe point, so that the reference cannot have come to name another object meanwhile.
// old and v are borrowed: the cell takes a count of its own. Errors as for Store.
// Lock-free, and without a loop of its own. Attached thread.
func (c Cell) CompareAndSwap(t *rt.Thread, old, v rt.Ref) (bool, error) {
	o, err := c.write(t, v)
	if err != nil {
		return false, err
	}
	t.MustUse(old)
	if old.IsNil() {
		return false, errNilOld("cell")
	}
	if o.LoadRef(cellSlot) != old {
		return false, nil
	}
	t.IncRef(v) // before other threads can see v
	if mutant.On && mutant.Is(mutant.CASLies) {
		mutant.Dawdle()
	}
	done := o.CAS(cellSlot, uint32(old.Handle), uint32(v.Handle))
	if done {
		t.Retire(old)
	} else {
		t.DecRef(v)
	}
	return done || mutant.On && mutant.Is(mutant.CASLies), nil
}

// Add adds delta to the Int that the cell holds, and returns the sum. The error is an
// *OverflowError, a *rt.TypeError if c is not a cell or does not hold an Int, or
// rt.ErrMemoryLimit. After an error the cell is unchanged. Lock-free: Add tries again while
// other threads change the cell. Attached thread.
func (c Cell) Add(t *rt.Thread, delta int64) (int64, error) {
	o, ok := t.Object(c, rt.TypeCell)
	if !ok {
		return 0, t.WantType(c, rt.TypeCell)
	}
	for {
		old := o.LoadRef(cellSlot)
		v, ok := Int(old).Value(t)
		if !ok {
			return 0, t.WantType(old, rt.TypeInt)
		}
		sum := v + delta
		if (sum > v) != (delta > 0) {
			return 0, &OverflowError{v, delta}
		}
		fresh, err := NewInt(t, sum)
		if err != nil {
			return 0, err
		}
		if o.CAS(cellSlot, uint32(old.Handle), uint32(fresh.Handle)) {
			t.Retire(old)
			return sum, nil
		}
		t.DecRef(fresh)
	}
}

// OverflowError reports that a sum does not fit an Int, which has 64 bits.
type OverflowError struct{ Value, Delta int64 }

func (e *OverflowError) Error() string {
	return fmt.Sprintf("%sthe sum of %d and %d does not fit in 64 bits", fault.Prefix, e.Value, e.Delta)
}
