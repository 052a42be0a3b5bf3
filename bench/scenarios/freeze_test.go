package scenarios

import (
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
)

func TestFreeze(t *testing.T) {
	noRaces(t)
	res := shortRun(t, Freeze(), nil, experiment.Document{Name: "large", Data: benchtest.Large}, experiment.Document{Name: "small", Data: []byte(everyKind)})
	if len(res.Rows) != 6 || len(res.Scenario.Conclude(res)) != 3 {
		t.Errorf("%d rows, %d conclusions, want two steps for two documents and their total", len(res.Rows), len(res.Scenario.Conclude(res)))
	}
	extra := func(name, metric string) float64 {
		for _, s := range res.Find(experiment.Cfg("document", name, "what", stepFreeze)).Stats() {
			if s.Metric == metric {
				return s.Median
			}
		}
		t.Fatalf("no %s", metric)
		return 0
	}
	// 20,000 dicts of 2 entries, with a header and 8 words; as many floats, which are a header; an
	// item each. All strings are one.
	if got := extra("large", bytesFrozen); got < 20000*68 || got > 20000*68+1000 {
		t.Errorf("%.0f frozen bytes for the large document", got)
	}
	if f, m := extra("large", bytesFrozen), extra("large", bytesMortal); extra("large", frozenShare) != f/m || m < f {
		t.Errorf("%.0f frozen bytes of %.0f, and a share of %v", f, m, extra("large", frozenShare))
	}
	if all := extra(inTotal, frozenObject); all != extra("large", frozenObject)+extra("small", frozenObject)+3 { // a dict and two strings
		t.Errorf("%.0f objects in total", all)
	}
}
