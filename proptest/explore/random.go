//go:build explore

package explore

import (
	"math/rand/v2"
	"slices"

	"pgregory.net/rapid"
)

// Random runs that many schedules, in which threads have random priorities. At depth-1
// points, the priority of the running thread drops below all others (PCT: Burckhardt and
// others, ASPLOS 2010). One run finds a bug that takes depth orderings, among n threads with k
// steps in all, with a probability of at least 1/(n*k^(depth-1)). The same seed gives
// the same schedules.
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

// priorities draws priorities, all higher than those given at change points.
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

// Preemption is a switch to a thread, before a step.
type Preemption struct{ At, To int }

// Drawn runs one schedule with preemptions drawn by rapid: at most three, and rapid
// reduces their number. steps bounds their places.
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

// preempting lets each thread run as long as it can, except for the switches in the list.
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
