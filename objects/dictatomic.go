package objects

import (
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// Calls that look at an entry and change it in one step. Values are compared by reference,
// as in Cell: two are equal if they are the same object, or equal small integers.

// ErrEmpty reports that there is nothing to pop because the container is empty.
var ErrEmpty = fault.New("nothing to pop: the container is empty")

// openToStore is openToWrite for a call that stores value, which must not be Nil.
func (d Dict) openToStore(t *rt.Thread, key, value rt.Ref) (o rt.Body, hash uint32, err error) {
	o, hash, err = d.openToWrite(t, key)
	t.MustUse(value)
	if err == nil && value.IsNil() {
		err = errNilValue()
	}
	return o, hash, err
}

func errNilValue() error { return fault.Errorf("dict: value: %w", rt.ErrNilRef) }

// LoadOrStore returns a new reference to the value of key if key is present. Then loaded is
// true, and the call is wait-free. Otherwise it makes value the value of key, and returns a
// new reference to value. key and value are borrowed: the dictionary takes counts of its
// own. Linearizable. Errors as for Set. Attached thread.
func (d Dict) LoadOrStore(t *rt.Thread, key, value rt.Ref) (actual rt.Ref, loaded bool, err error) {
	o, hash, err := d.openToStore(t, key, value)
	if err != nil {
		return rt.Nil, false, err
	}
	if v, ok := d.Lookup(t, key); ok {
		t.IncRef(v)
		return v, true, nil
	}
	r, b, p := lockAt(t, o, key, hash)
	if p.e != 0 {
		if v := b.LoadRef(p.e + entryValue); !v.IsNil() {
			unlock(t, o)
			t.IncRef(v) // still borrowed: a reference that leaves a slot is retired
			return v, true, nil
		}
	}
	both := [2]rt.Ref{value, value} // one count for the entry, one for the caller
	t.IncRefs(both[:])
	if err := d.enter(t, o, r, b, p, key, hash, value); err != nil {
		t.DecRefs(both[:])
		return rt.Nil, false, err
	}
	return value, false, nil
}

// LoadAndDelete removes key. It returns a new reference to its value, and whether key was
// present. key is borrowed. Linearizable. Errors as for Delete. Attached thread.
func (d Dict) LoadAndDelete(t *rt.Thread, key rt.Ref) (value rt.Ref, loaded bool, err error) {
	v, err := d.take(t, key)
	if err != nil || v.IsNil() {
		return rt.Nil, false, err
	}
	if mutant.On && mutant.Is(mutant.DictPopHandsOver) {
		return v, true, nil
	}
	t.IncRef(v) // the slot's own count is retired: a reader may have loaded it
	t.Retire(v)
	return v, true, nil
}

// Swap makes value the value of key. It returns a new reference to the previous value, or
// Nil, and whether there was one. key and value are borrowed: the dictionary takes counts
// of its own. Linearizable. Errors as for Set. Attached thread.
func (d Dict) Swap(t *rt.Thread, key, value rt.Ref) (previous rt.Ref, loaded bool, err error) {
	o, hash, err := d.openToStore(t, key, value)
	if err != nil {
		return rt.Nil, false, err
	}
	t.IncRef(value)
	old, ok := d.overwriteThere(t, o, key, hash, rt.Nil, value)
	if !ok {
		r, b, p := lockAt(t, o, key, hash)
		if p.e != 0 && alive(b, p.e) {
			old = b.SwapRef(p.e+entryValue, value)
			unlock(t, o)
		} else if err := d.enter(t, o, r, b, p, key, hash, value); err != nil {
			t.DecRef(value)
			return rt.Nil, false, err
		}
	}
	t.IncRef(old) // the slot's own count is retired: a reader may have loaded it
	t.Retire(old)
	return old, !old.IsNil(), nil
}

// overwriteThere is overwrite for the entry of key in the dict o. It also fails, and
// returns Nil, if the table has no gates or no such entry.
func (d Dict) overwriteThere(t *rt.Thread, o rt.Body, key rt.Ref, hash uint32, want, value rt.Ref) (old rt.Ref, ok bool) {
	r := o.LoadRef(boxBlock)
	if r.IsNil() || !hasGates(t.Block(r)) {
		return rt.Nil, false
	}
	e, _, ok := find(t, t.Block(r), key, hash)
	if !ok {
		return rt.Nil, false
	}
	return overwrite(t, o, r, e, want, value)
}

// errNilOld returns the error of a comparison with the Nil reference.
func errNilOld(kind string) error {
	return fault.Errorf("%s: value to compare with: %w", kind, rt.ErrNilRef)
}

// holds reports whether old is the value of key. The error is that of the call that
// compares them. Wait-free.
func (d Dict) holds(t *rt.Thread, key, old rt.Ref) (bool, error) {
	t.MustUse(old)
	if old.IsNil() {
		return false, errNilOld("dict")
	}
	v, _ := d.Lookup(t, key)
	return v == old, nil
}

// CompareAndSwap makes value the value of key if the value is old, and reports whether it
// did. It compares references, not values: see Cell.CompareAndSwap. The caller owns a
// reference to old, or has borrowed it since its last safe point. key, old and value are
// borrowed: the dictionary takes a count of its own. Linearizable; wait-free if the value
// is not old. Errors as for Set. Attached thread.
func (d Dict) CompareAndSwap(t *rt.Thread, key, old, value rt.Ref) (bool, error) {
	o, hash, err := d.openToStore(t, key, value)
	if err != nil {
		return false, err
	}
	if ok, err := d.holds(t, key, old); !ok {
		return false, err
	}
	t.IncRef(value)
	found, done := d.overwriteThere(t, o, key, hash, old, value)
	if found.IsNil() { // decided under the lock
		_, b, p := lockAt(t, o, key, hash)
		done = p.e != 0 && b.CAS(p.e+entryValue, uint32(old.Handle), uint32(value.Handle))
		unlock(t, o)
	}
	if done {
		t.Retire(old)
	} else {
		t.DecRef(value)
	}
	return done, nil
}

// CompareAndDelete removes key if its value is old, and reports whether it did. It compares
// references, not values: see Cell.CompareAndSwap. The caller owns a reference to old, or
// has borrowed it since its last safe point. key and old are borrowed. Linearizable;
// wait-free if the value is not old. Errors as for Delete, and rt.ErrNilRef. Attached
// thread.
func (d Dict) CompareAndDelete(t *rt.Thread, key, old rt.Ref) (bool, error) {
	o, hash, err := d.openToWrite(t, key)
	if err != nil {
		return false, err
	}
	if ok, err := d.holds(t, key, old); !ok {
		return false, err
	}
	r, b, p := lockAt(t, o, key, hash)
	if p.e == 0 || !removeIf(t, b, p.e, old) {
		unlock(t, o)
		return false, nil
	}
	d.removed(t, o, r, b)
	t.Retire(old)
	return true, nil
}

// removeIf removes the entry at e if its value is old, and reports whether it was. Writer
// only.
func removeIf(t *rt.Thread, b rt.Body, e int, old rt.Ref) bool {
	shut(t, b)
	defer reopen(b)
	if b.LoadRef(e+entryValue) != old {
		return false
	}
	remove(b, e)
	return true
}

// PopFirst removes the oldest entry, and returns new references to its key and its value.
// Amortised constant time. Linearizable. The error is ErrEmpty, a *rt.TypeError or
// rt.ErrFrozen. Attached thread.
func (d Dict) PopFirst(t *rt.Thread) (key, value rt.Ref, err error) {
	o, err := writable(t, d, rt.TypeDict)
	if err != nil {
		return rt.Nil, rt.Nil, err
	}
	lock(t, o)
	r := o.LoadRef(boxBlock)
	b := tableIn(t, r)
	e := oldest(b)
	if e == 0 {
		unlock(t, o)
		return rt.Nil, rt.Nil, ErrEmpty
	}
	key = b.Ref(e + entryKey)
	t.IncRef(key) // the entry's own count is retired with its table
	value = remove(b, e)
	d.removed(t, o, r, b)
	t.IncRef(value) // the slot's own count is retired: a reader may have loaded it
	t.Retire(value)
	return key, value, nil
}

// oldest returns the oldest live entry of the table b, or 0 if there is none, and notes
// that the entries before it are dead. b may be the zero Body. Writer only.
func oldest(b rt.Body) int {
	if b.IsNil() {
		return 0
	}
	s, n := shapeOf(b), uint32(0)
	if s.mask != 0 {
		n = b.Word(dictOldest)
	}
	for used := usedOf(b.LoadUint64(dictState)); int(n) < used; n++ {
		e := s.entry(n + 1)
		if !alive(b, e) {
			continue
		}
		if s.mask != 0 {
			b.SetWord(dictOldest, n)
		}
		return e
	}
	return 0
}
