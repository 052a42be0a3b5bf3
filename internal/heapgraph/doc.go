// Package heapgraph answers questions about a heap that was copied into plain slices: which
// chains of references lead to an object, which references no object explains, and how many
// bytes an object keeps alive. It knows nothing of the runtime, and touches no object.
//
// # Terms
//
//	node       an object, or a frozen graph as a whole; numbered in ascending order of handles
//	edge       a reference from a node to a node; there may be several between the same two
//	holder     who owns counts besides nodes: a scope, a call, a queue
//	root       a count that a holder owns
//	excess     counts of a node that neither edges nor roots explain: Go code holds them
//	entry      a reason why a node is alive that is no edge: see Holder
//	dominator  a node through which every chain from an entry to another node leads
//	retained   the bytes of a node and of all nodes that it dominates: what would be freed with it
//
// # Entries
//
// Every node gets an entry or is reached from one, so that each has a dominator:
//
//	roots and excess         of all nodes
//	loaded frozen graphs     all of them
//	immortals                those to which no other immortal leads by way of immortals alone, and
//	                         one of each cycle of such
//	the rest, as garbage     those that no entry above leads to, likewise: cycles that no collection
//	                         has found yet
//
// So no mortal dominates an immortal, which stays when the mortal is freed.
//
// A Graph is not changed by questions. The tables behind the answers are made when first needed.
// Any goroutine may ask, several at a time.
package heapgraph
