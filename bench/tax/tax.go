// Package tax measures what the test for immortality costs when all objects are mortal. It builds
// the command with the test and without it, and compares the two builds.
//
// One goroutine at a time calls it.
package tax

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ichor-go/ichor/bench/documents"
	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/median"
	"github.com/ichor-go/ichor/bench/internal/process"
	"github.com/ichor-go/ichor/bench/scenarios"
)

// Flags are those of `bench immortality-tax`.
type Flags struct {
	Input     []string          `sep:"none" placeholder:"FILE..." help:"JSON documents for requests, instead of small ones that come with Go."`
	Scenario  []string          `placeholder:"NAME" help:"What to measure: requests, tree, pair (default: all three)."`
	Benchtime experiment.Budget `placeholder:"TIME" help:"Length of one sample (default: 50ms)."`
	Count     command.Count     `placeholder:"N" help:"Rounds, each with a sample of every row of both builds (default: 128)."`
	Until     command.Percent   `placeholder:"PERCENT" help:"Take more rounds until the interval of each median extends no further: 5%."`
	Within    command.Time      `placeholder:"TIME" needs:"until" help:"How long -until may take (default: 1m)."`
	Threads   command.Threads   `placeholder:"N,..." help:"Thread counts (default: 1)."`
	Format    string            `enum:"text,json,bench" default:"text" placeholder:"text|json|bench" help:"A table, one object a line, or lines for benchstat (default: text)."`
	Progress  string            `enum:"auto,on,off" default:"auto" placeholder:"auto|on|off" help:"Progress bar on standard error: auto (the default) shows it if that is a terminal."`
}

// Values of the config key build, and the tag that leaves the test out.
const (
	buildTested   = "tested"
	buildUntested = "untested"

	untestedTag = "ichormortal"
)

// taxLayouts is the greatest number of orders in which the linker lays out the functions of each
// build. The order alone makes a loop a few per cent faster or slower, so a difference between
// two builds with one order each would show the order as much as the test. A guess.
const taxLayouts = 16

// benchPackage is the path of the command.
const benchPackage = "github.com/ichor-go/ichor/bench"

// taxScenarios are the scenarios that are measured, and the variants to keep: those in which all
// objects are mortal, and two of pair that count none of our objects. For these two, both builds
// run the same code, so they show the figure of no difference.
var taxScenarios = []struct {
	scenario experiment.Scenario
	keep     func(c experiment.Config) bool
}{
	{scenarios.Requests(), func(c experiment.Config) bool { return c.Get("immortal") == experiment.ImmortalNone }},
	{scenarios.Tree(), func(experiment.Config) bool { return true }},
	{scenarios.Pair(), func(c experiment.Config) bool {
		return c.Get("temp") == "hot" && slices.Contains(append([]any{"owned", "shared"}, taxControls...), c.Get("state"))
	}},
}

// taxControls are the states of pair that count no objects of Ichor's.
var taxControls = []any{"plain", "atomic"}

// taxVariants plans a scenario with the variants to keep.
func taxVariants(name string, env *experiment.Env) (*experiment.Plan, error) {
	for _, s := range taxScenarios {
		if s.scenario.Name != name {
			continue
		}
		p, err := s.scenario.Plan(env)
		if err == nil {
			p.Variants = slices.DeleteFunc(p.Variants, func(v experiment.Variant) bool { return !s.keep(v.Config) })
		}
		return p, err
	}
	return nil, fmt.Errorf("no scenario %q", name)
}

// Run builds the command with and without the test for immortality in place, and compares.
// Lines on stderr begin with the name.
func Run(ctx context.Context, name string, f *Flags, stdout, stderr io.Writer) error {
	var all []experiment.Scenario
	for _, s := range taxScenarios {
		all = append(all, s.scenario)
	}
	picked, err := command.Chosen(all, f.Scenario)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(picked, func(s experiment.Scenario) bool { return s.Documents }) {
		if err := f.findInput(ctx); err != nil {
			return err
		}
	}
	flags := f.measured()
	folder, err := os.MkdirTemp("", "ichor-tax")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) // if that fails, the system clears it
	env := flags.Env(taxTime, taxCount)
	t := &taxRun{input: f.Input, programs: map[string][]string{}}
	for _, build := range []string{buildTested, buildUntested} {
		for layout := range min(taxLayouts, env.Count) {
			program, err := buildBench(ctx, folder, build, layout+1)
			if err != nil {
				return err
			}
			t.programs[build] = append(t.programs[build], program)
		}
	}
	return flags.Measure(ctx, name, env, []experiment.Scenario{t.scenario(picked)}, stdout, stderr)
}

// The settings of a run without flags.
const (
	taxTime  = 50 * time.Millisecond
	taxCount = 8 * taxLayouts
)

// measured are the flags for the one scenario that is measured.
func (f *Flags) measured() command.Flags {
	flags := command.Flags{Benchtime: f.Benchtime, Count: f.Count, Until: f.Until, Within: f.Within, Threads: f.Threads, Format: f.Format, Progress: f.Progress}
	if len(flags.Threads) == 0 {
		flags.Threads = []int{1}
	}
	return flags
}

// findInput checks the documents for requests. The default ones are small. The cache misses of
// large ones would hide the test, and two processes that take turns would evict each other's.
func (f *Flags) findInput(ctx context.Context) (err error) {
	if len(f.Input) == 0 {
		if f.Input, err = documents.SmallFiles(ctx); err != nil {
			return err
		}
	}
	_, err = documents.Load(ctx, f.Input)
	return err
}

// buildBench builds the command, and returns its file. The layout is the seed of the order of
// functions.
func buildBench(ctx context.Context, folder, build string, layout int) (string, error) {
	file := filepath.Join(folder, fmt.Sprintf("%s-%d.exe", build, layout))
	args := []string{"build", "-buildvcs=false", "-ldflags", fmt.Sprintf("-s -w -funcalign=64 -randlayout=%d", layout), "-o", file}
	if build == buildUntested {
		args = append(args, "-tags", untestedTag)
	}
	if out, err := exec.CommandContext(ctx, "go", append(args, benchPackage)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %s (in a checkout of Ichor?): %w: %s", strings.Join(args[:1], " "), err, strings.TrimSpace(string(out)))
	}
	return file, nil
}

// taxRun is the two builds.
type taxRun struct {
	input    []string
	programs map[string][]string // by build, one for each layout
}

// scenario has a row for each variant and build. The two rows of a variant are neighbours.
func (t *taxRun) scenario(picked []experiment.Scenario) experiment.Scenario {
	return experiment.Scenario{
		Name: "immortality-tax",
		Question: fmt.Sprintf("What does the test for immortality in place cost programs in which nothing is immortal? "+
			"(build=tested is the normal program, build=untested is compiled without the test. In each round a process of each build takes slices of a sample in turns with the other. From round to round both are linked with their functions in another order, of %d. state=plain and state=atomic do not count Ichor's objects, so both builds do the same there.)", taxLayouts),
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, s := range picked {
				inner, err := taxVariants(s.Name, env)
				if err != nil {
					return nil, err
				}
				for _, v := range inner.Variants {
					job := taxJob{s.Name, v.Config.String(), env.Threads, t.input}
					pair := &taxPair{asked: map[string]int{}, measure: func(ctx context.Context, round int, b experiment.Budget) (map[string]experiment.Sample, error) {
						return t.measure(ctx, job, round, b)
					}}
					for _, build := range []string{buildUntested, buildTested} {
						p.Variants = append(p.Variants, experiment.Variant{
							Config: append(append(experiment.Cfg("scenario", s.Name), v.Config...), experiment.Cfg("build", build)...), Metric: experiment.NsOp,
							Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
								return pair.sample(ctx, build, b)
							},
						})
					}
				}
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("build", buildUntested) },
		BaselineName: "build=untested, same row",
		Conclude:     concludeTax,
	}
}

// taxSlices is the number of slices of a sample. A guess: a disturbance of the machine lasts for
// longer than a slice, so it hits both builds.
const taxSlices = 10

// taxPair are the two rows of a variant, which are measured together.
type taxPair struct {
	measure func(ctx context.Context, round int, b experiment.Budget) (map[string]experiment.Sample, error)
	rounds  int                          // rounds measured
	asked   map[string]int               // rounds that were asked for, by build
	last    map[string]experiment.Sample // the samples of the last round, by build
}

// sample returns the next sample of a build. Asking for the first of the two measures both.
func (p *taxPair) sample(ctx context.Context, build string, b experiment.Budget) (s experiment.Sample, err error) {
	if p.asked[build] == p.rounds {
		if p.last, err = p.measure(ctx, p.rounds, b); err != nil {
			return s, err
		}
		p.rounds++
	}
	p.asked[build]++
	return p.last[build], nil
}

// measure takes a sample of each build, both with the same layout. It starts a process of each,
// and the two take slices of the samples in turns.
func (t *taxRun) measure(ctx context.Context, job taxJob, round int, b experiment.Budget) (got map[string]experiment.Sample, err error) {
	builds := []string{buildUntested, buildTested}
	if round%2 == 1 {
		slices.Reverse(builds)
	}
	children := map[string]*process.Child{}
	defer func() {
		for build, child := range children {
			if e := child.Stop(); e != nil {
				err = errors.Join(err, fmt.Errorf("a process of the build %s: %w", build, e))
			}
		}
	}()
	for _, build := range builds {
		programs := t.programs[build]
		child, err := process.StartProgram(ctx, programs[round%len(programs)], "tax-child")
		if err != nil {
			return nil, err
		}
		children[build] = child
		tested, err := process.Ask[taxJob, bool](child, job)
		if err == nil && tested != (build == buildTested) {
			err = errors.New("it has the test and should not, or lacks it and should")
		}
		if err == nil {
			_, err = process.Ask[experiment.Budget, taxResult](child, b.WarmUp())
		}
		if err != nil {
			return nil, fmt.Errorf("a process of the build %s: %w", build, err)
		}
	}
	ns := map[string][]float64{}
	got = map[string]experiment.Sample{}
	slice := experiment.Budget{Duration: (b.Duration + taxSlices - 1) / taxSlices, Ops: (b.Ops + taxSlices - 1) / taxSlices}
	for range taxSlices {
		for _, build := range builds {
			s, err := process.Ask[experiment.Budget, taxResult](children[build], slice)
			if err != nil {
				return nil, fmt.Errorf("a process of the build %s: %w", build, err)
			}
			ns[build] = append(ns[build], s.Ns)
			got[build] = experiment.Sample{
				Value: median.Of(ns[build]), Ops: got[build].Ops + s.Ops, Threads: append(got[build].Threads, s.Threads...),
			}
		}
		slices.Reverse(builds)
	}
	return got, nil
}

// concludeTax gives the difference for each variant, and for each scenario as a whole.
func concludeTax(res *experiment.Result) (lines []string) {
	counting := map[string][]*experiment.Row{} // the rows that count objects of Ichor's, by scenario
	for _, row := range res.Rows {
		if row.Config.Get("build") != buildTested {
			continue
		}
		scenario := fmt.Sprint(row.Config.Get("scenario"))
		if !slices.Contains(taxControls, row.Config.Get("state")) {
			counting[scenario] = append(counting[scenario], row)
		}
		words := []string{scenario}
		for _, kv := range row.Config {
			if !slices.Contains([]string{"scenario", "build", "immortal", "temp"}, kv.Key) {
				words = append(words, fmt.Sprintf("%s=%v", kv.Key, kv.Value))
			}
		}
		lines = sayTax(lines, strings.Join(words, " "), res.Ratio(row))
	}
	for _, scenario := range slices.Sorted(maps.Keys(counting)) {
		lines = sayTax(lines, fmt.Sprintf("In all, %s (the mean of %d rows in each round)", scenario, len(counting[scenario])),
			res.MeanRatio(counting[scenario]...))
	}
	return lines
}

// sayTax puts a ratio of tested to untested into words. It says which differences were shown.
func sayTax(lines []string, what string, r experiment.Stat) []string {
	switch {
	case r.Missing():
		return lines
	case !r.Known():
		return append(lines, fmt.Sprintf("%s: too few samples to tell (%d).", what, r.N))
	}
	cost := func(v float64) float64 { return 100 * (v - 1) }
	if r.Shown() {
		return append(lines, fmt.Sprintf("%s: the test costs %+.2f %% [%+.2f, %+.2f].", what, cost(r.Median), cost(r.Low), cost(r.High)))
	}
	line := fmt.Sprintf("%s: no difference shown (%+.2f %%, [%+.2f, %+.2f])", what, cost(r.Median), cost(r.Low), cost(r.High))
	if n := r.Needed(); n > 0 {
		line += fmt.Sprintf("; -count %d would tell", n)
	}
	return append(lines, line+".")
}
