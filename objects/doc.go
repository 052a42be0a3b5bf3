// Package objects has the kinds of objects that come with Ichor: Int, Float,
// Number, String, Bytes, Tuple, List, Dict, Record for types that users define, Cell
// for one reference that threads share, Weak for one that keeps nothing alive, and
// Foreign for Go values. It turns JSON into graphs of them and back.
//
// A kind's Go type is a reference under another name: List(r).Append(t, v) says
// that r is a list. A call on an object of another kind returns a *rt.TypeError.
//
// # Who owns what
//
// Constructors and calls named Get, Pop, Load or Swap return a new reference. Calls named At
// or Lookup return a borrowed one: good until the thread's next safe point, until
// it gives up what it reached the object through, or overwrites the slot.
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
//	Dict.Lookup, Get, Len, ...    yes        yes           no
//	Record.At, Get, Set           yes        yes           no
//	Dict.Set of a key that is     no         yes           yes, or a gate of a large table
//	  there
//	Cell.At, Load                 yes        yes           no
//	other calls of Cell           no         yes           there is none
//	Weak.Get, Foreign.Value       no         yes           there is none
//	other writes                  no         yes           yes
//	Extend, Update                no         yes           yes, both
//	All, Snapshot, JSON out       no         weakly consistent: each step is
//
// * While memory has run out, and Remove moves items of the list where they are, its readers
// wait for its lock.
//
// What leaves a slot is retired, never handed over: a caller who pops gets a
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
