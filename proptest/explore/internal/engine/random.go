//go:build explore

package engine

import (
	"math/rand/v2"
	"slices"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/internal/point"
)

// Random runs that many schedules, in which threads have random priorities. At depth-1
// points, the priority of the running thread drops below all others (PCT: Burckhardt and
// others, ASPLOS 2010). One run finds a bug that takes depth orderings, among n threads with k
// steps in all, with a probability of at least 1/(n*k^(depth-1)). The same seed gives
// the same schedules.
func Random(build func() Program, runs, depth int, seed uint64) Result {
	return PCT(build, depth, seed, Budget{Schedules: int64(runs)})
}

// PCT is Random with a budget.
func PCT(build func() Program, depth int, seed uint64, b Budget) Result {
	rng := rand.New(rand.NewPCG(seed, 1))
	steps := 1
	return sample(build, b, func() pick { return priorities(rng, depth, steps) }, func(e *Execution) { steps = max(steps, len(e.schedule)) })
}

// POS runs schedules in which each step has a random priority, and the one with the highest is taken.
// The priorities of the steps that conflict with it are drawn again (Yuan, Yang and Gu, CAV 2018), so
// that each order of conflicting steps is about as probable as any other.
func POS(build func() Program, seed uint64, b Budget) Result {
	rng := rand.New(rand.NewPCG(seed, 2))
	return sample(build, b, func() pick { return partialOrders(rng) }, func(*Execution) {})
}

// sample runs schedules until the budget is spent or one fails.
func sample(build func() Program, b Budget, draw func() pick, ran func(*Execution)) (res Result) {
	g := newEngine()
	defer g.close()
	for {
		e, _ := g.execute(build(), false, nil, draw())
		ran(e)
		res.count(e)
		if e.err != nil {
			res.Failure = explain(build, e.schedule, e.err, e.fine)
			return res
		}
		g.spare = e
		if res.Ended = b.spent(&res); res.Ended != "" {
			return res
		}
	}
}

// priorities draws priorities, all higher than those given at change points.
func priorities(rng *rand.Rand, depth, steps int) pick {
	var prio []int
	changes := make([]int, depth-1)
	for i := range changes {
		changes[i] = rng.IntN(steps) + 1
	}
	return func(e *Execution, options Schedule) int {
		for len(prio) < len(e.threads) { // a random place among the others
			prio = append(prio, depth+rng.IntN(1<<30))
		}
		if i := slices.Index(changes, len(e.schedule)); i >= 0 && e.last >= 0 {
			prio[e.last] = i
		}
		best := options[0].Thread
		for _, x := range options {
			if prio[x.Thread] > prio[best] {
				best = x.Thread
			}
		}
		return alternative(rng, options, int(best))
	}
}

// alternative picks one of a thread's options.
func alternative(rng *rand.Rand, options Schedule, thread int) int {
	n := 0
	for _, x := range options {
		if int(x.Thread) == thread {
			n++
		}
	}
	if n == 1 {
		return options.of(thread)
	}
	return options.of(thread) + rng.IntN(n) // they are adjacent
}

// partialOrders draws priorities of steps.
func partialOrders(rng *rand.Rand) pick {
	var prio []float64
	return func(e *Execution, options Schedule) int {
		for len(prio) < len(e.threads) {
			prio = append(prio, rng.Float64())
		}
		best := options[0].Thread
		for _, x := range options {
			if prio[x.Thread] > prio[best] {
				best = x.Thread
			}
		}
		op := e.threads[best].op
		for _, t := range e.threads {
			if t.id == int(best) || !t.done && conflict(op, t.op) {
				prio[t.id] = rng.Float64()
			}
		}
		return alternative(rng, options, int(best))
	}
}

// conflict reports whether the order of two steps matters, as far as is known.
func conflict(a, b point.Op) bool { return !independent(a, b) }

// Preemption is a switch to a thread, before a step.
type Preemption struct{ At, To int }

// Drawn runs one schedule with preemptions drawn by rapid: at most three, and rapid
// reduces their number. steps bounds their places.
func Drawn(t *rapid.T, build func() Program, steps int) Result {
	p := build()
	threads := len(p.Threads)
	if p.Main {
		threads = 4 // a guess: it is not known how many it starts
	}
	list := rapid.SliceOfN(preemptions(steps, threads), 0, 3).Draw(t, "preemptions")
	g := newEngine()
	defer g.close()
	e, _ := g.execute(p, false, nil, preempting(list))
	return single(build, e)
}

func preemptions(steps, threads int) *rapid.Generator[Preemption] {
	return rapid.Custom(func(t *rapid.T) Preemption {
		return Preemption{rapid.IntRange(0, steps).Draw(t, "at"), rapid.IntRange(0, threads-1).Draw(t, "to")}
	})
}

// preempting lets each thread run as long as it can, except for the switches in the list.
func preempting(list []Preemption) pick {
	return func(e *Execution, options Schedule) int {
		for _, p := range list {
			if p.At == len(e.schedule) {
				if i := options.of(p.To); i >= 0 {
					return i
				}
			}
		}
		return goOn(e, options)
	}
}
