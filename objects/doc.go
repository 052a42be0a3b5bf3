// Package objects has the kinds of objects that come with Ichor: Int, Float,
// Number, String, Bytes, Tuple, List, Dict, Record for types that users define, Cell
// for one reference that threads share, Weak for one that keeps nothing alive, and
// Foreign for Go values. It turns JSON and Go values into graphs of them and back, and
// compares graphs.
//
// A kind's Go type is a reference under another name: List(r).Append(t, v) says
// that r is a list. A call on an object of another kind returns a *rt.TypeError.
//
// # Who owns what
//
// Constructors, and calls whose name begins with Get, Pop, Load or Swap, return new
// references. Calls whose name begins with At or Lookup return borrowed ones: good until the
// thread's next safe point, until it gives up what it reached the object through, or
// overwrites the slot. Loops hold counts of what they range over: see All.
// Arguments are borrowed, and what stores one takes a reference of its own, but
// for calls whose name ends in Steal.
//
// Functions and types say so once more, each for itself. What a method is called on is
// borrowed in any case. Structs without hidden fields (options, errors) are plain values:
// several goroutines may read one, or one may change it.
//
// # Many threads
//
// Immutable kinds (Int to Tuple) have no lock and no word that changes. In
// lock-free mode:
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
// * While memory has run out, and Remove moves items of the list where they are, its readers
// wait for its lock.
//
// What leaves a slot is retired, never handed over: a caller that pops gets a
// count of its own. So a reader that has loaded a slot may add a reference, with
// no loop and no lock. Under the GIL the locks are not taken.
//
// # Keys
//
// Int, String, Bytes, Float, Number, None, the booleans, and tuples of these are
// keys. They are compared by kind and value: no code of users runs. Hash is the same in
// every process, without a seed. A Dict whose keys have been chosen to collide turns to a
// hash that has one.
package objects
