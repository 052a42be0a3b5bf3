package runtime

import (
	"testing"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/header"
)

// TestNewMemoryIsZero checks that bodies and blocks are zero, whatever the memory held before.
func TestNewMemoryIsZero(t *testing.T) {
	for _, c := range []struct {
		m     Mode
		words int // a magazine has the smaller objects
	}{{GIL, 100}, {LockFree, 100}, {GIL, 11}, {LockFree, 11}} {
		clean(t, Options{Mode: c.m}, func(t *testing.T, th *Thread) {
			words := c.words
			uses := map[Ref]int{}
			again := func(what string, make func() (Ref, Body, error), free func(Ref)) {
				for range 10 {
					r, o, err := make()
					must0(t, err)
					for i := range words {
						if w := o.Word(i); w != 0 {
							t.Errorf("%s: word %d is %#x", what, i, w)
							break
						}
					}
					for i := range words {
						o.SetWord(i, ^uint32(0))
					}
					free(r)
					if uses[r]++; uses[r] == 3 { // the second time there may be no magazine yet
						return
					}
				}
				t.Errorf("%s: memory is not used again, and nothing shows that it is zero", what)
			}
			again("object", func() (Ref, Body, error) { return th.New(leafType, 4*words) }, th.DecRef)
			again("block", func() (Ref, Body, error) { return th.NewBlock(Nil, 4*words) }, th.FreeBlock)
		})
	}
}

// TestAllocSizes checks memory of the sizes around the largest one that has magazines. It is as large
// as it has to be, no two blocks or objects have the same, and all of it is given back.
func TestAllocSizes(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		o.CollectAfter = -1
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			seen := map[Ref]bool{}
			var objects, blocks []Ref
			for range 40 {
				for _, granules := range []int{1, 2, arena.MagazineGranules - 1, arena.MagazineGranules, arena.MagazineGranules + 1} {
					b, _, err := th.NewBlock(Nil, granules<<arena.GranuleShift)
					must0(t, err)
					blocks = append(blocks, b)
					x := b // an object has two granules at least
					if granules > 1 {
						x, _, err = th.New(nodeType, granules<<arena.GranuleShift-header.Size)
						must0(t, err)
						objects = append(objects, x)
					}
					if seen[b] || seen[x] {
						t.Fatalf("%s or %s was handed out before", b, x)
					}
					for _, r := range []Ref{b, x} {
						if n := int(th.rt.space.Granules(uint32(r.Handle))); n < granules {
							t.Fatalf("%s has %d granules, want %d", r, n, granules)
						}
						seen[r] = true
					}
				}
			}
			for _, b := range blocks {
				th.FreeBlock(b)
			}
			th.DecRefs(objects)
			return nil
		}))
		if m := r.Memory(); m.Objects+m.Blocks != 0 && !o.Checked {
			t.Errorf("left: %+v", m)
		}
		must0(t, r.Close())
	})
}

// TestFinalizedWordIsZero checks the word that records whether an object's finalizer was
// called. It lies at the end of the slot, which may be behind the requested size, where an
// earlier object has left other bits.
func TestFinalizedWordIsZero(t *testing.T) {
	n := uint32(2) // granules; the slot is larger
	for arena.Rounded(n) == n {
		n++
	}
	full := int(arena.Rounded(n)-1) << arena.GranuleShift
	large := must(DefineType(Type{Name: "large", Traverse: func(Heap, Body, func(Ref)) {}}))
	calls := 0
	ends := must(DefineType(Type{Name: "ends", Traverse: func(Heap, Body, func(Ref)) {}, Finalize: func(*Thread, Ref) { calls++ }}))
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		x, o, err := th.New(large, full)
		must0(t, err)
		for i := range full / 4 {
			o.SetWord(i, ^uint32(0))
		}
		th.DecRef(x)
		y, _, err := th.New(ends, int(n-1)<<arena.GranuleShift-4) // leaves room for the word
		must0(t, err)
		if y != x {
			t.Skipf("SKIPPED: %s lies elsewhere than %s, so nothing shows that its last word is zero", y, x)
		}
		th.DecRef(y)
		th.Checkpoint()
		if calls != 1 {
			t.Errorf("%d finalizers were called", calls)
		}
	})
}

// TestCheckedModePoisons checks that nothing is left of a freed object's contents.
func TestCheckedModePoisons(t *testing.T) {
	clean(t, Options{Checked: true}, func(t *testing.T, th *Thread) {
		x, o, err := th.New(leafType, 40)
		must0(t, err)
		b, blk, err := th.NewBlock(Nil, 48)
		must0(t, err)
		for i := range 10 {
			o.SetWord(i, 1)
			blk.SetWord(i, 1)
		}
		th.DecRef(x)
		th.FreeBlock(b)
		for i := range 10 {
			if v, w := o.Word(i), blk.Word(i); v != poisonWord || w != poisonWord {
				t.Errorf("word %d of an object and a block that were freed: %#x, %#x", i, v, w)
			}
		}
	})
}

// TestAllocationCollects checks that an allocation which takes a span notices that a collection
// is due, for objects and floats alike, and that the next safe point starts it.
func TestAllocationCollects(t *testing.T) {
	for name, make := range map[string]func(th *Thread) Ref{
		"objects": newLeaf,
		"floats":  func(th *Thread) Ref { return must(th.newFloat(1, 0)) },
	} {
		r := newRuntime(t, Options{CollectAfter: 10})
		must0(t, r.Do(func(th *Thread) error {
			r.collector.next.Store(1 << 40)
			ring(th, 10_000)
			r.collector.next.Store(1)
			r.collector.hard.Store(1)
			var all []Ref
			for range 10_000 {
				all = append(all, make(th))
			}
			if !r.collector.due.Load() {
				t.Errorf("%s: nothing is due", name)
			}
			th.DecRefs(all)
			return nil
		}))
		must0(t, r.Close())
	}
}

// TestBirthSizes checks that sizes that are too large or negative are errors, and where the
// limit is.
func TestBirthSizes(t *testing.T) {
	clean(t, Options{MemoryLimit: 1 << 20}, func(t *testing.T, th *Thread) {
		sizes := []int{-1}
		if most := maxBody; most+1 > most { // else there are no larger ones
			sizes = append(sizes, most+1)
		}
		for _, n := range sizes {
			if _, _, err := th.New(leafType, n); err == nil {
				t.Errorf("an object of %d bytes", n)
			} else {
				wantIn(t, err.Error(), "ichor: body of a leaf of ", " bytes, want 0 to 2147483647")
			}
			if _, _, err := th.NewBlock(Nil, n); err == nil {
				t.Errorf("a block of %d bytes", n)
			} else {
				wantIn(t, err.Error(), "ichor: block of ", " bytes, want 0 to 2147483647")
			}
		}
		if _, _, err := th.New(leafType, maxBody); err != ErrMemoryLimit {
			t.Errorf("an object of %d bytes: %v", maxBody, err)
		}
		if _, _, err := th.NewBlock(Nil, maxBody); err != ErrMemoryLimit {
			t.Errorf("a block of %d bytes: %v", maxBody, err)
		}
		x, _, err := th.New(leafType, 0)
		must0(t, err)
		b, _, err := th.NewBlock(Nil, 0)
		must0(t, err)
		th.FreeBlock(b)
		th.DecRef(x)
	})
}

// TestImmortallyWithinLimit checks that births in a region fail at the memory limit.
func TestImmortallyWithinLimit(t *testing.T) {
	clean(t, Options{MemoryLimit: 1 << 20}, func(t *testing.T, th *Thread) {
		err := th.Immortally(func() error {
			for range 1 << 20 / 16 {
				if _, _, err := th.New(leafType, 100); err != nil {
					return err
				}
			}
			return nil
		})
		if err != ErrMemoryLimit {
			t.Errorf("born beyond the limit: %v", err)
		}
	})
}
