package runtime

import (
	"sync"
	"testing"

	"github.com/ichor-go/ichor/internal/header"
)

// biasedPair returns a runtime with two threads, driven by one goroutine.
func biasedPair(t *testing.T, o Options) (r *Runtime, owner, other *Thread) {
	o.Mode, o.Counting, o.CollectAfter = LockFree, Biased, -1 // one goroutine drives both threads, so no safe point may stop the world
	r = newRuntime(t, o)
	return r, must(r.Attach()), must(r.Attach())
}

func closePair(t *testing.T, r *Runtime, owner, other *Thread) {
	t.Helper()
	owner.Detach()
	other.Detach()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestQueueWaitsForOwner drops objects on one thread that another one owns.
func TestQueueWaitsForOwner(t *testing.T) {
	r, owner, other := biasedPair(t, Options{})
	x := newNode(owner, newLeaf(owner))
	other.DecRef(x)
	r.mustHold(t, other, 2)
	if s := other.header(x).Shared(); header.SharedCount(s) != 0 || owner.queue.bytes.Load() == 0 {
		t.Errorf("a queued object has the shared word %#x", s)
	}
	other.IncRef(x) // a borrower may do so as long as the queue holds it
	owner.Checkpoint()
	r.mustHold(t, other, 2)
	if n := count(other, x); n != 1 || other.header(x).Owner() != header.Nobody {
		t.Errorf("after the merge the object counts %d references", n)
	}
	other.DecRef(x)
	owner.Checkpoint() // this has queued its leaf
	r.mustHold(t, other, 0)
	closePair(t, r, owner, other)
}

// TestOwnerAway merges for a thread that is detached or blocked.
func TestOwnerAway(t *testing.T) {
	for _, checked := range []bool{false, true} {
		r, owner, other := biasedPair(t, Options{Checked: checked})
		x, y := newNode(owner, newLeaf(owner)), newNode(owner, newLeaf(owner))
		owner.Blocking(func() {
			other.DecRef(x)
			r.mustHold(t, other, 2)
		})
		owner.Detach()
		other.DecRef(y)
		r.mustHold(t, other, 0)
		owner = must(r.Attach())
		closePair(t, r, owner, other)
	}
}

// TestQueueWhenOwnerLeaves fills the queue before the owner goes away.
func TestQueueWhenOwnerLeaves(t *testing.T) {
	r, owner, other := biasedPair(t, Options{})
	for range 10 {
		other.DecRef(newNode(owner, newLeaf(owner)))
	}
	r.mustHold(t, other, 20)
	owner.Detach()
	r.mustHold(t, other, 0)
	owner = must(r.Attach())
	closePair(t, r, owner, other)
}

// TestChainOfOwners frees a list whose nodes belong to absent threads, in turns: neither the
// stack nor the number of states grows with its length.
func TestChainOfOwners(t *testing.T) {
	r, a, b := biasedPair(t, Options{})
	n := 200_000
	if raceEnabled {
		n = 5_000
	}
	chain := newLeaf(a)
	for i := range n {
		chain = newNode([]*Thread{a, b}[i%2], chain)
	}
	c := must(r.Attach())
	a.Detach()
	b.Detach()
	c.DecRef(chain)
	r.mustHold(t, c, 0)
	closePair(t, r, c, must(r.Attach()))
}

// TestImmortalizeQueued makes an object immortal that is in its owner's queue.
func TestImmortalizeQueued(t *testing.T) {
	r, owner, other := biasedPair(t, Options{})
	x := newLeaf(owner)
	owner.IncRef(x)
	other.DecRef(x) // queued
	owner.Detach()
	// The owner merged it when it left. Queue another one that stays queued.
	owner = must(r.Attach())
	y := newLeaf(owner)
	owner.IncRef(y)
	other.DecRef(y)
	other.immortalize([]Ref{x, y}) // no other thread runs: one goroutine drives both
	before := [2][4]uint32{other.header(x).Bytes(), other.header(y).Bytes()}
	unchanged := func() {
		t.Helper()
		if after := [2][4]uint32{other.header(x).Bytes(), other.header(y).Bytes()}; after != before {
			t.Fatalf("headers of immortals changed from %x to %x", before, after)
		}
	}
	owner.Checkpoint()
	unchanged()
	for _, th := range []*Thread{owner, other} {
		th.DecRef(x)
		th.DecRef(y)
		th.IncRef(y)
		th.SetWeak(y)
		th.Checkpoint()
	}
	unchanged()
	closePair(t, r, owner, other)
}

// TestBudget has a thread drop more than the budget while the owner reaches no checkpoint: it
// stalls and goes on, and the owner merges everything.
func TestBudget(t *testing.T) {
	r, owner, other := biasedPair(t, Options{DeferredBytes: 1 << 10})
	for range 500 {
		other.DecRef(newLeaf(owner))
	}
	other.Checkpoint()
	r.mustHold(t, other, 500)
	owner.Checkpoint()
	r.mustHold(t, other, 0)
	closePair(t, r, owner, other)
}

// TestOwnersComeAndGo hands objects around while threads attach and detach.
func TestOwnersComeAndGo(t *testing.T) {
	for _, checked := range []bool{false, true} {
		r := newRuntime(t, Options{Mode: LockFree, Counting: Biased, Checked: checked})
		rounds := 3000
		if checked || raceEnabled {
			rounds = 300
		}
		ring := [4]chan Ref{}
		for i := range ring {
			ring[i] = make(chan Ref, 4)
		}
		var wg sync.WaitGroup
		for i := range ring {
			wg.Go(func() {
				for range rounds {
					err := r.Do(func(th *Thread) error {
						x := newNode(th, newLeaf(th), newLeaf(th))
						th.IncRef(x)
						_ = SendContext(t.Context(), th, ring[(i+1)%len(ring)], x)
						y, _, _ := RecvContext(t.Context(), th, ring[i])
						th.IncRef(y)
						th.DecRef(y)
						th.DecRef(y)
						th.DecRef(x)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestAllocationMerges checks that an owner that allocates and reaches no safe point merges its
// queue.
func TestAllocationMerges(t *testing.T) {
	r, owner, other := biasedPair(t, Options{})
	other.DecRef(newLeaf(owner))
	if !owner.queue.some.Load() {
		t.Fatal("nothing is queued")
	}
	var made []Ref
	for n := 0; n < 10_000 && owner.queue.some.Load(); n++ {
		made = append(made, newLeaf(owner))
	}
	if owner.queue.some.Load() {
		t.Error("10,000 allocations have merged nothing")
	}
	owner.DecRefs(made)
	r.mustHold(t, owner, 0)
	closePair(t, r, owner, other)
}

// TestMergeIsNoted checks that a merged queue is empty, and no longer recorded as full, and
// that the merge is in the object's history.
func TestMergeIsNoted(t *testing.T) {
	r, owner, other := biasedPair(t, Options{Checked: true})
	x := newLeaf(owner)
	owner.IncRef(x)
	other.DecRef(x)
	other.DecRef(x)
	q := owner.queue
	if !q.some.Load() || q.bytes.Load() != 32 || q.len() != 1 {
		t.Fatalf("%d objects of %d bytes are queued", q.len(), q.bytes.Load())
	}
	q.full.Store(1)
	owner.Checkpoint()
	if q.some.Load() || q.bytes.Load() != 0 || q.full.Load() != 0 || q.len() != 0 {
		t.Errorf("some: %t, %d objects of %d bytes, full since %d", q.some.Load(), q.len(), q.bytes.Load(), q.full.Load())
	}
	wantIn(t, panics(t, func() { owner.IncRef(x) }), "use after free", "decref at", "merge at", "freed at")
	closePair(t, r, owner, other)
}

// TestMergesForTheAbsentAlone checks that no other thread merges for a thread that is attached,
// or that is claimed already.
func TestMergesForTheAbsentAlone(t *testing.T) {
	r, owner, other := biasedPair(t, Options{})
	x := newLeaf(owner)
	other.DecRef(x)
	for _, state := range []uint32{attached, claimed} {
		owner.queue.state.Store(state)
		other.drainFor(owner.queue)
		if n, now := owner.queue.len(), owner.queue.state.Load(); n != 1 || now != state {
			t.Errorf("in state %d: %d objects are queued, and the state is %d", state, n, now)
		}
	}
	owner.queue.state.Store(away)
	other.drainFor(owner.queue)
	if n, now := owner.queue.len(), owner.queue.state.Load(); n != 0 || now != away {
		t.Errorf("for one that is away: %d objects are queued, and the state is %d", n, now)
	}
	owner.queue.state.Store(attached)
	closePair(t, r, owner, other)
}

// TestMergesTheRest checks that a death that panics while a queue is merged for an absent
// thread leaves nothing in the queue.
func TestMergesTheRest(t *testing.T) {
	defer func() { trap = trapdoor{} }()
	r, owner, other := biasedPair(t, Options{})
	x := newFaulty(owner, None, None)
	for _, y := range []Ref{newLeaf(owner), x, newLeaf(owner), newNode(owner, newLeaf(owner))} {
		other.DecRef(y)
	}
	owner.queue.state.Store(away)
	trap = trapdoor{"Traverse", 1, func() { panic("mine") }}
	panics(t, func() { other.drainFor(owner.queue) })
	if n, now := owner.queue.len(), owner.queue.state.Load(); n != 0 || now != away {
		t.Errorf("%d objects are queued, and the state is %d", n, now)
	}
	r.mustHold(t, other, 0)
	owner.queue.state.Store(attached)
	closePair(t, r, owner, other)
}

// TestDrainQueuesGoesRound checks that objects queued by merging for one thread are merged as
// well, for whichever thread.
func TestDrainQueuesGoesRound(t *testing.T) {
	r, first, second := biasedPair(t, Options{})
	third := must(r.Attach())
	third.DecRef(newNode(second, newLeaf(first)))
	third.drainQueues() // no other thread runs: one goroutine drives all of them
	if n := first.queue.len() + second.queue.len(); n != 0 {
		t.Errorf("%d objects are queued", n)
	}
	r.mustHold(t, third, 0)
	third.Detach()
	closePair(t, r, first, second)
}
