package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
)

// shortRun runs a scenario with samples of few operations, which ends with Close:
// so a leak is an error. keep chooses the rows; nil is all.
func shortRun(t *testing.T, s experiment.Scenario, keep func(c experiment.Config) bool, docs ...experiment.Document) *experiment.Result {
	t.Helper()
	if plan := s.Plan; keep != nil {
		s.Plan = func(env *experiment.Env) (*experiment.Plan, error) {
			p, err := plan(env)
			if err == nil {
				p.Variants = slices.DeleteFunc(p.Variants, func(v experiment.Variant) bool { return !keep(v.Config) })
			}
			return p, err
		}
	}
	report, err := experiment.Run(t.Context(), []experiment.Scenario{s}, experiment.Options{
		Env: experiment.Env{Documents: docs, Threads: []int{1, 2}, Budget: experiment.Budget{Ops: 2000}, Count: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	res := report.Results[0]
	for _, row := range res.Rows {
		if len(row.Samples) != 2 || row.Stat().Min <= 0 {
			t.Errorf("%s: %v", row.Config, row.Samples)
		}
	}
	if s.Conclude != nil && len(s.Conclude(res)) == 0 {
		t.Errorf("%s concludes nothing", s.Name)
	}
	return res
}

// Whoever asks for an owned object without saying under which mode means the GIL's.
func TestPair(t *testing.T) {
	res := shortRun(t, pairScenario(), func(c experiment.Config) bool { return c.Get("temp") == "hot" })
	for _, want := range []struct {
		mode  any
		asked experiment.Config
	}{
		{modeGIL, experiment.Cfg("state", "owned", "temp", "hot")},
		{modeBiased, experiment.Cfg("state", "owned", "mode", modeBiased, "temp", "hot")},
		{modeAtomic, experiment.Cfg("state", "shared", "temp", "hot")},
		{nil, experiment.Cfg("state", "loads", "temp", "hot")},
	} {
		row := res.Find(want.asked)
		if row == nil || row.Config.Get("mode") != want.mode || row.Config.Get("call") != nil {
			t.Errorf("asked for %v, found %v", want.asked, row)
		}
	}
}

func TestDict(t *testing.T) {
	res := shortRun(t, dictScenario(), nil)
	if res.Find(experiment.Cfg("map", "ichor", "reads", 95, "threads", 2)) == nil ||
		res.Find(experiment.Cfg("map", countedDict, "reads", 95, "threads", 2)) == nil {
		t.Error("a row of Ichor's dict is missing")
	}
}

func TestHandoff(t *testing.T) {
	res := shortRun(t, handoffScenario(), nil)
	if n := len(modes) * len(handoffShares); len(res.Rows) != n {
		t.Errorf("%d rows, want %d", len(res.Rows), n)
	}
}

// A sample that is interrupted ends soon, and leaves nothing behind.
func TestHandoffInterrupted(t *testing.T) {
	for _, mode := range modes {
		run := &handoffRun{mode: mode}
		if err := run.setup(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, after := range []time.Duration{0, 5 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			begin := time.Now()
			_, err := run.sampler(50)(ctx, experiment.Budget{Duration: time.Hour})
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > time.Minute {
				t.Errorf("%s: %v after %v", mode, err, time.Since(begin))
			}
			cancel()
		}
		if err := run.close(); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

func TestWhereLost(t *testing.T) {
	shares := []int{0, 10, 50}
	for _, c := range []struct {
		ratios []float64
		want   string
	}{
		{[]float64{1.5, 1.2, 1}, "Biased counting does not lose in this run, up to 50 % foreign."},
		{[]float64{1.5, 1.2, 0.8}, "Biased counting begins to lose in this run at about 30 % foreign."},
		{[]float64{1.5, 1, 0.5}, "Biased counting begins to lose in this run at about 10 % foreign."},
		{[]float64{0.9, 1.2, 0.8}, "Biased counting loses in this run already at 0 % foreign."},
	} {
		if got := whereLost(shares, c.ratios); got != c.want {
			t.Errorf("%v: %q, want %q", c.ratios, got, c.want)
		}
	}
}

// Bytes are no times: samples agree, and the documents together take about the sum.
func TestMemory(t *testing.T) {
	const small = `[1, 2.5, "text", {"name": null, "other": [true, 12345678901]}]`
	res := shortRun(t, memoryScenario(), nil, experiment.Document{Name: "large", Data: sample}, experiment.Document{Name: inTotal, Data: []byte(small)})
	for _, heap := range []string{heapIchor, heapGo} {
		large := res.Find(experiment.Cfg("document", "large", "heap", heap)).Stat()
		total := res.Find(experiment.Cfg("document", inTotal, "heap", heap)).Stat()
		if large.Max > 1.01*large.Min || total.Max > 1.01*total.Min {
			t.Errorf("%s: samples from %.0f to %.0f, and from %.0f to %.0f", heap, large.Min, large.Max, total.Min, total.Max)
		}
		if total.Median < 0.99*large.Median || total.Median > 1.02*large.Median {
			t.Errorf("%s: %.0f bytes in total, the large document has %.0f", heap, total.Median, large.Median)
		}
	}
	// 20,000 dicts and their tables of 2 entries in slots of 32 and 48 bytes, as many strings of 5
	// bytes in slots of 32 and floats in slots of 16.
	if got := res.Find(experiment.Cfg("document", "large", "heap", heapIchor)).Stat().Median; got < 20000*128 || got > 20000*136 {
		t.Errorf("%.0f bytes for the large document", got)
	}
}

func TestCountValues(t *testing.T) {
	row := memoryRow{docs: []experiment.Document{{Data: []byte(`[1, {"a": [], "b": null}]`)}, {Data: []byte(`"x"`)}}}
	if err := row.setup(t.Context()); err != nil || row.values != 6 {
		t.Errorf("%v values, %v", row.values, err)
	}
}
