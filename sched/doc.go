// Package sched implements grace periods, which tell when memory that other threads may
// be reading can be released, and pools of goroutines that share work. It knows nothing
// about objects.
//
// # Glossary
//
// docs/glossary.md defines the terms of the project. Those of this package are:
//
//   - reader: a goroutine's entry in the bookkeeping of grace periods. The goroutine
//     reads shared data without locks.
//   - online: the reader may hold references to shared data. An offline reader holds
//     none.
//   - quiescent: the reader holds no references at this moment.
//   - dormant: offline for so long that polls do not look at the reader any more.
//   - unlinked: no longer reachable for a reader that starts to look.
//   - grace period: a time in which each online reader was quiescent at least once.
//   - goal: the number of the grace period that an unlinked item waits for.
//   - deferred: unlinked, and waiting for the goal to pass.
//   - batch: consecutive deferred items that share a goal.
//   - orphans: the items that an exiting thread leaves deferred.
//   - worker: a goroutine of a pool, with a state of its own.
//   - to steal: to take over half of another worker's items.
//
// # Grace periods
//
// [Grace] numbers the periods with one global counter. Each reader has a number of its
// own: the period in which it was last quiescent, or 0 if it is offline. Then
//
//	passed = min(current period, numbers of the online readers)
//
// and a goal has passed if it is at most that. At a quiescent point a reader pays one
// load, and a store only if the period has changed. This is the scheme of FreeBSD's GUS
// (sys/kern/subr_smr.c) and CPython's Python/qsbr.c, with 64-bit numbers, which do not
// wrap.
//
//	unlinker            Grace          reader
//	unlink x
//	goal := Advance() ─► 7
//	                     7 ◄────────── Quiescent: number becomes 7
//	Passed(7): min is 7
//	release x
//
// The order matters in three places:
//
//   - Advance comes after unlinking. So a reader whose number is the goal has loaded
//     the period after the unlinking.
//   - Online stores the reader's number before the reader's first look.
//   - A poll loads the current period before it looks at the readers. So a reader that
//     comes online unnoticed by the poll is later than everything that the poll
//     declares passed.
//
// A poll looks at each reader in a list. A program may have thousands of readers that
// wait. So a reader that polls have repeatedly found offline becomes dormant and leaves
// the list. When it comes online, it puts itself back, under a lock. It does so before
// it loads the period, so the argument of Online holds for it with "enters the list" in
// place of "stores the reader's number". [Reader] lists the states.
//
// [Grace.PassedBut] ignores one reader, the caller's own. With it a thread can release
// an item at once if no other thread can have seen it and the thread itself does not
// look at it any more.
//
// # Deferred items
//
// [Deferred] is one thread's queue of items that wait for a grace period. A goal for
// each item would change the global counter, which all readers load, all the time. So
// the items of a batch share a goal. Memory is bounded in bytes, not in items: a few
// large items are as bad as many small ones (python/cpython#132519).
//
// # Workers
//
// [Run] starts goroutines that each open a state, work, and close it. The first failure
// cancels the others. A panic of a worker continues in the caller, with the stack of
// the worker. [ForEach] distributes numbered items. Each worker has a range of items in
// one atomic word, and takes from its front. A worker that has run out takes half of
// another worker's range, from the back.
//
// # Concurrency
//
// Each function says at the end of its comment who may call it: any goroutine, also
// concurrently, or the owner only, which is one goroutine at a time. Structs with
// exported fields, such as [Panic], are plain values. A broken contract panics with a
// *Misuse.
//
// # What it does not do
//
// A reader that stays online without being quiescent holds up every goal forever:
// nothing interrupts it. Grace has no goroutine, so it releases nothing by itself. A
// pool neither keeps goroutines between calls nor stops one that ignores its context.
package sched
