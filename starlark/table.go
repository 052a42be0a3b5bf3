package starlark

import (
	"fmt"

	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a dict or set. A writer holds the lock. A set is a dict whose values are None.
const (
	tableLock  = 0
	tableFlags = 1 // as listFlags
	tableLen   = 2
	tableBlock = 3
)

// Words of a table's block: the entries in order of insertion, each a key and a value; then the
// hashes of the keys; then the index, an open hash table of the numbers of entries, if there
// are more than a few.
//
// Entries are only added, at the end. A deleted entry has empty slots. When there is no more
// room, the live entries move to a new block. So readers take no lock: whatever they find in a
// block was in the table at some time during their call.
const (
	entryCap   = 0
	indexMask  = 1
	entryUsed  = 2
	entryFirst = 3 // a lower bound on the number of the first live entry
	entrySlots = 4
)

const (
	smallTable   = 8          // up to here there is no index
	indexDeleted = 0xFFFFFFFF // an index slot; others are 0 or the number of an entry + 1
)

func (th *Thread) newTable(y *rt.Type, n int) (Value, error) {
	r, _, err := th.t.New(y, 16)
	if err != nil {
		return 0, err
	}
	v := counted(r)
	if n > 0 {
		if err := th.tableGrow(r, th.t.Body(r), n); err != nil {
			th.drop(v)
			return 0, err
		}
	}
	return v, nil
}

func (th *Thread) newDict(n int) (Value, error) { return th.newTable(dictType, n) }
func (th *Thread) newSet(n int) (Value, error)  { return th.newTable(setType, n) }

// tableGrow moves the live entries to a new block with room for n. The caller holds the lock.
func (th *Thread) tableGrow(r rt.Ref, o rt.Body, n int) error {
	if n > maxItems/4 {
		return th.limitError(&rt.SizeError{Of: "table", Size: int64(n), Unit: "entries", Most: maxItems / 4})
	}
	index := 0
	if n > smallTable {
		for index = 16; index*3/4 < n; index *= 2 {
		}
		n = index * 3 / 4
	}
	if err := th.large(4 * (entrySlots + 3*n + index)); err != nil {
		return err
	}
	nr, nb, err := th.t.NewBlock(r, 4*(entrySlots+3*n+index))
	if err != nil {
		return err
	}
	nb.SetWord(entryCap, uint32(n))
	nb.SetWord(indexMask, uint32(max(index-1, 0)))
	used := 0
	old := o.LoadRef(tableBlock)
	if !old.IsNil() {
		b := th.t.Block(old)
		cap := int(b.Word(entryCap))
		for i := range int(b.Load(entryUsed)) {
			k := b.LoadRef(entrySlots + 2*i)
			if k.IsNil() {
				continue
			}
			h := b.Word(entrySlots + 2*cap + i)
			nb.SetRef(entrySlots+2*used, k)
			nb.SetRef(entrySlots+2*used+1, b.LoadRef(entrySlots+2*i+1))
			nb.SetWord(entrySlots+2*n+used, h)
			indexAdd(nb, n, used, h)
			used++
		}
	}
	nb.SetWord(entryUsed, uint32(used))
	o.StoreRef(tableBlock, nr)
	if !old.IsNil() {
		th.t.RetireBlock(old)
	}
	return nil
}

// indexAdd adds entry i with hash h to the index of a block that has room for n entries.
func indexAdd(b rt.Body, n, i int, h uint32) {
	mask := b.Word(indexMask)
	if mask == 0 {
		return
	}
	base := entrySlots + 3*n
	for j := h & mask; ; j = (j + 1) & mask {
		if x := b.Load(base + int(j)); x == 0 || x == indexDeleted {
			b.Store(base+int(j), uint32(i+1))
			return
		}
	}
}

// slotOf returns the reference that a slot with the value v holds, or Nil if v is boxed there.
func slotOf(v Value) rt.Ref {
	if v < floatBase {
		return v.ref()
	}
	if v < intBase {
		return rt.Nil
	}
	r, _ := rt.Int(v.int())
	return r
}

// find returns the number of the entry with the key k of hash h, or -1, and its place in the
// index. kr is slotOf(k). k may be 0 if kr is not Nil.
func (th *Thread) find(b rt.Body, k Value, kr rt.Ref, h uint32) (i, place int, err error) {
	n := int(b.Word(entryCap))
	mask := b.Word(indexMask)
	if mask == 0 {
		for i := range int(b.Load(entryUsed)) {
			if b.Load(entrySlots+2*n+i) == h {
				if ok, err := th.isKey(b.LoadRef(entrySlots+2*i), k, kr); ok || err != nil {
					return i, 0, err
				}
			}
		}
		return -1, 0, nil
	}
	base := entrySlots + 3*n
	for j := h & mask; ; j = (j + 1) & mask {
		x := b.Load(base + int(j))
		if x == 0 {
			return -1, 0, nil
		}
		if x == indexDeleted {
			continue
		}
		if i := int(x - 1); b.Load(entrySlots+2*n+i) == h {
			if ok, err := th.isKey(b.LoadRef(entrySlots+2*i), k, kr); ok || err != nil {
				return i, base + int(j), err
			}
		}
	}
}

// isKey reports whether the slot r holds the key k. kr is slotOf(k), and k may be 0, as in find.
func (th *Thread) isKey(r rt.Ref, k Value, kr rt.Ref) (bool, error) {
	switch {
	case r.IsNil():
		return false, nil
	case r == kr:
		return true, nil
	case r.IsInt() && (kr.IsInt() || k >= intBase):
		return false, nil
	case kr.IsNil():
	case th.t.QuickKind(r) == stringType.ID() && th.t.QuickKind(kr) == stringType.ID():
		return th.quickText(r) == th.quickText(kr), nil
	case k == 0:
		k = th.peek(kr)
	}
	return th.equal(th.peek(r), k)
}

func (th *Thread) tableLen(v Value) int { return int(th.t.Body(v.ref()).Load(tableLen)) }

// tableGet returns the value of a key as a borrowed value, or 0.
func (th *Thread) tableGet(v, k Value) (Value, error) {
	h, err := th.hash(k)
	if err != nil {
		return 0, err
	}
	return th.tableGetHash(v, k, h)
}

// tableGetHash is tableGet for a key with a known hash.
func (th *Thread) tableGetHash(v, k Value, h uint32) (Value, error) {
	r, err := th.tableSlot(v, k, slotOf(k), h)
	if r.IsNil() {
		return 0, err
	}
	return th.peek(r), nil
}

// tableSlot returns the borrowed slot with the value of a key, or Nil. The key is as in find.
func (th *Thread) tableSlot(v, k Value, kr rt.Ref, h uint32) (rt.Ref, error) {
	br := th.t.Body(v.ref()).LoadRef(tableBlock)
	if br.IsNil() {
		return rt.Nil, nil
	}
	b := th.t.Block(br)
	i, _, err := th.find(b, k, kr, h)
	if i < 0 || err != nil {
		return rt.Nil, err
	}
	return b.LoadRef(entrySlots + 2*i + 1), nil // Nil if it was deleted since
}

// tableSet makes x the value of k. It borrows both. It reports whether the key is new.
func (th *Thread) tableSet(v, k, x Value) (bool, error) {
	return th.tableStore(v, k.borrowed(), x.borrowed())
}

// tableStore is tableSet that steals k and x, unless it fails.
func (th *Thread) tableStore(v, k, x Value) (bool, error) {
	h, err := th.hash(k)
	if err != nil {
		return false, err
	}
	o := th.t.Body(v.ref())
	if err := th.mutable(v.ref(), o, "insert into", "hash table"); err != nil {
		return false, err
	}
	return th.tableInsert(v, k, x, h)
}

// tableInsert is tableStore for a key with a known hash and a table that may be changed.
func (th *Thread) tableInsert(v, k, x Value, h uint32) (bool, error) {
	xr, err := th.box(x)
	if err != nil {
		return false, err
	}
	o := th.t.Body(v.ref())
	th.lock(o)
	defer th.unlock(o)
	return th.insertLocked(v, o, k, x, xr, h)
}

// tableDefault makes x the value of k if it has none, and returns the value with a count of its own. It
// borrows k and x. What it finds and what it does belong to one moment.
func (th *Thread) tableDefault(v, k, x Value) (Value, error) {
	h, err := th.hash(k)
	if err != nil {
		return 0, err
	}
	o := th.t.Body(v.ref())
	if err := th.mutable(v.ref(), o, "insert into", "hash table"); err != nil {
		return 0, err
	}
	xr, err := th.box(x.borrowed())
	if err != nil {
		return 0, err
	}
	th.lock(o)
	defer th.unlock(o)
	r, err := th.tableSlot(v, k, slotOf(k), h)
	if err == nil && r.IsNil() {
		_, err = th.insertLocked(v, o, k.borrowed(), x.borrowed(), xr, h)
		return th.dup(x), err
	}
	th.unbox1(x.borrowed(), xr)
	if err != nil {
		return 0, err
	}
	return th.load(r), nil
}

// insertLocked is tableInsert for a table that is locked, and a value in its box xr.
func (th *Thread) insertLocked(v Value, o rt.Body, k, x Value, xr rt.Ref, h uint32) (bool, error) {
	br := o.LoadRef(tableBlock)
	if !br.IsNil() {
		b := th.t.Block(br)
		i, _, err := th.find(b, k, slotOf(k), h)
		if err != nil {
			th.unbox1(x, xr)
			return false, err
		}
		if i >= 0 {
			th.retire(b.SwapRef(entrySlots+2*i+1, xr))
			th.drop(k)
			return false, nil
		}
	}
	kr, err := th.box(k)
	if err != nil {
		th.unbox1(x, xr)
		return false, err
	}
	live := int(o.Load(tableLen))
	if br.IsNil() || th.t.Block(br).Load(entryUsed) == th.t.Block(br).Word(entryCap) {
		n := 4
		if !br.IsNil() {
			n = int(th.t.Block(br).Word(entryCap))
			if live > n*3/4 {
				n *= 2
			}
		}
		if err := th.tableGrow(v.ref(), o, n); err != nil {
			th.unbox1(x, xr)
			th.unbox1(k, kr)
			return false, err
		}
		br = o.LoadRef(tableBlock)
	}
	b := th.t.Block(br)
	i, n := int(b.Load(entryUsed)), int(b.Word(entryCap))
	b.Store(entrySlots+2*n+i, h)
	b.StoreRef(entrySlots+2*i+1, xr)
	b.StoreRef(entrySlots+2*i, kr)
	b.Store(entryUsed, uint32(i+1))
	indexAdd(b, n, i, h)
	o.Store(tableLen, uint32(live+1))
	return true, nil
}

// tableDelete removes a key, and returns its value with a count of its own, or 0.
func (th *Thread) tableDelete(v, k Value) (Value, error) {
	h, err := th.hash(k)
	if err != nil {
		return 0, err
	}
	o := th.t.Body(v.ref())
	if err := th.mutable(v.ref(), o, "delete from", "hash table"); err != nil {
		return 0, err
	}
	th.lock(o)
	defer th.unlock(o)
	br := o.LoadRef(tableBlock)
	if br.IsNil() {
		return 0, nil
	}
	b := th.t.Block(br)
	i, place, err := th.find(b, k, slotOf(k), h)
	if i < 0 || err != nil {
		return 0, err
	}
	if place > 0 {
		b.Store(place, indexDeleted)
	}
	xr := b.SwapRef(entrySlots+2*i+1, rt.Nil)
	kr := b.SwapRef(entrySlots+2*i, rt.Nil)
	o.Store(tableLen, o.Load(tableLen)-1)
	if i == int(b.Load(entryFirst)) {
		for used := int(b.Load(entryUsed)); i < used && b.LoadRef(entrySlots+2*i).IsNil(); i++ {
		}
		b.Store(entryFirst, uint32(i))
	}
	x := th.load(xr)
	th.retire(xr)
	th.retire(kr)
	return x, nil
}

func (th *Thread) tableClear(v Value) error {
	o := th.t.Body(v.ref())
	if err := th.mutable(v.ref(), o, "clear", "hash table"); err != nil {
		return err
	}
	th.lock(o)
	br := o.LoadRef(tableBlock)
	o.StoreRef(tableBlock, rt.Nil)
	o.Store(tableLen, 0)
	th.unlock(o)
	if br.IsNil() {
		return nil
	}
	b := th.t.Block(br)
	for i := range int(b.Load(entryUsed)) {
		th.retire(b.LoadRef(entrySlots + 2*i))
		th.retire(b.LoadRef(entrySlots + 2*i + 1))
	}
	th.t.RetireBlock(br)
	return nil
}

// tableNext returns the first entry from number i on, as borrowed values, and the number of the
// one behind it. k is 0 if there is none.
func (th *Thread) tableNext(v Value, i int) (k, x Value, next int) {
	k, x, _, next = th.tableEntry(v, i)
	return k, x, next
}

// tableEntry is tableNext with the hash of the key.
func (th *Thread) tableEntry(v Value, i int) (k, x Value, hash uint32, next int) {
	kr, xr, hash, next := th.tableSlots(v, i)
	if kr.IsNil() {
		return 0, 0, 0, next
	}
	return th.peek(kr), th.peek(xr), hash, next
}

// tableSlots is tableEntry that returns the entry's slots, which are borrowed, or Nil.
func (th *Thread) tableSlots(v Value, i int) (k, x rt.Ref, hash uint32, next int) {
	br := th.t.Body(v.ref()).LoadRef(tableBlock)
	if br.IsNil() {
		return rt.Nil, rt.Nil, 0, i
	}
	b := th.t.Block(br)
	if i == 0 {
		i = int(b.Load(entryFirst))
	}
	for used := int(b.Load(entryUsed)); i < used; i++ {
		kr, xr := b.LoadRef(entrySlots+2*i), b.LoadRef(entrySlots+2*i+1)
		if !kr.IsNil() && !xr.IsNil() {
			return kr, xr, b.Load(entrySlots + 2*int(b.Word(entryCap)) + i), i + 1
		}
	}
	return rt.Nil, rt.Nil, 0, i
}

// addAll sets all entries of y in x.
func (th *Thread) addAll(x, y Value) error {
	for i := 0; ; {
		k, e, h, next := th.tableEntry(y, i)
		if k == 0 {
			return nil
		}
		i = next
		if _, err := th.tableInsert(x, k, e, h); err != nil {
			return err
		}
	}
}

// clone returns a new table of type y with the entries of v.
func (th *Thread) clone(y *rt.Type, v Value) (Value, error) {
	c, err := th.newTable(y, th.tableLen(v))
	if err != nil {
		return 0, err
	}
	if err := th.addAll(c, v); err != nil {
		th.drop(c)
		return 0, err
	}
	return c, nil
}

func unhashable(name string) error { return fmt.Errorf("unhashable type: %s", name) }
