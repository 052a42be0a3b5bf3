package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/ichor-go/ichor/bench/experiment"
)

// cacheEntryObjects is how many objects an entry has, not counting its integers: a dict, a
// list, five strings and a float.
const cacheEntryObjects = 8

// cacheStores are what keeps the entries, each in a process of its own.
var cacheStores = []string{"ichor", "ichor-frozen", "go", "go-structs", "freecache", "fastcache"}

func cacheScenario(objects int) experiment.Scenario {
	return experiment.Scenario{
		Name: "cache",
		Question: fmt.Sprintf("What does a cache of %d objects cost, in resident memory, in Go's collector, and to read? "+
			"(Each row is a process of its own. An entry is {id, name, brand, price, stock, tags: [3]}, with strings of its own; a read finds one by its number and looks at all fields but the tags. "+
			"A sample reads on GOMAXPROCS goroutines, while Go's collector comes round once: gc-cpu-ms is what that took, gc-pause-us for how long it stopped all goroutines at most, worst-read-us the longest of the reads.)", objects),
		Plan: func(*experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, store := range cacheStores {
				row := &cacheRow{store: store, entries: objects / cacheEntryObjects}
				p.Variants = append(p.Variants, experiment.Variant{
					Config: experiment.Cfg(peerKey, store, "threads", runtime.GOMAXPROCS(0)), Metric: residentBytes,
					Setup: row.start, Close: row.stop, Sample: row.sample,
				})
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With(peerKey, "go") },
		BaselineName: "peer=go",
		Conclude:     concludeCache,
	}
}

// cacheRow is the process of a row.
type cacheRow struct {
	store   string
	entries int
	child   *experiment.Child
	built   cacheBuilt
}

func (c *cacheRow) start(ctx context.Context) (err error) {
	if c.child, err = experiment.StartChild(ctx, "cache-child", c.store); err != nil {
		return err
	}
	c.built, err = experiment.Ask[int, cacheBuilt](c.child, c.entries)
	return err
}

func (c *cacheRow) stop() error { return c.child.Stop() }

func (c *cacheRow) sample(_ context.Context, b experiment.Budget) (experiment.Sample, error) {
	got, err := experiment.Ask[experiment.Budget, cacheLoad](c.child, b)
	return experiment.Sample{Value: float64(got.Resident), Ops: got.Reads, Extra: map[string]float64{
		buildSeconds: c.built.Took.Seconds(), goHeapBytes: float64(c.built.GoHeap), readsSecond: float64(got.Reads) / got.Took.Seconds(),
		gcMilliseconds: 1e3 * got.GC, gcPauseMicros: 1e6 * got.Pause, worstMicros: float64(got.Worst.Nanoseconds()) / 1e3,
	}}, err
}

// concludeCache compares our frozen graph with the same in Go's heap.
func concludeCache(res *experiment.Result) []string {
	frozen, inGo := res.Find(experiment.Cfg(peerKey, "ichor-frozen")), res.Find(experiment.Cfg(peerKey, "go"))
	times := func(metric string) float64 { return metricOf(inGo, metric) / metricOf(frozen, metric) }
	return append([]string{fmt.Sprintf(
		"The same graph in Go's heap takes %.1f times the resident memory of the frozen one, %.0f times the CPU time of Go's collector at each of its rounds, "+
			"%.1f times the longest stop of all goroutines, and %.1f times the longest read; the frozen one is read %.2f times as fast.",
		times(residentBytes), times(gcMilliseconds), times(gcPauseMicros), times(worstMicros), 1/times(readsSecond))},
		concludeNotes(res)...)
}

// metricOf is the median of one of a row's metrics.
func metricOf(row *experiment.Row, metric string) float64 {
	for _, s := range row.Stats() {
		if s.Metric == metric {
			return s.Median
		}
	}
	return 0
}
