package experiment

import (
	"bytes"
	"context"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"testing"
	"time"
)

// The code that a sample runs has its labels, also on its lanes.
func TestLabels(t *testing.T) {
	var profiles []string
	v := Variant{Config: Cfg("mode", "gil"), Metric: OpsS, Sample: func(ctx context.Context, b Budget) (Sample, error) {
		return OpsPerSecond(ctx, b, 1, 1, func(l *Lane) error {
			var text strings.Builder
			for l.Next() {
				if text.Len() == 0 {
					if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
						return err
					}
				}
			}
			profiles = append(profiles, text.String())
			return nil
		})
	}}
	o := options(1)
	o.Budget = Budget{Duration: time.Millisecond}
	if _, err := Run(t.Context(), []Scenario{scenario(v)}, o); err != nil {
		t.Fatal(err)
	}
	for i, phase := range []string{"warm-up", "sample"} {
		if want := `# labels: {"phase":"` + phase + `", "scenario":"pair", "variant":"mode=gil"}`; len(profiles) != 2 || strings.Count(profiles[i], want) < 2 {
			t.Errorf("%s is missing, or not on the lane, in %v", want, profiles)
		}
	}
}

// An execution trace has a task for each sample, with the regions of its lanes.
func TestTraceRegions(t *testing.T) {
	var data bytes.Buffer
	if err := trace.Start(&data); err != nil {
		t.Fatal(err)
	}
	v := Variant{Config: Cfg("mode", "gil"), Metric: OpsS, Sample: func(ctx context.Context, b Budget) (Sample, error) {
		return OpsPerSecond(ctx, b, 2, 1, func(l *Lane) error {
			for l.Next() {
			}
			return nil
		})
	}}
	_, err := Run(t.Context(), []Scenario{scenario(v)}, options(1))
	trace.Stop()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pair/mode=gil", "warm-up", "sample", "lane"} {
		if !bytes.Contains(data.Bytes(), []byte(want)) {
			t.Errorf("%q is not in the trace of %d bytes", want, data.Len())
		}
	}
}
