package scenarios

import (
	"context"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Threads asks what it costs to attach a goroutine and to detach it.
func Threads() experiment.Scenario {
	return experiment.Scenario{
		Name:     "threads",
		Question: "What does it cost to attach a goroutine, make a string, and detach the goroutine, as a server does for each request?",
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, mode := range modes {
				run := &modeRun{mode: mode}
				for _, fresh := range []bool{false, true} {
					who := "same"
					if fresh {
						who = "fresh"
					}
					p.Variants = append(p.Variants, experiment.Variant{
						Config: experiment.Cfg("mode", mode, "goroutine", who, "threads", 1), Metric: experiment.NsOp,
						Setup: run.setup, Close: run.close, Sample: attachSampler(run, fresh),
					})
				}
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("mode", modeGIL) },
		BaselineName: "mode=gil, same goroutine",
		Conclude:     concludeThreads,
	}
}

// concludeThreads gives the times of atomic counting.
func concludeThreads(res *experiment.Result) []string {
	ns := func(who string) experiment.Stat {
		return res.Find(experiment.Cfg("mode", modeAtomic, "goroutine", who)).Stat()
	}
	return experiment.Say(nil, "Without a global lock, attaching, working and detaching take %v ns, or %v ns with a new goroutine for each request.", ns("same"), ns("fresh"))
}

func attachSampler(run *modeRun, fresh bool) func(context.Context, experiment.Budget) (experiment.Sample, error) {
	return func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
		return experiment.NsPerOp(ctx, b, 1, func(l *experiment.Lane) error {
			errs := make(chan error)
			for l.Next() {
				for range l.N() {
					var err error
					if fresh {
						go func() { errs <- attachOnce(run.r) }()
						err = <-errs
					} else {
						err = attachOnce(run.r)
					}
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
}

func attachOnce(r *rt.Runtime) error {
	return r.Do(func(t *rt.Thread) error {
		s, err := objects.NewString(t, "a request")
		t.DecRef(s)
		return err
	})
}
