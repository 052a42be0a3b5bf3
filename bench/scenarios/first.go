package scenarios

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/process"
	rt "github.com/ichor-go/ichor/runtime"
)

// firstObjects is how many objects a child makes.
const firstObjects = 10_000

// Extra metrics of the scenario first. Those of starting are about making the runtime.
const (
	minorFaults = "minor-faults"
	majorFaults = "major-faults"
	startNs     = "start-ns"
	startFaults = "start-faults" // minor and major
)

// First asks what the first objects of a process cost, whose memory nobody has touched yet.
func First() experiment.Scenario {
	return experiment.Scenario{
		Name: "first",
		Question: fmt.Sprintf("What do the first %d small objects of a process cost, in Ichor's heap and in Go's? "+
			"(Each sample is a process of its own. An op makes one object, writes to it, and keeps it. heap=ichor: 16 bytes behind a header, and the goroutine is attached in the time of the first one; heap=go: new([32]byte). "+
			"minor-faults and major-faults: page faults of the process meanwhile, without and with input or output, if the system counts them. "+
			"start-ns and start-faults: what making the runtime took before, and its page faults of both kinds; Go's heap was made with the process.)", firstObjects),
		Plan: func(*experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, mode := range modes {
				p.Variants = append(p.Variants, firstVariant(mode, experiment.Cfg("heap", HeapIchor, "mode", mode)))
			}
			p.Variants = append(p.Variants, firstVariant(HeapGo, experiment.Cfg("heap", HeapGo)))
			return p, nil
		},
		Baseline:     func(experiment.Config) experiment.Config { return experiment.Cfg("heap", HeapGo) },
		BaselineName: "heap=go",
		Conclude:     concludeFirst,
	}
}

// firstVariant is a row. Its heap is HeapGo or a mode of Ichor's.
func firstVariant(heap string, c experiment.Config) experiment.Variant {
	return experiment.Variant{Config: c, Metric: experiment.NsOp, Sample: func(ctx context.Context, _ experiment.Budget) (experiment.Sample, error) {
		child, err := process.Start(ctx, ChildCommand, "first", heap)
		if err != nil {
			return experiment.Sample{}, err
		}
		got, err := process.Ask[int, firstResult](child, firstObjects)
		return got.sample(), errors.Join(err, child.Stop())
	}}
}

// firstResult is what a child has measured: making the runtime, and the objects.
type firstResult struct{ Start, Objects firstCost }

// firstCost is what a piece of work takes.
type firstCost struct {
	Took   time.Duration
	Faults pageFaults
}

// pageFaults are the page faults of this process. Minor ones need no input or output.
type pageFaults struct {
	Minor, Major int64
	Known        bool // the system counts them
}

func (r *firstResult) sample() experiment.Sample {
	s := experiment.Sample{Value: float64(r.Objects.Took) / firstObjects, Ops: firstObjects, Extra: map[string]float64{}}
	if f := r.Objects.Faults; f.Known {
		s.Extra[minorFaults], s.Extra[majorFaults] = float64(f.Minor), float64(f.Major)
	}
	if r.Start.Took > 0 {
		s.Extra[startNs] = float64(r.Start.Took)
		if f := r.Start.Faults; f.Known {
			s.Extra[startFaults] = float64(f.Minor + f.Major)
		}
	}
	return s
}

// serveFirst is a child of the scenario. The question is the number of objects.
func serveFirst(heap string, parent *process.Parent) error {
	return process.Answer(parent, func(n int) (firstResult, error) {
		if heap == HeapGo {
			return firstInGo(n)
		}
		return firstInIchor(heap, n)
	})
}

// costOf measures work.
func costOf(work func() error) (c firstCost, err error) {
	before, begin := readFaults(), time.Now()
	err = work()
	c.Took, c.Faults = time.Since(begin), readFaults()
	c.Faults.Minor -= before.Minor
	c.Faults.Major -= before.Major
	return c, err
}

func firstInIchor(mode string, n int) (got firstResult, err error) {
	leaf, err := leafType()
	if err != nil {
		return got, err
	}
	kept := inMemory[rt.Ref](n)
	var r *rt.Runtime
	if got.Start, err = costOf(func() (err error) {
		r, err = experiment.NewRuntime(mode)
		return err
	}); err != nil {
		return got, err
	}
	var t *rt.Thread
	got.Objects, err = costOf(func() (err error) {
		if t, err = r.Attach(); err != nil {
			return err
		}
		for i := range kept {
			r, body, err := t.New(leaf, leafBytes)
			if err != nil {
				return err
			}
			body.SetWord(0, 1)
			kept[i] = r
		}
		return nil
	})
	if err != nil {
		return got, err // the process ends, and the runtime with it
	}
	t.DecRefs(kept)
	t.Detach()
	return got, r.Close()
}

func firstInGo(n int) (got firstResult, err error) {
	kept := inMemory[*[32]byte](n)
	got.Objects, err = costOf(func() error {
		for i := range kept {
			kept[i] = new([32]byte)
			kept[i][0] = 1 // new gets pages that are zero from the system, and does not touch them
		}
		return nil
	})
	runtime.KeepAlive(kept)
	return got, err
}

// inMemory makes a slice whose pages are in memory, so that they add no page faults.
func inMemory[T any](n int) []T {
	s := make([]T, n)
	clear(s) // make does not touch pages that come from the system
	return s
}

// concludeFirst compares with Go's heap.
func concludeFirst(res *experiment.Result) (lines []string) {
	gos := res.Find(experiment.Cfg("heap", HeapGo))
	for _, mode := range modes {
		row := res.Find(experiment.Cfg("heap", HeapIchor, "mode", mode))
		if gos != nil && row != nil {
			lines = experiment.Claim(lines, fmt.Sprintf("The first %d objects, %s", firstObjects, ModeWords(mode)), experiment.Ratio(gos, row), "%v times as fast as in Go's heap.")
		}
	}
	row := res.Find(experiment.Cfg("heap", HeapIchor, "mode", modeAtomic))
	lines = experiment.Say(lines, "They cause %v minor page faults in Ichor's heap (%s), and %v in Go's.", extraOf(row, minorFaults), ModeWords(modeAtomic), extraOf(gos, minorFaults))
	return experiment.Say(lines, "Making the runtime takes %v µs before.", extraOf(row, startNs).Times(1e-3))
}
