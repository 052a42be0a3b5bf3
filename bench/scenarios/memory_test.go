package scenarios

import (
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
)

// Bytes, unlike times, do not vary: samples agree, and all documents together take about the sum.
func TestMemory(t *testing.T) {
	noRaces(t)
	const small = `[1, 2.5, "text", {"name": null, "other": [true, 12345678901]}]`
	res := shortRun(t, Memory(), nil, experiment.Document{Name: "large", Data: benchtest.Large}, experiment.Document{Name: inTotal, Data: []byte(small)})
	for _, heap := range []string{HeapIchor, HeapGo} {
		large := res.Find(experiment.Cfg("document", "large", "heap", heap)).Stat()
		total := res.Find(experiment.Cfg("document", inTotal, "heap", heap)).Stat()
		if large.Max > 1.01*large.Min || total.Max > 1.01*total.Min {
			t.Errorf("%s: samples from %.0f to %.0f, and from %.0f to %.0f", heap, large.Min, large.Max, total.Min, total.Max)
		}
		if total.Median < 0.99*large.Median || total.Median > 1.02*large.Median {
			t.Errorf("%s: %.0f bytes in total, the large document has %.0f", heap, total.Median, large.Median)
		}
	}
	// 20,000 dicts and their tables of 2 entries in slots of 32 and 48 bytes, as many strings of 5
	// bytes in slots of 32 and floats in slots of 16.
	if got := res.Find(experiment.Cfg("document", "large", "heap", HeapIchor)).Stat().Median; got < 20000*128 || got > 20000*136 {
		t.Errorf("%.0f bytes for the large document", got)
	}
}

func TestCountValues(t *testing.T) {
	row := memoryRow{docs: []experiment.Document{{Data: []byte(`[1, {"a": [], "b": null}]`)}, {Data: []byte(`"x"`)}}}
	if err := row.setup(t.Context()); err != nil || row.values != 6 {
		t.Errorf("%v values, %v", row.values, err)
	}
}
