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
	"unicode/utf8"

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
	drawn := &drawings{folder: f.Plots, taken: map[string]bool{}, logf: bar.Logf}
	env.Logf = bar.Logf
	begun := false
	report, err := experiment.Run(ctx, list, experiment.Options{
		Env: env,
		Planned: func() error { // not before, so that there is no output if -only is wrong
			begun = true
			return reporter.Begin(&env)
		},
		Progress: bar.Show,
		Finished: func(res *experiment.Result) error {
			bar.Clear()
			return errors.Join(reporter.Result(res), drawn.add(res))
		},
	})
	err = errors.Join(err, stop())
	bar.Clear()
	if isBrokenPipe(err) || !begun && ctx.Err() == nil {
		return err
	}
	return errors.Join(err, reporter.End(report))
}

// drawings are the figures in a folder, if that has a name.
type drawings struct {
	folder string
	taken  map[string]bool // the names of files, in lower case: not every system tells the cases apart
	logf   func(format string, args ...any)
}

// add draws a result: a figure for each metric.
func (d *drawings) add(res *experiment.Result) error {
	if d.folder == "" {
		return nil
	}
	if res.Partial {
		d.logf("%s is not drawn: samples are missing", res.Scenario.Name)
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
	for i, p := range pictures {
		if p == (plot.Picture{}) {
			continue // there is no number to draw
		}
		name := res.Scenario.Name
		if i > 0 {
			name += "-" + options[i].Metric
		}
		if err := os.WriteFile(filepath.Join(d.folder, d.file(name)), p.File(), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// longestName is how many bytes of a name are in that of a file. Many systems have room for 255.
const longestName = 200

// file returns the name of a file that no other figure has.
func (d *drawings) file(name string) string {
	name = strings.Map(inFileNames, name)
	for len(name) > longestName {
		_, last := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-last]
	}
	for base, n := name, 2; d.taken[strings.ToLower(name)]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	d.taken[strings.ToLower(name)] = true
	return name + ".svg"
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
