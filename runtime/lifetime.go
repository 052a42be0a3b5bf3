package runtime

import (
	"math"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/kinds"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/internal/stat"
)

// maxBody bounds the size of one object or block.
const maxBody = math.MaxUint32 / 2

// New creates an object with a body of the given number of zero bytes, and returns a new
// reference to it. Fill the body before you store the reference where another thread can read
// it. The error is ErrMemoryLimit (which includes ErrAddressSpace), a *SizeError, or the
// system's. Attached thread.
func (t *Thread) New(y *Type, bytes int) (Ref, Body, error) {
	if uint(bytes) < y.quick && t.check == nil && t.region == nil {
		n := max(arena.Granules(uintptr(bytes)+header.Size), y.least)
		if h := t.cache.Pop(y.magazine + int(n-1)); h != 0 {
			r := refAt(h)
			t.born(r, n)
			at := t.at(r)
			if !(mutant.On && mutant.Is(mutant.BodyDirty)) {
				arena.Clear(at, n-1)
			}
			header.On(at).Birth(t.stamp, y.meta)
			return r, t.Body(r), nil
		}
	}
	return t.newSlow(y, bytes)
}

// newSlow is New where there is more to do than to take a slot from a magazine.
func (t *Thread) newSlow(y *Type, bytes int) (Ref, Body, error) {
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
	h, err := t.alloc(y, y.purpose, n)
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
		o.SetWord(word, 0) // the word may lie behind the bytes that were zeroed
	}
	if t.refills != t.cache.Refills() {
		t.refilled()
	}
	if t.check != nil {
		t.check.born(r, y)
	}
	return r, t.Body(r), nil
}

// newFloat returns a new reference to a Float. A Float consists of its header alone, with the
// number v and a note of fewer than 30 bits, which is the caller's to use. It is counted
// atomically in every mode. Errors as for New. Attached thread.
func (t *Thread) newFloat(v float64, note uint32) (Ref, error) {
	if t.check == nil && t.region == nil && note < header.Notes {
		if h := t.cache.Pop(arena.Magazine(arena.Leaves, 1)); h != 0 {
			r := refAt(h)
			t.born(r, 1)
			t.header(r).BirthFloat(math.Float64bits(v), note, false)
			return r, nil
		}
	}
	return t.newFloatSlow(v, note)
}

// newFloatSlow is newFloat where there is more to do than to take a slot from a magazine.
func (t *Thread) newFloatSlow(v float64, note uint32) (Ref, error) {
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
		h, err := t.allocRegion(floatType(), 1)
		if err != nil {
			return Nil, allocError(err)
		}
		t.header(refAt(h)).BirthFloat(math.Float64bits(v), note, true)
		return refAt(h), nil
	}
	h, err := t.alloc(floatType(), arena.Leaves, 1)
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
		t.check.born(r, floatType())
	}
	return r, nil
}

func floatType() *Type { return types.table[TypeFloat].Load() }

// Float returns the number and the note of r, and whether r is a Float. r is borrowed. Attached
// thread.
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

// refilled is called when an allocation has taken a span. It merges the thread's queue, which
// must not wait for a thread that reaches no safe point, and lets the next safe point start a
// collection if one is due. Neither ends a borrow: merging gives up what other threads have
// dropped, not what has left a slot since (see Retire).
func (t *Thread) refilled() {
	t.refills = t.cache.Refills()
	if t.queue != nil && t.queue.some.Load() {
		t.drain(t.queue)
	}
	t.rt.requestCollection()
}

// NewBlock returns a block of the given number of zero bytes, for the storage of container,
// which it borrows. A block has no header and no count. The container frees it with
// RetireBlock, or with FreeBlock if no other thread can have seen it. At the container's death
// the runtime frees the block that the type's Block returns. If the container lies in a region,
// so does the block. Attached thread.
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
		h, err := t.allocRegion(nil, n)
		return refAt(h), t.Block(refAt(h)), allocError(err)
	}
	if t.memory != nil && t.memory.Over() {
		t.releaseMemory()
	}
	h, err := t.alloc(nil, arena.Blocks, n)
	if err != nil {
		return Nil, Body{}, allocError(err)
	}
	t.rt.space.Zero(h, n)
	t.born(refAt(h), n)
	return refAt(h), t.Block(refAt(h)), nil
}

// inRegion reports whether the container was born in the region where objects are born now:
// only then its blocks are freed with it.
func (t *Thread) inRegion(container Ref) bool {
	return container.Handle >= Limit && t.region != nil && t.region.mem.Contains(uint32(container.Handle))
}

// BlockBytes returns the capacity of a block that is requested with the given size. container
// is borrowed. Attached thread.
func (t *Thread) BlockBytes(container Ref, bytes int) int {
	n := max(arena.Granules(uintptr(bytes)), 1)
	if t.inRegion(container) {
		return int(n) << arena.GranuleShift
	}
	return int(arena.Rounded(n)) << arena.GranuleShift
}

// FreeBlock frees a block at once, and so steals r. No other thread may be reading it. Attached
// thread.
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

// dead frees the object r, whose last reference the thread has given up. Most objects refer to
// nothing that dies with them, and have nothing to be told.
func (t *Thread) dead(r Ref) {
	h := t.header(r)
	if h.Meta()&metaBare == 0 && !h.IsWeak() {
		h.Bury()
		if quickFree && t.check == nil {
			t.cache.Free(uint32(r.Handle))
			return
		}
		t.freeMemory(r)
		return
	}
	t.free(r)
}

// free frees the dead object r and everything that dies with it.
//
// Objects that are dead and not yet freed form a list, linked through their own headers, whose
// count words are no longer used. So freeing a list nested a million deep takes no stack and no
// memory.
//
//	deadTop  the list; its first object is freed next
//	dying    the object whose type's functions are being called; None between two of
//	         them; Nil until freeDead has reached one that has such functions
//
// Objects that die while another one is being freed join the list. If a misuse or a function of
// the type panics meanwhile, both fields stay as they are: see mend.
func (t *Thread) free(r Ref) {
	if !t.dying.IsNil() {
		t.push(r)
		return
	}
	t.freeOne(r, t.header(r).Meta())
	t.freeDead()
}

// freeDead frees all objects in the list.
func (t *Thread) freeDead() {
	for !t.deadTop.IsNil() {
		r := t.deadTop
		h := t.header(r)
		t.deadTop = refAt(h.Link())
		t.freeOne(r, h.Meta())
	}
	t.dying = Nil
}

// mend continues where a panic has ended freeDead. It runs at the next safe point, or in a
// stop, so before any other thread can meet the rest. The object at which the panic happened
// may have given up some of its references and not others. So the remaining ones are leaked,
// and its memory is freed unless a table may still lead to it.
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

// mendFor is mend for another thread x, or for t itself. World stopped.
func (t *Thread) mendFor(x *Thread) {
	if x.dying.IsNil() {
		return
	}
	r, top := x.dying, x.deadTop
	x.dying, x.deadTop = Nil, Nil
	t.dying, t.deadTop = r, top
	t.mend()
}

// mendAll calls mend until nothing is left, even if it panics again.
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

// visitSlots calls visitDead for n slots of b, from first on.
func (t *Thread) visitSlots(b Body, first, n int) {
	for i := range n {
		if r := b.LoadRef(first + i); mutant.On || stat.On || r.Handle-1 < Limit-1 {
			t.visitDead(r)
		}
	}
}

// visitDead gives up a reference that a dying object has held.
func (t *Thread) visitDead(r Ref) {
	if r.IsNil() || r.Handle >= Limit || mutant.On && mutant.Is(mutant.ChildKept) {
		if stat.On {
			t.countOp(r)
		}
		return
	}
	if t.decDead(r) {
		t.deadChild(r)
	}
}

// deadChild frees the object r, which a dying object was the last to refer to, or leaves it to
// freeDead.
func (t *Thread) deadChild(r Ref) {
	if h := t.header(r); h.Meta()&metaBare == 0 && !h.IsWeak() {
		h.Bury()
		t.freeMemory(r)
		return
	}
	t.push(r)
}

// freeOne frees an object. It frees the block and the memory last, after all calls of the
// type's functions.
func (t *Thread) freeOne(r Ref, meta uint32) {
	weak := t.header(r).IsWeak()
	if meta&metaBare == 0 && !weak {
		t.freeMemory(r)
		return
	}
	t.dying = r
	if (weak || meta&metaDeath != 0) && t.leaveTables(r, typeOf(meta), meta, weak) {
		return
	}
	switch {
	case meta&metaTypeMax == uint32(TypeTuple):
		o := t.Body(r)
		t.visitSlots(o, kinds.TupleSlots, int(o.Word(kinds.TupleLen)))
	case meta&metaSlots != 0:
		t.visitSlots(typeOf(meta).Slots(t.Heap, t.Body(r)))
	case meta&metaRefs != 0:
		typeOf(meta).Traverse(t.Heap, t.Body(r), t.visit)
	}
	block := Nil
	if meta&metaBlock != 0 {
		block = typeOf(meta).Block(t.Body(r))
	}
	t.dying = None
	if !block.IsNil() {
		t.FreeBlock(block)
	}
	if weak {
		t.freeAfterGrace(r)
		return
	}
	if quickFree && t.check == nil {
		t.cache.Free(uint32(r.Handle))
		return
	}
	t.freeMemory(r)
}

// leaveTables removes a dead object from all tables, and reports whether it was revived
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

// freeAfterGrace frees the memory of a dead object that tables have led to. It waits for a
// grace period, as a thread that has found the object in a table may still be looking at its
// header.
func (t *Thread) freeAfterGrace(r Ref) {
	if t.rt.gil != nil || t.stopped {
		t.freeMemory(r)
		return
	}
	t.retire(r, aMemory)
}

// quickFree says that freeMemory only calls Cache.Free, except in checked mode. The hot paths
// call that themselves.
const quickFree = !mutant.On && !point.On

// freeMemory frees the memory of a dead object.
func (t *Thread) freeMemory(r Ref) {
	if mutant.On && mutant.Is(mutant.MemoryKept) && t.header(r).Meta()&metaRefs == 0 {
		t.header(r).SetCounts(0, 0) // the word of a float that died without an atomic operation still says one
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
