package main

import (
	"context"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// treeDepth gives trees of 1,023 tuples, which fit the second cache.
const (
	treeDepth = 10
	treeNodes = 1<<treeDepth - 1
)

func treeScenario() experiment.Scenario {
	return experiment.Scenario{
		Name:     "tree",
		Question: "How fast do threads build binary trees of tuples and drop them? (An op is one tuple.)",
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, mode := range modes {
				run := &treeRun{mode: mode}
				for _, n := range env.Threads {
					p.Variants = append(p.Variants, experiment.Variant{
						Config: experiment.Cfg("mode", mode, "immortal", immortalNone, "threads", n), Metric: experiment.OpsS,
						Setup: run.setup, Close: run.close, Sample: run.sampler(n),
					})
				}
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("mode", modeGIL) },
		BaselineName: "mode=gil, same threads",
	}
}

type treeRun struct {
	mode string
	rows tenants
	r    *rt.Runtime
}

func (c *treeRun) setup(context.Context) (err error) {
	if c.rows.first() {
		c.r, err = newRuntime(c.mode)
	}
	return err
}

func (c *treeRun) close() error {
	if !c.rows.last() || c.r == nil {
		return nil
	}
	return c.r.Close()
}

func (c *treeRun) sampler(threads int) func(context.Context, experiment.Budget) (experiment.Sample, error) {
	return func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
		return experiment.OpsPerSecond(ctx, b, threads, treeNodes, func(l *experiment.Lane) error {
			return c.r.Do(func(t *rt.Thread) error {
				for l.Next() {
					for range l.N() / treeNodes {
						tree, err := plant(t, treeDepth)
						if err != nil {
							return err
						}
						t.DecRef(tree)
						t.Checkpoint()
					}
				}
				return nil
			})
		})
	}
}

// plant returns a new reference to a tree of the given depth.
func plant(t *rt.Thread, depth int) (rt.Ref, error) {
	if depth == 1 {
		return objects.NewTupleSteal(t, rt.None, rt.None)
	}
	left, err := plant(t, depth-1)
	if err != nil {
		return rt.Nil, err
	}
	right, err := plant(t, depth-1)
	if err != nil {
		t.DecRef(left)
		return rt.Nil, err
	}
	r, err := objects.NewTupleSteal(t, left, right)
	if err != nil {
		t.DecRef(left)
		t.DecRef(right)
	}
	return r, err
}
