package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
)

// Both builds are made, and measured row by row.
func TestImmortalityTax(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(file, []byte(`{"a": [1, 2.5, "x", {"b": null}], "c": "text"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t, "immortality-tax", "-scenario", "tree,requests", "-benchtime", "10ms", "-count", "1", "-format", "json", "-input", file)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, row := range [][2]string{{"requests", modeGIL}, {"requests", modeBiased}, {"tree", modeAtomic}} {
		for _, build := range []string{buildTested, buildUntested} {
			if want := fmt.Sprintf(`"config":{"scenario":%q,"mode":%q,"immortal":"none","threads":1,"build":%q}`, row[0], row[1], build); !strings.Contains(stdout, want) {
				t.Errorf("%q is missing in %s", want, stdout)
			}
		}
	}
	if experiment.CPUMeasure() != "" && !strings.Contains(stdout, `"cpu":`) {
		t.Errorf("no row knows what its threads asked for: %s", stdout)
	}
}

// Both builds are measured once in each round, whichever is asked first, and each gets its
// own sample of that round.
func TestTaxPair(t *testing.T) {
	measured := 0
	p := &taxPair{asked: map[string]int{}, measure: func(_ context.Context, round int, _ experiment.Budget) (map[string]experiment.Sample, error) {
		if round != measured {
			t.Errorf("round %d, want %d", round, measured)
		}
		measured++
		return map[string]experiment.Sample{buildTested: {Value: float64(10 * round)}, buildUntested: {Value: float64(10*round + 1)}}, nil
	}}
	for round, builds := range [][]string{{buildUntested, buildTested}, {buildTested, buildUntested}, {buildTested, buildUntested}} {
		for _, build := range builds {
			want := float64(10 * round)
			if build == buildUntested {
				want++
			}
			if s, err := p.sample(t.Context(), build, experiment.Budget{}); err != nil || s.Value != want {
				t.Errorf("round %d, %s: %v, %v, want %v", round, build, s.Value, err, want)
			}
		}
	}
	if measured != 3 {
		t.Errorf("measured %d times, want 3", measured)
	}
}

// The figures are those of the rows: tested against untested, in per cent.
func TestConcludeTax(t *testing.T) {
	s := (&taxRun{}).scenario([]experiment.Scenario{treeScenario()})
	plan := s.Plan
	s.Plan = func(env *experiment.Env) (*experiment.Plan, error) {
		p, err := plan(env)
		for i := range p.Variants {
			ns := 100.0
			if p.Variants[i].Config.Get("build") == buildTested {
				ns = 102.5
			}
			p.Variants[i].Sample = func(context.Context, experiment.Budget) (experiment.Sample, error) {
				return experiment.Sample{Value: ns, Ops: 1}, nil
			}
		}
		return p, err
	}
	report, err := experiment.Run(t.Context(), []experiment.Scenario{s}, experiment.Options{Env: experiment.Env{Threads: []int{1}, Budget: experiment.Budget{Ops: 1}, Count: 6}})
	if err != nil {
		t.Fatal(err)
	}
	lines := s.Conclude(report.Results[0])
	if want := "tree mode=gil threads=1: the test costs +2.50 % (95 %: +2.50 to +2.50)."; len(lines) != 4 || lines[0] != want {
		t.Errorf("%q, want %q first", lines, want)
	}
	if want := "In all, tree (the mean of 3 rows in each round): the test costs +2.50 % (95 %: +2.50 to +2.50)."; lines[len(lines)-1] != want {
		t.Errorf("%q, want %q last", lines, want)
	}
}

func TestTaxUsage(t *testing.T) {
	for args, want := range map[string]string{
		"immortality-tax -scenario dict":       `unknown scenario "dict"; known: requests, tree, pair`,
		"immortality-tax -input /none":         "/none",
		"immortality-tax -format xml":          "-format must be one of",
		"immortality-tax -scenario tree -coun": "unknown flag",
	} {
		if code, _, stderr := call(t, strings.Fields(args)...); code != command.ExitUsage || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q", args, code, stderr)
		}
	}
	t.Chdir(t.TempDir())
	if code, _, stderr := call(t, "immortality-tax", "-scenario", "tree"); code != command.ExitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "checkout") {
		t.Errorf("outside of the module: exit code %d, %q", code, stderr)
	}
}

// A child says what is wrong with its job, and ends with its caller.
func TestTaxChild(t *testing.T) {
	var out bytes.Buffer
	if err := serveTax(t.Context(), strings.NewReader("nonsense"), &out); err == nil {
		t.Error("nonsense is a job")
	}
	for _, job := range []taxJob{
		{Scenario: "none"},
		{Scenario: "tree", Config: "none", Threads: []int{1}},
	} {
		row := &taxRow{}
		if err := errors.Join(row.open(t.Context(), job), row.close()); err == nil {
			t.Errorf("%+v is a row", job)
		}
	}
	row := &taxRow{}
	defer func() {
		if err := row.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := row.open(t.Context(), taxJob{Scenario: "tree", Config: "mode=gil/immortal=none/threads=1", Threads: []int{1}}); err != nil {
		t.Fatal(err)
	}
	if got, err := row.sample(t.Context(), experiment.Budget{Ops: 10}); err != nil || got.Ops < 10 || got.Ns <= 0 {
		t.Errorf("%+v, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := row.sample(ctx, experiment.Budget{Duration: time.Hour}); err == nil {
		t.Error("an hour has gone by")
	}
}

// Ctrl-C ends it at any time, and leaves no builds behind.
func TestTaxInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	var out, errs bytes.Buffer
	code := testApp(&out, &errs).main(ctx, []string{"immortality-tax", "-scenario", "tree", "-count", "10000"})
	if code != command.ExitInterrupted || errs.Len() > 0 {
		t.Errorf("exit code %d, stderr %q", code, errs.String())
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "ichor-tax*")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}
