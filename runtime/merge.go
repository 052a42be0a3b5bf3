package runtime

import (
	goruntime "runtime"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// mergeQueue holds objects of one thread state of which other threads have given up more
// references than they had counted. The state's owner, or a thread that claims the state,
// merges their counts and gives up the reference that the queue has inherited (Choi, Shull and
// Torrellas, PACT 2018; CPython's brc.c).
//
//	state    — condition — invariant — transition (by)
//	away     — no goroutine has the thread — the queue is empty, or a thread is about to
//	           claim the state — attached (Attach), claimed (the thread that has pushed,
//	           or has just gone away)
//	attached — a goroutine has the thread — only that thread merges — away (Detach)
//	claimed  — another thread merges for it — Attach waits — away (the thread that
//	           has claimed it)
//
// A thread that pushes looks at the state afterwards; a thread that goes away looks at the
// queue afterwards. So one of the two sees the other.
type mergeQueue struct {
	_     [64]byte
	state point.Uint32
	some  point.Bool    // refs is not empty
	bytes aligned.Int64 // a hint
	full  aligned.Int64 // since when it exceeds the budget, or when that was last reported
	mu    point.Mutex
	refs  []Ref
	_     [64]byte
}

const (
	away uint32 = iota
	attached
	claimed
)

// enqueue puts r, whose reference the queue has inherited, where its owner finds it. It reports
// true instead if r is dead. During a death, objects that die by merging for an absent owner
// join the list of the dead: see free. So a chain of objects with absent owners takes no stack.
func (t *Thread) enqueue(r Ref) (dead bool) {
	h := t.header(r)
	o := h.Owner()
	switch {
	case o < 0:
		return false
	case o == header.Nobody && mutant.On && mutant.Is(mutant.QueueGaveUp):
		return false
	case o == header.Nobody:
		// It was merged in the meantime. The reference is this thread's to give up.
		return t.diesOf(r, h.DecForeign())
	}
	q := t.rt.queueOf(o)
	q.push(r, t.weightOf(r))
	if q.bytes.Load() > t.rt.opts.DeferredBytes {
		t.behind = q
	}
	if q.state.Load() == away {
		t.drainFor(q)
	}
	return false
}

func (q *mergeQueue) push(r Ref, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refs = append(q.refs, r)
	q.bytes.Add(bytes)
	q.some.Store(true)
}

func (q *mergeQueue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.refs)
}

// each calls f with the objects in the queue.
func (q *mergeQueue) each(f func(Ref)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.refs {
		f(r)
	}
}

// take empties the queue.
func (q *mergeQueue) take() []Ref {
	q.mu.Lock()
	defer q.mu.Unlock()
	refs := q.refs
	q.refs = nil
	q.bytes.Store(0)
	q.full.Store(0)
	q.some.Store(false)
	return refs
}

// drain merges the objects in a queue. t is the queue's owner, has claimed its state, or has
// stopped the world. Objects that die by it may lead to entries in other queues.
func (t *Thread) drain(q *mergeQueue) {
	for q.some.Load() {
		refs := q.take()
		t.merges(q, len(refs))
		t.merge(q, refs)
	}
}

// merge merges objects taken from a queue. If misuse interrupts it, the rest goes back into the
// queue.
func (t *Thread) merge(q *mergeQueue, refs []Ref) {
	done := 0
	defer func() {
		for _, r := range refs[done:] {
			q.push(r, t.weightOf(r))
		}
	}()
	for _, r := range refs {
		done++
		if t.check != nil {
			t.check.note(r, "merge")
		}
		t.afterDec(r, t.header(r).Drain())
	}
}

// Disown gives up the thread's ownership of the objects in rs, which it borrows. From then on
// every thread, this one too, counts them by atomic operations, and the last reference frees
// them wherever it is given up. Without it, references that other threads give up wait for the
// owner's next safe point. So disown what goes to another thread for good. Send does that for
// the references that it sends. Only biased counts have owners: elsewhere Disown does nothing.
// Attached thread.
func (t *Thread) Disown(rs ...Ref) {
	if !t.owns() {
		return
	}
	for _, r := range rs {
		t.MustUse(r)
		if r.Handle-1 < Limit-1 {
			t.afterDec(r, t.header(r).Disown(t.owner))
		}
	}
}

// owns reports whether counts are biased: the thread owns the objects that it makes, and no
// other thread does.
func (t *Thread) owns() bool { return t.queue != nil && t.stamp != header.Nobody }

// disownSent disowns what a thread is about to send.
func disownSent[T any](t *Thread, v T) {
	if !t.owns() {
		return
	}
	switch v := any(v).(type) {
	case Ref:
		t.Disown(v)
	case []Ref:
		t.Disown(v...)
	}
}

// drainFor merges on behalf of a thread that is away. If that thread comes back, or another one
// has claimed the state, they attend to the queue.
func (t *Thread) drainFor(q *mergeQueue) {
	if mutant.On && mutant.Is(mutant.QueueStays) {
		return
	}
	for q.some.Load() && q.state.CompareAndSwap(away, claimed) {
		t.drainClaimed(q)
	}
}

// drainClaimed leaves the queue's state away, and merges the rest after misuse.
func (t *Thread) drainClaimed(q *mergeQueue) {
	over := false
	defer func() {
		q.state.Store(away)
		if !over {
			t.drainFor(q)
		}
	}()
	defer func() {
		if !over {
			t.mendAll() // while no other thread counts for the owner, which may be this thread
		}
	}()
	t.drain(q)
	over = true
}

// attachQueue makes the queue the attaching thread's own, once no other thread merges for it.
func (t *Thread) attachQueue() {
	for !t.queue.state.CompareAndSwap(away, attached) {
		if point.On {
			point.Wait(func() bool { return t.queue.state.Load() == away })
		}
		goruntime.Gosched()
	}
}

// leaveQueue undoes attachQueue. The thread must not count afterwards, so leaveQueue first
// hands over what the thread has retired. It leaves the queue even if it finds misuse.
func (t *Thread) leaveQueue() {
	defer func() {
		t.queue.state.Store(away)
		t.drainFor(t.queue)
	}()
	defer t.mendAll() // this counts the thread's own objects
	t.drain(t.queue)
	t.handOver()
}

// drainQueues merges the objects in all queues. World stopped, or no thread attached but t.
func (t *Thread) drainQueues() {
	for again := true; again; {
		again = false
		for _, q := range *t.rt.queues.Load() {
			again = again || q.some.Load()
			t.drain(q)
		}
	}
}

// queueOf returns the queue of the state with the given id.
func (r *Runtime) queueOf(id int32) *mergeQueue { return (*r.queues.Load())[id-firstID] }

// addQueue makes the queue of a new state, which gets the next id. r.mu is held. Ids stay below
// header.Float: a list of 2^30 queues would take 8 GiB.
func (r *Runtime) addQueue() (q *mergeQueue, id int32) {
	q = &mergeQueue{}
	old := *r.queues.Load()
	queues := append(old, q) // extends the array behind the end of all published slices
	r.queues.Store(&queues)
	return q, firstID + int32(len(old))
}
