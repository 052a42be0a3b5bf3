// Package objects has the kinds of objects that come with Ichor: Int, Float, Number, String,
// Bytes, Tuple, List and Dict; Record, for types with named fields; Cell, for one reference that
// threads share; Weak, for a reference that keeps nothing alive; and Foreign, for Go values. It
// converts JSON and Go values into graphs of objects and back, and compares graphs.
//
// The Go type of a kind is a reference under another name: List(r).Append(t, v) says that r is a
// list. A call on an object of another kind returns a *rt.TypeError. docs/glossary.md defines
// the terms used here.
//
// # Ownership
//
// Constructors, and calls whose name begins with Get, Pop, Load or Swap, return new references.
// Calls whose name begins with At or Lookup return borrowed references. These are good until the
// thread's next safe point, until the thread gives up the reference from which it reached the
// object, or until the thread overwrites the slot. A loop counts what it ranges over: see All.
// Arguments are borrowed, and a call that stores one counts it, except for calls whose name ends
// in Steal. A method borrows the reference that it is called on.
//
// The documentation of each function and type says this again for itself, and says who may call
// it. Structs without hidden fields (options, errors) are plain values: several goroutines may
// read one, or one may change it.
//
// # Many threads
//
// Immutable kinds (Int to Tuple) have no lock, and no word in them changes. In lock-free mode:
//
//	call                          wait-free  linearizable  takes the container's lock
//	List.At, Get, Len             yes *      yes           no
//	Dict.Lookup, LookupString,    yes        yes           no
//	  Get, Has, Len
//	all calls of Record           yes        yes           there is none
//	Dict.LoadOrStore of a key     yes        yes           no
//	  that is there
//	Dict.CompareAndSwap and       yes        yes           no
//	  CompareAndDelete where the
//	  value is another one
//	Dict.Set, Swap and            no         yes           yes, or a gate of a large table
//	  CompareAndSwap of a key
//	  that is there
//	Cell.At, Load                 yes        yes           there is none
//	other calls of Cell           no         yes           there is none
//	Weak.Get, Foreign.Value       no         yes           there is none
//	List.Snapshot, All            no         yes           if others change it meanwhile
//	other writes                  no         yes           yes
//	Extend, Update                no         yes           yes, both
//	Dict.Snapshot, All, JSON      no         weakly consistent: each step is
//	  out, ToGo, Equal
//
// * While memory has run out and Remove moves the items of a list in place, readers of that list
// wait for its lock.
//
// What leaves a slot is retired, never handed over: a call that pops counts a reference for the
// caller. So a reader that has loaded a slot may add a reference, without a loop and without a
// lock. Under the GIL the locks are not taken.
//
// # Keys
//
// Int, String, Bytes, Float, Number, None, the booleans, and tuples of these can be keys. They
// are compared by kind and value, without calling user code. Hash has no seed and is the same in
// every process. A Dict in which chosen keys collide changes over to a hash with a seed.
package objects
