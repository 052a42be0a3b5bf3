package runtime

import (
	"time"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/internal/stat"
	"github.com/ichor-go/ichor/sched"
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
	if r.Handle >= Limit || r.IsNil() {
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
// it steals r, and the caller does not look at the block any more: NewBlock may free it
// before the thread's next safe point if a lot has been retired. What it refers to is no
// concern of the call: a container that replaces its block has moved those counts to the
// new one, or retires them itself. Attached thread.
func (t *Thread) RetireBlock(r Ref) {
	if r.Handle >= Limit || r.IsNil() || mutant.On && mutant.Is(mutant.BlockLost) {
		return
	}
	if t.rt.gil != nil {
		t.FreeBlock(r)
		return
	}
	t.retire(r, aBlock)
}

// retire puts r into one of the thread's two queues. Counts are for safe points alone: the
// thread itself may have borrowed what they hold. Memory is not: nobody but other threads
// can still be looking at it.
func (t *Thread) retire(r Ref, kind retiredKind) {
	if kind == aCount {
		t.retired.Defer(retired{r, kind}, t.weightOf(r))
	} else {
		t.memory.Defer(retired{r, kind}, t.sizeOf(r))
	}
}

// weightOf returns the bytes that an object and its block keep in use.
func (t *Thread) weightOf(r Ref) int64 {
	bytes := t.sizeOf(r)
	if y := typeOf(t.header(r).Meta()); y.Block != nil {
		if b := y.Block(t.Body(r)); !b.IsNil() && b.Handle < Limit {
			bytes += t.sizeOf(b)
		}
	}
	return bytes
}

// sizeOf returns the bytes of the slot that r lies in.
func (t *Thread) sizeOf(r Ref) int64 {
	return int64(t.rt.space.Granules(uint32(r.Handle))) << arena.GranuleShift
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

// releaseDue releases what has waited for its grace period, of the thread's own and of the
// orphans. A thread that holds back more than its budget waits a while for the others.
func (t *Thread) releaseDue() {
	t.releaseOwn()
	t.releaseOrphans()
	if t.over() {
		t.stall()
	}
	t.cache.Publish()
	t.tellDeferred()
}

func (t *Thread) releaseOwn() {
	t.retired.Due(t.release)
	t.memory.Due(t.release)
}

// waits reports whether anything that the thread has retired waits.
func (t *Thread) waits() bool { return t.retired.Len() > 0 || t.memory.Len() > 0 }

// over reports whether more waits than the budget allows: of what the thread has retired,
// or of the orphans, to which it would add.
func (t *Thread) over() bool {
	return t.retired.Over() || t.memory.Over() || t.waits() && t.rt.orphans.bytes.Load() > t.rt.opts.DeferredBytes
}

// releaseOrphans releases what absent threads have left and is due. They are taken out
// under the lock and released without it: that takes as long as what dies is large.
func (t *Thread) releaseOrphans() {
	if !t.rt.orphans.some.Load() || mutant.On && mutant.Is(mutant.OrphansKept) {
		return
	}
	var due []retired
	t.rt.orphans.change(func(list *sched.Deferred[retired]) {
		list.Due(func(x retired) { due = append(due, x) })
	})
	t.releaseAll(due)
}

// releaseAll releases items. What a misuse keeps from it waits once more.
func (t *Thread) releaseAll(items []retired) {
	done := 0
	defer func() {
		for _, x := range items[done:] {
			t.retire(x.ref, x.kind)
		}
	}()
	for _, x := range items {
		done++
		t.release(x)
	}
}

// releaseMemory releases the memory that no other thread can be looking at: in the midst
// of the thread's unit of work, when it has retired more than its budget.
func (t *Thread) releaseMemory() {
	t.memory.DueBut(t.reader, t.release)
}

// stall waits outside the world until the thread is within its budget again, or
// for stallLimit.
func (t *Thread) stall() {
	t.stallUntil(func() bool {
		t.releaseOwn()
		t.releaseOrphans()
		return !t.over()
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
	}
}

// settle releases everything that is retired and merges everything that is
// queued, by whomever: a stop of the world is a grace period. Nothing is left to do then, as
// what dies in a stop is freed there. World stopped, or no thread attached but t.
func (t *Thread) settle() {
	r := t.rt
	lists := r.threadsAnd(t)
	for _, x := range lists {
		t.mendFor(x)
	}
	if r.gil != nil {
		return
	}
	for _, x := range lists {
		x.retired.Drain(t.release)
		x.memory.Drain(t.release)
		x.tellDeferred()
	}
	var left []retired
	r.orphans.change(func(list *sched.Deferred[retired]) {
		list.Drain(func(x retired) { left = append(left, x) })
	})
	t.releaseAll(left)
	t.drainQueues()
}
