package experiment_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/ichor-go/ichor/bench/experiment"
)

// This scenario measures what an atomic add costs when threads share the word.
func Example() {
	share := experiment.Scenario{
		Name:     "share",
		Question: "what does a shared counter cost?",
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			plan := &experiment.Plan{}
			for _, threads := range env.Threads {
				plan.Variants = append(plan.Variants, experiment.Variant{
					Config: experiment.Cfg("state", "atomic", "threads", threads),
					Metric: experiment.OpsS,
					Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
						var word atomic.Int64
						return experiment.OpsPerSecond(ctx, b, threads, 1, func(l *experiment.Lane) error {
							for l.Next() {
								for range l.N() {
									word.Add(1)
								}
							}
							return nil
						})
					},
				})
			}
			return plan, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("threads", 1) },
		BaselineName: "threads=1",
	}
	report, err := experiment.Run(context.Background(), []experiment.Scenario{share}, experiment.Options{
		Env: experiment.Env{Threads: []int{1, 2}, Budget: experiment.Budget{Ops: 1000}, Count: 2},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	for _, row := range report.Results[0].Rows {
		fmt.Println(row.Config, len(row.Samples), "samples of", row.Samples[0].Ops, "operations")
	}
	// Output:
	// state=atomic/threads=1 2 samples of 1000 operations
	// state=atomic/threads=2 2 samples of 2000 operations
}
