package scenarios

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
)

// Each row is a process, which keeps its documents, and ends with the scenario.
func TestGCShare(t *testing.T) {
	noRaces(t)
	t.Setenv(benchtest.Child, "1")
	t.Setenv("GOGC", "off") // does not reach the children, which would otherwise have no cycles
	res := shortRun(t, GCShare(), nil, experiment.Document{Name: "small", Data: []byte(everyKind)}, experiment.Document{Name: "large", Data: benchtest.Large})
	extra := func(heap, metric string) float64 {
		s := extraOf(res.Find(experiment.Cfg("heap", heap)), metric)
		return s.Min
	}
	for _, row := range res.Rows {
		if s := row.Stat(); s.Max > 100 {
			t.Errorf("%s: %v %%", row.Config, s)
		}
		if n := extra(row.Config.Get("heap").(string), gcCycles); n < gcshareCycles {
			t.Errorf("%s: %v cycles", row.Config, n)
		}
	}
	kept := extra(HeapGo, goHeapBytes)
	outside := extra(HeapFrozen, goHeapBytes) < kept/2 || raceEnabled // then all memory is Go memory
	if kept < 1<<20 || extra(heapEmpty, goHeapBytes) > kept/2 || !outside {
		t.Errorf("Go's heap has %.0f bytes with maps, %.0f with frozen documents, %.0f with none", kept, extra(HeapFrozen, goHeapBytes), extra(heapEmpty, goHeapBytes))
	}
	if n := extra(HeapFrozen, bytesFrozen); n < 20000*68 {
		t.Errorf("%.0f frozen bytes", n)
	}
}

// A child that cannot do its job says why. A child at work can be stopped.
func TestGCShareChild(t *testing.T) {
	t.Setenv(benchtest.Child, "1")
	for _, heap := range []string{HeapGo, HeapFrozen} {
		c := &gcshareChild{run: &gcshareRun{docs: []experiment.Document{{Name: "bad", Data: []byte("[")}}, copies: 1}, heap: heap}
		if err := c.start(t.Context()); err == nil || !strings.Contains(err.Error(), "bad: ") {
			t.Errorf("%s: %v", heap, err)
		}
		if err := c.stop(); err != nil {
			t.Errorf("%s: %v", heap, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := &gcshareChild{run: &gcshareRun{}, heap: heapEmpty}
	if err := c.start(ctx); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	begin := time.Now()
	if _, err := c.sample(ctx, experiment.Budget{Duration: time.Hour}); err == nil || time.Since(begin) > time.Minute {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
	if err := c.stop(); err == nil {
		t.Error("the child ended by itself")
	}
}
