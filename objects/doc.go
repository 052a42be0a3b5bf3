// Package objects provides the kinds of objects that come with Ichor: Int, Float, Number,
// String, Bytes, Tuple, List and Dict; Record, for types with named fields; Cell, for one
// reference that threads share; Weak, for a reference that keeps nothing alive; and
// Foreign, for Go values. It converts JSON and Go values into graphs of objects and back,
// and compares graphs.
//
// The Go type of a kind is a reference under another name: List(r).Append(t, v) says that r
// is a list. A call on an object of another kind returns a *rt.TypeError. docs/glossary.md
// defines the terms used here.
//
// # Ownership
//
// Constructors, and calls whose names begin with Get, Pop, Load or Swap, return new
// references. Calls whose names begin with At or Lookup return borrowed references. A
// borrowed reference is good until the thread's next safe point, until the thread gives up
// the reference from which it reached the object, or until the thread overwrites the slot.
// A loop over All may reach safe points, because it holds counts of the items. Arguments
// are borrowed. A call that stores an argument adds a count of its own, except that a call
// whose name ends in Steal takes over the caller's. A method borrows the reference that it
// is called on.
//
// The documentation of each function and type repeats these rules where they apply, and
// states its thread-safety level. Structs without hidden fields (options, errors) are plain
// values: several goroutines may read one, or one goroutine may change it.
//
// # Many threads
//
// Immutable kinds (Int to Tuple) have no lock. No word in them changes, except that the hash
// may be stored later, at the first use as a key. In lock-free mode:
//
//	call                          wait-free  linearizable  takes the container's lock
//	List.At, Get, Len             yes *      yes           no
//	Dict.Lookup, LookupString,    yes        yes           no
//	  Get, Has, Len
//	all calls of Record           yes        yes           has none
//	Dict.LoadOrStore of a         yes        yes           no
//	  present key
//	Dict.CompareAndSwap and       yes        yes           no
//	  CompareAndDelete where the
//	  value is not old
//	Dict.Set, Swap and            no         yes           yes, or a gate of a large table
//	  CompareAndSwap of a
//	  present key
//	Cell.At, Load                 yes        yes           has none
//	other calls of Cell           no         yes           has none
//	Weak.Get, Foreign.Value       no         yes           has none
//	List.Snapshot, All            no         yes           if others change it meanwhile
//	other writes                  no         yes           yes
//	Extend, Update                no         yes           yes, both
//	Dict.Snapshot, All, JSON      no         weakly consistent: each step is
//	  output, ToGo, Equal
//
// * If memory has run out, Remove moves the items of a list in place, and readers of that
// list wait for its lock until that is done.
//
// The count of a reference that leaves a slot is retired, never handed to the caller: a
// call that pops adds a count for the caller. So a reader that has loaded a slot may add a
// reference without a loop and without a lock. Under the GIL no locks are taken.
//
// # Keys
//
// Int, String, Bytes, Float, Number, None, the booleans, and tuples of these can be keys.
// They are compared by kind and value, and no user code is called. Hash has no seed and is
// the same in every process. A Dict whose keys have been chosen to collide switches to a
// hash with a seed.
package objects
