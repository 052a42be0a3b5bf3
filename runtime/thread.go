package runtime

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/locks"
	"github.com/ichor-go/ichor/sched"
)

// Thread is what a goroutine needs to use objects. One goroutine at a time uses it. The state
// behind it is pooled: ids and memory outlive an attach.
//
//	state — condition — invariant — transition (by)
//	idle — in the runtime's pool — does not hold the GIL, is outside the world, its
//	       reader is offline, nothing is retired — attached (Runtime.Attach)
//	attached — a goroutine has it — holds the GIL, or is inside the world with its
//	       reader online — blocked, idle (that goroutine)
//	blocked — in Blocking — as idle, but not in the pool: see below — attached (that
//	       goroutine)
type Thread struct {
	Heap

	// Counting compares id and merged with an object's owner: id is the thread's own, and
	// merged stands for objects that no thread owns. In checked mode no object has either as
	// its owner, which sends all counting through the slow path. owner is the thread's real id,
	// and stamp the owner that it gives to new objects.
	id, merged, owner, stamp int32

	// blind says that all mortals are counted in shared and no object is immortal in place, so
	// the thread counts without a look at the owner. Written in a stopped world.
	blind bool
	hot   Handle // the last object that had other references when the thread gave one up, or noHot

	number int32 // of the state, for reports; under the GIL all threads have the same owner

	check   *checker
	looking atomic.Bool // in checked mode: a goroutine is in access with this thread
	outer   *Thread     // in checked mode: the blocked thread of the same goroutine
	cache   *arena.Cache
	rt      *Runtime

	run     context.Context // of the Run that it works for; nil in Do
	ctx     context.Context // which has the labels for profiles, and the task for traces
	waiting atomic.Uint32   // what the thread waits for, as a Wait plus 1; 0 for nothing. Others read it
	region  *region         // where objects are born; nil for the counted heap
	deadTop Ref             // dead objects still to be freed, linked through their headers
	dying   Ref             // the object that is being freed: see free
	visit   func(Ref)

	member  *locks.Member            // lock-free mode
	reader  *sched.Reader            // lock-free mode
	retired *sched.Deferred[retired] // lock-free mode: counts
	memory  *sched.Deferred[retired] // lock-free mode: blocks, and memory of dead objects
	queue   *mergeQueue              // lock-free mode
	behind  *mergeQueue              // a queue that this thread has filled beyond the budget
	tally   *tally

	owned  []Ref    // references of the open scopes
	scopes []*Scope // open ones, then spare ones
	depth  int      // number of open scopes
	sticky []Ref    // objects whose count has become sticky

	pending    []pending  // user code that is due
	running    bool       // in runPending
	finalizing Ref        // the object that runPending finalizes, and holds
	holds      []holder   // calls in progress that hold counts
	leases     []lease    // calls of Use in progress
	locked     [2]*uint32 // see Lock
	refills    uint32     // of cache, at the last look
	trimmed    uint32     // the same, at the last trim

	attached bool
	stopped  bool // this thread has stopped the world

	place int    // in Runtime.mu.threads, counted from 1; 0 for none. Under Runtime.mu
	title string // see SetName. Under Runtime.mu

	_ [64]byte // padding: threads never share a cache line
}

// noHot is the handle of no object that is counted.
const noHot = Limit

// uncounted is an id that no object ever has as its owner: all ids of threads are below it, and
// all owners of floats above.
const uncounted = header.Float - 1

// Attach gives the calling goroutine a thread. It waits for the GIL, or for the end of a stop
// of the world. The caller has to call Detach in the end. A goroutine that is attached must not
// attach again: it would wait for itself under the GIL. A safe point. Any goroutine.
func (r *Runtime) Attach() (*Thread, error) { return r.AttachContext(context.Background()) }

// AttachContext is Attach that waits only until ctx ends. If it fails, the goroutine is not
// attached, and nothing is left of the attempt. Any goroutine.
func (r *Runtime) AttachContext(ctx context.Context) (*Thread, error) {
	r.mu.Lock()
	if r.mu.closing {
		r.mu.Unlock()
		return nil, ErrClosed
	}
	t := r.takeIdle()
	r.add(t)
	r.mu.Unlock()
	t.SetLabels(ctx)
	if err := t.enterAtAttach(ctx); err != nil {
		return nil, err
	}
	if r.gil == nil {
		t.attachQueue()
	}
	t.attached = true
	return t, nil
}

// enterAtAttach is enterContext for Attach. A thread that has to wait checks whether it would
// wait for itself. If it does not enter the world, it returns to the pool.
func (t *Thread) enterAtAttach(ctx context.Context) error {
	r, done := t.rt, false
	defer func() {
		if !done {
			t.ctx = nil
			r.mu.Lock()
			defer r.mu.Unlock()
			r.remove(t)
			r.putIdle(t)
		}
	}()
	switch {
	case point.On && point.Explored(): // no goroutine of the explorer attaches twice
	case r.gil == nil && !t.member.Stopping():
	case r.gil != nil && ctx.Err() == nil && r.gil.TryAcquireFor(t):
		done = true
		return nil
	default:
		r.mustNotWait(nil)
	}
	if t.enterContext(ctx) != nil {
		return fault.GivenUp(ctx, "attach")
	}
	done = true
	return nil
}

// takeIdle returns the pooled state with the lowest id, or a new one. It prefers the lowest id
// to the last one used: after a time with many threads, later threads own the objects that the
// first ones made, and find their caches. r.mu is held.
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
	t.blind, t.hot = r.blind, noHot
	if t.check != nil {
		t.id, t.merged = uncounted, uncounted
	}
	return t
}

// Detach ends the goroutine's use of the thread. The thread must have no open scope, and must
// not be in a call of Use. Detach is a safe point. Code that runs there, or misuse that shows
// there, may end the call with a panic or runtime.Goexit; the thread is detached in any case.
// Attached thread.
func (t *Thread) Detach() {
	t.mustBeAttached()
	if t.depth > 0 || len(t.leases) > 0 || t.region != nil || t.stopped || t.running {
		t.misused("detach inside "+t.inside(), "Detach after that has ended")
	}
	defer t.putAway()
	t.Checkpoint()
	if t.rt.gil == nil && (t.waits() || t.rt.orphans.some.Load()) {
		t.handOver() // finalizers that become due by it still run here
		t.reader.Online()
		t.runPending()
	}
}

// putAway takes the thread out of the world and returns its state to the pool. It leaves
// unfinished work to the other threads.
func (t *Thread) putAway() {
	defer t.pool() // misuse may panic before
	if t.rt.gil == nil {
		t.leaveQueue()
	} else {
		t.mendAll()
	}
}

// pool is the last step of putAway. It counts nothing, and runs only the runtime's own code.
func (t *Thread) pool() {
	r := t.rt
	t.leavePending()
	if r.gil == nil {
		t.abandonRetired()
		t.trim()
	}
	t.attached, t.ctx = false, nil
	t.leave()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(t)
	if t.check != nil {
		// A stale *Thread must not become valid again with the next attach, so the state moves
		// to a new Thread.
		fresh := *t
		fresh.visit = fresh.visitDead
		fresh.owned, fresh.scopes = nil, nil
		t = &fresh
	}
	r.putIdle(t)
}

// trimAfter is how many spans a thread may look for before its next detach gives back the empty
// ones. A guess.
const trimAfter = 4

// trim gives back the empty spans of the thread's cache, if it has looked for several since the
// last trim. Else it has few, which others can borrow as long as it is away, and its magazines
// stay filled for the next goroutine that gets it. So a goroutine that attaches for a short while
// takes no span, and gives none back.
func (t *Thread) trim() {
	if n := t.cache.Refills(); n-t.trimmed >= trimAfter {
		t.trimmed = n
		t.cache.Trim()
	}
}

// putIdle returns a state to the pool, which is in descending order of ids. r.mu is held.
func (r *Runtime) putIdle(t *Thread) {
	i, _ := slices.BinarySearchFunc(r.mu.idle, t.owner, func(x *Thread, id int32) int { return cmp.Compare(id, x.owner) })
	r.mu.idle = slices.Insert(r.mu.idle, i, t)
}

// inside names the call in progress that keeps the thread from being detached.
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

// enter brings the thread into the world, or acquires the GIL; leave undoes it.
func (t *Thread) enter() {
	_ = t.enterContext(context.Background()) // which never ends
}

// enterContext is enter that waits only until ctx ends.
func (t *Thread) enterContext(ctx context.Context) (err error) {
	if g := t.rt.gil; g != nil {
		if !t.rt.watched() {
			return g.AcquireContext(ctx, t)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if g.TryAcquireFor(t) {
			return nil // even if ctx has ended meanwhile
		}
		t.wait(WaitGIL, func() { err = g.AcquireContext(ctx, t) })
		return err
	}
	if t.member.Stopping() {
		t.wait(WaitWorld, func() { err = t.member.EnterContext(ctx) })
	} else {
		err = t.member.EnterContext(ctx)
	}
	if err != nil {
		return err
	}
	t.reader.Online()
	t.cache.Return()
	return nil
}

func (t *Thread) leave() {
	if t.rt.gil != nil {
		t.cache.Publish()
		if t.rt.heap != nil {
			t.cache.NextWindow()
		}
		t.rt.gil.Release()
		return
	}
	t.cache.Leave()
	t.reader.Offline()
	t.member.Exit()
}

// Runtime returns the runtime that the thread belongs to. Any goroutine.
func (t *Thread) Runtime() *Runtime { return t.rt }

// LockFree reports whether other threads may run at the same time, so that containers have to
// take their locks. Any goroutine.
func (t *Thread) LockFree() bool { return t.rt.gil == nil }

// ID returns the id of the thread's state. Under the GIL all threads have the same.
func (t *Thread) ID() int32 { return t.owner }

// SetName names the thread in reports of stalls, of misuse, and of threads that are still
// attached. The name lasts until the thread is detached. Any goroutine.
func (t *Thread) SetName(name string) {
	r := t.rt
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.place != 0 {
		t.title = name
	}
}

// name returns the thread's name as reports print it.
func (t *Thread) name() string {
	if t.rt == nil {
		return "thread 0" // the zero Thread
	}
	t.rt.mu.Lock()
	defer t.rt.mu.Unlock()
	return t.nameLocked()
}

// nameIfAny returns t's name, or other if t is nil.
func (t *Thread) nameIfAny(other string) string {
	if t == nil {
		return other
	}
	return t.name()
}

// nameLocked is name for callers that hold Runtime.mu.
func (t *Thread) nameLocked() string {
	if t.title != "" {
		return fmt.Sprintf("thread %d %q", t.number, t.title)
	}
	return fmt.Sprintf("thread %d", t.number)
}

// String returns the names of the thread and of its runtime. Any goroutine.
func (t *Thread) String() string { return t.name() + " of " + t.rt.name() }

// add adds a thread to the attached ones. r.mu is held.
func (r *Runtime) add(t *Thread) {
	r.mu.threads = append(r.mu.threads, t)
	t.place = len(r.mu.threads)
}

// remove undoes add. r.mu is held.
func (r *Runtime) remove(t *Thread) {
	last := len(r.mu.threads) - 1
	moved := r.mu.threads[last]
	r.mu.threads[t.place-1], moved.place = moved, t.place
	r.mu.threads[last] = nil
	r.mu.threads = r.mu.threads[:last]
	t.place, t.title = 0, ""
	if len(r.mu.threads) == 0 && r.mu.gone != nil {
		close(r.mu.gone) // CloseContext takes it away before any thread attaches
	}
}

// attachedThreads returns the attached threads, in no order.
func (r *Runtime) attachedThreads() []*Thread {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.mu.threads)
}

// threadsAnd returns t and the attached threads, t first. t may be one of them, or Close's.
func (r *Runtime) threadsAnd(t *Thread) []*Thread {
	all := []*Thread{t}
	for _, x := range r.attachedThreads() {
		if x != t {
			all = append(all, x)
		}
	}
	return all
}

// threadOf returns the attached thread that m belongs to, or nil.
func (r *Runtime) threadOf(m *locks.Member) *Thread {
	for _, t := range r.attachedThreads() {
		if t.member == m {
			return t
		}
	}
	return nil
}

// attachedNames describes the attached threads. r.mu is held.
func (r *Runtime) attachedNames() []string {
	names := make([]string, 0, len(r.mu.threads))
	for _, t := range r.mu.threads {
		names = append(names, t.nameLocked())
	}
	slices.Sort(names)
	return names
}

// A thread that leaves the world, to wait or for good, must not keep memory or work from the
// others:
//
//	it has                     — which goes to — and is done by
//	retired, and due           — released before it leaves — the thread
//	retired, and not yet due   — Runtime.orphans — any thread that reaches a safe point, or leaves
//	its merge queue            — merged; later entries: see mergeQueue — the thread; the thread that adds one
//	user code that is due      — Runtime.left — any thread that reaches a safe point
//	spans with room            — stay, and are lent: see arena.Cache — the thread that needs one
//	accounts                   — published — the thread
//
// The ways to be absent:
//
//	in Blocking, Recv, Send, detached        — as above
//	waits for its budget, or for an owner    — keeps everything, for stallLimit at most
//	waits at a stop, or for its turn to stop — keeps everything; a collection settles it, and
//	                                           without one no thread is at a safe point
//	waits for the GIL                        — has retired nothing; runs user code that
//	                                           is due before it waits again
//	waits in Attach                          — has nothing
//	inside, but reaches no safe point        — keeps everything, and holds up the others:
//	                                           not absent
//
// If two threads leave at the same time, each may find that the other is still online, so that
// what it has retired is not due. So a leaving thread first goes offline, then adds to the
// orphans, and then looks at the orphans: the last one to look finds all threads offline.

// leaveBehind is the rest of leaving: it hands over what has died since handOver, and the
// user code that is due. It counts nothing.
func (t *Thread) leaveBehind() {
	if t.rt.gil == nil && t.waits() {
		t.memory.Due(t.release)
		t.abandonRetired()
	}
	t.leavePending()
}
