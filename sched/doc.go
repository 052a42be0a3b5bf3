// Package sched says when something may be given back that others may still be
// reading, and shares work among goroutines. It knows nothing of objects.
//
// # Glossary
//
//   - reader: a goroutine that looks at shared things without locks.
//   - online: may hold such things. An offline reader holds none.
//   - quiescent: at a point where a reader holds none for a moment.
//   - dormant: offline for long. Polls do not look at a dormant reader.
//   - unlinked: no longer to be found by a reader that starts to look.
//   - grace period: a time in which each online reader was quiescent once.
//   - goal: the number of the grace period that something unlinked waits for.
//   - deferred: unlinked, and waiting for its goal to pass.
//   - batch: deferred things in a row that share a goal.
//   - orphans: what an exiting thread leaves deferred.
//   - worker: a goroutine of a pool, with a state of its own.
//   - to steal: to take over half of another worker's items.
//
// # Grace periods
//
// [Grace] counts periods in one global number. Each reader has a number of its
// own, 0 when it is offline: the period in which it was quiescent last. Then
//
//	passed = min(current period, numbers of the online readers)
//
// and a goal has passed if it is at most that. Readers pay one load at a
// quiescent point, and a store only if the period changed. This is the scheme of
// FreeBSD's GUS (sys/kern/subr_smr.c) and CPython's Python/qsbr.c, with 64-bit
// numbers, so that wrapping is no subject.
//
//	unlinker            Grace          reader
//	unlink x
//	goal := Advance() ─► 7
//	                     7 ◄────────── Quiescent: number becomes 7
//	Passed(7): min is 7
//	give x back
//
// The order matters in three places. Advance comes after unlinking: a reader
// whose number is the goal has loaded it after the unlinking. Online stores its
// number before the reader's first look. And the poll loads the current period
// before it looks at the readers: a reader that comes online behind the poll's
// back is later than everything that the poll declares passed.
//
// A poll costs a look at each reader in a list. Programs have thousands of readers
// that wait, so one that polls have found offline again and again leaves the list: it is
// dormant, and puts itself back when it comes online, with a lock. It does so before it
// loads the period, so for it the last of these arguments holds with "the list" in the
// place of "its number". [Reader] has the states.
//
// [Grace.PassedBut] leaves out one reader, the caller's own: a thread gives back at once
// what nobody but itself has looked at, and what it does not look at any more.
//
// # Deferred things
//
// [Deferred] is one thread's queue of things that wait. A goal for each would
// make the global number, which all readers load, change all the time; so a
// batch shares one. Memory is bounded by bytes and not by a count: a few large
// things are as bad as many small ones (python/cpython#132519).
//
// # Workers
//
// [Run] starts goroutines that each open a state, work, and close it. The first
// failure cancels the others. Panics come out in the caller, with the stack of
// the goroutine where they happened. [ForEach] shares out numbered items: each
// worker has a range in one atomic word and takes from its front; who has run
// out takes half of somebody's range from the back.
//
// # Who may call what
//
// Each function says at its end who may call it: "any goroutine", at the same time as
// others, or one goroutine at a time, its owner. Panics are plain values, as any of Go's.
//
// # What it does not do
//
// A reader that stays online without being quiescent holds up every goal for
// ever: nothing here interrupts it. Grace does not give anything back by itself:
// it has no goroutine. A pool neither keeps goroutines between calls nor kills
// one that does not look at its context.
package sched
