package parts

import (
	"testing"

	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// Programs that random drawing seldom produces. The operand a is the root or register
// to work on, roots first; b is the register to read or to fill; n is an index and more.

func op(code Code, a, b, n uint8) Op {
	return Op{Code: code, A: a, B: b, N: n}
}

func turn(thread uint8, code Code, a, b, n uint8) Turn {
	return Turn{Thread: thread, Op: op(code, a, b, n)}
}

// overwriteItself replaces an item of the root list with the same object.
var overwriteItself = []Op{
	op(OpLeaf, 0, String, 1), // register 0
	op(OpAppend, 0, 0, 0),    // the list and the register hold it
	op(OpSet, 0, 0, 1),       // item 0
	op(OpAudit, 0, 0, 0),
	op(OpRender, 0, 0, 0),
}

// leafInList ends with a list that holds the only reference to a leaf.
var leafInList = []Op{
	op(OpAppend, 0, 1, 2),
	op(OpAudit, 0, 0, 0),
}

// Thread 0 borrows an object that only the root list holds. Thread 1 takes it from the list
// before thread 0 has counted it.
var (
	popBorrowed = []Turn{
		turn(1, OpAppend, 0, 1, 2), // a new leaf, which only the list holds
		turn(0, OpUse, 0, 0, 0),    // borrow the last item
		turn(1, OpPop, 0, 1, 1),    // and drop it
		turn(0, OpUse, 0, 0, 0),    // count the borrowed reference
		turn(0, OpCheckpoint, 0, 0, 0),
		turn(1, OpCheckpoint, 0, 0, 0),
		turn(0, OpRender, Roots, 0, 0),
	}
	takeBorrowed = []Turn{
		turn(1, OpLeaf, 0, BigInt, 1),
		turn(1, OpPut, 1, 0, 1), // into the root dict, which then holds the only reference
		turn(0, OpUse, 1, 0, 0),
		turn(1, OpTake, 1, 1, 1),
		turn(1, OpDrop, 1, 0, 0),
		turn(0, OpUse, 1, 0, 0),
		turn(0, OpCheckpoint, 0, 0, 0),
		turn(1, OpCheckpoint, 0, 0, 0),
	}
	overwriteBorrowed = []Turn{
		turn(1, OpAppend, 0, 1, 2),
		turn(0, OpUse, 0, 0, 0),
		turn(1, OpSet, 0, 0, 1), // item 0 becomes None
		turn(0, OpUse, 0, 0, 0),
		turn(0, OpCheckpoint, 0, 0, 0),
		turn(1, OpCheckpoint, 0, 0, 0),
		turn(0, OpRender, Roots, 0, 0),
	}
)

// Thread 0 makes an object and hands two of three references to thread 1, which
// gives up one: the object is queued. Thread 1 hands two others back, one of them
// its own, and thread 0 gives up all of them before it merges.
var dropQueued = []Turn{
	turn(0, OpLeaf, 0, String, 1),
	turn(0, OpCopy, 1, 0, 0),
	turn(0, OpCopy, 2, 0, 0),
	turn(0, OpSend, 0, 0, 0),
	turn(0, OpSend, 1, 0, 0),
	turn(1, OpReceive, 0, 0, 0),
	turn(1, OpReceive, 1, 0, 0),
	turn(1, OpDrop, 0, 0, 0),
	turn(1, OpCopy, 2, 1, 0),
	turn(1, OpSend, 1, 0, 0),
	turn(1, OpSend, 2, 0, 0),
	turn(0, OpReceive, 0, 0, 0),
	turn(0, OpReceive, 1, 0, 0),
	turn(0, OpDrop, 0, 0, 0),
	turn(0, OpDrop, 1, 0, 0),
	turn(0, OpDrop, 2, 0, 0),
	turn(0, OpCheckpoint, 0, 0, 0),
}

// collectHeld has a node to which a register and another node refer. It is below an object
// that a slot has just given up.
var collectHeld = []Op{
	op(OpNode, 0, 0, 0), // register 0
	op(OpNode, 1, 0, 0), // refers to it three times
	op(OpRing, 2, 1, 1), // refers to register 1
	op(OpNode, 3, 2, 0),
	op(OpAppend, 0, 3, 1), // only the list holds the node that refers to the ring
	op(OpDrop, 2, 0, 0),
	op(OpRemove, 0, 0, 1),
	op(OpCollect, 0, 0, 0),
	op(OpRender, Roots, 0, 0),
	op(OpRender, Roots+1, 0, 0),
	op(OpAudit, 0, 0, 0),
}

// finalizeOnce makes a node die.
var finalizeOnce = []Op{
	op(OpNode, 0, 0, 0),
	op(OpDrop, 0, 0, 0),
	op(OpCollect, 0, 0, 0),
}

// freezeShared freezes a list that holds another list twice, and reads that twice.
var freezeShared = []Op{
	op(OpList, 0, 0, 0),
	op(OpList, 1, 0, 6), // holds register 0, twice
	op(OpFreeze, Roots+1, 2, 0),
	op(OpGet, Roots+2, 3, 1),
	op(OpGet, Roots+2, 4, 2),
	op(OpState, Roots+3, Roots+4, 0), // are they the same
	op(OpAppend, Roots+2, 0, 0),      // refused
	op(OpFreeze, Roots+2, 5, 1),      // freeze a frozen list, by way of an image
	op(OpRender, Roots+5, 0, 0),
	op(OpAudit, 0, 0, 0),
}

// Races between threads: one program for each thread, repeated.
var (
	// Thread 0 drops the target of a weak reference that thread 1 follows.
	followDying = [][]Op{
		{
			op(OpList, 0, 0, 0), op(OpWeak, 1, 0, 0), op(OpField, 2, 1, 0), // the root record
			op(OpCheckpoint, 0, 0, 0), op(OpCheckpoint, 0, 0, 0), op(OpCheckpoint, 0, 0, 0), op(OpDrop, 0, 0, 0),
		},
		{op(OpGetField, 2, 0, 0), op(OpFollow, Roots, 1, 0), op(OpDrop, 1, 0, 0), op(OpCheckpoint, 0, 0, 0)},
	}

	// Thread 0 merges an object that thread 1 drops. Its memory is reused at once.
	dropMerged = [][]Op{
		{
			op(OpLeaf, 0, BigText, 1), op(OpCopy, 1, 0, 0), op(OpSend, 0, 0, 0), op(OpSend, 1, 0, 0),
			op(OpDrop, 0, 0, 0), op(OpDrop, 1, 0, 0), op(OpCheckpoint, 0, 0, 0), op(OpCheckpoint, 0, 0, 0),
		},
		{
			op(OpReceive, 0, 0, 0), op(OpReceive, 1, 0, 0), op(OpCopy, 2, 0, 0), op(OpDrop, 0, 0, 0),
			op(OpDrop, 1, 0, 0), op(OpRender, Roots+2, 0, 0), op(OpRender, Roots+2, 0, 0), op(OpDrop, 2, 0, 0), op(OpLeaf, 3, BigText, 2), op(OpCopy, 4, 3, 0),
		},
	}
)

// race runs each program on a thread of its own, over and over, without other operations
// in between.
func race(o rt.Options, progs [][]Op, rounds int) (err error) {
	defer Catch(&err)
	s, err := Open(o, ByItself)
	if err != nil {
		return err
	}
	var shared *Shared[Handle]
	machines := make([]*Machine[Handle], len(progs))
	err = s.Do(func(h *Heap) error { shared = NewShared(h, 0); return nil })
	if err != nil {
		return err
	}
	err = s.Parallel(len(progs), func(h *Heap, worker int) error {
		m := New(h, shared, SerialsOf(worker))
		machines[worker] = m
		for range rounds {
			for _, o := range progs[worker] {
				m.Do(o)
			}
			h.Checkpoint()
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = s.Do(func(h *Heap) error {
		h.Finish(machines...)
		return nil
	})
	if err != nil {
		return err
	}
	return s.Close()
}

// TestScenarios runs the programs above.
func TestScenarios(t *testing.T) {
	for _, o := range AllModes(rt.Options{}) {
		t.Run(ModeName(o), func(t *testing.T) {
			t.Run("overwrite itself", func(t *testing.T) { demand(t, sequential(o, OnDemand, overwriteItself)) })
			t.Run("drop all", func(t *testing.T) { demand(t, sequential(o, OnDemand, leafInList)) })
			t.Run("collect what is held", func(t *testing.T) { demand(t, sequential(o, OnDemand, collectHeld)) })
			t.Run("freeze what is shared", func(t *testing.T) { demand(t, sequential(o, OnDemand, freezeShared)) })
			t.Run("finalize once", func(t *testing.T) { demand(t, sequential(o, OnDemand, finalizeOnce)) })
			t.Run("follow what is dying", func(t *testing.T) { demand(t, race(o, followDying, rounds())) })
			t.Run("drop what is merged", func(t *testing.T) { demand(t, race(o, dropMerged, rounds())) })
			if o.Mode != rt.LockFree {
				return
			}
			t.Run("pop what is borrowed", func(t *testing.T) { demand(t, interleaved(o, 2, popBorrowed)) })
			t.Run("take what is borrowed", func(t *testing.T) { demand(t, interleaved(o, 2, takeBorrowed)) })
			t.Run("drop what is queued", func(t *testing.T) { demand(t, interleaved(o, 2, dropQueued)) })
			t.Run("overwrite what is borrowed", func(t *testing.T) { demand(t, interleaved(o, 2, overwriteBorrowed)) })
		})
	}
}

// rounds is how often a race is run: often enough to find a planted bug, if there is one.
func rounds() int {
	if mutant.Active() {
		return 50_000
	}
	return 100
}

func demand(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
