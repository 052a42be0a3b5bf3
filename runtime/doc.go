// Package runtime is a heap of reference-counted objects that many goroutines share. The
// objects lie outside the Go heap. Goroutines use them under a global lock or without one.
//
// Programs import it as rt: the standard library's package of the same name stays runtime
// there, and is goruntime inside this package. docs/getting-started.md has a first program,
// docs/glossary.md defines every term, and docs/guarantees.md says what you may rely on.
//
// # Counting
//
// IncRef and DecRef do not test the mode. Every thread has an id, and the header of every
// object names an owner. Under the GIL all threads share one id, and every object bears it, so
// all counting is plain. In lock-free mode with atomic counts, no object bears a thread's id,
// so every count is an atomic add. With biased counts, an object bears the id of the thread
// that made it. That thread counts plainly, the others count atomically in another word, and
// the owner merges the two. Package header (internal/header) describes the words and their
// transitions.
//
// # Memory
//
// Mortal objects lie in the counted half of the heap's addresses. The decrement that takes the
// last reference frees the object, and everything that only this object kept alive, without
// recursion. Objects that are born immortal lie in regions of the other half. Frozen objects
// have memory of their own, which is read-only.
//
// # Ownership and thread safety
//
// The documentation of each function says for each reference that it takes whether the call
// borrows or steals it, and for each reference that it returns whether it is new or borrowed.
// The caller owns a new reference, and gives it up with DecRef or passes it to a [Scope]. A
// borrowed reference is good until the thread's next safe point, until the thread gives up the
// counted reference from which it reached the object, or until the thread itself overwrites the
// slot, whichever comes first.
//
// The documentation ends with the callers that are allowed: any goroutine, attached or not; or
// an attached thread, which means the goroutine that has the [Thread]. Either may run at the
// same time as other callers. A function that is a safe point says so; all others are not.
// Structs without hidden fields (options, errors, statistics) and numbers are plain values:
// several goroutines may read one, or one may change it, as with any value in Go.
//
// # Limits
//
// The collector looks for cycles only at safe points, never in the middle of an allocation. It
// sees no references in Go variables, so a program has to own a count for each reference that
// it keeps there longer than a borrow lasts. The runtime never interrupts a thread. A thread
// that reaches no safe point holds up the others, and a warning names it.
//
// # Files in reading order
//
// References and memory:
//
//	heap.go          references, and the memory that they lead to: Heap, Body
//	types.go         type descriptors, and how a type freezes its objects
//	errors.go        errors that many calls share, and panics over broken contracts
//
// Runtimes and threads:
//
//	runtime.go       the Runtime: a heap with its threads, and its options
//	thread.go        attaching and detaching, and the list of attached threads
//	do.go            running functions on a thread: Do, Run, Recv, Send
//	waiting.go       what threads wait for, what they are doing, and which ones keep others waiting
//	scope.go         what a thread holds for a while: scopes, holds, container locks
//
// Counting and death:
//
//	lifetime.go      births of objects and blocks, and the cascade at a death
//	count.go         IncRef and DecRef
//	merge.go         merging the two counts of an object, and the merge queues
//	finalize.go      weak references, finalizers, callbacks, releases: what a death makes due
//
// Between threads:
//
//	checkpoint.go    safe points
//	retire.go        retiring references and blocks until a grace period is over, and leaving them behind
//
// Cycles:
//
//	collect.go       a collection, step by step
//	trial.go         trial deletion, which finds the garbage
//
// Immortal and frozen objects, images, shared heaps:
//
//	immortal.go      immortality in place and by address
//	freeze.go        freezing one moment of a graph that others write to
//	copy.go          copying one object, and storing equal ones once
//	frozen.go        the Frozen: a frozen graph, and who reads it
//	lease.go         keeping a frozen graph loaded, and replacing it under its readers
//	image.go         writing and opening images
//	checking.go      checking an image before it is used
//	share.go         heaps that processes share
//
// Closing, statistics and debugging:
//
//	close.go         closing a runtime
//	stats.go         statistics
//	profile.go       the heap profile, and the profile of waits
//	audit.go         comparing all counts with all references; who holds counts besides objects
//	checked.go       checked mode
//	heapcopy.go      copying the heap's graph in a stop
//	heapsnapshot.go  why an object is alive, and what it keeps alive
package runtime
