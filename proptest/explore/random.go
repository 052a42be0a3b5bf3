//go:build explore

package explore

import (
	"math/rand/v2"
	"slices"

	"pgregory.net/rapid"
)

// Random runs that many schedules with random priorities of the threads and depth-1
// points at which the running thread's drops below all others (PCT: Burckhardt and
// others, ASPLOS 2010). A bug that takes depth orderings of n threads with k steps in
// all is found by one run with a probability of 1/(n*k^(depth-1)) at least. The seed
// makes it the same again.
func Random(build func() Program, runs, depth int, seed uint64) (res Result) {
	rng := rand.New(rand.NewPCG(seed, 1))
	c := newClocks()
	steps := 1
	for range runs {
		p := build()
		e, _ := execute(p, c, defaultSteps, false, nil, priorities(rng, len(p.Threads), depth, steps))
		steps = max(steps, len(e.schedule))
		res.Schedules++
		res.Steps += int64(len(e.schedule))
		if e.err != nil {
			res.Failure = explain(build, e)
			return res
		}
	}
	return res
}

// priorities draws priorities, above those that points of change give.
func priorities(rng *rand.Rand, threads, depth, steps int) pick {
	prio := rng.Perm(threads)
	for i := range prio {
		prio[i] += depth
	}
	changes := make([]int, depth-1)
	for i := range changes {
		changes[i] = rng.IntN(steps) + 1
	}
	return func(e *execution, enabled []int) int {
		if i := slices.Index(changes, len(e.schedule)); i >= 0 && e.last >= 0 {
			prio[e.last] = i
		}
		best := enabled[0]
		for _, t := range enabled {
			if prio[t] > prio[best] {
				best = t
			}
		}
		return best
	}
}

// Preemption is a switch, before a step, to a thread.
type Preemption struct{ At, To int }

// Drawn runs one schedule whose preemptions rapid draws: three at most, so that it
// can make them fewer. steps bounds where they may be.
func Drawn(t *rapid.T, build func() Program, steps int) Result {
	p := build()
	list := rapid.SliceOfN(preemptions(steps, len(p.Threads)), 0, 3).Draw(t, "preemptions")
	e, _ := execute(p, newClocks(), defaultSteps, false, nil, preempting(list))
	return single(build, e)
}

func preemptions(steps, threads int) *rapid.Generator[Preemption] {
	return rapid.Custom(func(t *rapid.T) Preemption {
		return Preemption{rapid.IntRange(0, steps).Draw(t, "at"), rapid.IntRange(0, threads-1).Draw(t, "to")}
	})
}

// preempting goes on with each thread as long as it can, but for some switches.
func preempting(list []Preemption) pick {
	return func(e *execution, enabled []int) int {
		for _, p := range list {
			if p.At == len(e.schedule) && slices.Contains(enabled, p.To) {
				return p.To
			}
		}
		return goOn(e, enabled)
	}
}
