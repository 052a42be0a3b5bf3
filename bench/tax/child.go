package tax

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/ichor-go/ichor/bench/documents"
	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/process"
	"github.com/ichor-go/ichor/bench/scenarios"
	"github.com/ichor-go/ichor/internal/header"
)

// taxJob is the first question to a child: the row to set up. Each further question is the budget
// of a sample.
type taxJob struct {
	Scenario, Config string
	Threads          []int
	Input            []string
}

// taxResult is a sample.
type taxResult struct {
	Ns      float64 // nanoseconds of an operation
	Ops     int64
	Threads []experiment.CPUTime
}

// Serve is the child process. It says whether its build tests for immortality in place, and takes
// samples of a row until its parent has enough.
func Serve(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	parent := process.NewParent(in, out)
	row := &taxRow{}
	defer func() { err = errors.Join(err, row.close()) }()
	err = process.Answer(parent, func(job taxJob) (bool, error) { return header.Tested, row.open(ctx, job) })
	for err == nil {
		err = process.Answer(parent, func(b experiment.Budget) (taxResult, error) { return row.sample(ctx, b) })
	}
	if err != io.EOF {
		return command.UsageError{Err: errors.New("tax-child is called by immortality-tax only")}
	}
	return nil
}

// taxRow is the row that the child measures.
type taxRow struct {
	experiment.Variant
	closers []func() error // in the order of opening
}

// open sets up the row, and no other row of the scenario. So the row is the first and the last of
// those that share something.
func (r *taxRow) open(ctx context.Context, j taxJob) (err error) {
	env := experiment.Env{Threads: j.Threads, Count: 1, Logf: func(string, ...any) {}}
	if j.Scenario == scenarios.Requests().Name {
		if env.Documents, err = documents.Load(ctx, j.Input); err != nil {
			return err
		}
	}
	p, err := taxVariants(j.Scenario, &env)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(p.Variants, func(v experiment.Variant) bool { return v.Config.String() == j.Config })
	if i < 0 {
		return fmt.Errorf("%s has no row %s", j.Scenario, j.Config)
	}
	r.Variant = p.Variants[i]
	for _, step := range []struct {
		open  func(context.Context) error
		close func() error
	}{{p.Setup, p.Close}, {r.Setup, r.Close}} {
		if step.close != nil {
			r.closers = append(r.closers, step.close)
		}
		if step.open != nil && err == nil {
			err = step.open(ctx)
		}
	}
	runtime.GC()
	return err
}

func (r *taxRow) sample(ctx context.Context, b experiment.Budget) (taxResult, error) {
	s, err := r.Sample(ctx, b)
	if r.Metric == experiment.OpsS {
		s.Value = 1e9 / s.Value
	}
	return taxResult{s.Value, s.Ops, s.Threads}, err
}

func (r *taxRow) close() (err error) {
	for _, f := range slices.Backward(r.closers) {
		err = errors.Join(err, f())
	}
	return err
}
