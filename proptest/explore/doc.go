// Package explore runs a program of two or three threads in all the ways in which
// these threads can take turns: each in the real code of the runtime, switched at the
// points of package internal/point. It is part of builds with the tag "explore".
//
//	go test -tags explore ./proptest/explore
//
// # Glossary
//
//   - program: what each thread does, and a check of what must be true afterwards.
//     It is built anew for each schedule, and does the same whenever it takes the
//     same turns.
//   - thread: a coroutine. One runs at a time.
//   - step: what a thread does from one point to the next: an access to shared memory
//     and all that follows in the thread's own.
//   - schedule: who takes each step, written as 0x12 1x3: thread 0 twelve times, then
//     thread 1 three times. Replay runs it again.
//   - preemption: a switch away from a thread that could go on.
//   - enabled: able to take a step. A thread that waits for a lock, or for the world to
//     stand still, is not.
//
// # The ways to search
//
//	bounded     all schedules with at most so many preemptions (Musuvathi and Qadeer,
//	            PLDI 2007). Each bug of theirs took two at most
//	unbounded   all schedules, but those that differ in the order of independent steps
//	            only: sleep sets (Godefroid, 1996). Together with a bound they would
//	            leave out schedules that matter, so there is no such way
//	random      priorities with points of change (PCT: Burckhardt and others,
//	            ASPLOS 2010)
//	drawn       up to three preemptions that rapid draws, and makes fewer and earlier
//	            when something fails
//
// # What is an error
//
// A thread panics; nobody is enabled and not all have ended (deadlock); the steps do
// not end (livelock); two plain accesses to a byte, or a plain and an atomic one, of
// which one writes, are not ordered by atomic operations and locks (a race); a byte
// is touched that was given back and not given out again; the check fails.
//
// Go's atomic operations behave as if in one order that all threads agree on, so there
// is nothing but interleavings to explore, provided that there are no races.
package explore
