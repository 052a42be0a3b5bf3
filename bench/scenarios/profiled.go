package scenarios

import (
	"context"
	"fmt"

	"github.com/ichor-go/ichor/bench/experiment"
	rt "github.com/ichor-go/ichor/runtime"
)

// Values of the config key profile.
const (
	profileOff = "off"
	profileOn  = "on" // at the default rate
)

// Profiled asks what a heap profile costs.
func Profiled() experiment.Scenario {
	return experiment.Scenario{
		Name: "profiled",
		Question: fmt.Sprintf("What does the heap profile cost programs, at its default rate of a sample for each %d KiB? "+
			"(An op is a request, as in the scenario requests with nothing immortal, or a tuple, as in tree.)", rt.DefaultHeapProfileRate>>10),
		Documents: true,
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, mode := range modes {
				for _, profile := range []string{profileOff, profileOn} {
					rate := int64(0)
					if profile == profileOn {
						rate = rt.DefaultHeapProfileRate
					}
					requests := &requestsRun{mode: mode, immortal: immortalNone, profile: rate, docs: env.Documents, logf: env.Logf}
					tree := &treeRun{modeRun{mode: mode, profile: rate}}
					for _, n := range env.Threads {
						add := func(work string, v experiment.Variant) {
							v.Config, v.Metric = experiment.Cfg("work", work, "mode", mode, "profile", profile, "threads", n), experiment.OpsS
							p.Variants = append(p.Variants, v)
						}
						add("requests", experiment.Variant{Setup: requests.setup, Close: requests.close, Sample: requests.sampler(n)})
						add("tree", experiment.Variant{Setup: tree.setup, Close: tree.close, Sample: tree.sampler(n)})
					}
				}
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("profile", profileOff) },
		BaselineName: "profile=off, same work, mode and threads",
		Conclude:     concludeProfiled,
	}
}

// treeRun is a runtime for the work of the scenario tree.
type treeRun struct{ modeRun }

func (c *treeRun) sampler(threads int) func(context.Context, experiment.Budget) (experiment.Sample, error) {
	return func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
		return experiment.OpsPerSecond(ctx, b, threads, treeNodes, func(l *experiment.Lane) error {
			return c.r.Do(func(t *rt.Thread) error { return growTrees(l, t, nil, rt.Nil) })
		})
	}
}

// concludeProfiled says how fast each row with a profile is, in comparison.
func concludeProfiled(res *experiment.Result) (lines []string) {
	for _, row := range res.Rows {
		if row.Config.Get("profile") == profileOn {
			subject := fmt.Sprintf("%s, %s, threads: %v", row.Config.Get("work"), ModeWords(row.Config.Get("mode")), row.Config.Get("threads"))
			lines = experiment.Claim(lines, subject, experiment.Ratio(row, res.Find(row.Config.With("profile", profileOff))), "%v times the speed without a profile.")
		}
	}
	return lines
}
