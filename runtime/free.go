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
func (t *Thread) free(r Ref) {
	outer := t.deadTop
	t.deadTop = Nil
	t.push(r)
	for t.deadTop != Nil {
		r := t.deadTop
		h := t.header(r)
		t.deadTop = Ref(h.Link())
		t.freeOne(r, h.Meta())
	}
	t.deadTop = outer
}

func (t *Thread) push(r Ref) {
	t.header(r).SetLink(uint32(t.deadTop))
	t.deadTop = r
}

// visitDead gives up a reference that a dying object held.
func (t *Thread) visitDead(r Ref) {
	if r == Nil || r >= Limit || mutant.On && mutant.Is(mutant.ChildKept) {
		if stat.On {
			t.countOp(r)
		}
		return
	}
	if t.decDead(r) {
		t.push(r)
	}
}

func (t *Thread) freeOne(r Ref, meta uint32) {
	y := typeOf(meta)
	weak := t.header(r).IsWeak()
	if weak {
		t.clearWeak(r, nil)
	}
	if meta&metaDeath != 0 {
		if t.revive(r, y) {
			return
		}
		if y.Drop != nil {
			y.Drop(t, r, t.Body(r))
		}
	}
	if meta&metaRefs != 0 {
		y.Traverse(t.Heap, t.Body(r), t.visit)
	}
	if y.Block != nil {
		t.FreeBlock(y.Block(t.Body(r)))
	}
	if weak {
		t.forget(r, y)
		return
	}
	t.freeMemory(r)
}

// forget takes a dead object out of the weak tables that lead to it. Whoever
// has found it there before may still be looking at its header.
func (t *Thread) forget(r Ref, y *Type) {
	if y.Forget != nil && !(mutant.On && mutant.Is(mutant.InternKept)) {
		y.Forget(t, r, t.Body(r))
	}
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
		t.freed(r, t.rt.space.Granules(uint32(r)))
	}
	t.cache.Free(uint32(r))
}
