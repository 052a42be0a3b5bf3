package runtime

import (
	"fmt"
	"testing"

	"github.com/ichor-go/ichor/internal/arena"
)

// deferred returns the number of deferred bytes in the statistics.
func (r *Runtime) deferred() uint64 {
	return uint64(r.QuickStats().Deferred)
}

// wantInUse compares the accounts of memory with the expected use.
func (r *Runtime) wantInUse(t *testing.T, when string, objects int64, deferred uint64) {
	t.Helper()
	if m, d := r.Memory(), r.deferred(); m.Objects != objects || d != deferred {
		t.Errorf("%s: %d objects, %d bytes are deferred; want %d, %d", when, m.Objects, d, objects, deferred)
	}
}

// forLockFree runs f in the two lock-free modes.
func forLockFree(t *testing.T, f func(t *testing.T, o Options)) {
	for _, c := range []Counting{Atomic, Biased} {
		t.Run(c.String(), func(t *testing.T) { f(t, Options{Mode: LockFree, Counting: c}) })
	}
}

// TestDroppedByLeavingThread checks that another thread releases what a thread has retired,
// while that one waits or after it has detached, and that the accounts say so at once. One
// goroutine drives both threads.
func TestDroppedByLeavingThread(t *testing.T) {
	forLockFree(t, func(t *testing.T, o Options) {
		for way, leave := range map[string]func(x *Thread, meanwhile func()){
			"blocked":  func(x *Thread, meanwhile func()) { x.Blocking(meanwhile); x.Detach() },
			"detached": func(x *Thread, meanwhile func()) { x.Detach(); meanwhile() },
		} {
			r := newRuntime(t, o)
			other, x := must(r.Attach()), must(r.Attach())
			inner := newNode(x, newLeaf(x), newLeaf(x))
			bytes := uint64(x.sizeOf(inner))
			node := newNode(x, inner)
			other.Checkpoint()
			setSlot(x, node, 0, None)
			leave(x, func() {
				r.wantInUse(t, way+", before the other's safe point", 4, bytes)
				other.Checkpoint()
				r.wantInUse(t, way+", after it", 1, 0)
			})
			other.DecRef(node)
			other.Detach()
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestLastToLeave has two threads leave. Each has kept the other's retired references from
// being released, or only one of them has. The last one to leave releases them, since no thread
// reaches a safe point.
func TestLastToLeave(t *testing.T) {
	forLockFree(t, func(t *testing.T, o Options) {
		for _, both := range []bool{false, true} {
			r := newRuntime(t, o)
			a, b := must(r.Attach()), must(r.Attach())
			x, y := newNode(a, newLeaf(a)), newNode(b, newLeaf(b))
			b.Checkpoint()
			a.Blocking(func() {})
			b.Blocking(func() {})
			setSlot(a, x, 0, None)
			want := int64(3)
			if both {
				setSlot(b, y, 0, None)
				want = 2
			}
			a.Blocking(func() {
				b.Blocking(func() { r.wantInUse(t, fmt.Sprintf("both: %t", both), want, 0) })
			})
			a.DecRef(x)
			b.DecRef(y)
			a.Detach()
			b.Detach()
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestOrphansOfLongAgo checks that a thread that goes offline releases orphans, no matter which
// thread left them and when.
func TestOrphansOfLongAgo(t *testing.T) {
	forLockFree(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		a, b := must(r.Attach()), must(r.Attach())
		x := newNode(a, newLeaf(a))
		setSlot(a, x, 0, None)
		a.Blocking(func() {
			r.wantInUse(t, "one has left", 2, 32)
			b.leaveQueue() // as Detach does after its Checkpoint
			b.leaveBehind()
			b.cache.Publish()
			r.wantInUse(t, "both have left", 1, 0)
			b.attachQueue()
			b.reader.Online()
		})
		a.DecRef(x)
		a.Detach()
		b.Detach()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestCallbackThatWaits checks that a callback that waits leaves those behind it to other
// threads, in every mode.
func TestCallbackThatWaits(t *testing.T) {
	for _, o := range []Options{{Mode: GIL}, {Mode: LockFree}, {Mode: LockFree, Counting: Biased}} {
		r := newRuntime(t, o)
		must0(t, r.Do(func(x *Thread) error {
			ran := 0
			x.Later(func(x *Thread) {
				x.Blocking(func() {
					must0(t, r.Do(func(*Thread) error { return nil }))
					if ran != 1 {
						t.Errorf("%s: %d callbacks ran while the first one waited, want 1", o.Mode, ran)
					}
				})
			})
			x.Later(func(*Thread) { ran++ })
			x.Checkpoint()
			if ran != 1 {
				t.Errorf("%s: the second callback was called %d times", o.Mode, ran)
			}
			return nil
		}))
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOrphansCount checks that orphans count against the budget of a thread that retires, and
// not of one that does not.
func TestOrphansCount(t *testing.T) {
	r := newRuntime(t, Options{Mode: LockFree, DeferredBytes: 16 << 10})
	other, x := must(r.Attach()), must(r.Attach())
	for range arena.FirstSlots {
		x.DecRef(newLeaf(x)) // the first ones take more
	}
	node := newNode(x, newLeaf(x))
	drop := func() {
		l := newLeaf(x)
		setSlot(x, node, 0, l)
		x.DecRef(l)
	}
	for range 16<<10/32 + 1 { // a leaf takes 32 bytes
		drop()
		if x.over() {
			t.Fatalf("over the budget with %d bytes", r.deferred())
		}
		x.Blocking(func() {})
	}
	if x.over() {
		t.Error("over the budget with nothing to add")
	}
	drop()
	if !x.over() {
		t.Errorf("within the budget, with %d bytes left to others", r.deferred())
	}
	x.Checkpoint() // it waits for a while
	other.Checkpoint()
	x.Checkpoint()
	r.wantInUse(t, "the other one has been at a safe point", 2, 0)
	x.DecRef(node)
	x.Detach()
	other.Detach()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestMemoryMeanwhile checks that blocks retired beyond the budget are freed in the same unit
// of work, once no other thread can be reading them.
func TestMemoryMeanwhile(t *testing.T) {
	const budget, size, n = 64 << 10, 1 << 10, 1 << 12
	r := newRuntime(t, Options{Mode: LockFree, DeferredBytes: budget})
	x, other := must(r.Attach()), must(r.Attach())
	box := newBox(x, None)
	change := func(times int) {
		for range times {
			b, blk, err := x.NewBlock(box, size)
			must0(t, err)
			blk.SetRef(0, None)
			o := x.Body(box)
			old := o.LoadRef(0)
			o.StoreRef(0, b)
			x.RetireBlock(old)
		}
	}
	most := func() int64 { return budget + 2*size }
	if change(n); x.memory.Bytes() < (n-1)*size {
		t.Errorf("%d bytes wait, although another thread may be reading %d", x.memory.Bytes(), n*size)
	}
	other.Checkpoint()
	if change(1); x.memory.Bytes() > most() {
		t.Errorf("%d bytes wait, although the other thread has been at a safe point", x.memory.Bytes())
	}
	other.Blocking(func() {
		before := r.Memory().Committed
		for range n {
			if change(1); x.memory.Bytes() > most() {
				t.Fatalf("%d bytes wait, although no other thread is attached", x.memory.Bytes())
			}
		}
		if grown := r.Memory().Committed - before; grown > 2*budget {
			t.Errorf("%d bytes more are committed", grown)
		}
	})
	x.DecRef(box)
	x.Detach()
	other.Detach()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestMisuseAsItLeaves has a release panic over a block that was freed before. The items behind
// it are released later, and the thread is where it was.
func TestMisuseAsItLeaves(t *testing.T) {
	for _, orphaned := range []bool{false, true} {
		r := newRuntime(t, Options{Mode: LockFree})
		x := must(r.Attach())
		box, node := newBox(x, None), newNode(x, newLeaf(x))
		bad, _, err := x.NewBlock(box, 1000) // no magazine has such blocks, so the second free is found at once
		must0(t, err)
		x.FreeBlock(bad)
		x.RetireBlock(bad)
		b, _, err := x.NewBlock(box, 32)
		must0(t, err)
		x.RetireBlock(b)
		setSlot(x, node, 0, None)
		if orphaned {
			x.abandonRetired()
		}
		wantIn(t, panics(t, func() { x.Blocking(func() { t.Error("it has left") }) }), "freed twice")
		x.Checkpoint()
		x.Checkpoint()
		r.wantInUse(t, "after two safe points", 2, 0)
		if m := r.Memory(); m.Blocks != 0 {
			t.Errorf("%d blocks are in use, less the one that was freed twice: want the box's", m.Blocks)
		}
		x.DecRefs([]Ref{box, node})
		x.Detach()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestLeaveBehind checks that objects that have died since a thread handed over are released as
// it leaves if no other thread can be reading them, and are orphans otherwise.
func TestLeaveBehind(t *testing.T) {
	r := newRuntime(t, Options{CollectAfter: -1})
	th := must(r.Attach())
	retire := func() {
		b, _, err := th.NewBlock(Nil, 64)
		must0(t, err)
		th.retire(b, aBlock)
	}
	th.handOver()
	retire()
	th.leaveBehind()
	th.cache.Publish()
	if r.orphans.some.Load() || th.waits() || r.Memory().Blocks != 0 {
		t.Errorf("without another thread: orphans %t, waits %t, %d blocks", r.orphans.some.Load(), th.waits(), r.Memory().Blocks)
	}
	other := must(r.Attach())
	retire()
	th.leaveBehind()
	th.cache.Publish()
	if !r.orphans.some.Load() || th.waits() || r.Memory().Blocks != 1 {
		t.Errorf("with a thread that may be reading: orphans %t, waits %t, %d blocks", r.orphans.some.Load(), th.waits(), r.Memory().Blocks)
	}
	th.reader.Online()
	th.Detach()
	other.Checkpoint()
	other.Checkpoint()
	if n := r.Memory().Blocks; n != 0 || r.orphans.some.Load() {
		t.Errorf("after a grace period %d blocks are left", n)
	}
	other.Detach()
	must0(t, r.Close())
}

// TestStopReleasesOrphans checks that a stop is a grace period for orphans too.
func TestStopReleasesOrphans(t *testing.T) {
	forLockFree(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		reader, leaver, busy := must(r.Attach()), must(r.Attach()), must(r.Attach())
		node := newNode(leaver, newNode(leaver, newLeaf(leaver)), newLeaf(leaver))
		setSlot(leaver, node, 0, Nil)
		setSlot(leaver, node, 1, Nil)
		leaver.DecRef(node)
		leaver.Detach()
		if !r.orphans.some.Load() {
			t.Fatal("nothing is left")
		}
		reader.Checkpoint()
		reader.Checkpoint()
		r.mustHold(t, reader, 3) // the busy thread may be reading them
		reader.stopped = true    // as good as stopped: one goroutine drives all of them
		reader.settle()
		reader.stopped = false
		r.mustHold(t, reader, 0)
		if r.orphans.some.Load() {
			t.Error("something is left")
		}
		busy.Detach()
		reader.Detach()
		must0(t, r.Close())
	})
}

// TestDetachIsInside checks that user code that runs in Detach, because objects have died
// there, may borrow as usual.
func TestDetachIsInside(t *testing.T) {
	forLockFree(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		th := must(r.Attach())
		node := newNode(th, newLeaf(th), newFinal(th, Nil))
		calls := 0
		finalized = func(th *Thread, _ Ref) {
			calls++
			x := th.Body(node).LoadRef(1) // borrowed
			other := must(r.Attach())
			setSlot(other, node, 0, None)
			for range 5 {
				other.Checkpoint()
			}
			if _, _, ok := r.space.Block(uint32(x.Handle)); !ok {
				t.Error("the borrowed object is gone")
			}
			other.Detach()
		}
		setSlot(th, node, 1, Nil) // it dies when the thread hands over what it has retired
		th.Later(func(*Thread) {
			if calls != 0 {
				t.Error("it has died before")
			}
		})
		th.Detach()
		if calls != 1 {
			t.Errorf("%d finalizers were called", calls)
		}
		must0(t, r.Do(func(th *Thread) error { th.DecRef(node); return nil }))
		must0(t, r.Close())
	})
}
