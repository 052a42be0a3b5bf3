// Package proptest runs random programs on a runtime, and checks what the library
// promises of every program. It draws the programs with pgregory.net/rapid, which
// shrinks one that breaks a promise.
//
//	func TestMyOptions(t *testing.T) {
//		proptest.Run(t, proptest.Config{Options: rt.Options{Mode: rt.LockFree}})
//	}
//
// [Conformance] does the same for a type of yours, whose operations and model a
// [Subject] has: examples/ownproperty and examples/persistent are two. [Audit] and
// [Headers] check two of the promises in tests that have programs of their own, at any
// point where an attached thread can name all references that the program holds.
//
// # Glossary
//
//   - program: a list of operations that was drawn before anything runs. Any
//     operands make sense for any operation, so that every part of a program is a
//     program.
//   - machine: what runs operations. It has six registers, each of which owns a
//     reference or is empty, and three roots: a list, a dict and a record that it
//     was given.
//   - domain: what a machine computes with: the heap of a runtime, or plain Go
//     values, which are the model. The machine's code is the same for both.
//   - history: what a machine observed, a line for each operation: contents, the
//     class of an error, lengths, whether two references are the same object.
//   - level: a number that a container has from birth. A machine stores values
//     only in containers of a higher level. So there are no cycles, and all memory
//     comes back once everything is dropped.
//   - origin: what the program noted about a container at its birth. Whoever comes
//     by the container later compares. Leaves need none: their own bytes tell
//     whether they are what some thread wrote.
//
// # The properties
//
//	(a)  The header of an immortal never changes: its sixteen bytes are those of the
//	     moment it became immortal. Immortals by address, in place, and the
//	     singletons. Compared after each operation that makes some, on
//	     ticks while threads run, and in the end; none may disappear either.
//	(b)  Counts are what the references add up to: Thread.Audit, given all that
//	     the program holds.
//	(c)  Nothing reachable is freed: whatever a machine reads or holds agrees with its
//	     origin, and there is no misuse, no broken count, no memory fault.
//	     Nothing is left after all is dropped: Close finds no leak, and no block
//	     is without a container.
//	(d)  All modes agree, and with them the model: the same program on one
//	     thread has the same history everywhere.
//	(e)  What dies is finalized once, and dropped once.
//	(f)  One collection finds all garbage, cycles too.
//	(g)  What is frozen never changes: the bytes of a frozen graph are those of the
//	     moment it was made, and so are those of the image that it is written to.
//	     Where the system protects its pages, a store is a fault that names it.
//	(h)  What is frozen is not copied: of a heap that was shared, no page of a
//	     frozen graph is private to a process, whatever that does.
//	(i)  Concurrent calls of Cell, Record, Dict and List, and the counts of an object
//	     with its weak references, are linearizable: see histories.go.
//	(j)  Nothing is stored to an immortal, not even what is there already: the system
//	     is asked which pages were stored to. These immortals have pages of their
//	     own: see estate.go.
//
// # The ways to run
//
//	sequential   one thread; property (d); audits in the midst
//	interleaved  several threads on one goroutine, in a drawn order, one operation
//	             each: what fails here fails again, and shrinks. Lock-free mode only.
//	             What stops the world detaches the other threads first
//	concurrent   a goroutine for each thread, and one that samples headers. Each
//	             has a part of the program to itself, whose history the model
//	             foretells, and one on roots that all share
//	moved        one thread, whose heap is shared in the midst of the program, and
//	             which goes on in another runtime, as a worker would; the first
//	             one must find all as it was. Linux only
//	stores       several threads do to immortals all that can be done to objects,
//	             thousands of times, while the system watches their pages. Linux
//	             6.7 or newer, or the test is skipped and says what is missing
//
// A thread may borrow an object from a root, and count it some operations later,
// as long as the rules allow: between the two the others overwrite, pop and
// drop. That is how a missing grace period shows.
//
// # Who may call what
//
// Each function says at its end who may call it, as in package runtime. [Config], [Op] and
// [Subject] are plain values, as any of Go's; the functions in them are called by
// attached threads.
//
// # That the properties can fail
//
// Command mutants, beside this package, plants one bug after the other (package
// internal/mutant), and passes if the property fails that claims to find it. A test
// plants a race, and demands the race detector's report.
//
// # What it does not do
//
// Types of users are Conformance's. An interleaved run switches threads between
// operations, not within them. A
// concurrent run that fails may fail once and not again. Where a broken count has
// corrupted memory, a run without checked mode may also hang: the runtime then warns
// of the thread that holds up the world.
package proptest
