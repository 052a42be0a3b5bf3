package experiment

import (
	"context"
	"math"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/internal/usl"
)

// lawful is the result of a scenario whose medians follow a law.
func lawful(law usl.Law, counts ...int) *Result {
	res := &Result{Scenario: &Scenario{Name: "grow", Question: "how does it grow?"}}
	for _, mode := range []string{"one", "two"} {
		for i := range counts {
			n := counts[len(counts)-1-i]
			v := law.At(float64(n))
			res.Rows = append(res.Rows, &Row{Config: Cfg("mode", mode, "threads", n), Metric: OpsS,
				Samples: []Sample{{Value: 0.9 * v}, {Value: v}, {Value: 1.2 * v}}, rounds: []int{0, 1, 2}})
		}
	}
	return res
}

func TestLaws(t *testing.T) {
	want := usl.Law{Rate: 1e6, Contention: 0.1, Coherence: 0.01}
	for _, c := range []struct {
		counts, fitted []int
		cores          int
		crowded        bool
	}{
		{[]int{1, 2, 4}, []int{1, 2, 4}, 4, false},
		{[]int{1, 2, 4}, []int{1, 2, 4}, 2, true},
		{[]int{1, 2, 4, 8}, []int{1, 2, 4}, 4, false}, // what has no core of its own is left out
		{[]int{1, 2}, nil, 2, false},
	} {
		laws := lawful(want, c.counts...).laws(c.cores)
		if c.fitted == nil {
			if len(laws) != 0 {
				t.Errorf("%v: %+v", c.counts, laws)
			}
			continue
		}
		if len(laws) != 2 || laws[0].Config.String() != "mode=one" || laws[1].Config.String() != "mode=two" {
			t.Fatalf("%v: %+v", c.counts, laws)
		}
		l := laws[1]
		if math.Abs(l.Contention-0.1) > 1e-6 || math.Abs(l.Coherence-0.01) > 1e-6 || math.Abs(l.At(1)-1e6) > 1 ||
			l.Crowded != c.crowded || countList(l.Threads) != countList(c.fitted) || l.Cores != c.cores {
			t.Errorf("%v on %d cores: %+v", c.counts, c.cores, l)
		}
	}
}

func TestLawsInReports(t *testing.T) {
	res := lawful(usl.Law{Rate: 1e6, Contention: 0.25, Coherence: 0}, 1, 2, 4)
	report := &Report{Results: []*Result{res}, Done: 1, Total: 1}
	text := render(t, "text", report)
	for _, want := range []string{"contention", "coherence", " one          25%          0          0          more              2909 k", "ops/s at 8 threads", "is a prediction"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	json := render(t, "json", report)
	if want := `{"scenario":"grow","config":{"mode":"one"},"law":{"rate":1000000,"contention":0.25,"coherence":0,`; !strings.Contains(json, want) {
		t.Errorf("%q is missing in\n%s", want, json)
	}
	if text := render(t, "text", &Report{Results: []*Result{lawful(usl.Law{Rate: 1}, 1, 2)}}); strings.Contains(text, "contention") {
		t.Errorf("a law of two counts:\n%s", text)
	}
}

// What a sample runs bears its labels, on its lanes too.
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

// An execution trace has a task for each sample, and the regions of its lanes.
func TestTraceRegions(t *testing.T) {
	file := t.TempDir() + "/trace"
	stop, err := StartTrace(file)
	if err != nil {
		t.Fatal(err)
	}
	v := Variant{Config: Cfg("mode", "gil"), Metric: OpsS, Sample: func(ctx context.Context, b Budget) (Sample, error) {
		return OpsPerSecond(ctx, b, 2, 1, func(l *Lane) error {
			for l.Next() {
			}
			return nil
		})
	}}
	_, err = Run(t.Context(), []Scenario{scenario(v)}, options(1))
	if err := stop(); err != nil {
		t.Error(err)
	}
	data, readErr := os.ReadFile(file)
	if err != nil || readErr != nil {
		t.Fatal(err, readErr)
	}
	for _, want := range []string{"pair/mode=gil", "warm-up", "sample", "lane"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("%q is not in the trace of %d bytes", want, len(data))
		}
	}
}
