// Package scenarios has the scenarios of the command bench, one in each file: the question, how
// it is measured, and what follows from the table.
//
// Any goroutine may call each function.
package scenarios

import "github.com/ichor-go/ichor/bench/experiment"

// All returns the scenarios in the order in which the command lists them.
func All() []experiment.Scenario {
	return []experiment.Scenario{
		Ladder(), Pair(), Contend(), Requests(), Tree(), Small(), Birth(), First(), Handoff(), Neighbours(), Dict(),
		Threads(), Collect(), Memory(), JSON(), Walk(), Freeze(), Image(), GCShare(),
	}
}

// Extra returns scenarios that the command runs only if they are named.
func Extra() []experiment.Scenario { return []experiment.Scenario{Profiled()} }

// Compared returns the scenarios that the command compares by default.
func Compared() []experiment.Scenario { return []experiment.Scenario{Requests()} }
