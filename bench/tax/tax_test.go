package tax

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
	"github.com/ichor-go/ichor/bench/internal/cpu"
	"github.com/ichor-go/ichor/bench/scenarios"
)

// call runs the command and returns its exit code and what it wrote.
func call(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var c struct {
		Tax Flags `cmd:"" name:"immortality-tax"`
	}
	return benchtest.Call(ctx, &c, func(_ string, stdout, stderr io.Writer) error { return Run(ctx, "bench", &c.Tax, stdout, stderr) },
		append([]string{"immortality-tax"}, args...)...)
}

// Both builds are compiled, and measured row by row.
func TestImmortalityTax(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(file, []byte(`{"a": [1, 2.5, "x", {"b": null}], "c": "text"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t.Context(), "-scenario", "tree,requests", "-benchtime", "10ms", "-count", "1", "-format", "json", "-input", file)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, row := range [][2]string{{"requests", experiment.ModeGIL}, {"requests", experiment.ModeBiased}, {"tree", experiment.ModeAtomic}} {
		for _, build := range []string{buildTested, buildUntested} {
			if want := fmt.Sprintf(`"config":{"scenario":%q,"mode":%q,"immortal":"none","threads":1,"build":%q}`, row[0], row[1], build); !strings.Contains(stdout, want) {
				t.Errorf("%q is missing in %s", want, stdout)
			}
		}
	}
	if cpu.Measure() != "" && !strings.Contains(stdout, `"cpu":`) {
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

// The figures follow from the rows: tested relative to untested, in per cent.
func TestConcludeTax(t *testing.T) {
	s := (&taxRun{}).scenario([]experiment.Scenario{scenarios.Tree()})
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
	if want := "tree mode=gil threads=1: the test costs +2.50 % [+2.50, +2.50]."; len(lines) != 4 || lines[0] != want {
		t.Errorf("%q, want %q first", lines, want)
	}
	if want := "In all, tree (the mean of 3 rows in each round): the test costs +2.50 % [+2.50, +2.50]."; lines[len(lines)-1] != want {
		t.Errorf("%q, want %q last", lines, want)
	}
}

// The flags reach the measurement.
func TestTaxFlags(t *testing.T) {
	f := &Flags{}
	flags := f.measured()
	if env := flags.Env(taxTime, taxCount); env.Count != taxCount || env.Until != 0 || len(env.Threads) != 1 {
		t.Errorf("without flags: %+v", env)
	}
	f.Count, f.Until, f.Within = 20, 0.05, command.Time(time.Hour)
	flags = f.measured()
	if env := flags.Env(taxTime, taxCount); env.Count != 20 || env.Until != 0.05 || env.Limit != time.Hour {
		t.Errorf("with flags: %+v", env)
	}
}

func TestTaxUsage(t *testing.T) {
	for args, want := range map[string]string{
		"-scenario dict":       `unknown scenario "dict"; known: requests, tree, pair`,
		"-input /none":         "/none",
		"-format xml":          "-format must be one of",
		"-scenario tree -coun": "unknown flag",
	} {
		if code, _, stderr := call(t.Context(), strings.Fields(args)...); code != command.ExitUsage || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q", args, code, stderr)
		}
	}
	t.Chdir(t.TempDir())
	if code, _, stderr := call(t.Context(), "-scenario", "tree"); code != command.ExitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "checkout") {
		t.Errorf("outside of the module: exit code %d, %q", code, stderr)
	}
}

// A child says what is wrong with its job, and ends with its parent.
func TestTaxChild(t *testing.T) {
	var out bytes.Buffer
	if err := Serve(t.Context(), strings.NewReader("nonsense"), &out); err == nil {
		t.Error("nonsense was accepted as a job")
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

// Ctrl-C ends the command at any time, and it leaves no builds behind.
func TestTaxInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	code, _, stderr := call(ctx, "-scenario", "tree", "-count", "10000")
	if code != command.ExitInterrupted || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "ichor-tax*")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// A child reports an error to its parent.
func TestTaxIsWatched(t *testing.T) {
	used := []experiment.CPUTime{{CPU: 3, Delay: 4}}
	row := &taxRow{Variant: experiment.Variant{Sample: func(context.Context, experiment.Budget) (experiment.Sample, error) {
		return experiment.Sample{Value: 1, Ops: 1, Threads: used}, nil
	}}}
	if got, err := row.sample(t.Context(), experiment.Budget{Ops: 1}); err != nil || !slices.Equal(got.Threads, used) {
		t.Errorf("%+v, %v", got, err)
	}
}

// The default documents are those that come with Go, if there are any.
func TestTaxInput(t *testing.T) {
	var f Flags
	if err := f.findInput(t.Context()); err != nil || len(f.Input) != 2 {
		t.Errorf("%q, %v", f.Input, err)
	}
	t.Setenv("PATH", "")
	t.Setenv("GOROOT", t.TempDir())
	if code, stdout, stderr := call(t.Context()); code != command.ExitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "-input FILE") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}
