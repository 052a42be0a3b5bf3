// Package heap is the domain of a runtime's objects. It checks each object that a machine reads or
// holds against what was noted about it at its birth.
//
// # Files in reading order
//
//	session.go     the Session: a runtime for one run of programs
//	heap.go        the Heap: what one thread sees of it; births, counts and audits
//	origin.go      what is noted about a container at its birth
//	found.go       checking the object to which a reference leads
//	containers.go  lists, dicts, tuples and records
//	contents.go    reading everything below an object
//	nodes.go       nodes, their type and their finalizer
//	census.go      what has happened to each node
//	weak.go        weak references
//	frozen.go      frozen copies and images
//	move.go        moving to another runtime, as a worker process does
package heap
