package scenarios

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
)

// TestMain runs the children of scenarios.
func TestMain(m *testing.M) {
	if os.Getenv(benchtest.Child) != "" {
		if err := Serve(os.Args[2], os.Args[3], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// noRaces skips a test of one goroutine if the tests run for the race detector only: with it, and
// with -short. They are ten times as slow then, and the detector can find nothing in them.
func noRaces(t *testing.T) {
	if raceEnabled && testing.Short() {
		t.Skip("one goroutine")
	}
}

// shortRun runs a scenario with samples of few operations, which ends with Close:
// so a leak is an error. keep chooses the rows; nil is all.
func shortRun(t *testing.T, s experiment.Scenario, keep func(c experiment.Config) bool, docs ...experiment.Document) *experiment.Result {
	t.Helper()
	if plan := s.Plan; keep != nil {
		s.Plan = func(env *experiment.Env) (*experiment.Plan, error) {
			p, err := plan(env)
			if err == nil {
				p.Variants = slices.DeleteFunc(p.Variants, func(v experiment.Variant) bool { return !keep(v.Config) })
			}
			return p, err
		}
	}
	report, err := experiment.Run(t.Context(), []experiment.Scenario{benchtest.Unwatched(s)}, experiment.Options{
		Env: experiment.Env{Documents: docs, Threads: []int{1, 2}, Budget: experiment.Budget{Ops: 2000}, Count: 2, Size: 1 << 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	res := report.Results[0]
	for _, row := range res.Rows {
		if len(row.Samples) != 2 || row.Stat().Min <= 0 {
			t.Errorf("%s: %v", row.Config, row.Samples)
		}
	}
	if s.Conclude != nil && len(s.Conclude(res)) == 0 {
		t.Errorf("%s concludes nothing", s.Name)
	}
	return res
}

// everyKind has all kinds of values that a document may have.
const everyKind = `{"": "", "a b": [null, true, false, 0, -1, 12345678901, 123456789012345678901234567890, 1.5, 1e2, [], {}],
	"nine": {"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9}, "text": "\u00e4\u0000"}`

// The conclusions of each scenario agree with its table.
// TestConclusionsFromParts concludes from a single row, and from all rows but one, of each
// scenario, as -only leaves them.
func TestConclusionsFromParts(t *testing.T) {
	env := &experiment.Env{Threads: []int{1, 2}, Size: 1 << 20, Documents: []experiment.Document{{Name: "small", Data: []byte(everyKind)}}}
	for _, s := range slices.Concat(All(), Extra()) {
		p, err := s.Plan(env)
		if err != nil {
			t.Fatal(err)
		}
		var rows []*experiment.Row
		for _, v := range p.Variants {
			rows = append(rows, &experiment.Row{Config: v.Config, Metric: v.Metric, Samples: make([]experiment.Sample, 6)})
		}
		conclude := func(rows []*experiment.Row) {
			res := &experiment.Result{Scenario: &s, Rows: rows}
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s, %d rows, the first is %s: %v", s.Name, len(rows), rows[0].Config, p)
				}
			}()
			for i := range rows {
				for k := range rows[i].Samples {
					rows[i].Samples[k] = experiment.Sample{Value: float64(10 + i + k), Ops: 1}
				}
			}
			if text := strings.Join(s.Conclude(res), "\n"); strings.Contains(text, "NaN") {
				t.Errorf("%s, %d rows: %s", s.Name, len(rows), text)
			}
		}
		for i := range rows {
			conclude(rows[i : i+1])
			if len(rows) > 1 {
				conclude(slices.Concat(rows[:i], rows[i+1:]))
			}
		}
	}
}

func TestConclusions(t *testing.T) {
	for _, c := range []struct {
		scenario experiment.Scenario
		lines    int
	}{{Contend(), 1}, {Tree(), 3}, {Small(), 6}, {Threads(), 1}, {Neighbours(), 1}} {
		res := shortRun(t, c.scenario, nil)
		if lines := res.Scenario.Conclude(res); len(lines) != c.lines || strings.Contains(strings.Join(lines, ""), "NaN") {
			t.Errorf("%s: %q", c.scenario.Name, lines)
		}
	}
}
