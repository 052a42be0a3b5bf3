package runs

import (
	"testing"

	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/proptest/internal/heap"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// Programs that random drawing seldom produces. The operand a is the root or register
// to work on, roots first; b is the register to read or to fill; n is an index and more.

func op(code machine.Code, a, b, n uint8) machine.Op {
	return machine.Op{Code: code, A: a, B: b, N: n}
}

func turn(thread uint8, code machine.Code, a, b, n uint8) machine.Turn {
	return machine.Turn{Thread: thread, Op: op(code, a, b, n)}
}

// overwriteItself replaces an item of the root list with the same object.
var overwriteItself = []machine.Op{
	op(machine.OpLeaf, 0, machine.String, 1), // register 0
	op(machine.OpAppend, 0, 0, 0),            // the list and the register hold it
	op(machine.OpSet, 0, 0, 1),               // item 0
	op(machine.OpAudit, 0, 0, 0),
	op(machine.OpRender, 0, 0, 0),
}

// leafInList ends with a list that holds the only reference to a leaf.
var leafInList = []machine.Op{
	op(machine.OpAppend, 0, 1, 2),
	op(machine.OpAudit, 0, 0, 0),
}

// Thread 0 borrows an object that only the root list holds. Thread 1 takes it from the list
// before thread 0 has counted it.
var (
	popBorrowed = []machine.Turn{
		turn(1, machine.OpAppend, 0, 1, 2), // a new leaf, which only the list holds
		turn(0, machine.OpUse, 0, 0, 0),    // borrow the last item
		turn(1, machine.OpPop, 0, 1, 1),    // and drop it
		turn(0, machine.OpUse, 0, 0, 0),    // count the borrowed reference
		turn(0, machine.OpCheckpoint, 0, 0, 0),
		turn(1, machine.OpCheckpoint, 0, 0, 0),
		turn(0, machine.OpRender, machine.Roots, 0, 0),
	}
	takeBorrowed = []machine.Turn{
		turn(1, machine.OpLeaf, 0, machine.BigInt, 1),
		turn(1, machine.OpPut, 1, 0, 1), // into the root dict, which then holds the only reference
		turn(0, machine.OpUse, 1, 0, 0),
		turn(1, machine.OpTake, 1, 1, 1),
		turn(1, machine.OpDrop, 1, 0, 0),
		turn(0, machine.OpUse, 1, 0, 0),
		turn(0, machine.OpCheckpoint, 0, 0, 0),
		turn(1, machine.OpCheckpoint, 0, 0, 0),
	}
	overwriteBorrowed = []machine.Turn{
		turn(1, machine.OpAppend, 0, 1, 2),
		turn(0, machine.OpUse, 0, 0, 0),
		turn(1, machine.OpSet, 0, 0, 1), // item 0 becomes None
		turn(0, machine.OpUse, 0, 0, 0),
		turn(0, machine.OpCheckpoint, 0, 0, 0),
		turn(1, machine.OpCheckpoint, 0, 0, 0),
		turn(0, machine.OpRender, machine.Roots, 0, 0),
	}
)

// Thread 0 makes an object and hands two of three references to thread 1, which
// gives up one: the object is queued. Thread 1 hands two others back, one of them
// its own, and thread 0 gives up all of them before it merges.
var dropQueued = []machine.Turn{
	turn(0, machine.OpLeaf, 0, machine.String, 1),
	turn(0, machine.OpCopy, 1, 0, 0),
	turn(0, machine.OpCopy, 2, 0, 0),
	turn(0, machine.OpSend, 0, 0, 0),
	turn(0, machine.OpSend, 1, 0, 0),
	turn(1, machine.OpReceive, 0, 0, 0),
	turn(1, machine.OpReceive, 1, 0, 0),
	turn(1, machine.OpDrop, 0, 0, 0),
	turn(1, machine.OpCopy, 2, 1, 0),
	turn(1, machine.OpSend, 1, 0, 0),
	turn(1, machine.OpSend, 2, 0, 0),
	turn(0, machine.OpReceive, 0, 0, 0),
	turn(0, machine.OpReceive, 1, 0, 0),
	turn(0, machine.OpDrop, 0, 0, 0),
	turn(0, machine.OpDrop, 1, 0, 0),
	turn(0, machine.OpDrop, 2, 0, 0),
	turn(0, machine.OpCheckpoint, 0, 0, 0),
}

// collectHeld has a node to which a register and another node refer. It is below an object
// that a slot has just given up.
var collectHeld = []machine.Op{
	op(machine.OpNode, 0, 0, 0), // register 0
	op(machine.OpNode, 1, 0, 0), // refers to it three times
	op(machine.OpRing, 2, 1, 1), // refers to register 1
	op(machine.OpNode, 3, 2, 0),
	op(machine.OpAppend, 0, 3, 1), // only the list holds the node that refers to the ring
	op(machine.OpDrop, 2, 0, 0),
	op(machine.OpRemove, 0, 0, 1),
	op(machine.OpCollect, 0, 0, 0),
	op(machine.OpRender, machine.Roots, 0, 0),
	op(machine.OpRender, machine.Roots+1, 0, 0),
	op(machine.OpAudit, 0, 0, 0),
}

// finalizeOnce makes a node die.
var finalizeOnce = []machine.Op{
	op(machine.OpNode, 0, 0, 0),
	op(machine.OpDrop, 0, 0, 0),
	op(machine.OpCollect, 0, 0, 0),
}

// freezeShared freezes a list that holds another list twice, and reads that twice.
var freezeShared = []machine.Op{
	op(machine.OpList, 0, 0, 0),
	op(machine.OpList, 1, 0, 6), // holds register 0, twice
	op(machine.OpFreeze, machine.Roots+1, 2, 0),
	op(machine.OpGet, machine.Roots+2, 3, 1),
	op(machine.OpGet, machine.Roots+2, 4, 2),
	op(machine.OpState, machine.Roots+3, machine.Roots+4, 0), // are they the same
	op(machine.OpAppend, machine.Roots+2, 0, 0),              // refused
	op(machine.OpFreeze, machine.Roots+2, 5, 1),              // freeze a frozen list, by way of an image
	op(machine.OpRender, machine.Roots+5, 0, 0),
	op(machine.OpAudit, 0, 0, 0),
}

// Races between threads: one program for each thread, repeated.
var (
	// Thread 0 drops the target of a weak reference that thread 1 follows.
	followDying = [][]machine.Op{
		{
			op(machine.OpList, 0, 0, 0), op(machine.OpWeak, 1, 0, 0), op(machine.OpField, 2, 1, 0), // the root record
			op(machine.OpCheckpoint, 0, 0, 0), op(machine.OpCheckpoint, 0, 0, 0), op(machine.OpCheckpoint, 0, 0, 0), op(machine.OpDrop, 0, 0, 0),
		},
		{op(machine.OpGetField, 2, 0, 0), op(machine.OpFollow, machine.Roots, 1, 0), op(machine.OpDrop, 1, 0, 0), op(machine.OpCheckpoint, 0, 0, 0)},
	}

	// Thread 0 merges an object that thread 1 drops. Its memory is reused at once.
	dropMerged = [][]machine.Op{
		{
			op(machine.OpLeaf, 0, machine.BigText, 1), op(machine.OpCopy, 1, 0, 0), op(machine.OpSend, 0, 0, 0), op(machine.OpSend, 1, 0, 0),
			op(machine.OpDrop, 0, 0, 0), op(machine.OpDrop, 1, 0, 0), op(machine.OpCheckpoint, 0, 0, 0), op(machine.OpCheckpoint, 0, 0, 0),
		},
		{
			op(machine.OpReceive, 0, 0, 0), op(machine.OpReceive, 1, 0, 0), op(machine.OpCopy, 2, 0, 0), op(machine.OpDrop, 0, 0, 0),
			op(machine.OpDrop, 1, 0, 0), op(machine.OpRender, machine.Roots+2, 0, 0), op(machine.OpRender, machine.Roots+2, 0, 0), op(machine.OpDrop, 2, 0, 0), op(machine.OpLeaf, 3, machine.BigText, 2), op(machine.OpCopy, 4, 3, 0),
		},
	}
)

// race runs each program on a thread of its own, over and over, without other operations
// in between.
func race(o rt.Options, progs [][]machine.Op, rounds int) (err error) {
	defer property.Catch(&err)
	s, err := heap.Open(o, heap.ByItself)
	if err != nil {
		return err
	}
	var shared *machine.Shared[heap.Handle]
	machines := make([]*machine.Machine[heap.Handle], len(progs))
	err = s.Do(func(h *heap.Heap) error { shared = machine.NewShared(h, 0); return nil })
	if err != nil {
		return err
	}
	err = s.Parallel(len(progs), func(h *heap.Heap, worker int) error {
		m := machine.New(h, shared, machine.SerialsOf(worker))
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
	err = s.Do(func(h *heap.Heap) error {
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
	for _, o := range modes.All(rt.Options{}) {
		t.Run(modes.Name(o), func(t *testing.T) {
			t.Run("overwrite itself", func(t *testing.T) { demand(t, sequential(o, heap.OnDemand, overwriteItself)) })
			t.Run("drop all", func(t *testing.T) { demand(t, sequential(o, heap.OnDemand, leafInList)) })
			t.Run("collect what is held", func(t *testing.T) { demand(t, sequential(o, heap.OnDemand, collectHeld)) })
			t.Run("freeze what is shared", func(t *testing.T) { demand(t, sequential(o, heap.OnDemand, freezeShared)) })
			t.Run("finalize once", func(t *testing.T) { demand(t, sequential(o, heap.OnDemand, finalizeOnce)) })
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
