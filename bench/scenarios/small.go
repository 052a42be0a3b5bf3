package scenarios

import (
	"context"
	"fmt"
	"runtime"

	"github.com/ichor-go/ichor/bench/experiment"
)

// Small asks what small graphs that live for a moment cost, compared with those in Go's heap.
func Small() experiment.Scenario {
	s := experiment.Workload{
		Name: "small",
		Question: fmt.Sprintf("What does a small, short-lived graph cost in Ichor's heap, and in Go's? "+
			"(An op is one node of a binary tree of %d, built and dropped, as in the scenario tree. heap=go: structs of two pointers, left to Go's collector, which has nothing else to mark and runs on all cores beside the threads.)", treeNodes),
		Axes: []experiment.Axis{{Key: "heap", Values: []any{HeapIchor}}, experiment.Modes()},
		Unit: treeNodes,
		Work: growTrees,
		Baseline: func(c experiment.Config) experiment.Config {
			return experiment.Cfg("heap", HeapGo, "threads", c.Get("threads"))
		},
		BaselineName: "heap=go, same threads",
		Conclude:     concludeSmall,
	}.Scenario()
	ours := s.Plan
	s.Plan = func(env *experiment.Env) (*experiment.Plan, error) {
		p, err := ours(env)
		if err != nil {
			return nil, err
		}
		for _, n := range env.Threads {
			p.Variants = append(p.Variants, experiment.Variant{
				Config: experiment.Cfg("heap", HeapGo, "threads", n), Metric: experiment.OpsS,
				Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
					return experiment.OpsPerSecond(ctx, b, n, treeNodes, growGoTrees)
				},
			})
		}
		return p, nil
	}
	return s
}

// goNode is a node in Go's heap.
type goNode struct{ left, right *goNode }

func growGoTrees(l *experiment.Lane) error {
	for l.Next() {
		for range l.N() / treeNodes {
			runtime.KeepAlive(plantGo(treeDepth))
		}
	}
	return nil
}

// plantGo returns a tree of the given depth.
func plantGo(depth int) *goNode {
	if depth == 1 {
		return &goNode{}
	}
	return &goNode{plantGo(depth - 1), plantGo(depth - 1)}
}

// concludeSmall compares with Go's heap.
func concludeSmall(res *experiment.Result) (lines []string) {
	for _, row := range res.Rows {
		if row.Config.Get("heap") == HeapIchor {
			lines = experiment.Claim(lines, fmt.Sprintf("%s, threads: %v", ModeWords(row.Config.Get("mode")), row.Config.Get("threads")), res.Ratio(row), "%v times as fast as Go's heap.")
		}
	}
	return lines
}
