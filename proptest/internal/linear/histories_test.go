package linear

import (
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/ichor-go/ichor/proptest/internal/modes"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestHistories records what threads observe of one object, and searches for an order of their
// calls that explains it, in every mode.
func TestHistories(t *testing.T) {
	for _, o := range modes.All(rt.Options{}) {
		t.Run(modes.Name(o), func(t *testing.T) {
			for name, s := range subjects {
				t.Run(name, func(t *testing.T) { checkHistories(t, o, s) })
			}
		})
	}
}

// TestHistoriesCanFail gives the checker histories that no order explains.
func TestHistoriesCanFail(t *testing.T) {
	op := func(client int, c call, from int64, out any, to int64) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: c, Call: from, Output: out, Return: to}
	}
	for name, seen := range map[string]struct {
		of    string
		calls []porcupine.Operation
	}{
		"a stored value is not loaded": {"cell", []porcupine.Operation{op(0, call{1, 5, 0}, 0, 0, 1), op(1, call{0, 0, 0}, 2, 0, 3)}},
		"two cas from one value":       {"cell", []porcupine.Operation{op(0, call{3, 0, 1}, 0, true, 9), op(1, call{3, 0, 2}, 0, true, 9)}},
		"a deleted key is found":       {"dict", []porcupine.Operation{op(0, call{2, 1, 3}, 0, 0, 1), op(0, call{3, 1, 0}, 2, true, 3), op(1, call{0, 1, 0}, 4, 3, 5)}},
		"popped twice":                 {"dict", []porcupine.Operation{op(0, call{2, 1, 3}, 0, 0, 1), op(0, call{4, 1, 0}, 2, 3, 9), op(1, call{4, 1, 0}, 2, 3, 9)}},
		"a length of what never was":   {"dict with length", []porcupine.Operation{op(0, call{2, 1, 3}, 0, 0, 1), op(1, call{10, 0, 0}, 2, 2, 3)}},
		"an item is lost":              {"list", []porcupine.Operation{op(0, call{2, 0, 3}, 0, true, 9), op(1, call{2, 0, 4}, 0, true, 9), op(1, call{1, 0, 0}, 10, 1, 11)}},
		"stored twice by two":          {"dict", []porcupine.Operation{op(0, call{5, 1, 3}, 0, maybe{3, false}, 9), op(1, call{5, 1, 4}, 0, maybe{4, false}, 9)}},
		"deleted by two":               {"dict with gates", []porcupine.Operation{op(0, call{2, 1, 0}, 0, 0, 1), op(0, call{9, 1, 0}, 2, true, 9), op(1, call{9, 1, 0}, 2, true, 9)}},
		"swapped out by two":           {"dict", []porcupine.Operation{op(0, call{2, 1, 3}, 0, 0, 1), op(0, call{7, 1, 4}, 2, maybe{3, true}, 9), op(1, call{7, 1, 5}, 2, maybe{3, true}, 9)}},
		"not the oldest":               {"dict in order", []porcupine.Operation{op(0, call{0, 0, 1}, 0, 0, 1), op(0, call{0, 1, 1}, 2, 0, 3), op(1, call{1, 0, 0}, 4, "b1", 5)}},
		"the first is popped twice":    {"list", []porcupine.Operation{op(0, call{2, 0, 3}, 0, true, 1), op(0, call{7, 0, 0}, 2, 3, 9), op(1, call{7, 0, 0}, 2, 3, 9)}},
		"a snapshot of what never was": {"list", []porcupine.Operation{op(0, call{2, 0, 3}, 0, true, 1), op(0, call{2, 0, 4}, 2, true, 3), op(1, call{8, 0, 0}, 0, "4", 3)}},
		"an addition is lost":          {"cell of sums", []porcupine.Operation{op(0, call{2, 5, 0}, 0, int64(1), 9), op(1, call{2, 5, 0}, 0, int64(1), 9)}},
		"a field was swapped by two":   {"record", []porcupine.Operation{op(0, call{3, 0, 1}, 0, true, 9), op(1, call{3, 0, 2}, 0, true, 9)}},
		"it comes back":                {"biased counts", []porcupine.Operation{op(0, call{0, 0, 0}, 0, false, 1), op(1, call{0, 0, 0}, 2, true, 3)}},
		"it dies twice":                {"counts", []porcupine.Operation{op(0, call{2, 0, 0}, 0, true, 1), op(1, call{2, 0, 0}, 2, true, 3)}},
	} {
		if porcupine.CheckOperations(subjects[seen.of].model, seen.calls) {
			t.Errorf("%s: it is explained", name)
		}
	}
}
