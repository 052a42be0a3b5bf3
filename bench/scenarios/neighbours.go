package scenarios

import (
	"fmt"
	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// neighbourGaps are distances between two objects, counted in objects. One thread makes them
// all, one after the other. A boxed integer takes 32 bytes, so two share a cache line.
var neighbourGaps = []int{1, 2, 4, 64}

// neighbourBatch is the number of operations between two checkpoints.
const neighbourBatch = 256

// Neighbours asks whether false sharing slows threads down: each thread counts an object of its
// own, and the objects lie side by side.
func Neighbours() experiment.Scenario {
	gaps := experiment.Axis{Key: "gap"}
	for _, g := range neighbourGaps {
		gaps.Values = append(gaps.Values, g)
	}
	return experiment.Workload{
		Name: "neighbours",
		Question: "Does false sharing slow threads down? " +
			"(Each thread counts an object of its own. An op is an increment and a decrement, with atomic counts. Another thread made the objects, boxed integers of 32 bytes, one after the other, and thread i counts number i times gap: with gap=1, two threads count in one cache line of 64 bytes, with gap=2 in adjacent ones.)",
		Axes: []experiment.Axis{gaps},
		Unit: neighbourBatch,
		Setup: func(t *rt.Thread, _ experiment.Config) (rt.Ref, error) {
			all := make([]rt.Ref, 0, neighboursMade)
			for i := range neighboursMade {
				r, err := objects.NewInt(t, 1<<40+int64(i))
				if err != nil {
					t.DecRefs(all)
					return rt.Nil, err
				}
				all = append(all, r)
			}
			list, err := objects.NewTupleSteal(t, all...)
			if err != nil {
				t.DecRefs(all)
			}
			return list, err
		},
		Work: func(l *experiment.Lane, t *rt.Thread, c experiment.Config, shared rt.Ref) error {
			gap, _ := c.Get("gap").(int)
			own := objects.Tuple(shared).Items(t)[l.Index*gap%neighboursMade]
			for l.Next() {
				for range l.N() / neighbourBatch {
					countOne(t, own)
					t.Checkpoint()
				}
			}
			return nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("threads", 1) },
		BaselineName: "one thread, same gap",
		Conclude:     concludeNeighbours,
	}.Scenario()
}

// neighboursMade is the number of objects: enough for 64 threads with the widest gap.
const neighboursMade = 4096

// concludeNeighbours compares the most threads with one, for each gap.
func concludeNeighbours(res *experiment.Result) []string {
	most := MostThreads(res)
	if most < 2 {
		return []string{"With one thread there is nothing to compare."}
	}
	var each []string
	for _, gap := range neighbourGaps {
		each = experiment.Item(each, fmt.Sprintf("gap %d", gap), res.Ratio(res.Find(experiment.Cfg("gap", gap, "threads", most))))
	}
	return experiment.Say(nil, "The work of %d threads, relative to one: %s.", most, each)
}
