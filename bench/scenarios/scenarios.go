// Package scenarios has the scenarios of the command bench, a file each: what they ask, how
// they measure it, and what they conclude.
//
// Any goroutine may call each function.
package scenarios

import "github.com/ichor-go/ichor/bench/experiment"

// All returns the scenarios in the order in which the command lists them.
func All() []experiment.Scenario {
	return []experiment.Scenario{
		Ladder(), Pair(), Contend(), Requests(), Tree(), Small(), Handoff(), Neighbours(), Dict(),
		Threads(), Collect(), Memory(), Walk(), Freeze(), Image(), GCShare(),
	}
}

// Compared returns what the command compares if nothing else is asked for.
func Compared() []experiment.Scenario { return []experiment.Scenario{Requests()} }
