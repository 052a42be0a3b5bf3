package runtime

import (
	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/sched"
)

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
