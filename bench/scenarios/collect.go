package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Metrics of the scenario collect: lower is better.
const (
	pauseNs     = "pause_ns"
	nsContainer = "ns/container"
)

const (
	// collectDegree is the number of other containers that each container refers to.
	collectDegree = 4
	// collectMost is how many collections a sample takes at most. The sample is their
	// median, so seven are enough.
	collectMost = 7
)

// The numbers of objects, in ascending order.
var (
	collectMortals   = []int{10_000, 100_000, 1_000_000}
	collectImmortals = []int{0, 1_000_000, 10_000_000}
)

// Values of the config key order: where the containers lie that a container refers to.
const (
	OrderAllocation = "allocation" // just before it
	orderScattered  = "scattered"  // anywhere
)

// Collect asks how long a collection of cycles stops the world.
func Collect() experiment.Scenario {
	return experiment.Scenario{
		Name: "collect",
		Question: fmt.Sprintf("How long does a collection of cycles stop the world, depending on the numbers of live mortal containers, each with %d references to others, and of immortals? "+
			"(A sample is the median of up to %d collections. cores: how many may trace. kind: how the immortals were made immortal.)", collectDegree, collectMost),
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			add := func(c *collectRun) {
				p.Variants = append(p.Variants, experiment.Variant{
					Config: experiment.Cfg("mortals", c.mortals, "immortals", c.immortals, "kind", c.kind, "order", c.order, "cores", c.cores),
					Metric: pauseNs, Setup: c.setup, Close: c.close, Sample: c.sample,
				})
			}
			cores := slices.Max(env.Threads)
			for _, mortals := range collectMortals {
				for _, immortals := range collectImmortals {
					add(&collectRun{mortals, immortals, immortalAddress, OrderAllocation, 1, nil, rt.Nil})
				}
			}
			add(&collectRun{100_000, 10_000_000, immortalInPlace, OrderAllocation, 1, nil, rt.Nil})
			add(&collectRun{1_000_000, 0, immortalNone, orderScattered, 1, nil, rt.Nil})
			if cores > 1 {
				add(&collectRun{1_000_000, 0, immortalNone, OrderAllocation, cores, nil, rt.Nil})
				add(&collectRun{1_000_000, 0, immortalNone, orderScattered, cores, nil, rt.Nil})
			}
			return p, nil
		},
		Baseline: func(c experiment.Config) experiment.Config {
			return c.With("immortals", 0).With("kind", immortalAddress).With("order", OrderAllocation).With("cores", 1)
		},
		BaselineName: "no immortals, same mortals, in order of allocation, one core",
		Conclude:     concludeCollect,
	}
}

// concludeCollect compares the pause with the most immortals to the pause with none.
func concludeCollect(res *experiment.Result) (lines []string) {
	for _, mortals := range collectMortals {
		row := func(immortals int) *experiment.Row {
			return res.Find(experiment.Cfg("mortals", mortals, "immortals", immortals, "kind", immortalAddress, "order", OrderAllocation, "cores", 1))
		}
		most := collectImmortals[len(collectImmortals)-1]
		lines = experiment.Claim(lines, fmt.Sprintf("%d live mortals, %v ms without immortals", mortals, row(0).Stat().Times(1e-6)),
			experiment.Ratio(row(most), row(0)), "%v times that with %d.", most)
	}
	return lines
}

// collectRun is one row.
type collectRun struct {
	mortals   int
	immortals int
	kind      string
	order     string
	cores     int

	r    *rt.Runtime
	root rt.Ref
}

func (c *collectRun) setup(ctx context.Context) (err error) {
	c.r, err = rt.New(rt.Options{Mode: rt.LockFree, CollectAfter: -1, CollectWorkers: c.cores})
	if err != nil {
		return err
	}
	return c.r.Do(func(t *rt.Thread) error {
		if err := c.bearImmortals(ctx, t); err != nil {
			return err
		}
		c.root, err = c.grow(ctx, t)
		return err
	})
}

// bearImmortals makes pairs of integers.
func (c *collectRun) bearImmortals(ctx context.Context, t *rt.Thread) error {
	one, _ := rt.Int(1)
	const atOnce = 100_000
	for range c.immortals / atOnce {
		_, err := experiment.Bear(t, c.kind, func() (list rt.Ref, err error) {
			pairs := make([]rt.Ref, 0, atOnce)
			for range atOnce {
				r, err := objects.NewTuple(t, one, one)
				if err != nil {
					return rt.Nil, err
				}
				pairs = append(pairs, r)
			}
			return objects.NewListSteal(t, pairs...)
		})
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
	return nil
}

// grow makes the mortals, and returns a new reference to one from which all can be reached.
func (c *collectRun) grow(ctx context.Context, t *rt.Thread) (rt.Ref, error) {
	fields := make([]string, collectDegree)
	for i := range fields {
		fields[i] = fmt.Sprintf("f%d", i)
	}
	y, err := objects.DefineRecord("bench container", fields...)
	if err != nil {
		return rt.Nil, err
	}
	n := c.mortals
	all := make([]rt.Ref, n)
	nothing := slices.Repeat([]rt.Ref{rt.None}, collectDegree)
	for i := range all {
		if all[i], err = y.New(t, nothing...); err != nil {
			return rt.Nil, err
		}
		if i%10_000 == 0 && ctx.Err() != nil {
			return rt.Nil, ctx.Err()
		}
	}
	// The first references make a ring of all containers.
	next := func(i, k int) int { return (i + n - 1 - k) % n }
	if c.order == orderScattered {
		ring := scattered(n)
		place := make([]int, n)
		for i, x := range ring {
			place[x] = i
		}
		next = func(i, k int) int { return int(ring[(place[i]+1+k*k*7919)%n]) }
	}
	for i, r := range all {
		for k := range collectDegree {
			if err := objects.Record(r).Set(t, k, all[next(i, k)]); err != nil {
				return rt.Nil, err
			}
		}
	}
	root := all[n-1]
	t.DecRefs(all[:n-1])
	return root, nil
}

func (c *collectRun) close() error {
	if c.r == nil {
		return nil
	}
	err := c.r.Do(func(t *rt.Thread) error {
		t.DecRef(c.root)
		return nil
	})
	return errors.Join(err, c.r.Close())
}

func (c *collectRun) sample(ctx context.Context, b experiment.Budget) (s experiment.Sample, err error) {
	err = c.r.Do(func(t *rt.Thread) error {
		var pauses []int64
		stop := experiment.WatchCPU(c.cores)
		for range collectMost {
			got := t.Collect()
			if got.Candidates != c.mortals || got.Garbage != 0 {
				return fmt.Errorf("collected %+v of %d containers that live", got, c.mortals)
			}
			pauses = append(pauses, got.Stopped.Nanoseconds())
			if ctx.Err() != nil {
				break
			}
		}
		slices.Sort(pauses)
		median := float64(pauses[len(pauses)/2])
		s = experiment.Sample{
			Value: median, Ops: int64(len(pauses)),
			Extra: map[string]float64{nsContainer: median / float64(c.mortals)}, Threads: stop(),
		}
		return nil
	})
	return s, err
}
