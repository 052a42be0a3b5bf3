// Package proptest runs random programs on a runtime, and checks what the library promises of
// every program. It draws the programs with pgregory.net/rapid, which shrinks a program that
// breaks a promise.
//
//	func TestMyOptions(t *testing.T) {
//		proptest.Run(t, proptest.Config{Options: rt.Options{Mode: rt.LockFree}})
//	}
//
// [Conformance] does the same for a type of your own. A [Subject] describes its operations and a
// model of them; examples/ownproperty, examples/persistent and examples/deque have one each.
// [Audit] and [Headers] check two of the promises in tests that have programs of their own, at
// any point at which an attached thread can name all references that the program holds.
//
// docs/glossary.md defines the terms of the library, and docs/proof.md says in what scope each
// promise is checked.
//
// # Programs
//
// A program is a list of operations, and is drawn before any of them runs. Every operand makes
// sense for every operation, so every part of a program is a program.
//
// A machine runs the operations. It has six registers, each of which owns a reference or is
// empty, and three roots, which it was given: a list, a dict and a record. It computes in a
// domain, which is the heap of a runtime or, for the model, plain Go values. The code of the
// machine is the same for both.
//
// A machine writes a history, with a line for what it has observed in each operation: contents,
// lengths, the class of an error, whether two references lead to the same object. Each container
// has a level from birth, and a machine stores values only in containers of a higher level. So
// there are no cycles, and all memory comes back once everything has been dropped. Each container
// also has an origin: what the program noted about it at its birth, with which every later
// reader compares. Leaves need no origin, because their bytes tell whether some thread wrote
// them.
//
// # The properties
//
//	(a)  The header of an immortal object never changes: its sixteen bytes are those of
//	     the moment at which it became immortal. This covers immortals by address, in
//	     place, and the singletons. Headers are compared after each operation that makes
//	     objects immortal, at intervals while threads run, and at the end. None of the
//	     objects may disappear.
//	(b)  Counts are the sums of references: Thread.Audit, given all that the program
//	     holds.
//	(c)  Nothing reachable is freed: whatever a machine reads or holds agrees with its
//	     origin, and there is no misuse, no broken count and no memory fault. Once
//	     everything has been dropped, nothing is left: Close finds no leak, and every
//	     block has a container.
//	(d)  All modes agree with one another and with the model: the same program on one
//	     thread has the same history everywhere.
//	(e)  What dies is finalized once, and dropped once.
//	(f)  One collection finds all garbage, cycles included.
//	(g)  Frozen objects never change: the bytes of a frozen graph are those of the moment
//	     at which it was made, and so are those of its image. Where the system protects
//	     its pages, a store is a fault that names it.
//	(h)  Frozen objects are not copied: no page of a frozen graph in a shared heap is
//	     private to a process, whatever the process does.
//	(i)  Concurrent calls of Cell, Record, Dict and List are linearizable, and so are
//	     the counts of an object with its weak references: see histories.go.
//	(j)  Nothing is stored to an immortal object, not even the value that is there. The
//	     system is asked which pages were stored to; these immortals have pages of their
//	     own: see estate.go.
//
// # The ways to run
//
//	sequential   One thread. Property (d). Audits in the middle.
//	interleaved  Several threads on one goroutine, one operation each, in a drawn order.
//	             What fails here fails again, and shrinks. Lock-free mode only. An
//	             operation that stops the world detaches the other threads first.
//	concurrent   A goroutine for each thread, and one that samples headers. Each thread
//	             has one part of the program to itself, whose history the model predicts,
//	             and one part that works on roots that all threads share.
//	moved        One thread. Its heap is shared in the middle of the program, which goes
//	             on in another runtime, as in a worker process. The first runtime must
//	             find everything unchanged. Linux only.
//	stores       Several threads do to immortals all that can be done to objects,
//	             thousands of times, while the system watches their pages. Needs Linux
//	             6.7 or newer; elsewhere the test is skipped and says what is missing.
//
// A thread may borrow an object from a root and count it some operations later, within the rules.
// In between, other threads overwrite, pop and drop. A missing grace period shows that way.
//
// # Who may call what
//
// The documentation of each function ends with who may call it, as in package runtime. [Config],
// [Op] and [Subject] are plain values, as any of Go's. Attached threads call the functions in
// them.
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
// between operations, not within them. A concurrent run that fails may not fail again. Where a
// broken count has corrupted memory, a run without checked mode may hang: the runtime then warns
// of the thread that holds up the world.
package proptest
