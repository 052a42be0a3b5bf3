package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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

// drawInto draws a result into a folder, if the folder has a name.
func drawInto(folder string, res *experiment.Result) error {
	if folder == "" || res.Partial {
		return nil
	}
	p, err := plot.Draw(res, plot.Options{})
	if err != nil {
		return fmt.Errorf("%s: %w", res.Scenario.Name, err)
	}
	return os.WriteFile(filepath.Join(folder, res.Scenario.Name+".svg"), p.File(), 0o666)
}
