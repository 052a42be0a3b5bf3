// Package runtime is a heap of reference-counted objects that many goroutines share. The
// objects live outside the Go heap, and are used under a global lock or without one.
//
// Programs import it as rt: the standard library's package of the same name stays runtime there,
// and is goruntime inside this package. docs/getting-started.md has a first program,
// docs/glossary.md defines every term, and docs/guarantees.md says what you may rely on.
//
// # Counting
//
// IncRef and DecRef do not ask for the mode. Every thread has an id, and every object has an
// owner. Under the GIL all threads share one id, and every object bears it, so counting is plain.
// In lock-free mode with atomic counts, objects bear no thread's id, so every count is an atomic
// add. With biased counts, an object bears the id of the thread that made it. That thread
// counts plainly, the others count atomically in another word, and the owner merges the two.
// Package header (internal/header) has the words and their transitions.
//
// # Memory
//
// Mortal objects lie in the counted half of the heap's addresses. An object is freed at the moment
// its count says so, together with everything that only it kept alive, and without recursion.
// Objects that are born immortal lie in regions of the other half. Frozen objects have memory of
// their own, which is read-only.
//
// # Ownership and thread safety
//
// The documentation of each function says of each reference that it takes whether it is borrowed
// or stolen, and of each that it returns whether it is new or borrowed. The caller owns a new
// reference, and gives it up with DecRef or passes it to a [Scope]. A borrowed reference is good
// until the thread's next safe point, until the thread gives up the counted reference from which
// it reached the object, or until the thread itself overwrites the slot, whichever comes first.
//
// The documentation ends with who may call the function: any goroutine, attached or not; or an
// attached thread, which is the goroutine that has the [Thread]. Both may run at the same time
// as other callers. A function that is a safe point says so; all others are none. Structs
// without hidden fields (options, errors, statistics) and numbers are plain values: several
// goroutines may read one, or one may change it, as with any value in Go.
//
// # Limits
//
// The collector looks for cycles at safe points alone, never in the middle of an allocation. It
// sees no references in Go variables, so a program counts what it keeps there, or borrows it no
// longer than it may. The runtime interrupts no thread. A thread that reaches no safe point
// holds up the others, and is named in a warning.
//
// # Files in reading order
//
// References and memory:
//
//	heap.go        references, and the memory that they lead to: Heap, Body
//	types.go       what the runtime knows of a type of objects
//	errors.go      errors of many calls, and panics over broken contracts
//
// Runtimes and threads:
//
//	runtime.go     a heap with its threads, and the options that it is made with
//	thread.go      attaching, blocking, and what a thread leaves to the others
//	do.go          goroutines with a thread: Do, Run, Recv, Send
//	scope.go       what a thread holds for a while: scopes, holds, locks of containers
//
// Counting and death:
//
//	lifetime.go    births of objects and blocks, and everything that dies with an object
//	count.go       IncRef and DecRef
//	merge.go       merging the two counts of an object, and the queues for owners
//	weak.go        weak references
//	pending.go     finalizers, callbacks and releases that wait for a safe point
//
// Between threads:
//
//	checkpoint.go  safe points
//	retire.go      giving up what other threads may be reading
//	stall.go       threads that keep others waiting, or themselves
//
// Cycles:
//
//	collect.go     a collection, step by step
//	trial.go       trial deletion, which finds the garbage
//
// Immortal and frozen objects, images, shared heaps:
//
//	immortal.go    immortality in place and by address
//	freezing.go    what a type says about freezing
//	freeze.go      copying a graph
//	snapshot.go    a copy of one moment, beside writers
//	equal.go       one copy of equal objects
//	frozen.go      a frozen graph
//	lease.go       keeping a frozen graph loaded, and replacing it under its readers
//	image.go       writing and opening images
//	checking.go    checking an image, and what a type checks of it
//	share.go       heaps that processes share
//
// The end, and looking inside:
//
//	close.go       the end of a runtime
//	stats.go       statistics
//	audit.go       comparing all counts with all references
//	checked.go     checked mode
package runtime
