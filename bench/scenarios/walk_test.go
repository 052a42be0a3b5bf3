package scenarios

import (
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
)

// Every sample checks that both walks visit the same values.
func TestWalk(t *testing.T) {
	res := shortRun(t, Walk(), nil, experiment.Document{Name: "large", Data: benchtest.Large}, experiment.Document{Name: inTotal, Data: []byte(everyKind)})
	if len(res.Rows) != 6 || res.Find(experiment.Cfg("document", inTotal, "heap", HeapFrozen)) == nil {
		t.Errorf("%d rows, want frozen and go for two documents and their total", len(res.Rows))
	}
	// The first line is in a report's summary, so it is about all documents.
	if lines := res.Scenario.Conclude(res); len(lines) != 2 || !strings.HasPrefix(lines[0], "All documents, frozen: ") || !strings.Contains(lines[1], "large") {
		t.Errorf("concludes %q", lines)
	}
}

// A walk that misses a value, or visits another one, is detected.
func TestWalkDiffers(t *testing.T) {
	g := &walkGraph{doc: experiment.Document{Name: "every kind", Data: []byte(everyKind)}}
	if err := g.setup(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.close(); err != nil {
			t.Error(err)
		}
	}()
	// 1 dict of 4, in it 4 keys, "", a list of 11, a dict of 9 keys and values, and a text.
	if want := uint64(1 + 4 + 1 + 1 + 11 + 1 + 2*9 + 1); g.want.visits != want {
		t.Errorf("%d visits, want %d", g.want.visits, want)
	}
	for _, heap := range []string{HeapFrozen, HeapGo} {
		if err := g.walk(heap); err != nil {
			t.Error(err)
		}
	}
	list := g.graph.(map[string]any)["a b"].([]any)
	for i, v := range list {
		for _, other := range []any{int64(5), "other", nil, false} {
			if v == other {
				continue
			}
			list[i] = other
			if err := g.walk(HeapGo); err == nil {
				t.Errorf("the walk did not notice that item %d is %v", i, other)
			}
			if list[i] = v; i >= 9 { // [] and {} cannot be compared
				break
			}
		}
	}
}
