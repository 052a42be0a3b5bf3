// Package commits compares two commits: it builds the command of each, runs both in turns, and
// says which rows differ, with the statistics of benchstat.
//
//	checkout       the files of each commit in a temporary folder; "." is the working tree itself
//	build          the command bench of each, in several layouts of its functions
//	rounds         one process of each for each scenario, which takes one sample of every row;
//	               who begins changes from round to round
//	statistics     medians, their intervals, and the Mann-Whitney U test of golang.org/x/perf
//
// It needs nothing of the commits but that they have `bench run` with the flags -scenario,
// -format, -benchtime, -count, -threads and -progress.
//
// One goroutine at a time calls it.
package commits

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/progress"
)

// Flags are those of `bench compare-commits`.
type Flags struct {
	Old       string               `arg:"" name:"A" help:"A commit, branch or tag."`
	New       string               `arg:"" name:"B" help:"The one to compare with it; \".\" is the working tree as it is."`
	Scenario  []string             `placeholder:"NAME" help:"Scenarios to run (default: all that both have)."`
	Benchtime experiment.Budget    `placeholder:"TIME" help:"Length of one sample (default: 100ms)."`
	Count     command.Count        `placeholder:"N" help:"Rounds, each with a sample of every row of both (default: 10)."`
	Threads   command.Threads      `placeholder:"N,..." help:"Thread counts (default: 1 and GOMAXPROCS)."`
	Only      experiment.Selection `placeholder:"KEY=VALUE,..." help:"Rows to compare, by their settings: mode=atomic,threads=2. All are measured."`
	Layouts   command.Count        `placeholder:"N" help:"Orders in which the linker lays out the functions of each build (default: 4)."`
	Format    string               `enum:"text,bench" default:"text" placeholder:"text|bench" help:"A table, or the samples as lines for benchstat -col commit (default: text)."`
	Progress  string               `enum:"auto,on,off" default:"auto" placeholder:"auto|on|off" help:"Progress bar on standard error: auto (the default) shows it if that is a terminal."`
}

// defaults fills in the defaults.
func (f *Flags) defaults() {
	if f.Benchtime == (experiment.Budget{}) {
		f.Benchtime.Duration = 100 * time.Millisecond
	}
	if f.Count == 0 {
		f.Count = 10
	}
	if f.Layouts == 0 {
		f.Layouts = 4
	}
	f.Layouts = min(f.Layouts, f.Count)
}

// Run builds both commits and compares them. It prints what it has if it is interrupted. Lines on
// stderr begin with the name.
func Run(ctx context.Context, name string, f *Flags, stdout, stderr io.Writer) (err error) {
	f.defaults()
	bar := progress.New(stderr, name, f.Progress)
	defer bar.Clear()
	builder, err := newBuilder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, builder.close()) }()
	var sides [2]side
	for i, rev := range []string{f.Old, f.New} {
		if sides[i].name, err = builder.resolve(ctx, rev); err != nil {
			return command.UsageError{Err: err}
		}
	}
	if sides[0].name == sides[1].name {
		return command.UsageError{Err: fmt.Errorf("%s and %s are both %s", f.Old, f.New, sides[0].name)}
	}
	for i, rev := range []string{f.Old, f.New} {
		bar.Show(0, 1, "building "+rev)
		if sides[i].programs, err = builder.build(ctx, rev, int(f.Layouts)); err != nil {
			return err
		}
	}
	scenarios, err := common(ctx, f.Scenario, &sides)
	if err != nil {
		return err
	}
	c := &comparison{f: f, sides: sides}
	err = c.measure(ctx, scenarios, bar)
	bar.Clear()
	out := bufio.NewWriter(stdout)
	if f.Format == "bench" {
		err = errors.Join(err, c.samples(out))
	} else {
		err = errors.Join(err, c.table(out))
	}
	return errors.Join(err, out.Flush())
}

// A side is one of the two commits.
type side struct {
	name     string // as short as git makes it
	programs []program
}

// A program runs the command of a commit and returns its output.
type program func(ctx context.Context, args ...string) ([]byte, error)

// common returns the names of the scenarios that both commits have, or those that were asked for.
func common(ctx context.Context, asked []string, sides *[2]side) ([]string, error) {
	var lists [2][]string
	for i := range sides {
		out, err := sides[i].programs[0](ctx, "list")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sides[i].name, err)
		}
		for line := range strings.Lines(string(out)) {
			if first, _, _ := strings.Cut(line, " "); first != "" && strings.TrimSpace(first) != "" { // a line that begins with a space goes on
				lists[i] = append(lists[i], strings.TrimSpace(first))
			}
		}
	}
	for _, name := range asked {
		for i := range sides {
			if !slices.Contains(lists[i], name) {
				return nil, command.UsageError{Err: fmt.Errorf("%s has no scenario %q; it has %s", sides[i].name, name, strings.Join(lists[i], ", "))}
			}
		}
	}
	if len(asked) > 0 {
		return asked, nil
	}
	both := slices.DeleteFunc(slices.Clone(lists[0]), func(name string) bool { return !slices.Contains(lists[1], name) })
	if len(both) == 0 {
		return nil, errors.New("the commits have no scenario in common")
	}
	return both, nil
}

// A comparison is under way, or finished.
type comparison struct {
	f       *Flags
	sides   [2]side
	results [2][]*benchfmt.Result // in the order in which they were measured
	rounds  int                   // finished
}

// measure runs the rounds. In each, the process of a scenario follows that of the same scenario of
// the other commit.
func (c *comparison) measure(ctx context.Context, scenarios []string, bar *progress.Bar) error {
	done, total := 0, 2*len(scenarios)*int(c.f.Count)
	for round := range int(c.f.Count) {
		for _, s := range scenarios {
			for k := range 2 {
				i := (k + first(round, len(c.sides[0].programs))) % 2
				bar.Show(done, total, c.sides[i].name+" "+s)
				programs := c.sides[i].programs
				out, err := programs[round%len(programs)](ctx, c.args(s)...)
				if err != nil {
					return fmt.Errorf("%s, scenario %s: %w", c.sides[i].name, s, err)
				}
				results, err := parse(out, c.f.Only)
				if err != nil {
					return fmt.Errorf("%s, scenario %s: %w", c.sides[i].name, s, err)
				}
				c.results[i] = append(c.results[i], results...)
				done++
			}
		}
		c.rounds++
	}
	return nil
}

// first is the side that a round measures first. They alternate within the rounds that take each layout
// once, and in each layout from one time to the next.
func first(round, layouts int) int { return (round%layouts + round/layouts) % 2 }

// args are the arguments of a process.
func (c *comparison) args(scenario string) []string {
	args := []string{"run", "-scenario", scenario, "-format", "bench", "-count", "1", "-benchtime", c.f.Benchtime.String(), "-progress", "off"}
	if len(c.f.Threads) > 0 {
		var counts []string
		for _, n := range c.f.Threads {
			counts = append(counts, fmt.Sprint(n))
		}
		args = append(args, "-threads", strings.Join(counts, ","))
	}
	return args
}

// parse reads the samples of one process, without the rows that are not in the selection.
func parse(out []byte, only experiment.Selection) (results []*benchfmt.Result, err error) {
	in := benchfmt.NewReader(bytes.NewReader(out), "output")
	for in.Scan() {
		switch rec := in.Result().(type) {
		case *benchfmt.Result:
			if only.Keeps(configOf(rec)) {
				results = append(results, rec.Clone())
			}
		case *benchfmt.SyntaxError:
			return nil, rec
		}
	}
	if in.Err() == nil && len(results) == 0 {
		return nil, fmt.Errorf("it measured no row%s", map[bool]string{true: " with " + only.String()}[len(only) > 0])
	}
	return results, in.Err()
}

// configOf returns the settings in the name of a benchmark.
func configOf(r *benchfmt.Result) (c experiment.Config) {
	_, parts := r.Name.Parts()
	for _, p := range parts {
		if key, value, ok := strings.Cut(strings.TrimPrefix(string(p), "/"), "="); ok {
			c = append(c, experiment.KV{Key: key, Value: value})
		}
	}
	return c
}
