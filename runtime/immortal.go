package runtime

import (
	"slices"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/mutant"
)

// Immortalize makes refs, and every mortal object that they lead to, immortal in place. It
// stops the world, so that no thread is between the test of a header and a store to it. After
// the call, the sixteen bytes of these headers never change again. The contents of a mutable
// container can still change; the references that it drops are released as usual. An immortal
// object lives until Close. refs are borrowed. A safe point. Attached thread.
//
// Immortalize walks refs and the objects that become immortal by the call, but not other
// objects that are immortal already. So the pause depends on the number of new immortals.
// References that were stored in an immortal container since stay mortal until a call names the
// container.
//
// Pending, retired and held counts are safe: a decrement tests for immortality first.
func (t *Thread) Immortalize(refs ...Ref) error {
	t.mustBeAttached()
	for _, r := range refs {
		if r.IsNil() {
			return fault.Errorf("immortalize: %w", ErrNilRef)
		}
	}
	if !header.Tested {
		return errUntested
	}
	t.StopTheWorld(func() { t.immortalize(refs) })
	return nil
}

// errNested is the error of Immortally inside Immortally.
var errNested = fault.New("immortally: the thread is already inside Immortally, want one at a time")

// errUntested is the error of Immortalize in builds with the tag ichormortal.
var errUntested = fault.New("immortalize: a build with the tag ichormortal cannot make objects immortal in place")

// Immortalize is Thread.Immortalize for goroutines that are not attached. refs are borrowed: a
// counted reference to each must exist throughout the call. Any goroutine that is not attached.
func (r *Runtime) Immortalize(refs ...Ref) error {
	r.mustNotWait(nil)
	return r.Do(func(t *Thread) error { return t.Immortalize(refs...) })
}

// immortalize walks the graph with an explicit stack, so deep nesting is no problem. It scans
// refs and the objects that it makes immortal, each of them once. World stopped.
func (t *Thread) immortalize(refs []Ref) {
	t.rt.openEyes()
	var work []Ref
	enter := func(r Ref, named bool) {
		if r.IsNil() || r.IsInt() || r.IsFrozen() {
			return
		}
		if t.check != nil {
			t.check.access(t, r)
		}
		h := t.header(r)
		if y := typeOf(h.Meta()); y.settle != nil && h.Owner() >= 0 && !(mutant.On && mutant.Is(mutant.ImmortalUnsettled)) {
			y.settle(t, r)
		}
		became := h.Immortalize()
		if became {
			t.rt.inPlace.Inc()
			t.rt.space.Hide(uint32(r.Handle))
		}
		if (became || named) && h.Meta()&metaRefs != 0 && !(mutant.On && mutant.Is(mutant.ImmortalizeShallow)) {
			work = append(work, r)
		}
	}
	visit := func(r Ref) { enter(r, false) }
	for _, r := range refs {
		enter(r, true)
		for len(work) > 0 {
			r := work[len(work)-1]
			work = work[:len(work)-1]
			typeOf(t.header(r).Meta()).Traverse(t.Heap, t.Body(r), visit)
		}
	}
}

// openEyes has all threads look at the owner before they count, because an object is about to
// become immortal in place. World stopped.
func (r *Runtime) openEyes() {
	if !r.blind || mutant.On && mutant.Is(mutant.BlindKept) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blind = false
	for _, t := range r.mu.threads {
		t.blind = false
	}
	for _, t := range r.mu.idle {
		t.blind = false
	}
}

// immortalizeSticky makes the objects with sticky counts immortal, and everything that they
// lead to.
func (t *Thread) immortalizeSticky() {
	refs := t.sticky
	t.sticky = nil
	if !header.Tested {
		return // their counts stay sticky
	}
	t.StopTheWorld(func() { t.immortalize(refs) })
}

// IsImmortal reports whether r is counted by nobody: a small integer, immortal by address, or
// immortal in place. r is borrowed. Attached thread.
func (t *Thread) IsImmortal(r Ref) bool {
	t.MustUse(r)
	return r.Handle >= Limit || t.header(r).Owner() < 0
}

// region holds objects that were born immortal together. One goroutine at a time uses it: the
// one that runs Immortally.
type region struct {
	mem     *arena.Region
	sampled []uint32       // for the heap profile
	equal   map[uint64]Ref // equal strings, by the hash of their text; nil once the region is complete
	by      *Thread        // the thread in Immortally; nil if another process has built the region
	built   atomic.Bool    // complete: no more births
}

// BirthsImmortal reports whether the objects that the thread creates now are born immortal,
// because it is in Immortally. It is inlined. Attached thread.
func (t *Thread) BirthsImmortal() bool { return t.region != nil }

// Immortally runs fn. Every object that fn creates is born immortal, by address, in a region of
// its own. These objects are not counted, and counting does not touch their memory. Close frees
// them. If fn fails or panics, the region is discarded with everything in it, and no reference
// into it may be used. fn may reach safe points, and must not detach. Attached thread.
func (t *Thread) Immortally(fn func() error) (err error) {
	t.mustBeAttached()
	if t.region != nil {
		return errNested
	}
	g := &region{mem: t.rt.space.NewRegion(), equal: make(map[uint64]Ref), by: t}
	t.rt.addRegion(g)
	t.region = g
	kept := false
	defer func() {
		t.region = nil
		if !kept {
			defer g.mem.Free() // even if emptying finds misuse
			defer g.forget(t.rt.heap)
			defer t.rt.dropRegion(g)
			if !(mutant.On && mutant.Is(mutant.BornKept)) {
				t.emptyRegion(g)
			}
		}
	}()
	if err := fn(); err != nil {
		return err
	}
	kept = true
	g.equal = nil
	g.mem.Publish()
	g.built.Store(true)
	return nil
}

func (r *Runtime) addRegion(g *region) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.regions = append(r.mu.regions, g)
}

func (r *Runtime) dropRegion(g *region) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.regions = slices.DeleteFunc(r.mu.regions, func(x *region) bool { return x == g })
}

func (t *Thread) bornImmortal(y *Type, n uint32) (Ref, Body, error) {
	h, err := t.allocRegion(y, n)
	if err != nil {
		return Nil, Body{}, allocError(err)
	}
	r := refAt(h)
	t.header(r).Birth(header.Immortal, y.meta)
	return r, t.Body(r), nil
}

// emptyRegion gives up the references from the objects of a region to the counted heap.
func (t *Thread) emptyRegion(g *region) {
	g.mem.Walk(func(h uint32) bool {
		t.emptyImmortal(refAt(h))
		return true
	})
}

// emptyImmortal gives up the mortal references and the blocks of an immortal object. The object
// is no longer used.
func (t *Thread) emptyImmortal(r Ref) {
	y := typeOf(t.header(r).Meta())
	if y == nil {
		return
	}
	if y.Traverse != nil {
		y.Traverse(t.Heap, t.Body(r), func(c Ref) {
			if !c.IsNil() && c.Handle < Limit {
				t.DecRef(c)
			}
		})
	}
	if y.Block != nil {
		t.FreeBlock(y.Block(t.Body(r)))
	}
	if y.Drop != nil {
		y.Drop(t, r, t.Body(r))
	}
}

// eachObject calls f with every object: those on the counted heap, and those born immortal.
// World stopped.
func (r *Runtime) eachObject(f func(Ref)) {
	r.space.WalkObjects(func(h uint32) bool {
		if r.header(refAt(h)).Meta()&metaPoison == 0 {
			f(refAt(h))
		}
		return true
	})
	r.mu.Lock()
	regions := slices.Clone(r.mu.regions)
	r.mu.Unlock()
	for _, g := range regions {
		g.mem.Walk(func(h uint32) bool {
			f(refAt(h))
			return true
		})
	}
}

// Immortals calls f with every object that is immortal in place or by address, and with a copy
// of its header. The world is stopped. r is borrowed; f must not use the runtime. It is for
// tests that compare headers. A safe point. Attached thread.
func (t *Thread) Immortals(f func(r Ref, header [4]uint32)) {
	t.StopTheWorld(func() {
		t.rt.eachObject(func(r Ref) {
			if h := t.header(r); h.Owner() < 0 {
				f(r, h.Bytes())
			}
		})
		for h := none; h < endSingletons; h += 2 {
			f(Ref{h}, t.header(Ref{h}).Bytes())
		}
	})
}
