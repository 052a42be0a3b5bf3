package runtime

import (
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/internal/stat"
)

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
