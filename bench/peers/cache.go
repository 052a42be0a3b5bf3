package main

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/process"
)

// cacheEntryObjects is the number of objects of an entry, not counting its integers: a dict, a
// list, five strings and a float.
const cacheEntryObjects = 8

// cacheSetting is a store with a GOGC setting, in a process of its own.
type cacheSetting struct {
	store string
	gogc  int
}

// gogcOff is the control: the worst read without a collector.
const gogcOff = -1

// cacheSettings are the rows. A store outside the Go heap leaves so little in it that the
// collector would run all the time. Programs with such a store raise GOGC, at a cost of a few
// megabytes, and so do these rows.
var cacheSettings = []cacheSetting{
	{"ichor", 1000}, {"ichor-frozen", 1000}, {"ichor-frozen", 100}, {"ichor-frozen", gogcOff}, {"go", 100}, {"go-structs", 100}, {"freecache", 100}, {"fastcache", 1000},
}

func cacheScenario(objects int) experiment.Scenario {
	return experiment.Scenario{
		Name: "cache",
		Question: fmt.Sprintf("What does a cache of %d objects cost, in resident memory, in work of Go's collector, and in time to read? "+
			"(Each row is a process of its own. An entry is {id, name, brand, price, stock, tags: [3]}, with strings of its own; a read finds one by its number and returns all fields but the tags, "+
			"in an answer of %d bytes. A sample reads on GOMAXPROCS goroutines until Go's collector has completed two cycles, or for a second with gogc=off, which is the control. gc-cpu-ms: the CPU time of a cycle; gc-cpu-%%: the collector's share of all CPU time; gc-pause-us: the longest stop of all goroutines; p99.99-read-us: the most that all but one in ten thousand batches of %d reads take; worst-read-us: the longest batch.)", objects, cacheAnswerBytes, cacheBatch),
		Plan: func(*experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, setting := range cacheSettings {
				row := &cacheRow{cacheSetting: setting, entries: objects / cacheEntryObjects}
				p.Variants = append(p.Variants, experiment.Variant{
					Config: experiment.Cfg(peerKey, setting.store, "gogc", setting.name(), "threads", runtime.GOMAXPROCS(0)), Metric: residentBytes,
					Setup: row.start, Close: row.stop, Sample: row.sample,
				})
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With(peerKey, "go").With("gogc", 100) },
		BaselineName: "peer=go gogc=100",
		Conclude:     concludeCache,
	}
}

// name returns the setting as a value of the key gogc.
func (s cacheSetting) name() any {
	if s.gogc == gogcOff {
		return "off"
	}
	return s.gogc
}

// cacheRow is the process of a row.
type cacheRow struct {
	cacheSetting
	entries int
	child   *process.Child
	built   cacheBuilt
}

func (c *cacheRow) start(ctx context.Context) (err error) {
	if c.child, err = process.Start(ctx, "cache-child", c.store); err != nil {
		return err
	}
	c.built, err = process.Ask[cacheJob, cacheBuilt](c.child, cacheJob{c.entries, c.gogc})
	return err
}

func (c *cacheRow) stop() error { return c.child.Stop() }

func (c *cacheRow) sample(_ context.Context, b experiment.Budget) (experiment.Sample, error) {
	got, err := process.Ask[experiment.Budget, cacheLoad](c.child, b)
	return experiment.Sample{Value: float64(got.Resident), Ops: got.Reads, Extra: map[string]float64{
		buildSeconds: c.built.Took.Seconds(), goHeapBytes: float64(c.built.GoHeap), readsSecond: float64(got.Reads) / got.Took.Seconds(),
		gcMilliseconds: 1e3 * got.GC.GC / float64(max(got.GC.Cycles, 1)), gcPercent: got.GC.Percent(), gcPauseMicros: 1e6 * got.Pause,
		tailMicros: float64(got.Tail.Microseconds()), worstMicros: float64(got.Worst.Nanoseconds()) / 1e3,
	}}, err
}

// concludeCache compares Ichor's frozen graph with the same data in the Go heap.
func concludeCache(res *experiment.Result) []string {
	frozen, inGo := res.Find(experiment.Cfg(peerKey, "ichor-frozen", "gogc", 1000)), res.Find(experiment.Cfg(peerKey, "go"))
	times := func(metric string) float64 { return metricOf(inGo, metric) / metricOf(frozen, metric) }
	worst := func(row *experiment.Row) float64 { return metricOf(row, worstMicros) / 1e3 }
	lines := experiment.Say(nil,
		"The same graph in Go's heap takes %.1f times the resident memory of the frozen one, %.0f times the CPU time of Go's collector in each cycle and %.0f times its share, "+
			"%.1f times the longest stop of all goroutines, and %.0f times as long for the slowest of ten thousand batches of reads; the frozen one is read %.2f times as fast. The longest batch of all took %.1f ms in Go's heap, %.1f frozen, and %.1f frozen if no collector runs.",
		times(residentBytes), times(gcMilliseconds), times(gcPercent), times(gcPauseMicros), times(tailMicros), 1/times(readsSecond),
		worst(inGo), worst(frozen), worst(res.Find(experiment.Cfg(peerKey, "ichor-frozen", "gogc", "off"))))
	return append(lines, concludeNotes(res)...)
}

// metricOf returns the median of a row's metric, NaN if the row lacks it.
func metricOf(row *experiment.Row, metric string) float64 {
	for _, s := range row.Stats() {
		if s.Metric == metric {
			return s.Median
		}
	}
	return math.NaN()
}
