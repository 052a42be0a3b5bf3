package command

import (
	"bytes"
	"context"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
)

// A folder of plots has a figure for each metric of the rows and for each extra one that has a number. Their
// files differ, whatever is in a unit.
func TestPlotsOfMetrics(t *testing.T) {
	s := experiment.Scenario{Name: "mine", Question: "what?", Exact: true, Plan: func(*experiment.Env) (*experiment.Plan, error) {
		p := &experiment.Plan{}
		for i, metric := range []string{experiment.OpsS, "hits"} {
			p.Variants = append(p.Variants, experiment.Variant{Config: experiment.Cfg("v", i), Metric: metric,
				Sample: func(context.Context, experiment.Budget) (experiment.Sample, error) {
					return experiment.Sample{Value: 1, Extra: map[string]float64{"B/op": 2, "B:op": 3, "p99-ns": 4, "far": math.MaxFloat64}}, nil
				}})
		}
		return p, nil
	}}
	dir := t.TempDir()
	var out, errs bytes.Buffer
	if err := Run(t.Context(), "mine", "", []string{"-plots", dir, "-benchtime", "1ms", "-count", "1"}, &out, &errs, s); err != nil {
		t.Fatal(err, errs.String())
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	if want := []string{"mine-B-op-2.svg", "mine-B-op.svg", "mine-hits.svg", "mine-p99-ns.svg", "mine.svg"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	for file, unit := range map[string]string{"mine.svg": "ops/s", "mine-hits.svg": "hits", "mine-p99-ns.svg": "p99-ns"} {
		if text, err := os.ReadFile(dir + "/" + file); err != nil || !strings.Contains(string(text), "mine: "+unit) {
			t.Errorf("%s: %v, no %s in %.400s", file, err, unit, text)
		}
	}
}

// Figures of several scenarios have files of their own, however their names are put together and however
// long they are.
func TestPlotsOfScenarios(t *testing.T) {
	mine := func(name, unit string) experiment.Scenario {
		return experiment.Scenario{Name: name, Question: "what?", Exact: true, Plan: func(*experiment.Env) (*experiment.Plan, error) {
			return &experiment.Plan{Variants: []experiment.Variant{{Config: experiment.Cfg("v", 1), Metric: "B",
				Sample: func(context.Context, experiment.Budget) (experiment.Sample, error) {
					return experiment.Sample{Value: 1, Extra: map[string]float64{unit: 2}}, nil
				}}}}, nil
		}}
	}
	long := strings.Repeat("長い", 50)
	dir := t.TempDir()
	var out, errs bytes.Buffer
	err := Run(t.Context(), "mine", "", []string{"-plots", dir, "-benchtime", "1ms", "-count", "1"}, &out, &errs,
		mine("a", "b"), mine("a-B", "c"), mine(long, "c"))
	if err != nil {
		t.Fatal(err, errs.String())
	}
	cut := strings.Repeat("長い", 33)
	for file, title := range map[string]string{"a": "a: B", "a-b": "a: b", "a-B-2": "a-B: B", "a-B-c": "a-B: c", cut: long + ": B", cut + "-2": long + ": c"} {
		if text, err := os.ReadFile(dir + "/" + file + ".svg"); err != nil || !strings.Contains(string(text), "<title>"+title) {
			t.Errorf("%s: %v, no %s in %.400s", file, err, title, text)
		}
	}
}

// What was interrupted is not drawn, and a line says so.
func TestPlotsOfInterrupted(t *testing.T) {
	var stop func()
	var taken int
	s := experiment.Scenario{Name: "mine", Question: "what?", Plan: func(*experiment.Env) (*experiment.Plan, error) {
		return &experiment.Plan{Variants: []experiment.Variant{{Config: experiment.Cfg("v", 1), Metric: "B",
			Sample: func(context.Context, experiment.Budget) (experiment.Sample, error) {
				if taken++; taken == 3 {
					stop()
				}
				return experiment.Sample{Value: 1}, nil
			}}}}, nil
	}}
	for flags, want := range map[string]string{"": "", "-plots": "mine: mine is not drawn: samples are missing\n"} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stop, taken = cancel, 0
		args := []string{"-benchtime", "1ms"}
		if flags != "" {
			args = append(args, flags, dir)
		}
		var out, errs bytes.Buffer
		err := Run(ctx, "mine", "", args, &out, &errs, s)
		if code := Code(ctx, "mine", err, &errs); code != ExitInterrupted || errs.String() != want || !strings.HasSuffix(out.String(), "partial: interrupted after 1 of 10 samples\n") {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", flags, code, out.String(), errs.String())
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
			t.Errorf("%v, %v", files, err)
		}
	}
}
