package main

import (
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
	return experiment.Workload{
		Name:     "tree",
		Question: "How fast do threads build binary trees of tuples and drop them? (An op is one tuple.)",
		Axes:     []experiment.Axis{experiment.Modes(), {Key: experiment.Immortal, Values: []any{immortalNone}}},
		Unit:     treeNodes,
		Work: func(l *experiment.Lane, t *rt.Thread, _ experiment.Config, _ rt.Ref) error {
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
		},
	}.Scenario()
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
