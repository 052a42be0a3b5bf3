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
// variable none is. Kills says which test finds which; `go run ./proptest/mutants` runs
// them all.
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
	SkipImmortalTest   ID = "skip-immortal-test"  // IncRefs counts immortals too
	DoubleRelease      ID = "double-release"      // List.Set and Dict.Set release the old value twice
	NoRetire           ID = "no-retire"           // what leaves a slot is released at once in lock-free mode
	PopHandsOver       ID = "pop-hands-over"      // List.Pop gives the slot's count to the caller
	ForgottenIncRef    ID = "forgotten-incref"    // List.Set takes no reference to the new item
	DeadKeysLost       ID = "dead-keys-lost"      // a dict's rebuild forgets the keys of dead entries
	BlockLost          ID = "block-lost"          // a container's old block is not given back
	ChildKept          ID = "child-kept"          // an object's death leaves its children alive
	MemoryKept         ID = "memory-kept"         // the memory of a dead leaf is not given back
	QueueSubtracts     ID = "queue-subtracts"     // a foreign decrement that queues also lowers the count
	MergeForgets       ID = "merge-forgets"       // a merge does not ask whether the object is immortal
	FinalizesTwice     ID = "finalizes-twice"     // a finalizer leaves no note that it was called
	WeakFromZero       ID = "weak-from-zero"      // a weak get increments without asking whether the object is dead
	EdgeTwice          ID = "edge-twice"          // the collector counts a reference twice
	OwnerFreesQueued   ID = "owner-frees-queued"  // the owner's last own reference kills an object that is queued
	MergeLate          ID = "merge-late"          // a merge clears local and owner after it has published merged
	WrongPlace         ID = "wrong-place"         // List.Insert is off by one in lock-free mode
	FrozenWritten      ID = "frozen-written"      // List.At stores to a frozen list what is there already
	CopiedTwice        ID = "copied-twice"        // Freeze copies a shared object for each reference to it
	CASLies            ID = "cas-lies"            // a Cell's compare and swap that has lost a race says that it has won
	DetachLoses        ID = "detach-loses"        // a thread that detaches forgets what it has retired
	GraceAtOnce        ID = "grace-at-once"       // every grace period has passed
	StoreKeeps         ID = "store-keeps"         // Cell.Store does not release the old value
	KeyUncounted       ID = "key-uncounted"       // Dict.Set takes no reference to a new key
	TombstoneStops     ID = "tombstone-stops"     // a lookup ends at a dead entry with its key
	RebuildLoses       ID = "rebuild-loses"       // a dict's rebuild leaves its third entry out
	GrowDrops          ID = "grow-drops"          // a list that grows loses its last item
	ClearKeeps         ID = "clear-keeps"         // List.Clear releases nothing
	ExtendUncounted    ID = "extend-uncounted"    // List.Extend takes no references
	VersionKept        ID = "version-kept"        // a container does not raise its version when it changes
	WeakKept           ID = "weak-kept"           // a death empties no weak reference
	FinalizerLost      ID = "finalizer-lost"      // an object that is to be finalized is forgotten
	EdgeMissed         ID = "edge-missed"         // the collector counts no reference
	RootMissed         ID = "root-missed"         // the collector takes what one reference from outside holds for garbage
	ImmortaliseShallow ID = "immortalise-shallow" // Immortalize stops at what it is given
	RemoteLost         ID = "remote-lost"         // a slot that another thread frees is lost
	FreedTwice         ID = "freed-twice"         // a slot that another thread has freed is taken in twice
	FreezeUnvalidated  ID = "freeze-unvalidated"  // Freeze does not look whether something has changed meanwhile
	SlotUnchecked      ID = "slot-unchecked"      // opening an image takes any word for a reference
	ChecksumSkipped    ID = "checksum-skipped"    // opening an image does not compare the objects' checksum
	UnloadOverlooks    ID = "unload-overlooks"    // Unload does not look into what was born immortal
	SharedAsUsed       ID = "shared-as-used"      // a worker takes free slots of the parent for used ones
	SharedWeakLost     ID = "shared-weak-lost"    // weak references do not travel to a worker
	SharedReused       ID = "shared-reused"       // a worker puts new objects on the parent's pages
	LimitIgnored       ID = "limit-ignored"       // the memory limit is not looked at
	ScopeForgets       ID = "scope-forgets"       // a scope releases nothing
	BornKept           ID = "born-kept"           // a birth that has failed gives up nothing that it held
	DrainLost          ID = "drain-lost"          // the queue's reference to an object that is merged is lost
	TryIncWrites       ID = "try-inc-writes"      // a weak get counts an immortal
	NeverSticky        ID = "never-sticky"        // a shared count has no bands
	StopEarly          ID = "stop-early"          // a stop of the world waits for nobody
	JSONLeaks          ID = "json-leaks"          // a document that has failed is not given up
	DictPopHandsOver   ID = "dict-pop-hands-over" // Dict.Pop gives the slot's count to the caller
)

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

// Dawdle widens the window of a race, so that others have time to come in between.
func Dawdle() {
	time.Sleep(20 * time.Microsecond)
}

// Active reports whether any bug is active. Any goroutine.
func Active() bool { return On && active != "" }

// Is reports whether the bug is active. Any goroutine.
func Is(id ID) bool { return On && active == id }
