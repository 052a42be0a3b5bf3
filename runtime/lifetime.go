package runtime

import (
	"math"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/internal/stat"
)

// maxBody bounds the size of one object or block.
const maxBody = math.MaxUint32 / 2

// New creates an object with a body of the given number of zero bytes, and
// returns a new reference to it. Fill the body before the reference is stored
// where another thread can read it. The error is ErrMemoryLimit, among them
// ErrAddressSpace, a *SizeError, or the system's. Attached thread.
func (t *Thread) New(y *Type, bytes int) (Ref, Body, error) {
	if bytes < 0 || bytes > maxBody {
		return Nil, Body{}, &SizeError{"body of a " + y.String(), int64(bytes), "bytes", maxBody}
	}
	n := max(arena.Granules(uintptr(bytes)+header.Size+y.tail), y.least)
	if t.check != nil {
		t.mustBeAttached()
		if err := t.check.inject(); err != nil {
			return Nil, Body{}, err
		}
	}
	if t.region != nil {
		return t.bornImmortal(y, n)
	}
	h, err := t.cache.Alloc(y.purpose, n)
	if err != nil {
		return Nil, Body{}, allocError(err)
	}
	r := refAt(h)
	if !(mutant.On && mutant.Is(mutant.BodyDirty)) {
		t.rt.space.Zero(h+1, n-1)
	}
	t.born(r, n)
	t.header(r).Birth(t.stamp, y.meta)
	if y.Finalize != nil {
		o, word := t.finalizedWord(r)
		o.SetWord(word, 0) // it may lie behind what was asked for
	}
	if t.refills != t.cache.Refills() {
		t.refilled()
	}
	if t.check != nil {
		t.check.born(r, y)
	}
	return r, t.Body(r), nil
}

// newFloat returns a new reference to a Float, which is its header alone: the number
// v, and a note of fewer than 30 bits that its user keeps with it. It is counted
// atomically in every mode. The error is as for New. Attached
// thread.
func (t *Thread) newFloat(v float64, note uint32) (Ref, error) {
	if note >= header.Notes {
		return Nil, &SizeError{"note", int64(note), "as a number", header.Notes - 1}
	}
	if t.check != nil {
		t.mustBeAttached()
		if err := t.check.inject(); err != nil {
			return Nil, err
		}
	}
	if t.region != nil {
		h, err := t.region.mem.Alloc(1, true)
		if err != nil {
			return Nil, allocError(err)
		}
		t.header(refAt(h)).BirthFloat(math.Float64bits(v), note, true)
		return refAt(h), nil
	}
	h, err := t.cache.Alloc(arena.Leaves, 1)
	if err != nil {
		return Nil, allocError(err)
	}
	r := refAt(h)
	t.born(r, 1)
	t.header(r).BirthFloat(math.Float64bits(v), note, false)
	if t.refills != t.cache.Refills() {
		t.refilled()
	}
	if t.check != nil {
		t.check.born(r, types.table[TypeFloat].Load())
	}
	return r, nil
}

// Float returns the number that r is and the note on it, and whether r is a Float. r is
// borrowed. Attached thread.
func (t *Thread) Float(r Ref) (v float64, note uint32, ok bool) {
	if r.IsInt() {
		return 0, 0, false
	}
	if t.check != nil {
		t.check.access(t, r)
	}
	bits, note, ok := t.header(r).Number()
	return math.Float64frombits(bits), note, ok
}

// refilled is what allocation does now and then, when it takes a span: the
// owner's share of merging must not wait for a thread that comes to no safe point,
// and a collection may have become due. Neither ends a borrow: what others have
// dropped is not what a slot has given up since (see Retire).
func (t *Thread) refilled() {
	t.refills = t.cache.Refills()
	if t.queue != nil && t.queue.some.Load() {
		t.drain(t.queue)
	}
	t.rt.requestCollection()
}

// NewBlock returns a block of the given number of zero bytes, for the storage of
// container, which it borrows. It has no header and no count; the container gives it back
// with RetireBlock, or FreeBlock if nobody can have seen it. The one that the type's Block
// finds at the container's death is freed by the runtime. It lies in the region of what is
// born immortal if the container does. Attached thread.
func (t *Thread) NewBlock(container Ref, bytes int) (Ref, Body, error) {
	if bytes < 0 || bytes > maxBody {
		return Nil, Body{}, &SizeError{"block", int64(bytes), "bytes", maxBody}
	}
	if t.check != nil {
		t.MustUse(container)
		if err := t.check.inject(); err != nil {
			return Nil, Body{}, err
		}
	}
	n := max(arena.Granules(uintptr(bytes)), 1)
	if t.inRegion(container) {
		h, err := t.region.mem.Alloc(n, false)
		return refAt(h), t.Block(refAt(h)), allocError(err)
	}
	if t.memory != nil && t.memory.Over() {
		t.releaseMemory()
	}
	h, err := t.cache.Alloc(arena.Blocks, n)
	if err != nil {
		return Nil, Body{}, allocError(err)
	}
	t.rt.space.Zero(h, n)
	t.born(refAt(h), n)
	return refAt(h), t.Block(refAt(h)), nil
}

// inRegion reports whether the container was born in the region that births go
// to now: only then its blocks share its fate.
func (t *Thread) inRegion(container Ref) bool {
	return container.Handle >= Limit && t.region != nil && t.region.mem.Contains(uint32(container.Handle))
}

// BlockBytes returns how many bytes a block that is asked for with the given size has room
// for. container is borrowed. Attached thread.
func (t *Thread) BlockBytes(container Ref, bytes int) int {
	n := max(arena.Granules(uintptr(bytes)), 1)
	if t.inRegion(container) {
		return int(n) << arena.GranuleShift
	}
	return int(arena.Rounded(n)) << arena.GranuleShift
}

// FreeBlock gives a block back at once, and so steals r: no other thread can be reading
// it. Attached thread.
func (t *Thread) FreeBlock(r Ref) {
	if r.IsNil() || r.Handle >= Limit {
		return
	}
	if t.check != nil {
		t.rt.space.Fill(uint32(r.Handle), t.rt.space.Granules(uint32(r.Handle)), poisonWord)
	}
	if point.On {
		t.freed(r, t.rt.space.Granules(uint32(r.Handle)))
	}
	t.cache.Free(uint32(r.Handle))
}

// free frees the dead object r and whatever dies with it.
//
// The objects that are dead and not yet freed form a list through their own
// headers, whose count words nobody uses any more: freeing a list nested a
// million deep takes no stack and no memory.
//
//	deadTop  the list, whose first object is freed next
//	dying    the object whose type's functions are being called; None from then on; Nil
//	         before freeDead has come to one that has any
//
// What dies while an object is being freed joins the list. A panic in the midst of it, by
// a misuse or a function of the type, leaves both words as they are: see mend.
func (t *Thread) free(r Ref) {
	t.push(r)
	if t.dying.IsNil() {
		t.freeDead()
	}
}

// freeDead frees what is in the list.
func (t *Thread) freeDead() {
	for !t.deadTop.IsNil() {
		r := t.deadTop
		h := t.header(r)
		t.deadTop = refAt(h.Link())
		t.freeOne(r, h.Meta())
	}
	t.dying = Nil
}

// mend goes on where a panic has ended freeDead: at the next safe point, or in a stop, so
// before anybody else can meet what is left. The object at which it happened is nobody's,
// and can have given up some of its references and not others. So these are left, and
// its memory goes back, unless a table may still lead there.
func (t *Thread) mend() {
	r := t.dying
	t.dying = None
	defer t.freeDead()
	if r.Handle == none {
		return
	}
	h := t.header(r)
	y := typeOf(h.Meta())
	if y.Block != nil {
		t.FreeBlock(y.Block(t.Body(r)))
	}
	switch {
	case h.IsWeak() && y.Forget != nil:
		h.Poison(metaPoison)
	case h.IsWeak():
		t.freeAfterGrace(r)
	default:
		t.freeMemory(r)
	}
}

// mendFor is mend for another thread, or for t. World stopped.
func (t *Thread) mendFor(x *Thread) {
	if x.dying.IsNil() {
		return
	}
	r, top := x.dying, x.deadTop
	x.dying, x.deadTop = Nil, Nil
	t.dying, t.deadTop = r, top
	t.mend()
}

// mendAll is mend until nothing is left, also if it panics again.
func (t *Thread) mendAll() {
	if t.dying.IsNil() {
		return
	}
	defer t.mendAll()
	t.mend()
}

func (t *Thread) push(r Ref) {
	t.header(r).SetLink(uint32(t.deadTop.Handle))
	t.deadTop = r
}

// visitDead gives up a reference that a dying object held.
func (t *Thread) visitDead(r Ref) {
	if r.IsNil() || r.Handle >= Limit || mutant.On && mutant.Is(mutant.ChildKept) {
		if stat.On {
			t.countOp(r)
		}
		return
	}
	if t.decDead(r) {
		t.push(r)
	}
}

// freeOne frees an object. Its block and its memory come last, when no function of the
// type's is called any more.
func (t *Thread) freeOne(r Ref, meta uint32) {
	y := typeOf(meta)
	weak := t.header(r).IsWeak()
	if meta&(metaRefs|metaDeath) == 0 && !weak && y.Block == nil {
		t.freeMemory(r)
		return
	}
	t.dying = r
	if (weak || meta&metaDeath != 0) && t.leaveTables(r, y, meta, weak) {
		return
	}
	if meta&metaRefs != 0 {
		y.Traverse(t.Heap, t.Body(r), t.visit)
	}
	block := Nil
	if y.Block != nil {
		block = y.Block(t.Body(r))
	}
	t.dying = None
	t.FreeBlock(block)
	if weak {
		t.freeAfterGrace(r)
		return
	}
	t.freeMemory(r)
}

// leaveTables takes a dead object out of all tables, and reports whether it is revived
// instead.
func (t *Thread) leaveTables(r Ref, y *Type, meta uint32, weak bool) (revived bool) {
	if weak {
		t.clearWeak(r, nil)
	}
	if meta&metaDeath != 0 && t.revive(r, y) {
		return true
	}
	if weak && y.Forget != nil && !(mutant.On && mutant.Is(mutant.InternKept)) {
		y.Forget(t, r, t.Body(r))
	}
	if y.Drop != nil {
		y.Drop(t, r, t.Body(r))
	}
	return false
}

// freeAfterGrace gives back the memory of a dead object that tables have led to: a thread
// that has found it there before may still be looking at its header.
func (t *Thread) freeAfterGrace(r Ref) {
	if t.rt.gil != nil || t.stopped {
		t.freeMemory(r)
		return
	}
	t.retire(r, aMemory)
}

// freeMemory gives the memory of a dead object back.
func (t *Thread) freeMemory(r Ref) {
	if mutant.On && mutant.Is(mutant.MemoryKept) && t.header(r).Meta()&metaRefs == 0 {
		t.header(r).SetCounts(0, 0) // of a float that died without an atomic operation the word still says one
		return
	}
	if t.check != nil {
		t.check.freed(t, r)
		return
	}
	if point.On {
		t.freed(r, t.rt.space.Granules(uint32(r.Handle)))
	}
	t.cache.Free(uint32(r.Handle))
}
