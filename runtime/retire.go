package runtime

import (
	"time"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/internal/stat"
)

// retired is something that must outlive the borrowed references to it.
type retired struct {
	ref  Ref
	kind retiredKind
}

type retiredKind uint8

const (
	aCount  retiredKind = iota // a reference that left a slot
	aBlock                     // a block that left its container
	aMemory                    // an object that is dead, but in a weak table's reach
)

// Retire gives up a reference that was in a slot which other threads may be reading. In
// lock-free mode it is released after a grace period, under the GIL at once. The reference
// was the slot's own, and has left it before the call, which steals it. Attached thread.
func (t *Thread) Retire(r Ref) {
	t.MustUse(r)
	if r >= Limit || r == Nil {
		if stat.On {
			t.countOp(r)
		}
		return
	}
	if t.rt.gil != nil || mutant.On && mutant.Is(mutant.NoRetire) {
		t.DecRef(r)
		return
	}
	if t.header(r).Owner() < 0 {
		if stat.On {
			t.countOp(r)
		}
		return
	}
	if t.check != nil {
		t.check.count(t, r, "retire")
	}
	t.retire(r, aCount)
}

// RetireBlock gives back a block that other threads may be reading, after a grace period:
// it steals r. What it refers to is no concern of the call: a container that replaces its
// block has moved those counts to the new one, or retires them itself. Attached thread.
func (t *Thread) RetireBlock(r Ref) {
	if r >= Limit || r == Nil || mutant.On && mutant.Is(mutant.BlockLost) {
		return
	}
	if t.rt.gil != nil {
		t.FreeBlock(r)
		return
	}
	t.retire(r, aBlock)
}

func (t *Thread) retire(r Ref, kind retiredKind) {
	bytes := t.sizeOf(r)
	if kind == aCount {
		bytes = t.weightOf(r)
	}
	t.retired.Defer(retired{r, kind}, bytes)
}

// weightOf returns the bytes that an object and its block keep in use.
func (t *Thread) weightOf(r Ref) int64 {
	bytes := t.sizeOf(r)
	if y := typeOf(t.header(r).Meta()); y.Block != nil {
		if b := y.Block(t.Body(r)); b != Nil && b < Limit {
			bytes += t.sizeOf(b)
		}
	}
	return bytes
}

// sizeOf returns the bytes of the slot that r lies in.
func (t *Thread) sizeOf(r Ref) int64 {
	return int64(t.rt.space.Granules(uint32(r))) << arena.GranuleShift
}

// release carries out what was retired.
func (t *Thread) release(x retired) {
	switch x.kind {
	case aCount:
		t.DecRef(x.ref)
	case aBlock:
		t.FreeBlock(x.ref)
	case aMemory:
		t.freeMemory(x.ref)
	}
}

// releaseDue releases what has waited for its grace period. A thread that holds
// back more than its budget waits a while for the others.
func (t *Thread) releaseDue() {
	t.retired.Due(t.release)
	if t.rt.orphaned.Load() && !(mutant.On && mutant.Is(mutant.OrphansKept)) && t.rt.orphans.TryLock() {
		t.releaseOrphans(t.rt.orphans.list.Due)
	}
	if t.retired.Over() {
		t.stall()
	}
	t.tellDeferred()
}

// releaseOrphans has those released that a method of their list finds. They are locked, and
// unlocked afterwards, also where a misuse ends it.
func (t *Thread) releaseOrphans(find func(func(retired))) {
	o := &t.rt.orphans
	defer func() {
		t.rt.orphaned.Store(o.list.Len() > 0)
		o.Unlock()
	}()
	find(t.release)
}

// stall waits outside the world until the thread is within its budget again, or
// for stallLimit.
func (t *Thread) stall() {
	t.stallUntil(func() bool {
		t.retired.Due(t.release)
		return !t.retired.Over()
	})
}

// waitForOwner waits for the owner of a queue that this thread has filled beyond
// the budget.
func (t *Thread) waitForOwner() {
	q := t.behind
	t.behind = nil
	t.stallUntil(func() bool { return q.bytes.Load() <= t.rt.opts.DeferredBytes })
	if q.bytes.Load() > t.rt.opts.DeferredBytes {
		t.rt.warnOfOwner(q)
	}
}

// stallUntil waits outside the world until done, or for stallLimit.
func (t *Thread) stallUntil(done func() bool) {
	for wait := 10 * time.Microsecond; wait < stallLimit && !done(); wait *= 2 {
		t.leave()
		point.Sleep(wait)
		t.enter()
		t.reader.Quiescent()
	}
}

// releaseAtDetach releases what is due, now that the thread itself is not in the
// way. It counts, so it comes before others may merge on the thread's behalf.
func (t *Thread) releaseAtDetach() {
	t.reader.Offline()
	defer t.reader.Online()
	t.retired.Due(t.release)
}

// abandonRetired leaves what is not due yet to whoever comes to a checkpoint
// next. It counts nothing.
func (t *Thread) abandonRetired() {
	if t.retired.Len() > 0 {
		o := &t.rt.orphans
		o.Lock()
		defer o.Unlock()
		if left := t.retired.Take(); !(mutant.On && mutant.Is(mutant.DetachLoses)) {
			o.list.Adopt(left)
		}
		t.rt.orphaned.Store(true)
	}
	t.tellDeferred()
}

// settle releases everything that is retired and merges everything that is
// queued, by whomever, until nothing is left to do: a stop of the world is a grace
// period. World stopped, or no thread attached but t.
func (t *Thread) settle() {
	r := t.rt
	lists := r.threadsAnd(t)
	for _, x := range lists {
		t.mendFor(x)
	}
	for again := r.gil == nil; again; {
		again = false
		for _, x := range lists {
			again = again || x.retired.Len() > 0
			x.retired.Drain(t.release)
			x.tellDeferred()
		}
		r.orphans.Lock()
		again = again || r.orphans.list.Len() > 0
		t.releaseOrphans(r.orphans.list.Drain)
		t.drainQueues()
	}
}
