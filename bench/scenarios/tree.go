package scenarios

import (
	"fmt"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// treeDepth gives trees of 1,023 tuples, which fit the second cache.
const (
	treeDepth = 10
	treeNodes = 1<<treeDepth - 1
)

// Tree asks how fast threads build trees and drop them.
func Tree() experiment.Scenario {
	return experiment.Workload{
		Name:     "tree",
		Question: "How fast do threads build binary trees of tuples and drop them? (An op is one tuple.)",
		Axes:     []experiment.Axis{experiment.Modes(), {Key: experiment.Immortal, Values: []any{immortalNone}}},
		Unit:     treeNodes,
		Conclude: concludeTree,
		Work:     growTrees,
	}.Scenario()
}

// concludeTree gives the rate of the most threads in each mode.
func concludeTree(res *experiment.Result) (lines []string) {
	most := MostThreads(res)
	for _, mode := range modes {
		row := func(threads int) *experiment.Row { return res.Find(experiment.Cfg("mode", mode, "threads", threads)) }
		rate, speed := row(most).Stat(), experiment.Ratio(row(most), row(1))
		switch {
		case most == 1:
			lines = experiment.Say(lines, "%s: %v tuples a second.", ModeWords(mode), rate)
		case speed.Missing():
			lines = experiment.Say(lines, "%s: %v tuples a second with %d threads.", ModeWords(mode), rate, most)
		default:
			lines = experiment.Claim(lines, fmt.Sprintf("%s, %v tuples a second with %d threads", ModeWords(mode), rate, most), speed, "%v times as many as with one.")
		}
	}
	return lines
}

// growTrees plants trees and drops them. An operation is a node.
func growTrees(l *experiment.Lane, t *rt.Thread, _ experiment.Config, _ rt.Ref) error {
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
