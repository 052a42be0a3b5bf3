// Package runtime is an object runtime for many goroutines: objects that count
// their references, outside the Go heap, under a global lock or without one.
//
// It is imported as rt; the standard library's package of the same name stays
// runtime there, and is goruntime inside this package.
//
// # Glossary
//
//   - reference ([Ref]): 32 bits that name an object, or are a small integer.
//   - new reference: the caller owns one count, and gives it up with DecRef, or
//     leaves that to a [Scope].
//   - borrowed reference: the caller owns no count. It is good until the
//     earliest of the thread's next safe point, the thread giving up the
//     counted reference that its path began at, and the thread's own write that
//     drops the slot it was read from.
//   - steals: the call takes over the caller's count, unless it fails.
//   - thread ([Thread]): what a goroutine needs to touch objects.
//   - safe point: [Thread.Checkpoint], [Thread.Blocking], attach, detach, and the
//     calls that stop the world. Only there can the world be stopped, another
//     thread be given the GIL, or a retired reference be released.
//   - retire: give up a reference that other threads may be reading from a slot.
//     It is released after a grace period, when each of them has been at a safe
//     point.
//   - immortal: counted by nobody, and never written. By address: the reference
//     alone says so. In place: the header says so.
//
// # One code path, two modes
//
// IncRef and DecRef do not ask for the mode. A thread has an id, an object an
// owner: under the GIL all threads share an id and all objects bear it, so that
// counting is plain; in lock-free mode objects bear none and counting is atomic,
// or they bear the id of the thread that made them, which then counts plainly and
// is the one to merge its count with the others' (Options.Counting). See package
// header for the words.
//
// # Memory
//
// Objects lie in the counted half of an arena and are freed the moment their
// count says so, their children with them, without recursion. Objects that are
// born immortal lie in regions of the other half.
//
// # Who owns, and who may call
//
// Each function says whether a reference that it takes is borrowed for the time of
// the call or stolen, and whether one that it returns is new or borrowed. It ends with who may
// call it: "any goroutine", attached or not, at the same time as others; an "attached
// thread", the goroutine that has the Thread, at the same time as other threads; or who is
// named. What says nothing of a safe point is none. Structs without hidden fields
// (options, errors, statistics) and numbers are plain values: several goroutines may read
// one, or one may change it, as with any in Go.
//
// # What it does not do
//
// It looks for cycles at safe points alone, never in the midst of an allocation, and sees no
// references in Go variables: what is held there has to be counted, or borrowed for
// as long as that lasts. It interrupts no thread: one that comes to no safe point holds up the
// others, and is named in a warning.
package runtime
