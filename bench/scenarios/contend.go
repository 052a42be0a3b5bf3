package scenarios

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Contend asks how much threads that count the same object slow each other down.
func Contend() experiment.Scenario {
	return experiment.Scenario{
		Name:     "contend",
		Question: "How much do threads slow each other down when they count the same object?",
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, s := range countStates {
				if s.mode == modeBiased {
					continue // the pool of threads would decide which thread owns the object
				}
				run := &contendRun{state: s}
				for _, n := range env.Threads {
					p.Variants = append(p.Variants, experiment.Variant{
						Config: experiment.Cfg("state", s.name, "threads", n), Metric: experiment.OpsS,
						Setup: run.setup, Close: run.close, Sample: run.sampler(n),
					})
				}
			}
			for _, ref := range contendReferences {
				for _, n := range env.Threads {
					p.Variants = append(p.Variants, experiment.Variant{
						Config: experiment.Cfg("state", ref.name, "threads", n), Metric: experiment.OpsS,
						Sample: ref.sampler(n),
					})
				}
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("threads", 1) },
		BaselineName: "one thread, same state",
		Conclude:     concludeContend,
	}
}

// concludeContend compares the most threads with one, for each state.
func concludeContend(res *experiment.Result) []string {
	most := MostThreads(res)
	if most < 2 {
		return []string{"With one thread there is nothing to compare."}
	}
	var each []string
	for _, row := range res.Rows {
		if row.Config.Get("threads") == most {
			each = experiment.Item(each, fmt.Sprint(row.Config.Get("state")), res.Ratio(row))
		}
	}
	return experiment.Say(nil, "The work of %d threads, relative to one: %s.", most, each)
}

// contendRun is one object in a state. The rows with the state share it.
type contendRun struct {
	state countState
	rows  tenants
	r     *rt.Runtime
	ref   rt.Ref
}

func (c *contendRun) setup(context.Context) (err error) {
	if !c.rows.first() {
		return nil
	}
	if c.r, err = experiment.NewRuntime(c.state.mode); err != nil {
		return err
	}
	return c.r.Do(func(t *rt.Thread) error {
		c.ref, err = experiment.Bear(t, c.state.immortal, func() (rt.Ref, error) { return objects.NewString(t, "shared by all") })
		return err
	})
}

func (c *contendRun) close() error {
	if !c.rows.last() || c.r == nil {
		return nil
	}
	err := c.r.Do(func(t *rt.Thread) error {
		t.DecRef(c.ref)
		return nil
	})
	return errors.Join(err, c.r.Close())
}

func (c *contendRun) sampler(threads int) func(context.Context, experiment.Budget) (experiment.Sample, error) {
	return func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
		return experiment.OpsPerSecond(ctx, b, threads, 256, func(l *experiment.Lane) error {
			return c.r.Do(func(t *rt.Thread) error {
				for l.Next() {
					for range l.N() / 256 {
						countOne(t, c.ref)
						t.Checkpoint()
					}
				}
				return nil
			})
		})
	}
}

// contendReference is a row without Ichor: all threads add to one word.
type contendReference struct {
	name  string
	count func(n int)
}

var contendReferences = []contendReference{{"atomic", countAtomic}, {"mutex", countLocked}}

func (c contendReference) sampler(threads int) func(context.Context, experiment.Budget) (experiment.Sample, error) {
	return func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
		return experiment.OpsPerSecond(ctx, b, threads, 256, func(l *experiment.Lane) error {
			for l.Next() {
				c.count(l.N())
			}
			return nil
		})
	}
}

var (
	contendAtomic atomic.Uint32
	contendMutex  struct {
		sync.Mutex
		n uint32
	}
)

func countAtomic(n int) {
	for range n {
		contendAtomic.Add(1)
		contendAtomic.Add(^uint32(0))
	}
}

func countLocked(n int) {
	for range n {
		contendMutex.Lock()
		contendMutex.n++
		contendMutex.Unlock()
		contendMutex.Lock()
		contendMutex.n--
		contendMutex.Unlock()
	}
}
