// Package machine has the programs that proptest draws, and the machine that runs them. The
// documentation of package proptest describes both.
//
// # Files in reading order
//
//	op.go          operations, and their codes
//	program.go     drawing programs of one thread, and turns of several
//	domain.go      the Domain: where a machine computes
//	serial.go      serials of nodes
//	leaves.go      the leaves of programs, which show by their bytes whether they are intact
//	machine.go     the Machine: its registers, and its simple operations
//	operations.go  its operations on lists, dicts and nodes, and the rare ones
//	shared.go      what the machines of a program share
//	texts.go       the form in which values and collections are in a history
//	history.go     histories, and where two of them differ
package machine
