package runtime

import (
	goruntime "runtime"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// mergeQueue holds objects of one thread state that others have dropped below
// what they hold: the state's owner, or who claims the state, merges their counts
// and gives up the reference that the queue has inherited (Choi, Shull and
// Torrellas, PACT 2018; CPython's brc.c).
//
//	state    — condition — invariant — transition (who)
//	away     — no goroutine has the thread — the queue is empty, or somebody is about
//	           to claim the state — attached (Attach), claimed (who has pushed, or
//	           has just gone away)
//	attached — a goroutine has the thread — only it merges — away (Detach)
//	claimed  — somebody merges for a thread that is away — Attach waits — away
//	           (who claimed)
//
// Who pushes looks at the state afterwards, who goes away looks at the queue
// afterwards: so one of the two sees the other.
type mergeQueue struct {
	_     [64]byte
	state point.Uint32
	some  point.Bool    // refs is not empty
	bytes aligned.Int64 // a hint
	full  aligned.Int64 // since when it is beyond the budget, or when that was last reported
	mu    point.Mutex
	refs  []Ref
	_     [64]byte
}

const (
	away uint32 = iota
	attached
	claimed
)

// enqueue puts r, whose reference the queue has inherited, where its owner finds
// it. It reports whether r is dead instead. In the midst of a death, what dies by merging
// for an owner that is away joins the list of the dead: see free. So a chain of objects
// whose owners are all away takes no stack.
func (t *Thread) enqueue(r Ref) (dead bool) {
	h := t.header(r)
	o := h.Owner()
	switch {
	case o < 0:
		return false
	case o == header.Nobody && mutant.On && mutant.Is(mutant.QueueGaveUp):
		return false
	case o == header.Nobody:
		// It was merged meanwhile. The reference is ours again to give up.
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

// drain merges what is in a queue. t is the queue's owner, has claimed its state,
// or has stopped the world. What dies by it may be queued elsewhere.
func (t *Thread) drain(q *mergeQueue) {
	for q.some.Load() {
		refs := q.take()
		t.merges(q, len(refs))
		t.merge(q, refs)
	}
}

// merge merges what was taken from a queue. What a misuse has kept from it goes back.
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

// drainFor merges on behalf of a thread that is away. If it comes back, or
// somebody else has claimed it, those see to the queue.
func (t *Thread) drainFor(q *mergeQueue) {
	if mutant.On && mutant.Is(mutant.QueueStays) {
		return
	}
	for q.some.Load() && q.state.CompareAndSwap(away, claimed) {
		t.drainClaimed(q)
	}
}

// drainClaimed ends with the queue's state away, and after a misuse merges the rest.
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
			t.mendAll() // while nobody else counts for the owner, who may be this thread
		}
	}()
	t.drain(q)
	over = true
}

// attachQueue takes the queue for the thread's own, once nobody merges for it.
func (t *Thread) attachQueue() {
	for !t.queue.state.CompareAndSwap(away, attached) {
		if point.On {
			point.Wait(func() bool { return t.queue.state.Load() == away })
		}
		goruntime.Gosched()
	}
}

// leaveQueue ends that, and with it the thread's counting: whatever it has retired goes
// before. It ends it also where it finds misuse.
func (t *Thread) leaveQueue() {
	defer func() {
		t.queue.state.Store(away)
		t.drainFor(t.queue)
	}()
	defer t.mendAll() // which counts what is the thread's own
	t.drain(t.queue)
	t.handOver()
}

// drainQueues merges everything that is queued, by whomever. World stopped, or no
// thread attached but t.
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

// addQueue makes the queue of a new state, which gets the next id. r.mu is held. An
// id never reaches header.Float: the list of 2^30 queues alone would take 8 GiB.
func (r *Runtime) addQueue() (q *mergeQueue, id int32) {
	q = &mergeQueue{}
	old := *r.queues.Load()
	queues := append(old, q) // behind the end of all that were published
	r.queues.Store(&queues)
	return q, firstID + int32(len(old))
}
