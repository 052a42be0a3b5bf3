package runtime

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/locks"
	"github.com/ichor-go/ichor/sched"
)

// Thread is what a goroutine needs to touch objects. One goroutine at a time
// uses it. The state behind it is pooled: ids and memory outlive attaches.
//
//	state — condition — invariant — transition (who)
//	idle — in the runtime's pool — owns no GIL, is outside the world, its reader
//	       is offline, nothing is retired — attach (Runtime.Attach)
//	attached — a goroutine has it — holds the GIL, or is inside the world with its
//	       reader online — blocked, idle (that goroutine)
//	blocked — in Blocking — as idle, but not in the pool: see below — attached (that
//	       goroutine)
type Thread struct {
	Heap

	// id and merged are what counting compares with an object's owner: the
	// thread's own, and nobody's. In checked mode no object has either, which
	// sends all counting the long way. owner is the thread's real id, and stamp
	// the owner of what it creates.
	id, merged, owner, stamp int32
	number                   int32 // of the state, for reports; under the GIL owner is the same for all

	check   *checker
	looking atomic.Bool // in checked mode: a goroutine is in access with the thread
	outer   *Thread     // in checked mode: the blocked one of the same goroutine
	cache   *arena.Cache
	rt      *Runtime

	region  *region // where births go; nil for the counted heap
	deadTop Ref     // dead objects that are still to be freed, linked through their headers
	dying   Ref     // the one that is being freed: see free
	visit   func(Ref)

	member  *locks.Member            // lock-free mode
	reader  *sched.Reader            // lock-free mode
	retired *sched.Deferred[retired] // lock-free mode: counts
	memory  *sched.Deferred[retired] // lock-free mode: blocks, and memory of the dead
	queue   *mergeQueue              // lock-free mode
	behind  *mergeQueue              // a queue that this thread has filled beyond the budget
	tally   *tally

	owned  []Ref    // references of the open scopes
	scopes []*Scope // open ones, then spare ones
	depth  int      // open scopes
	sticky []Ref    // objects whose count has reached its band

	pending    []pending  // code of the user's that is due
	running    bool       // in runPending
	finalizing Ref        // what runPending is finalizing, and holds
	holds      []holder   // calls under way that hold counts
	leases     []lease    // calls of Use under way
	locked     [2]*uint32 // see lock.go
	refills    uint32     // of cache, as of the last look

	attached bool
	stopped  bool // has stopped the world

	_ [64]byte // threads never share a cache line
}

// uncounted is an id that no object is stamped with: all of threads are below, and
// all of floats above.
const uncounted = header.Float - 1

// Attach gives the calling goroutine a thread: a safe point. It waits for the
// GIL, or while the world is stopped. Detach it in the end. A goroutine that is
// attached already must not attach again: under the GIL it would wait for itself.
// Any goroutine.
func (r *Runtime) Attach() (*Thread, error) { return r.AttachContext(context.Background()) }

// AttachContext is Attach that waits until ctx ends: the goroutine is not attached then, and
// nothing is left of the attempt. Any goroutine.
func (r *Runtime) AttachContext(ctx context.Context) (*Thread, error) {
	r.mu.Lock()
	if r.mu.closing {
		r.mu.Unlock()
		return nil, ErrClosed
	}
	t := r.takeIdle()
	r.mu.threads[t] = ""
	r.mu.Unlock()
	if err := t.enterAtAttach(ctx); err != nil {
		return nil, err
	}
	if r.gil == nil {
		t.attachQueue()
	}
	t.attached = true
	return t, nil
}

// takeIdle returns the pooled state with the lowest id, or a new one. The lowest,
// not the last one used: who attaches after a time with many threads is then the
// owner of what the first ones made, and finds their caches. r.mu is held.
func (r *Runtime) takeIdle() *Thread {
	if n := len(r.mu.idle); n > 0 {
		t := r.mu.idle[n-1]
		r.mu.idle = r.mu.idle[:n-1]
		return t
	}
	t := &Thread{Heap: r.Heap, rt: r, check: r.check, tally: r.newTally()}
	t.visit = t.visitDead
	if r.gil != nil {
		t.owner, t.stamp, t.cache = gilOwner, gilOwner, r.cache
	} else {
		t.queue, t.owner = r.addQueue()
		if r.opts.Counting == Biased {
			t.stamp = t.owner
		}
		t.cache = r.space.NewCache()
		t.cache.Leave()
		t.member = r.world.Join(fmt.Sprintf("thread %d", t.owner))
		t.reader = r.grace.Register()
		t.retired = sched.NewDeferred[retired](r.grace, r.opts.DeferredBytes)
		t.memory = sched.NewDeferred[retired](r.grace, r.opts.DeferredBytes)
	}
	r.mu.states++
	t.number = r.mu.states
	if r.gil == nil {
		t.number = t.owner
	}
	t.id, t.merged = t.owner, header.Nobody
	if t.check != nil {
		t.id, t.merged = uncounted, uncounted
	}
	return t
}

// Detach ends the thread's use: a safe point. The thread must have no open
// scope, and be in no call of Use. It is detached in any case: what runs at the safe point, or a misuse that shows
// there, may end the call with a panic or runtime.Goexit. Attached thread.
func (t *Thread) Detach() {
	t.mustBeAttached()
	if t.depth > 0 || len(t.leases) > 0 || t.region != nil || t.stopped || t.running {
		t.misused("detach inside "+t.inside(), "Detach when that has ended")
	}
	defer t.putAway()
	t.Checkpoint()
	if t.rt.gil == nil {
		t.handOver() // what is to be finalized by that is due here still
		t.reader.Online()
		t.runPending()
	}
}

// putAway takes the thread out of the world and puts its state into the pool. What it has
// not done is left to others.
func (t *Thread) putAway() {
	defer t.pool() // a misuse may show before
	if t.rt.gil == nil {
		t.leaveQueue()
	} else {
		t.mendAll()
	}
}

// pool is the end of putAway. It counts nothing, and runs no code but the runtime's.
func (t *Thread) pool() {
	r := t.rt
	t.leavePending()
	if r.gil == nil {
		t.abandonRetired()
		t.cache.Trim()
	}
	t.attached = false
	t.leave()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(t)
	if t.check != nil {
		// A stale handle must not come to life with the next attach: the
		// state moves to a new handle.
		fresh := *t
		fresh.visit = fresh.visitDead
		fresh.owned, fresh.scopes = nil, nil
		t = &fresh
	}
	r.putIdle(t)
}

// putIdle puts a state into the pool, which is in falling order of ids. r.mu is held.
func (r *Runtime) putIdle(t *Thread) {
	i, _ := slices.BinarySearchFunc(r.mu.idle, t.owner, func(x *Thread, id int32) int { return cmp.Compare(id, x.owner) })
	r.mu.idle = slices.Insert(r.mu.idle, i, t)
}

// inside says what call the thread is in that keeps it from being detached.
func (t *Thread) inside() string {
	switch {
	case t.stopped:
		return "StopTheWorld"
	case t.running:
		return "a finalizer or a callback"
	case t.depth > 0:
		return "a scope"
	case len(t.leases) > 0:
		return "Use"
	}
	return "Immortally"
}

// enter begins a stay among running threads, leave ends it.
func (t *Thread) enter() {
	_ = t.enterContext(context.Background()) // which never ends
}

// enterContext is enter until ctx ends.
func (t *Thread) enterContext(ctx context.Context) error {
	if t.rt.gil != nil {
		return t.rt.gil.AcquireContext(ctx, t)
	}
	if err := t.member.EnterContext(ctx); err != nil {
		return err
	}
	t.reader.Online()
	t.cache.Return()
	return nil
}

func (t *Thread) leave() {
	if t.rt.gil != nil {
		t.cache.Publish()
		t.rt.gil.Release()
		return
	}
	t.cache.Leave()
	t.reader.Offline()
	t.member.Exit()
}

// Runtime returns the runtime that the thread belongs to. Any goroutine.
func (t *Thread) Runtime() *Runtime { return t.rt }

// LockFree reports whether other threads may run at the same time, which is
// what makes a container take its lock. Any goroutine.
func (t *Thread) LockFree() bool { return t.rt.gil == nil }

// ID returns the number of the thread's state. Under the GIL all have the same.
func (t *Thread) ID() int32 { return t.owner }

// SetName names the thread for reports: of stalls, of misuse, of threads that are still
// attached. It has the name until it is detached. Any goroutine.
func (t *Thread) SetName(name string) {
	r := t.rt
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, attached := r.mu.threads[t]; attached {
		r.mu.threads[t] = name
	}
}

// name is the thread as reports call it.
func (t *Thread) name() string {
	if t.rt == nil {
		return "thread 0" // of the zero value
	}
	t.rt.mu.Lock()
	defer t.rt.mu.Unlock()
	return t.nameLocked()
}

// nameLocked is name where Runtime.mu is held.
func (t *Thread) nameLocked() string {
	if name := t.rt.mu.threads[t]; name != "" {
		return fmt.Sprintf("thread %d %q", t.number, name)
	}
	return fmt.Sprintf("thread %d", t.number)
}

// String says which thread it is, of which runtime. Any goroutine.
func (t *Thread) String() string { return t.name() + " of " + t.rt.name() }

// attachedNames describes the attached threads. r.mu is held.
func (r *Runtime) attachedNames() []string {
	names := make([]string, 0, len(r.mu.threads))
	for t := range r.mu.threads {
		names = append(names, t.nameLocked())
	}
	slices.Sort(names)
	return names
}

// A thread that leaves the world, for a wait or for good, keeps from the others nothing
// that they could see to:
//
//	what it has              — where it goes — who sees to it
//	retired, and due         — released before it leaves — the thread
//	retired, and not due yet — Runtime.orphans — whoever comes to a safe point, or leaves
//	queued for it            — merged; what comes later: see mergeQueue — the thread; who queues it
//	code of the user's, due  — Runtime.left — whoever comes to a safe point
//	spans with room          — they stay, and are lent: see arena.Cache — who needs one
//	accounts                 — published — the thread
//
// The ways to be absent:
//
//	in Blocking, Recv, Send, detached        — as above
//	waits for its budget, or for an owner    — keeps all; for stallLimit at most
//	waits at a stop, or for its turn to stop — keeps all; a collection settles it, and
//	                                           without one nobody is at a safe point
//	waits for the GIL                        — nothing is retired; what is due is run by it
//	                                           before it waits again
//	waits in Attach                          — has nothing
//	inside, but comes to no safe point       — keeps all, and holds up the others: not absent
//
// Of two threads that leave at the same time each may find the other in the way of what
// it has retired. So whoever leaves first goes offline, then adds to the orphans, and then
// looks at them: the last one to look finds everybody offline.

// orphans are what absent threads have retired.
type orphans struct {
	mu    point.Mutex
	list  *sched.Deferred[retired]
	some  point.Bool    // list is not empty; read without the lock
	bytes aligned.Int64 // of list; a hint
}

// change locks the list for fn.
func (o *orphans) change(fn func(*sched.Deferred[retired])) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fn(o.list)
	o.some.Store(o.list.Len() > 0)
	o.bytes.Store(o.list.Bytes())
}

// handOver leaves to the others what the thread has retired. The thread is offline
// afterwards. It counts, so the thread has its merge queue still.
func (t *Thread) handOver() {
	t.reader.Offline()
	for again := true; again; {
		t.releaseOwn()
		t.abandonRetired()
		t.releaseOrphans()
		again = t.waits() // what died with them
	}
}

// abandonRetired makes orphans of what the thread has retired. It counts nothing.
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

// leaveBehind is the rest of leaving: what has died since handOver, and code of the user's
// that is due. It counts nothing.
func (t *Thread) leaveBehind() {
	if t.rt.gil == nil && t.waits() {
		t.memory.Due(t.release)
		t.abandonRetired()
	}
	t.leavePending()
}
