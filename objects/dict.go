package objects

import (
	"fmt"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

var dictType = core.Define(rt.TypeDict, rt.Type{
	Name:    "dict",
	Mutable: true,
	Traverse: func(h rt.Heap, o rt.Body, visit func(rt.Ref)) {
		if r := o.LoadRef(boxBlock); !r.IsNil() {
			b := h.Block(r)
			e := shapeOf(b).entries
			for range usedOf(b.LoadUint64(dictState)) {
				visit(b.Ref(e + entryKey)) // a dead entry holds its key until the table is rebuilt
				visit(b.LoadRef(e + entryValue))
				e += entryWords
			}
		}
	},
	Block:    func(o rt.Body) rt.Ref { return o.LoadRef(boxBlock) },
	Freezing: &dictFreezing,
}, nil, nil)

// Dict maps keys to references and keeps them in insertion order. dicttable.go describes
// its table. Its methods borrow it. Any number of attached threads may use one at the same
// time.
type Dict rt.Ref

// NewDict returns a new reference to an empty dictionary. The error is rt.ErrMemoryLimit.
// Attached thread.
func NewDict(t *rt.Thread) (Dict, error) {
	r, _, err := t.New(dictType, boxBytes)
	return r, err
}

// newDictSteal returns a new reference to a dictionary of the pairs, and steals them unless
// it fails. The keys are hashable and distinct.
func newDictSteal(t *rt.Thread, pairs []rt.Ref) (Dict, error) {
	r, o, err := t.New(dictType, boxBytes)
	if err != nil || len(pairs) == 0 {
		return r, err
	}
	ref, err := tableOf(t, r, pairs, false)
	if err != nil {
		t.DecRef(r)
		return rt.Nil, err
	}
	o.SetRef(boxBlock, ref)
	return r, nil
}

// tableOf returns a table for the dict d with the pairs, and steals them unless it fails.
func tableOf(t *rt.Thread, d rt.Ref, pairs []rt.Ref, keyed bool) (rt.Ref, error) {
	if len(pairs)/2 > maxEntries {
		return rt.Nil, errManyEntries(len(pairs) / 2)
	}
	r, b, err := newTable(t, d, len(pairs)/2, keyed)
	if err != nil {
		return rt.Nil, err
	}
	for i := 0; i < len(pairs); i += 2 {
		hash, _ := Hash(t, pairs[i]) // no error: it is a key
		p := vacant(b, hashIn(t, b, pairs[i], hash))
		if p.long && !isKeyed(b) {
			t.FreeBlock(r)
			return tableOf(t, d, pairs, true)
		}
		insert(b, p, pairs[i], pairs[i+1])
	}
	return r, nil
}

func errManyEntries(n int) error {
	return &rt.SizeError{Of: "dict", Size: int64(n), Unit: "entries", Most: int64(maxEntries)}
}

// open returns the body of d and the hash of key. String keys take a shortcut.
func (d Dict) open(t *rt.Thread, key rt.Ref) (o rt.Body, hash uint32, err error) {
	if t.QuickKind(d) == rt.TypeDict && t.QuickKind(key) == rt.TypeString {
		if hash = t.Body(key).Load(textHash); hash != 0 {
			return t.Body(d), hash, nil
		}
	}
	return d.openSlow(t, key)
}

// openToWrite is open for a call that changes d. It fails if d is frozen.
func (d Dict) openToWrite(t *rt.Thread, key rt.Ref) (o rt.Body, hash uint32, err error) {
	o, hash, err = d.open(t, key)
	if err == nil && d.IsFrozen() {
		err = t.FrozenError(d)
	}
	return o, hash, err
}

func (d Dict) openSlow(t *rt.Thread, key rt.Ref) (o rt.Body, hash uint32, err error) {
	o, ok := t.Object(d, rt.TypeDict)
	if ok {
		hash, err = Hash(t, key)
	} else {
		err = t.WantType(d, rt.TypeDict)
	}
	return o, hash, err
}

// Len returns the number of entries; 0 if d is not a dictionary. Wait-free. Attached
// thread.
func (d Dict) Len(t *rt.Thread) int {
	if d.IsFrozen() {
		return frozenLen(t, d, rt.TypeDict)
	}
	o, ok := t.Object(d, rt.TypeDict)
	if !ok {
		return 0
	}
	if r := o.LoadRef(boxBlock); !r.IsNil() {
		return dictLen(t.Block(r))
	}
	return 0
}

// Lookup returns a borrowed reference to the value of key, and whether key is present. key
// is borrowed. Wait-free. Attached thread.
func (d Dict) Lookup(t *rt.Thread, key rt.Ref) (rt.Ref, bool) {
	var o rt.Body
	var hash uint32
	if t.QuickKind(d) == rt.TypeDict && t.QuickKind(key) == rt.TypeString {
		o, hash = t.Body(d), t.Body(key).Load(textHash) // open, inlined by hand
	}
	if hash == 0 {
		var err error
		if o, hash, err = d.openSlow(t, key); err != nil {
			return rt.Nil, false
		}
	}
	if d.IsFrozen() {
		form := o.Word(frozenForm)
		if form&(1<<twinShift-1)-1 > 2 { // few entries, or KEYED
			return findFrozen(t, d, o, key, hash)
		}
		// findFrozen without its other cases. It has no loop and, if the key is present, no
		// branch that a processor cannot foresee.
		home, b := t.Home(d), scaledTo(hash, o.Word(frozenBuckets))
		pilot := o.Word(frozenPilots+int(b>>2)) >> (b & 3 * 8) & 0xff
		w := int(o.Word(frozenFirst)) + placeWords*int(scaledTo(mixed(hash, pilot), o.Word(frozenPlaces)))
		if k := home.Ref(o.Ref(w)); k != key && !equalFrozenKey(t, k, key, hash) {
			if form>>twinShift != 0 {
				return findFrozen(t, d, o, key, hash)
			}
			return rt.Nil, false
		}
		return home.Ref(o.Ref(w + 1)), true
	}
	r := o.LoadRef(boxBlock)
	if r.IsNil() {
		return rt.Nil, false
	}
	b := t.Block(r)
	if b.Word(dictShape)&(shapeTags|shapeKeyed) == shapeTags {
		_, v, ok := findTagged(t, b, key, hash)
		return v, ok
	}
	_, v, ok := find(t, b, key, hash)
	return v, ok
}

// KeyError reports that a dictionary does not have a key.
type KeyError struct{ Key string }

func (e *KeyError) Error() string { return fmt.Sprintf("%sno key %s", fault.Prefix, e.Key) }

// Get returns a new reference to the value of key. key is borrowed. The error is a
// *KeyError, an *UnhashableError or a *rt.TypeError. Wait-free. Attached thread.
func (d Dict) Get(t *rt.Thread, key rt.Ref) (rt.Ref, error) {
	v, ok := d.Lookup(t, key)
	if !ok {
		if _, _, err := d.open(t, key); err != nil {
			return rt.Nil, err
		}
		return rt.Nil, &KeyError{Format(t, key)}
	}
	t.IncRef(v)
	return v, nil
}

// Has reports whether key is present. key is borrowed. Wait-free. Attached thread.
func (d Dict) Has(t *rt.Thread, key rt.Ref) bool {
	_, ok := d.Lookup(t, key)
	return ok
}

// Set makes value the value of key. Both are borrowed: the dictionary takes counts of its
// own. The error is an *UnhashableError, rt.ErrNilRef, a *rt.TypeError, rt.ErrFrozen, a
// *rt.SizeError or rt.ErrMemoryLimit. Attached thread.
func (d Dict) Set(t *rt.Thread, key, value rt.Ref) error {
	t.IncRef(value)
	err := d.SetSteal(t, key, value)
	if err != nil {
		t.DecRef(value)
	}
	return err
}

// SetSteal is like Set, but steals the reference to value unless it fails. key is borrowed
// as in Set. Attached thread.
func (d Dict) SetSteal(t *rt.Thread, key, value rt.Ref) error {
	o, hash, err := d.openToWrite(t, key)
	if err != nil {
		return err
	}
	t.MustUse(value)
	if value.IsNil() {
		return errNilValue()
	}
	if r := o.LoadRef(boxBlock); !r.IsNil() && hasGates(t.Block(r)) {
		if e, _, ok := find(t, t.Block(r), key, hash); ok {
			if old, ok := overwrite(t, o, r, e, rt.Nil, value); ok {
				dropValue(t, old)
				return nil
			}
		}
	}
	var r rt.Ref
	var b rt.Body
	var p spot
	if t.QuickKind(key) != rt.TypeString {
		r, b, p = lockAt(t, o, key, hash)
	} else { // lockAt, inlined by hand
		lock(t, o)
		if r = o.LoadRef(boxBlock); !r.IsNil() {
			b = t.Block(r)
			p = search(t, b, key, hash)
		}
	}
	if p.e != 0 && alive(b, p.e) {
		old := b.SwapRef(p.e+entryValue, value)
		unlock(t, o)
		dropValue(t, old)
		return nil
	}
	return d.enter(t, o, r, b, p, key, hash, value)
}

// enter adds an entry at the spot p of its key, and unlocks the dict o. The table r has no
// live entry with the key. enter takes a count of the key, and steals value unless it
// fails.
func (d Dict) enter(t *rt.Thread, o rt.Body, r rt.Ref, b rt.Body, p spot, key rt.Ref, hash uint32, value rt.Ref) (err error) {
	to := b
	if r.IsNil() || p.long || usedOf(b.LoadUint64(dictState)) == int(b.Word(dictCap)) {
		if to, p, err = roomFor(t, d, o, r, p, key, hash); err != nil {
			unlock(t, o)
			return err
		}
	}
	if !(mutant.On && mutant.Is(mutant.KeyUncounted)) {
		t.IncRef(key)
	}
	insert(to, p, key, value)
	unlock(t, o)
	if to != b {
		retireTable(t, r, false)
	}
	return nil
}

// roomFor returns a table with room for one more entry, and the spot in that table of a key
// that has no live entry. The result is the table r, where the spot is p, or the table that
// replaces r, which the caller retires. The dict is locked.
func roomFor(t *rt.Thread, d Dict, o rt.Body, r rt.Ref, p spot, key rt.Ref, hash uint32) (rt.Body, spot, error) {
	var b rt.Body
	live, full := 0, true
	if !r.IsNil() {
		b = t.Block(r)
		live, full = dictLen(b), usedOf(b.LoadUint64(dictState)) == int(b.Word(dictCap))
	}
	long := p.long && !isKeyed(b)
	if !full && !long {
		return b, p, nil
	}
	if full && live >= maxEntries {
		return b, p, errManyEntries(live + 1)
	}
	to, err := renew(t, d, o, r, grown(live), long)
	if err != nil && !full {
		return b, p, nil // there is room: switching to a KEYED table can wait
	}
	if err != nil {
		return b, p, err
	}
	return to, vacant(to, hashIn(t, to, key, hash)), nil
}

// dropValue retires an overwritten value.
func dropValue(t *rt.Thread, old rt.Ref) {
	t.Retire(old)
	if mutant.On && mutant.Is(mutant.DoubleRelease) {
		t.Retire(old)
	}
}

// Delete removes key and reports whether it was present. key is borrowed. The error is an
// *UnhashableError, a *rt.TypeError or rt.ErrFrozen. Attached thread.
func (d Dict) Delete(t *rt.Thread, key rt.Ref) (bool, error) {
	v, err := d.take(t, key)
	t.Retire(v)
	return !v.IsNil(), err
}

// Pop removes key and returns a new reference to its value. key is borrowed. The error is a
// *KeyError, or as for Delete. Attached thread.
func (d Dict) Pop(t *rt.Thread, key rt.Ref) (rt.Ref, error) {
	v, ok, err := d.LoadAndDelete(t, key)
	if err == nil && !ok {
		err = &KeyError{Format(t, key)}
	}
	return v, err
}

// take removes key and returns the slot's own reference to its value, which the caller
// retires; Nil if key was not present.
func (d Dict) take(t *rt.Thread, key rt.Ref) (rt.Ref, error) {
	o, hash, err := d.openToWrite(t, key)
	if err != nil {
		return rt.Nil, err
	}
	r, b, p := lockAt(t, o, key, hash)
	if p.e == 0 || !alive(b, p.e) {
		unlock(t, o)
		return rt.Nil, nil
	}
	v := remove(b, p.e)
	if mutant.On && mutant.Is(mutant.DeadKeyEarly) {
		t.Retire(b.Ref(p.e + entryKey))
	}
	d.removed(t, o, r, b)
	return v, nil
}

// removed finishes a deletion from the table r of the dict o: it shrinks the table if
// enough of it is dead, and unlocks the dict.
func (d Dict) removed(t *rt.Thread, o rt.Body, r rt.Ref, b rt.Body) {
	replaced := shrink(t, d, o, r, b)
	unlock(t, o)
	retireTable(t, replaced, false)
}

// shrink replaces the table r if it is empty or at least half dead, and then returns it;
// otherwise it returns Nil. If there is no memory for a smaller table, r stays. The dict is
// locked.
func shrink(t *rt.Thread, d Dict, o rt.Body, r rt.Ref, b rt.Body) rt.Ref {
	live, used := dictLen(b), usedOf(b.LoadUint64(dictState))
	if live == 0 {
		empty(t, o, r)
		return r
	}
	if used < 2*linearMax || live > used/2 {
		return rt.Nil
	}
	if _, err := renew(t, d, o, r, live+live/2, false); err != nil {
		return rt.Nil
	}
	return r
}

// renew replaces the table r, which may be Nil, by one with its live entries and room for n
// entries in all. The new table is KEYED if keyed is true or r is KEYED. The dict is
// locked.
func renew(t *rt.Thread, d Dict, o rt.Body, r rt.Ref, n int, keyed bool) (rt.Body, error) {
	b := tableIn(t, r)
	shut(t, b)
	defer reopen(b)
	fresh, to, err := rebuilt(t, d, b, n, keyed || isKeyed(b))
	if err == nil {
		succeed(t, o, r, fresh)
	}
	return to, err
}

// empty leaves the dict o without a table. r is its table. The dict is locked.
func empty(t *rt.Thread, o rt.Body, r rt.Ref) {
	b := tableIn(t, r)
	shut(t, b)
	succeed(t, o, r, rt.Nil)
	reopen(b)
}

// retireTable retires a replaced table, and the keys of its dead entries. The references of
// live entries have moved to the new table, unless owning says that they are to be retired
// too.
func retireTable(t *rt.Thread, r rt.Ref, owning bool) {
	b := tableIn(t, r)
	if b.IsNil() {
		return
	}
	eachEntry(b, func(e int, value rt.Ref) {
		if mutant.On && mutant.Is(mutant.DeadKeysLost) && !owning {
			return
		}
		if owning || value.IsNil() {
			t.Retire(b.Ref(e + entryKey))
			t.Retire(value)
		}
	})
	t.RetireBlock(r)
}
