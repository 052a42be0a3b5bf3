// Package locks holds the ways in which Ichor's threads wait for each other: a
// mutex of four bytes, a global lock with a switch interval, and stopping the
// world. It knows nothing of objects.
//
// # Glossary
//
//   - word: a uint32 that serves as a mutex. It may lie outside the Go heap.
//   - to park: to sleep until another goroutine unparks this one by name.
//   - parking lot: the fixed table of queues in which goroutines are parked,
//     keyed by the address of the word that they wait for.
//   - to barge: to take a lock past goroutines that have waited longer.
//   - handing over: an unlock that leaves the lock locked and makes a waiter
//     its holder, so that nobody can barge.
//   - safe point: a place where a goroutine holds nothing that others may need
//     while it sleeps. Only its author knows which places are safe.
//   - switch: the global lock passing from its holder to a waiter.
//   - drop request: a waiter's wish that the holder yield at its next safe point.
//   - member: a goroutine that can be stopped. It is inside while it runs.
//   - asker: who stops the world.
//
// # The mutex in a word
//
// [Lock] and [Unlock] are one CAS each when nobody else is there. Who finds the
// word locked tries again a few times and then parks. The word tells that
// somebody is parked, the lot tells who. The step that matters is the second
// look: a waiter looks at the word again with its queue's lock held, and an
// unlock that sees the parked bit takes the same lock. So the waiter either
// sees the unlock, or is seen by it.
//
//	waiter                         holder
//	set PARKED                     CAS LOCKED → 0 fails: PARKED is set
//	lock queue                     lock queue
//	word still LOCKED|PARKED?      take the first waiter, if there is one
//	  no: try again                store the word
//	  yes: join the queue          unlock queue, wake it
//	unlock queue, sleep
//
// The design is that of WebKit's WTF::Lock and CPython's PyMutex. Barging is
// allowed, because it is fast, for a waiter's first millisecond; after that the
// lock is handed over to it.
//
// # The global lock
//
// [GIL] is CPython's global interpreter lock with one difference: waiters are
// served in the order in which they came, by handing over. A waiter therefore
// gets the lock with the k-th switch if k-1 waiters were ahead of it. Only the
// first waiter's patience counts: when it has waited for an interval in which no
// switch happened, the drop request is set, which the holder tests at its safe
// points with one load.
//
// # Stopping the world
//
// Each member of a [World] has a state word of its own; the world has one flag.
// Entering stores the state and then loads the flag; stopping stores the flag
// and then loads the states (Dekker's pattern; Go's atomics are sequentially
// consistent). At least one of the two sees the other: no member slips in, and no
// stop misses one that is inside. Each member and each
// asker sleeps until it is told by name.
//
// # Giving up
//
// [GIL.AcquireContext], [Member.EnterContext] and [World.StopContext] wait until a context
// ends. A goroutine that gives up takes itself out of its queue under the lock that guards the
// queue. So it either finds itself there, and leaves nothing behind, or has been served
// already, and has what it waited for. Nothing polls, and no goroutine is started.
//
// xsync's RBMutex was considered. It spins, is not reentrant, and cannot
// name the member that keeps everybody waiting.
//
// # Who may call what
//
// Each function says at its end who may call it: "any goroutine", at the same time as
// others, or one goroutine at a time, which is named: the holder of a lock, the owner of a
// member, the asker of a stop. Statistics are plain values, as any of Go's.
//
// # What it does not do
//
// The mutex is not reentrant, knows no owner, and finds no deadlocks. Waiting
// for it is not a safe point: the waiter stays inside its world, so its holders
// must not stop the world or wait for a GIL. The waits for a word
// cannot be given up. A member that never comes to a safe point holds up every stop;
// [World.OnStall] can only name it. The race detector knows Go memory only: for a
// word elsewhere it sees no order between an Unlock and the next Lock, and reports
// races that are none.
package locks
