// Package engine runs programs of several threads under schedules that it chooses. It is the machine
// behind package explore; docs/explore.md has the states of its threads and objects as tables.
// The package is part of builds with the tag "explore".
//
// # Glossary
//
//   - program: the functions of the threads, and a check of what must be true at the end.
//     It is built anew for each schedule, and must be deterministic: the same schedule
//     gives the same run.
//   - thread: a coroutine, or in builds with -race a goroutine. One runs at a time.
//   - point: a place where the engine may switch to another thread. The thread says what it is about
//     to do.
//   - step: the code that a thread runs from one point to the next: an access to shared memory
//     and everything after it that is private to the thread.
//   - alternative: one of the ways in which a step can go on, such as the cases of a select
//     statement that are ready.
//   - schedule: the thread that takes each step, written as 0x12 1x3: thread 0 twelve times,
//     then thread 1 three times. 0.1x1 is a step of thread 0 with its second alternative.
//   - preemption: a switch away from a thread that could continue.
//   - enabled: able to take a step. A thread that waits for a lock, or for the world to
//     stop, is not.
//   - parked: waiting until another thread, or a timer, wakes it.
//
// # The ways to search
//
//	bounded     all schedules with at most so many preemptions (Musuvathi and Qadeer,
//	            PLDI 2007). Each bug that they found took at most two
//	unbounded   one of each class of schedules that differ only in the order of independent steps:
//	            source sets with sleep sets (reduction.go). With a bound they would miss
//	            schedules that matter, so the two are not combined
//	random      random priorities with change points (PCT: Burckhardt and others,
//	            ASPLOS 2010), or random priorities of steps that are drawn again after each
//	            step that conflicts (POS: Yuan, Yang and Gu, CAV 2018)
//	drawn       up to three preemptions drawn by rapid, which reduces their number and
//	            moves them forward after a failure
//
// # Errors
//
// A schedule fails in any of these cases. A thread panics, or says that something is wrong. No thread
// is enabled and some have not ended (deadlock). The steps do not end (livelock). Two accesses to a
// byte, at least one plain and at least one a write, are not ordered by atomic operations and locks (a
// race). A thread touches a byte that was freed and not allocated again. The check fails.
//
// Go's atomic operations behave as if in a single order that all threads agree on. So without
// races, the interleavings are everything that there is to explore.
package engine
