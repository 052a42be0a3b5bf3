package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/internal/header"
)

// taxJob is what a child is to measure.
type taxJob struct {
	Scenario, Config string
	Threads          []int
	Budget           experiment.Budget
	Input            []string
}

// taxResult is what it says.
type taxResult struct {
	Ns     float64 // for an operation
	Ops    int64
	Tested bool
}

// serveTax is the child: it takes one sample.
func serveTax(ctx context.Context, in io.Reader, out io.Writer) error {
	parent := experiment.NewAnswers(in, out)
	err := experiment.Next(parent, func(job taxJob) (taxResult, error) { return job.run(ctx) })
	if err != nil {
		return command.UsageError{Err: errors.New("tax-child is for immortality-tax to call")}
	}
	_, _ = io.Copy(io.Discard, in) // the parent ends it
	return nil
}

func (j *taxJob) run(ctx context.Context) (result taxResult, err error) {
	result.Tested = header.Tested
	env := experiment.Env{Threads: j.Threads, Budget: j.Budget, Count: 1, Logf: func(string, ...any) {}}
	if j.Scenario == requestsScenario().Name {
		if env.Documents, err = loadDocuments(ctx, j.Input); err != nil {
			return result, err
		}
	}
	p, err := taxVariants(j.Scenario, &env)
	if err != nil {
		return result, err
	}
	i := slices.IndexFunc(p.Variants, func(v experiment.Variant) bool { return v.Config.String() == j.Config })
	if i < 0 {
		return result, fmt.Errorf("%s has no row %s", j.Scenario, j.Config)
	}
	// The variants before and after are not set up, so this one is the first and the last
	// of those that share something.
	v := &p.Variants[i]
	for _, f := range []func(context.Context) error{p.Setup, v.Setup} {
		if f != nil && err == nil {
			err = f(ctx)
		}
	}
	var s experiment.Sample
	for _, b := range []experiment.Budget{j.Budget.WarmUp(), j.Budget} {
		if err == nil {
			runtime.GC()
			s, err = v.Sample(ctx, b)
		}
	}
	for _, f := range []func() error{v.Close, p.Close} {
		if f != nil {
			err = errors.Join(err, f())
		}
	}
	result.Ns, result.Ops = s.Value, s.Ops
	if v.Metric == experiment.OpsS {
		result.Ns = 1e9 / s.Value
	}
	return result, err
}
