package runtime

import (
	"time"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/internal/stat"
	"github.com/ichor-go/ichor/sched"
)

// retired is an object or a block that must outlive the borrowed references to it.
type retired struct {
	ref  Ref
	kind retiredKind
}

type retiredKind uint8

const (
	aCount  retiredKind = iota // a reference that left a slot
	aBlock                     // a block that left its container
	aMemory                    // the memory of a dead object that a weak table may still lead to
)

// Retire gives up a reference that was in a slot which other threads may be reading. In
// lock-free mode the reference is released after a grace period, under the GIL at once. It must
// have left the slot before the call, which steals it. Attached thread.
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

// RetireBlock frees a block that other threads may be reading, after a grace period. It steals
// r. The caller must not access the block any more: NewBlock may free it before the thread's
// next safe point if the thread has retired a lot. The references in the block are not given
// up. A container that replaces its block has moved them to the new one, or retires them
// itself. Attached thread.
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

// retire puts r into one of the thread's two queues. Counts are released only at safe points,
// since the thread itself may have borrowed from them. Memory can be freed earlier: only other
// threads can still be reading it.
func (t *Thread) retire(r Ref, kind retiredKind) {
	if kind == aCount {
		t.retired.Defer(retired{r, kind}, t.weightOf(r))
	} else {
		t.memory.Defer(retired{r, kind}, t.sizeOf(r))
	}
}

// weightOf returns the size of an object and its block, in bytes.
func (t *Thread) weightOf(r Ref) int64 {
	bytes := t.sizeOf(r)
	if y := typeOf(t.header(r).Meta()); y.Block != nil {
		if b := y.Block(t.Body(r)); !b.IsNil() && b.Handle < Limit {
			bytes += t.sizeOf(b)
		}
	}
	return bytes
}

// sizeOf returns the size of the slot that r lies in, in bytes.
func (t *Thread) sizeOf(r Ref) int64 {
	return int64(t.rt.space.Granules(uint32(r.Handle))) << arena.GranuleShift
}

// release ends the deferral of x: it gives up the count, or frees the block or the memory.
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

// releaseDue releases what has had its grace period, of this thread's and of the orphans. A
// thread that exceeds its budget waits a while for the others.
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

// waits reports whether anything that the thread has retired still waits.
func (t *Thread) waits() bool { return t.retired.Len() > 0 || t.memory.Len() > 0 }

// over reports whether the thread exceeds the budget: by what it has retired itself, or by
// adding to too many orphans.
func (t *Thread) over() bool {
	return t.retired.Over() || t.memory.Over() || t.waits() && t.rt.orphans.bytes.Load() > t.rt.opts.DeferredBytes
}

// releaseOrphans releases the orphans that are due. It takes them out under the lock and
// releases them after unlocking, since a release may free a large graph.
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

// releaseAll releases items. If misuse panics, it retires the rest again.
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

// releaseMemory frees the memory that no other thread can be reading. It is called in the
// middle of a unit of work, when the thread has retired more than its budget.
func (t *Thread) releaseMemory() {
	t.memory.DueBut(t.reader, t.release)
}

// stall waits outside the world until the thread is within its budget again, or for stallLimit.
func (t *Thread) stall() {
	t.stallUntil(WaitGrace, func() bool {
		t.releaseOwn()
		t.releaseOrphans()
		return !t.over()
	})
}

// waitForOwner waits for the owner of a merge queue that this thread has filled beyond the
// budget.
func (t *Thread) waitForOwner() {
	q := t.behind
	t.behind = nil
	t.stallUntil(WaitOwner, func() bool { return q.bytes.Load() <= t.rt.opts.DeferredBytes })
	if q.bytes.Load() > t.rt.opts.DeferredBytes {
		t.rt.warnOfOwner(q)
	}
}

// stallUntil waits outside the world until done returns true, or for stallLimit. The contention
// profile counts it as one wait, without the time that done takes.
func (t *Thread) stallUntil(what Wait, done func() bool) {
	waited := time.Duration(0)
	defer func() { t.profileWait(what, waited) }()
	for wait := 10 * time.Microsecond; wait < stallLimit && !done(); wait *= 2 {
		t.leave()
		waited += t.await(what, func() { point.Sleep(wait) })
		t.enter()
	}
}

// settle releases everything that any thread has retired, and merges all merge queues: a stop
// of the world is a grace period. Objects that die in a stop are freed there, so nothing is
// left to do afterwards. World stopped, or no thread attached but t.
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

// orphans are the retired objects and blocks that absent threads have left.
type orphans struct {
	mu    point.Mutex
	list  *sched.Deferred[retired]
	some  point.Bool    // list is not empty; read without the lock
	bytes aligned.Int64 // of list; a hint
}

// change calls fn with the list locked.
func (o *orphans) change(fn func(*sched.Deferred[retired])) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fn(o.list)
	o.some.Store(o.list.Len() > 0)
	o.bytes.Store(o.list.Bytes())
}

// handOver leaves the thread's retired objects and blocks to the others. The thread is offline
// afterwards. It counts, so the thread must still own its merge queue.
func (t *Thread) handOver() {
	t.reader.Offline()
	for again := true; again; {
		t.releaseOwn()
		t.abandonRetired()
		t.releaseOrphans()
		again = t.waits() // true if more was retired meanwhile
	}
}

// abandonRetired moves the thread's retired objects and blocks to the orphans. It counts
// nothing.
func (t *Thread) abandonRetired() {
	if t.waits() {
		t.rt.orphans.change(func(list *sched.Deferred[retired]) {
			counts, memory := t.retired.Take(), t.memory.Take()
			if mutant.On && mutant.Is(mutant.DetachLoses) {
				return
			}
			list.Adopt(counts)
			list.Adopt(memory)
		})
	}
	t.tellDeferred()
}
