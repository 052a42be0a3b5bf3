// Package locks holds the ways in which Ichor's threads wait for each other: a
// mutex of four bytes, a global lock with a switch interval, and stopping the
// world. It knows nothing about objects.
//
// # Glossary
//
//   - word: a uint32 that serves as a mutex. It may lie outside the Go heap.
//   - to park: to sleep until another goroutine unparks this one by name.
//   - parking lot: the fixed table of queues in which goroutines are parked,
//     keyed by the address of the word that they wait for.
//   - to barge: to take a lock ahead of goroutines that have waited longer.
//   - handing over: an unlock that leaves the lock locked and makes a waiter
//     its holder, so that no goroutine can barge.
//   - safe point: a place where a goroutine holds nothing that others may need
//     while it sleeps. Only the author of the code knows which places are safe.
//   - switch: the global lock passing from its holder to a waiter.
//   - drop request: a waiter's request that the holder yield at its next safe point.
//   - member: a goroutine that can be stopped. It is inside while it runs.
//   - asker: a goroutine that stops the world, or waits for its turn to stop it.
//
// # The mutex in a word
//
// [Lock] and [Unlock] are one CAS each without contention. A goroutine that finds
// the word locked tries again a few times and then parks. The word says that
// goroutines are parked; the lot says which ones. A lost wake-up is prevented by a
// second look: a waiter loads the word again while it holds its queue's lock, and an
// unlock that sees the parked bit takes the same lock. So either the waiter
// sees the unlock, or the unlock sees the waiter.
//
//	waiter                         holder
//	set PARKED                     CAS LOCKED → 0 fails: PARKED is set
//	lock queue                     lock queue
//	word still LOCKED|PARKED?      take the first waiter, if there is one
//	  no: try again                store the word
//	  yes: join the queue          unlock queue, wake it
//	unlock queue, sleep
//
// The design is that of WebKit's WTF::Lock and CPython's PyMutex. During a waiter's
// first millisecond others may barge, because that is fast. After that the lock is
// handed over to the waiter.
//
// # The global lock
//
// [GIL] is CPython's global interpreter lock with one difference: the lock is handed
// over to waiters in the order of their arrival. A waiter with k others ahead of it
// therefore gets the lock with switch number k+1. The drop request depends on the
// first waiter alone: it is set when that waiter has waited for an interval without
// a switch. The holder tests for it at its safe points, with one load.
//
// # Stopping the world
//
// Each member of a [World] has a state word of its own; the world has one flag.
// To enter, a member stores its state and then loads the flag. To stop the world, an
// asker stores the flag and then loads the states (Dekker's pattern; Go's atomics are
// sequentially consistent). At least one of the two sees the other: no member slips
// in, and no stop misses a member that is inside. Each member and each asker sleeps
// until it is woken by name.
//
// # Giving up
//
// [GIL.AcquireContext], [Member.EnterContext] and [World.StopContext] wait until a context
// ends. A goroutine that gives up takes itself out of its queue under the lock that guards the
// queue. It either finds itself there, and leaves nothing behind, or it has already been
// served, and has what it waited for. Nothing polls, and no goroutine is started.
//
// # Thread safety
//
// The doc comment of each function ends with its level: "any goroutine", concurrently
// with others, or the one goroutine that may call it: the holder of a lock, the owner of
// a member, the asker of a stop. Statistics are plain values.
//
// # What it does not do
//
// The mutex is not reentrant, does not record its owner, and does not detect deadlocks.
// Waiting for it is not a safe point: the waiter stays inside its world, so a holder
// must not stop the world or wait for a GIL. The wait for a word cannot be given up. A
// member that never comes to a safe point holds up every stop; [World.OnStall] can only
// name it. The race detector knows Go memory only: for a word elsewhere it sees no order
// between an Unlock and the next Lock, and reports false races.
package locks
