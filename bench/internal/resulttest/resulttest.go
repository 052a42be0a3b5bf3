// Package resulttest makes results for tests.
package resulttest

import (
	"context"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/internal/usl"
)

// Fixed is a variant with the given values as its samples, in turn.
func Fixed(c experiment.Config, metric string, values ...float64) experiment.Variant {
	i := -1 // the first sample is the warm-up
	return experiment.Variant{Config: c, Metric: metric, Sample: func(context.Context, experiment.Budget) (experiment.Sample, error) {
		v := values[max(i, 0)%len(values)]
		i++
		return experiment.Sample{Value: v, Ops: 100}, nil
	}}
}

// Scenario has the variants. The baseline is the row with state=loads.
func Scenario(variants ...experiment.Variant) experiment.Scenario {
	return experiment.Scenario{
		Name: "pair", Question: "what does a pair cost?",
		Plan:         func(*experiment.Env) (*experiment.Plan, error) { return &experiment.Plan{Variants: variants}, nil },
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("state", "loads") },
		BaselineName: "state=loads",
	}
}

// TwoRows has two rows of three samples each.
func TwoRows() experiment.Scenario {
	return Scenario(
		Fixed(experiment.Cfg("state", "address", "temp", "hot", "threads", 1), experiment.NsOp, 0.93, 0.91, 1.02),
		Fixed(experiment.Cfg("state", "loads", "temp", "hot", "threads", 1), experiment.NsOp, 0.80, 0.90, 0.51),
	)
}

// Run measures a scenario.
func Run(t *testing.T, s experiment.Scenario, count int) *experiment.Report {
	t.Helper()
	report, err := experiment.Run(t.Context(), []experiment.Scenario{s}, experiment.Options{
		Env: experiment.Env{Count: count, Budget: experiment.Budget{Duration: time.Millisecond}, Threads: []int{1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range report.Results {
		res.Rounds = nil // or a warning says how fast the machine was
	}
	return report
}

// WithShares has three rows. The second row got a given share of its CPU time.
func WithShares(t *testing.T, count int, share float64) *experiment.Report {
	t.Helper()
	const asked = 10 * time.Millisecond
	var variants []experiment.Variant
	for i, name := range []string{"loads", "address", "shared"} {
		threads := []experiment.CPUTime{{CPU: asked}}
		if i == 1 {
			got := time.Duration(share * float64(asked))
			threads = []experiment.CPUTime{{CPU: got, Delay: asked - got}}
		}
		variants = append(variants, experiment.Variant{Config: experiment.Cfg("state", name), Metric: experiment.NsOp,
			Sample: func(context.Context, experiment.Budget) (experiment.Sample, error) {
				return experiment.Sample{Value: float64(i + 1), Ops: 1, Threads: threads}, nil
			}})
	}
	s := Scenario(variants...)
	s.Conclude = func(res *experiment.Result) (lines []string) {
		var each []string
		for _, row := range res.Rows {
			each = experiment.Item(each, row.Config.Get("state").(string), res.Ratio(row))
			lines = experiment.Say(lines, "%s takes %v ns.", row.Config.Get("state"), row.Stat())
		}
		return experiment.Say(lines, "Against loads: %s.", each)
	}
	return Run(t, s, count)
}

// EndApart makes some threads of the row's samples end when others have a share of the time to go.
func EndApart(row *experiment.Row, share float64) {
	for i := range row.Samples {
		row.Samples[i].Load.Apart = share
	}
}

// Lawful is a result with medians that follow a law.
func Lawful(law usl.Law, counts ...int) *experiment.Result {
	res := &experiment.Result{Scenario: &experiment.Scenario{Name: "grow", Question: "how does it grow?"}}
	for _, mode := range []string{"one", "two"} {
		for i := range counts {
			n := counts[len(counts)-1-i]
			v := law.At(float64(n))
			res.Rows = append(res.Rows, &experiment.Row{Config: experiment.Cfg("mode", mode, "threads", n), Metric: experiment.OpsS,
				Samples: []experiment.Sample{{Value: 0.9 * v}, {Value: v}, {Value: 1.2 * v}}})
		}
	}
	return res
}

// Grid has a row for each combination of values of axes, with samples enough for an interval.
func Grid(metric string, axes ...experiment.Axis) *experiment.Result {
	res := &experiment.Result{Scenario: &experiment.Scenario{Name: "many"}}
	var add func(c experiment.Config, rest []experiment.Axis)
	add = func(c experiment.Config, rest []experiment.Axis) {
		if len(rest) > 0 {
			for _, v := range rest[0].Values {
				add(append(c[:len(c):len(c)], experiment.KV{Key: rest[0].Key, Value: v}), rest[1:])
			}
			return
		}
		row := &experiment.Row{Config: c, Metric: metric}
		for i := range 7 {
			row.Samples = append(row.Samples, experiment.Sample{Value: 1e6 * float64(len(res.Rows)+10+i)})
		}
		res.Rows = append(res.Rows, row)
	}
	add(nil, axes)
	return res
}
