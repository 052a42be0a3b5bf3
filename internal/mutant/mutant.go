// Package mutant plants bugs, to show that a check can fail. A planted bug is one line
// at the place where the mistake would be made:
//
//	if mutant.On && mutant.Is(mutant.DoubleRelease) {
//		t.Retire(old)
//	}
//
// In builds without the tag "mutant", On is the constant false, so the compiler drops
// such lines before it decides what to inline. With the tag, the environment variable
// ICHOR_MUTANT names the active bug; without the variable none is active. Changes
// describes each bug, and Kills names the tests that find it. `go run
// ./proptest/mutants` runs them all.
package mutant

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// ID names a planted bug.
type ID string

// Variable is the environment variable that names the active bug.
const Variable = "ICHOR_MUTANT"

var active = read()

func read() ID {
	id := ID(os.Getenv(Variable))
	if On && id != "" && !slices.ContainsFunc(Kills, func(k Kill) bool { return k.Bug == id }) {
		panic(fmt.Sprintf("ichor: %s=%s names no planted bug", Variable, id))
	}
	return id
}

// Dawdle widens the window of a race, so that other threads have time to run.
func Dawdle() {
	time.Sleep(20 * time.Microsecond)
}

// Active reports whether any bug is active. Any goroutine.
func Active() bool { return On && active != "" }

// Is reports whether the bug is active. Any goroutine.
func Is(id ID) bool { return On && active == id }
