// Package mutant plants bugs, to show that a check can fail. A planted bug is one
// line at the place where the mistake would be made:
//
//	if mutant.On && mutant.Is(mutant.DoubleRelease) {
//		t.Retire(old)
//	}
//
// Builds without the tag "mutant" have On as the constant false, so that the
// compiler drops such lines before it decides what to inline. With the tag, the
// environment variable ICHOR_MUTANT names the bug that is active; without the
// variable none is. The tests of package proptest run each bug and demand that
// the property which claims to find it fails.
package mutant

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// ID names a planted bug.
type ID string

const (
	SkipImmortalTest ID = "skip-immortal-test" // IncRefs counts immortals too
	DoubleRelease    ID = "double-release"     // List.Set and Dict.Set release the old value twice
	NoRetire         ID = "no-retire"          // what leaves a slot is released at once in lock-free mode
	PopHandsOver     ID = "pop-hands-over"     // List.Pop gives the slot's count to the caller
	ForgottenIncRef  ID = "forgotten-incref"   // List.Set takes no reference to the new item
	DeadKeysLost     ID = "dead-keys-lost"     // a dict's rebuild forgets the keys of dead entries
	BlockLost        ID = "block-lost"         // a container's old block is not given back
	ChildKept        ID = "child-kept"         // an object's death leaves its children alive
	MemoryKept       ID = "memory-kept"        // the memory of a dead leaf is not given back
	QueueSubtracts   ID = "queue-subtracts"    // a foreign decrement that queues also lowers the count
	MergeForgets     ID = "merge-forgets"      // a merge does not ask whether the object is immortal
	FinalizesTwice   ID = "finalizes-twice"    // a finalizer leaves no note that it was called
	WeakFromZero     ID = "weak-from-zero"     // a weak get increments without asking whether the object is dead
	EdgeTwice        ID = "edge-twice"         // the collector counts a reference twice
	OwnerFreesQueued ID = "owner-frees-queued" // the owner's last own reference kills an object that is queued
	MergeLate        ID = "merge-late"         // a merge clears local and owner after it has published merged
	WrongPlace       ID = "wrong-place"        // List.Insert is off by one in lock-free mode
	FrozenWritten    ID = "frozen-written"     // List.At stores to a frozen list what is there already
	CopiedTwice      ID = "copied-twice"       // Freeze copies a shared object for each reference to it
	CASLies          ID = "cas-lies"           // a Cell's compare and swap that has lost a race says that it has won
)

// All is every planted bug.
var All = []ID{SkipImmortalTest, DoubleRelease, NoRetire, PopHandsOver, ForgottenIncRef, DeadKeysLost, BlockLost, ChildKept, MemoryKept, QueueSubtracts, MergeForgets,
	FinalizesTwice, WeakFromZero, EdgeTwice, OwnerFreesQueued, MergeLate, WrongPlace, FrozenWritten, CopiedTwice, CASLies}

// Variable is the environment variable that names the active bug.
const Variable = "ICHOR_MUTANT"

var active = read()

func read() ID {
	id := ID(os.Getenv(Variable))
	if On && id != "" && !slices.Contains(All, id) {
		panic(fmt.Sprintf("ichor: %s=%s names no planted bug", Variable, id))
	}
	return id
}

// Dawdle widens the window of a race, so that others have time to come in between.
func Dawdle() {
	time.Sleep(20 * time.Microsecond)
}

// Active reports whether any bug is active. Any goroutine.
func Active() bool { return On && active != "" }

// Is reports whether the bug is active. Any goroutine.
func Is(id ID) bool { return On && active == id }
