// Package model is the domain of plain Go values. It says what a program must observe.
//
// # Files in reading order
//
//	run.go      running a program
//	model.go    values, and what changes them
//	garbage.go  which values die, and when
//	frozen.go   frozen copies
package model

import "github.com/ichor-go/ichor/proptest/internal/machine"

// Run runs a program on the model and returns its history.
func Run(prog []machine.Op) (seen machine.History) {
	d := &domain{}
	d.machine = machine.New(d, machine.NewShared(d, 0), 0)
	for _, o := range prog {
		seen = append(seen, d.machine.Step(o))
	}
	return seen
}
