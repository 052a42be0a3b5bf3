package proptest

import (
	"errors"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// Programs that random ones come by seldom. Operands: a is the root or register
// to work on, roots first; b the register to read or to fill; n an index and more.

// overwriteItself replaces an item of the root list by the same object.
var overwriteItself = []op{
	{opLeaf, 0, aString, 1}, // register 0
	{opAppend, 0, 0, 0},     // the list and the register hold it
	{opSet, 0, 0, 1},        // item 0
	{opAudit, 0, 0, 0},
	{opRender, 0, 0, 0},
}

// dropAll ends with a list that alone holds a leaf.
var dropAll = []op{
	{opAppend, 0, 1, 2},
	{opAudit, 0, 0, 0},
}

// Thread 0 borrows what only the root list holds. Thread 1 takes it from the list
// before thread 0 has counted it.
var (
	popBorrowed = []turn{
		{1, op{opAppend, 0, 1, 2}}, // a new leaf, which only the list holds
		{0, op{opUse, 0, 0, 0}},    // borrow the last item
		{1, op{opPop, 0, 1, 1}},    // and drop it
		{0, op{opUse, 0, 0, 0}},    // count what was borrowed
		{0, op{opCheckpoint, 0, 0, 0}},
		{1, op{opCheckpoint, 0, 0, 0}},
		{0, op{opRender, roots, 0, 0}},
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

// TestScenarios runs the programs above.
func TestScenarios(t *testing.T) {
	for _, o := range configs() {
		t.Run(configName(o), func(t *testing.T) {
			t.Run("overwrite itself", func(t *testing.T) {
				seen, err := sequential(o, onDemand, overwriteItself)
				demand(t, err)
				if d := seen.diff(modelled(overwriteItself), overwriteItself); d != "" {
					t.Error(d)
				}
			})
			t.Run("drop all", func(t *testing.T) {
				_, err := sequential(o, onDemand, dropAll)
				demand(t, err)
			})
			if o.Mode != rt.LockFree {
				return
			}
			t.Run("pop what is borrowed", func(t *testing.T) { demand(t, interleaved(o, 2, popBorrowed)) })
			t.Run("overwrite what is borrowed", func(t *testing.T) { demand(t, interleaved(o, 2, overwriteBorrowed)) })
		})
	}
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
