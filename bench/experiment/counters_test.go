package experiment

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// fakeCounters count 1000 cycles each time.
type fakeCounters struct{ running bool }

func (f *fakeCounters) Start() (func() (map[string]float64, error), error) {
	f.running = true
	return func() (map[string]float64, error) {
		f.running = false
		return map[string]float64{"cycles": 1000}, nil
	}, nil
}

// Counters are extra metrics of samples of lanes, if they are asked for and there. A line says why
// they are not.
func TestCounters(t *testing.T) {
	real := openCounters
	defer func() { openCounters = real }()
	fake := &fakeCounters{}
	v := Variant{Config: Cfg("v", 1), Metric: NsOp, Sample: func(ctx context.Context, b Budget) (Sample, error) {
		return NsPerOp(ctx, Budget{Ops: 500}, 1, func(l *Lane) error {
			for l.Next() {
				l.Add("running", map[bool]float64{true: 1}[fake.running])
			}
			return nil
		})
	}}
	for _, c := range []struct {
		asked, there bool
		reason       string
	}{{true, true, ""}, {true, false, "they are not permitted"}, {false, true, ""}} {
		openCounters = func() (eventCounter, string) {
			if !c.there {
				return nil, c.reason
			}
			return fake, c.reason
		}
		o := options(1)
		o.Counters = c.asked
		var logged []string
		o.Logf = func(format string, args ...any) { logged = append(logged, fmt.Sprintf(format, args...)) }
		r, err := Run(t.Context(), []Scenario{scenario(v)}, o)
		if err != nil {
			t.Fatal(err)
		}
		extra := r.Results[0].Rows[0].Samples[0].Extra
		if cycles, counted := extra["cycles/op"]; counted != (c.asked && c.there) || counted && (cycles != 2 || extra["running"] == 0) {
			t.Errorf("%+v: %v", c, extra)
		}
		if want := map[bool][]string{true: {"-counters: they are not permitted"}}[c.reason != ""]; !slices.Equal(logged, want) {
			t.Errorf("%+v: logged %q", c, logged)
		}
	}
}
