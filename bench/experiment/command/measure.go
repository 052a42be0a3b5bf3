package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/format"
	"github.com/ichor-go/ichor/bench/internal/plot"
	"github.com/ichor-go/ichor/bench/internal/progress"
)

// Measure runs the scenarios and reports the results as the flags say. An interrupted run reports
// what it has. Lines on stderr begin with the name.
func (f *Flags) Measure(ctx context.Context, name string, env experiment.Env, list []experiment.Scenario, stdout, stderr io.Writer) error {
	if len(list) == 0 {
		return errors.New("there are no scenarios to run")
	}
	reporter, err := format.New(f.Format, stdout)
	if err != nil {
		return UsageError{err}
	}
	if f.Plots != "" {
		if err := CheckFolder(f.Plots); err != nil {
			return UsageError{fmt.Errorf("-plots: %w", err)}
		}
	}
	stop, err := f.record()
	if err != nil {
		return err
	}
	bar := progress.New(stderr, name, f.Progress)
	env.Logf = bar.Logf
	if err := reporter.Begin(&env); err != nil {
		return errors.Join(err, stop())
	}
	report, err := experiment.Run(ctx, list, experiment.Options{
		Env:      env,
		Progress: bar.Show,
		Finished: func(res *experiment.Result) error {
			bar.Clear()
			return errors.Join(reporter.Result(res), drawInto(f.Plots, res))
		},
	})
	err = errors.Join(err, stop())
	bar.Clear()
	if isBrokenPipe(err) {
		return err
	}
	return errors.Join(err, reporter.End(report))
}

// drawInto draws a result into a folder, if the folder has a name: a figure for each metric.
func drawInto(folder string, res *experiment.Result) error {
	if folder == "" || res.Partial {
		return nil
	}
	var options []plot.Options
	for _, m := range metrics(res) {
		options = append(options, plot.Options{Metric: m})
	}
	pictures, err := plot.DrawAll(res, options...)
	if err == nil && !slices.ContainsFunc(pictures, func(p plot.Picture) bool { return p != plot.Picture{} }) {
		err = plot.ErrNothing
	}
	if err != nil {
		return fmt.Errorf("%s: %w", res.Scenario.Name, err)
	}
	taken := map[string]bool{}
	for i, p := range pictures {
		if p == (plot.Picture{}) {
			continue // there is no number to draw
		}
		name := res.Scenario.Name
		if i > 0 {
			name += "-" + strings.Map(inFileNames, options[i].Metric)
		}
		for base, n := name, 2; taken[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		taken[name] = true
		if err := os.WriteFile(filepath.Join(folder, name+".svg"), p.File(), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// metrics are those of the rows, and then the extra ones, in the order of the rows.
func metrics(res *experiment.Result) (list []string) {
	add := func(unit string) {
		if !slices.Contains(list, unit) {
			list = append(list, unit)
		}
	}
	for _, row := range res.Rows {
		add(row.Metric)
	}
	for _, row := range res.Rows {
		for _, s := range row.Stats() {
			add(s.Metric)
		}
	}
	return list
}

// inFileNames replaces what not every system has in the names of files.
func inFileNames(r rune) rune {
	if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(".-_%", r) {
		return r
	}
	return '-'
}
