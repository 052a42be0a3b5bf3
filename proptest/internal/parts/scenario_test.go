package parts

import (
	"errors"
	"testing"

	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// Programs that random drawing seldom produces. The operand a is the root or register
// to work on, roots first; b is the register to read or to fill; n is an index and more.

// overwriteItself replaces an item of the root list with the same object.
var overwriteItself = []op{
	{opLeaf, 0, aString, 1}, // register 0
	{opAppend, 0, 0, 0},     // the list and the register hold it
	{opSet, 0, 0, 1},        // item 0
	{opAudit, 0, 0, 0},
	{opRender, 0, 0, 0},
}

// leafInList ends with a list that holds the only reference to a leaf.
var leafInList = []op{
	{opAppend, 0, 1, 2},
	{opAudit, 0, 0, 0},
}

// Thread 0 borrows an object that only the root list holds. Thread 1 takes it from the list
// before thread 0 has counted it.
var (
	popBorrowed = []turn{
		{1, op{opAppend, 0, 1, 2}}, // a new leaf, which only the list holds
		{0, op{opUse, 0, 0, 0}},    // borrow the last item
		{1, op{opPop, 0, 1, 1}},    // and drop it
		{0, op{opUse, 0, 0, 0}},    // count the borrowed reference
		{0, op{opCheckpoint, 0, 0, 0}},
		{1, op{opCheckpoint, 0, 0, 0}},
		{0, op{opRender, roots, 0, 0}},
	}
	takeBorrowed = []turn{
		{1, op{opLeaf, 0, bigInt, 1}},
		{1, op{opPut, 1, 0, 1}}, // into the root dict, which then holds the only reference
		{0, op{opUse, 1, 0, 0}},
		{1, op{opTake, 1, 1, 1}},
		{1, op{opDrop, 1, 0, 0}},
		{0, op{opUse, 1, 0, 0}},
		{0, op{opCheckpoint, 0, 0, 0}},
		{1, op{opCheckpoint, 0, 0, 0}},
	}
	overwriteBorrowed = []turn{
		{1, op{opAppend, 0, 1, 2}},
		{0, op{opUse, 0, 0, 0}},
		{1, op{opSet, 0, 0, 1}}, // item 0 becomes None
		{0, op{opUse, 0, 0, 0}},
		{0, op{opCheckpoint, 0, 0, 0}},
		{1, op{opCheckpoint, 0, 0, 0}},
		{0, op{opRender, roots, 0, 0}},
	}
)

// Thread 0 makes an object and hands two of three references to thread 1, which
// gives up one: the object is queued. Thread 1 hands two others back, one of them
// its own, and thread 0 gives up all of them before it merges.
var dropQueued = []turn{
	{0, op{opLeaf, 0, aString, 1}},
	{0, op{opCopy, 1, 0, 0}},
	{0, op{opCopy, 2, 0, 0}},
	{0, op{opSend, 0, 0, 0}},
	{0, op{opSend, 1, 0, 0}},
	{1, op{opReceive, 0, 0, 0}},
	{1, op{opReceive, 1, 0, 0}},
	{1, op{opDrop, 0, 0, 0}},
	{1, op{opCopy, 2, 1, 0}},
	{1, op{opSend, 1, 0, 0}},
	{1, op{opSend, 2, 0, 0}},
	{0, op{opReceive, 0, 0, 0}},
	{0, op{opReceive, 1, 0, 0}},
	{0, op{opDrop, 0, 0, 0}},
	{0, op{opDrop, 1, 0, 0}},
	{0, op{opDrop, 2, 0, 0}},
	{0, op{opCheckpoint, 0, 0, 0}},
}

// collectHeld has a node to which a register and another node refer. It is below an object
// that a slot has just given up.
var collectHeld = []op{
	{opNode, 0, 0, 0}, // register 0
	{opNode, 1, 0, 0}, // refers to it three times
	{opRing, 2, 1, 1}, // refers to register 1
	{opNode, 3, 2, 0},
	{opAppend, 0, 3, 1}, // only the list holds the node that refers to the ring
	{opDrop, 2, 0, 0},
	{opRemove, 0, 0, 1},
	{opCollect, 0, 0, 0},
	{opRender, roots, 0, 0},
	{opRender, roots + 1, 0, 0},
	{opAudit, 0, 0, 0},
}

// finalizeOnce makes a node die.
var finalizeOnce = []op{
	{opNode, 0, 0, 0},
	{opDrop, 0, 0, 0},
	{opCollect, 0, 0, 0},
}

// freezeShared freezes a list that holds another list twice, and reads that twice.
var freezeShared = []op{
	{opList, 0, 0, 0},
	{opList, 1, 0, 6}, // holds register 0, twice
	{opFreeze, roots + 1, 2, 0},
	{opGet, roots + 2, 3, 1},
	{opGet, roots + 2, 4, 2},
	{opState, roots + 3, roots + 4, 0}, // are they the same
	{opAppend, roots + 2, 0, 0},        // refused
	{opFreeze, roots + 2, 5, 1},        // freeze a frozen list, by way of an image
	{opRender, roots + 5, 0, 0},
	{opAudit, 0, 0, 0},
}

// Races between threads: one program for each thread, repeated.
var (
	// Thread 0 drops the target of a weak reference that thread 1 follows.
	followDying = [][]op{
		{
			{opList, 0, 0, 0}, {opWeak, 1, 0, 0}, {opField, 2, 1, 0}, // the root record
			{opCheckpoint, 0, 0, 0}, {opCheckpoint, 0, 0, 0}, {opCheckpoint, 0, 0, 0}, {opDrop, 0, 0, 0},
		},
		{{opGetField, 2, 0, 0}, {opFollow, roots, 1, 0}, {opDrop, 1, 0, 0}, {opCheckpoint, 0, 0, 0}},
	}

	// Thread 0 merges an object that thread 1 drops. Its memory is reused at once.
	dropMerged = [][]op{
		{
			{opLeaf, 0, bigText, 1}, {opCopy, 1, 0, 0}, {opSend, 0, 0, 0}, {opSend, 1, 0, 0},
			{opDrop, 0, 0, 0}, {opDrop, 1, 0, 0}, {opCheckpoint, 0, 0, 0}, {opCheckpoint, 0, 0, 0},
		},
		{
			{opReceive, 0, 0, 0}, {opReceive, 1, 0, 0}, {opCopy, 2, 0, 0}, {opDrop, 0, 0, 0},
			{opDrop, 1, 0, 0}, {opRender, roots + 2, 0, 0}, {opRender, roots + 2, 0, 0}, {opDrop, 2, 0, 0}, {opLeaf, 3, bigText, 2}, {opCopy, 4, 3, 0},
		},
	}
)

// race runs each program on a thread of its own, over and over, without other operations
// in between.
func race(o rt.Options, progs [][]op, rounds int) (err error) {
	defer catch(&err)
	s, err := open(o, byItself)
	if err != nil {
		return err
	}
	var shared *shared[handle]
	machines := make([]*machine[handle], len(progs))
	err = s.do(func(h *heap) error { shared = newShared(h, 0); return nil })
	if err != nil {
		return err
	}
	err = s.parallel(len(progs), func(h *heap, worker int) error {
		m := newMachine(h, shared, serialsOf(worker+1))
		machines[worker] = m
		for range rounds {
			for _, o := range progs[worker] {
				m.do(o)
			}
			h.checkpoint()
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = s.do(func(h *heap) error {
		h.finish(machines...)
		return nil
	})
	if err != nil {
		return err
	}
	return s.close()
}

// TestScenarios runs the programs above.
func TestScenarios(t *testing.T) {
	for _, o := range AllModes(rt.Options{}) {
		t.Run(ModeName(o), func(t *testing.T) {
			t.Run("overwrite itself", func(t *testing.T) {
				seen, err := sequential(o, onDemand, overwriteItself)
				demand(t, err)
				demand(t, seen.agrees(overwriteItself))
			})
			t.Run("drop all", func(t *testing.T) {
				_, err := sequential(o, onDemand, leafInList)
				demand(t, err)
			})
			t.Run("collect what is held", func(t *testing.T) {
				seen, err := sequential(o, onDemand, collectHeld)
				demand(t, err)
				demand(t, seen.agrees(collectHeld))
			})
			t.Run("freeze what is shared", func(t *testing.T) {
				seen, err := sequential(o, onDemand, freezeShared)
				demand(t, err)
				demand(t, seen.agrees(freezeShared))
			})
			t.Run("finalize once", func(t *testing.T) {
				_, err := sequential(o, onDemand, finalizeOnce)
				demand(t, err)
			})
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

// agrees fails with property (d) if the history differs from the model's.
func (seen history) agrees(prog []op) error {
	if d := seen.diff(modelled(prog), prog); d != "" {
		return propAgree.broken("%s", d)
	}
	return nil
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
	var f *failure
	switch {
	case errors.As(err, &f):
		t.Fatalf("broken: %s\n%s", f.property, f.detail)
	case err != nil:
		t.Fatal(err)
	}
}
