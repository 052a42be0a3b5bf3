// Package proptest runs random programs on a runtime, and checks what the library promises for
// every program. It draws the programs with pgregory.net/rapid, which shrinks a program that
// breaks a promise.
//
//	func TestMyOptions(t *testing.T) {
//		proptest.Run(t, proptest.Config{Options: rt.Options{Mode: rt.LockFree}})
//	}
//
// [Conformance] does the same for a type of your own. A [Subject] describes the type's operations
// and a model of them; examples/ownproperty, examples/persistent and examples/deque have one each.
// [Audit] and [Headers] check two of the promises in tests that have programs of their own, at
// any point at which an attached thread can name all references that the program holds.
//
// docs/glossary.md defines the terms of the library, and docs/proof.md states the scope in which
// each promise is checked.
//
// # Programs
//
// A program is a list of operations. It is drawn before any of them runs. Every operand is valid
// for every operation, so every part of a program is a program.
//
// A machine runs the operations. It has six registers, each of which owns a reference or is
// empty, and four roots that it is given: a list, a dict, a record and a node. It computes in a
// domain, which is the heap of a runtime or, for the model, plain Go values. The code of the
// machine is the same for both.
//
// A machine writes a history, with a line for what it observes in each operation: contents,
// lengths, the class of an error, whether two references lead to the same object. Each container
// has a level from birth, and a machine stores values only in containers of a higher level, or in
// nodes. So every cycle goes through a node. Each container also has an origin: what the program
// noted about it at its birth. Every later reader compares the container with its origin. Leaves
// need no origin, because their bytes show whether some thread wrote them.
//
// # The properties
//
//	(a)  The header of an immortal object never changes: its sixteen bytes stay what
//	     they were when it became immortal. This covers immortals by address, in
//	     place, and the singletons. Headers are compared after each operation that makes
//	     objects immortal, at intervals while threads run, and at the end. No immortal
//	     object may disappear.
//	(b)  Counts are the sums of references: Thread.Audit, given all references that the
//	     program holds.
//	(c)  Nothing reachable is freed: every object that a machine reads or holds agrees with
//	     its origin, and there is no misuse, no broken count and no memory fault. Once
//	     everything has been dropped, nothing is left: Close finds no leak, and every
//	     block has a container.
//	(d)  All modes agree with one another and with the model: the same program on one
//	     thread has the same history everywhere.
//	(e)  An object that dies is finalized once, and dropped once.
//	(f)  One collection finds all garbage, cycles included.
//	(g)  Frozen objects never change: the bytes of a frozen graph stay what they were
//	     when it was made, and its image has the same bytes. Where the system protects
//	     its pages, a store is a fault that names it.
//	(h)  Frozen objects are not copied: no page of a frozen graph in a shared heap is
//	     private to a process, whatever the process does.
//	(i)  Concurrent calls of Cell, Record, Dict and List are linearizable, and so are
//	     the counts of an object with its weak references: see internal/linear.
//	(j)  No thread stores to an immortal object, not even the value that is there already.
//	     The system reports which pages were stored to; the immortals of this test have
//	     pages of their own: see internal/traffic.
//
// # The ways to run
//
//	sequential   One thread. Property (d), and audits during the program.
//	interleaved  Several threads on one goroutine, one operation each, in a drawn order.
//	             A failure here is reproducible, and shrinks. Lock-free mode only. An
//	             operation that stops the world detaches the other threads first.
//	concurrent   A goroutine for each thread, and one that samples headers. Each thread
//	             has one part of the program to itself, whose history the model predicts,
//	             and one part that works on roots that all threads share.
//	moved        One thread. Its heap is shared in the middle of the program, which
//	             continues in another runtime, as in a worker process. The first runtime
//	             must find everything unchanged. Linux only.
//	stores       Several threads perform every operation on immortals, thousands of times,
//	             while the system watches their pages. Needs Linux 6.7 or newer; elsewhere
//	             the test is skipped and says what is missing.
//
// A thread may borrow an object from a root and count it some operations later, within the rules.
// In between, other threads overwrite, pop and drop it. This reveals a missing grace period.
//
// # Thread safety
//
// The documentation of each function ends with its thread-safety level, as in package runtime.
// [Config], [Op] and [Subject] are plain values. Attached threads call the functions in them.
//
// # Can the properties fail?
//
// The command mutants, in the folder of that name, plants one bug after another (package
// internal/mutant), and passes if the property that claims to find the bug fails. A test plants a
// race, and demands the race detector's report.
//
// # Limits
//
// [Run] does not test user-defined types; Conformance does. An interleaved run switches threads
// between operations, not within them. A failure of a concurrent run may not be reproducible. If
// a broken count has corrupted memory, a run without checked mode may hang: the runtime then
// warns of the thread that holds up the world.
//
// # Folders in reading order
//
// This folder has what the package exports, and the tests that run it. What checks properties:
//
//	internal/property  the properties, and failures that name one
//	internal/headers   comparing the headers of immortals over time
//	internal/modes     the modes in which the properties must hold
//	internal/counts    how much has been checked
//
// Programs, and the ways to run them:
//
//	internal/draw      drawing slices
//	internal/machine   operations, programs, and the machine that runs them
//	internal/model     the domain of plain Go values
//	internal/heap      the domain of a runtime's objects
//	internal/runs      sequential, interleaved, concurrent and moved runs
//	internal/traffic   runs that look for stores to the pages of immortals
//
// Concurrent calls, injected errors, types of your own:
//
//	internal/linear    histories of concurrent calls, and whether an order explains them
//	internal/faults    programs in which one allocation fails
//	internal/trials    the programs of Conformance
//
// Tests and tools:
//
//	internal/suite     running the tests of this folder and of its internal folders
//	mutants            a command that plants bugs, and leaves out statements
//
// The explorer of interleavings, and what code that it explores imports:
//
//	explore                       tests under all schedules
//	explore/internal/engine       threads, schedules, searches, models of locks and channels
//	explore/shim                  what statements become in rewritten code
//	explore/internal/overlay      rewriting packages
//	explore/cmd/explore           the command that rewrites packages and runs their tests
//	explore/sync                  the twin of sync
//	explore/atomic                the twin of sync/atomic
//	explore/uatomic               the twin of go.uber.org/atomic
//	explore/time                  the twin of time
//	explore/context               the twin of context
//	explore/errgroup              the twin of golang.org/x/sync/errgroup
//	explore/semaphore             the twin of golang.org/x/sync/semaphore
//	explore/internal/twins        a command that writes the generated parts of twins
//	explore/internal/twins/same   a use of each original, to compare machine code
//	explore/internal/bugs         historic bugs, each of which it must find
package proptest
