package scenarios

import (
	"context"
	"runtime"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/process"
)

// Metrics of the scenario gcshare. The first one is a percentage of all CPU time: lower is
// better.
const (
	gcPercent    = "gc-cpu-%"
	gcCycles     = "gc-cycles"
	requestsRate = "requests/s"
	goHeapBytes  = "goheap-bytes" // what lives in Go's heap, before the load
)

// gcshareSize is the default size of Go's graph.
const gcshareSize = 1 << 30

// GCShare asks how much CPU time Go's collector takes in a program that keeps documents.
func GCShare() experiment.Scenario {
	return experiment.Scenario{
		Name: "gcshare",
		Question: "How much CPU time does Go's collector take in a program that allocates all the time, and keeps documents as Go's map[string]any, frozen, or not at all? " +
			"(Each row is a process of its own, with GOGC=100 and no memory limit. On GOMAXPROCS goroutines it builds and drops small maps as fast as it can; a sample is the collector's share of the CPU time of whole cycles, at least two of them, and takes at least a second. " +
			"The documents are repeated until they have the size given by -size, 1GiB by default, as maps in Go's heap. Memory: three and a half times that size.)",
		Documents: true,
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			run := &gcshareRun{docs: env.Documents, size: env.Size}
			if run.size == 0 {
				run.size = gcshareSize
			}
			p := &experiment.Plan{Setup: run.setup}
			for _, heap := range []string{HeapGo, HeapFrozen, heapEmpty} {
				c := &gcshareChild{run: run, heap: heap}
				p.Variants = append(p.Variants, experiment.Variant{
					Config: experiment.Cfg("heap", heap, "threads", runtime.GOMAXPROCS(0)), Metric: gcPercent,
					Setup: c.start, Close: c.stop, Sample: c.sample,
				})
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("heap", HeapGo) },
		BaselineName: "heap=go",
		Conclude:     concludeGCShare,
	}
}

// gcshareRun is what the processes of all rows have in common.
type gcshareRun struct {
	docs   []experiment.Document
	size   int64
	copies int // of all documents, so that Go's graph has the size
}

// setup finds out how many copies of the documents have the size: at least one.
func (g *gcshareRun) setup(context.Context) error {
	before := liveBytes()
	graphs, err := decode(g.docs)
	one := max(liveBytes()-before, 1)
	runtime.KeepAlive(graphs)
	g.copies = int((g.size + one - 1) / one)
	return err
}

// gcshareChild is the process of one row. The first question to it, a gcshareJob, has it
// build its graph. Each further question, a budget, has it take a sample.
type gcshareChild struct {
	run  *gcshareRun
	heap string

	child *process.Child
	ready gcshareReady
}

func (c *gcshareChild) start(ctx context.Context) (err error) {
	if c.child, err = process.Start(ctx, ChildCommand, "gcshare", c.heap); err != nil {
		return err
	}
	job := gcshareJob{Copies: c.run.copies, Docs: c.run.docs}
	if c.heap == heapEmpty {
		job = gcshareJob{}
	}
	c.ready, err = process.Ask[gcshareJob, gcshareReady](c.child, job)
	return err
}

func (c *gcshareChild) stop() error { return c.child.Stop() }

func (c *gcshareChild) sample(_ context.Context, b experiment.Budget) (experiment.Sample, error) {
	got, err := process.Ask[experiment.Budget, gcshareResult](c.child, b)
	if err != nil {
		return experiment.Sample{}, err
	}
	s := experiment.Sample{Value: got.GC.Percent(), Ops: got.Requests, Extra: map[string]float64{
		gcCycles: float64(got.GC.Cycles), requestsRate: float64(got.Requests) / got.Took.Seconds(), goHeapBytes: float64(c.ready.GoHeap),
	}}
	if c.ready.Frozen > 0 {
		s.Extra[bytesFrozen] = float64(c.ready.Frozen)
	}
	return s, nil
}

func concludeGCShare(res *experiment.Result) []string {
	share := func(heap string) experiment.Stat { return res.Find(experiment.Cfg("heap", heap)).Stat() }
	return experiment.Say(nil, "Go's collector takes %v %% of the CPU time with the documents in maps, %v %% with the same documents frozen, and %v %% with none.",
		share(HeapGo), share(HeapFrozen), share(heapEmpty))
}
