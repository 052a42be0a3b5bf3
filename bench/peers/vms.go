package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/process"
)

// vmsEntries is the number of entries in the graph: {id, name, price, stock}.
const vmsEntries = 50_000

// hosted is the suffix of the names of engines that read Ichor's graph.
const hosted = "+ichor"

var vmsEngines = []string{"goja" + hosted, "goja", "gopher-lua" + hosted, "gopher-lua", "starlark"}

func vmsScenario(vms int) experiment.Scenario {
	return experiment.Scenario{
		Name: "vms",
		Question: fmt.Sprintf("How much resident memory do script engines take to read one graph of %d entries, if each has a copy, and if they share a frozen one? "+
			"(Each row is a process of its own; a read is that of two fields of an entry, by a script.)", vmsEntries),
		Plan: func(*experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			counts := []int{1, vms}
			for _, engine := range vmsEngines {
				for _, n := range slices.Compact(counts) {
					row := &vmsRow{engine: engine, n: n}
					p.Variants = append(p.Variants, experiment.Variant{
						Config: experiment.Cfg(peerKey, engine, "vms", n), Metric: residentBytes,
						Setup: row.start, Close: row.stop, Sample: row.sample,
					})
				}
			}
			return p, nil
		},
		Baseline: func(c experiment.Config) experiment.Config {
			engine, _ := c.Get(peerKey).(string)
			return c.With(peerKey, strings.TrimSuffix(engine, hosted))
		},
		BaselineName: "the same engines with copies",
		Conclude: func(res *experiment.Result) (lines []string) {
			for _, engine := range []string{"goja", "gopher-lua"} {
				shared := res.Find(experiment.Cfg(peerKey, engine+hosted, "vms", vms))
				copies := res.Find(experiment.Cfg(peerKey, engine, "vms", vms))
				lines = experiment.Say(lines, "%d %s engines that share one frozen graph take %v of the resident memory of as many with copies; 1/%d is %.2f.",
					vms, engine, experiment.Ratio(shared, copies), vms, 1/float64(vms))
			}
			return append(lines, concludeNotes(res)...)
		},
	}
}

// vmsRow is the process of a row.
type vmsRow struct {
	engine string
	n      int
	child  *process.Child
	built  vmsBuilt
}

func (c *vmsRow) start(ctx context.Context) (err error) {
	if c.child, err = process.Start(ctx, "vms-child", c.engine, strconv.Itoa(c.n)); err != nil {
		return err
	}
	c.built, err = process.Ask[int, vmsBuilt](c.child, vmsEntries)
	return err
}

func (c *vmsRow) stop() error { return c.child.Stop() }

func (c *vmsRow) sample(_ context.Context, b experiment.Budget) (experiment.Sample, error) {
	got, err := process.Ask[experiment.Budget, vmsLoad](c.child, b)
	return experiment.Sample{Value: float64(got.Resident), Ops: got.Reads, Extra: map[string]float64{
		buildSeconds: c.built.Took.Seconds(), readsSecond: float64(got.Reads) / got.Took.Seconds(),
	}}, err
}
