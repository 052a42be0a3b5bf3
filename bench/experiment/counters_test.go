package experiment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// fakeCounters count 1000 cycles each time, unless they fail.
type fakeCounters struct {
	running     bool
	start, stop error
}

func (f *fakeCounters) Start() (func() (map[string]float64, error), error) {
	f.running = true
	return func() (map[string]float64, error) {
		f.running = false
		return map[string]float64{"cycles": 1000}, f.stop
	}, f.start
}

// If counters fail, the sample fails, and does not take its time first.
func TestCountersFail(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		fake   fakeCounters
		budget Budget
	}{{fakeCounters{start: boom}, Budget{Duration: time.Hour}}, {fakeCounters{stop: boom}, Budget{Ops: 1}}} {
		_, err := NsPerOp(context.WithValue(t.Context(), counterKey{}, &c.fake), c.budget, 1, func(l *Lane) error {
			for l.Next() {
			}
			return nil
		})
		if err != boom {
			t.Errorf("%+v: %v", c.fake, err)
		}
	}
}

// Counters are extra metrics of samples of lanes, if they are asked for and there. A line says why
// they are not.
func TestCounters(t *testing.T) {
	real := openCounters
	defer func() { openCounters = real }()
	if c, reason := real(); c == nil && reason == "" {
		t.Error("there are no counters, for no reason")
	}
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
		o.Logf = nil // which logs nothing
		if _, err := Run(t.Context(), []Scenario{scenario(v)}, o); err != nil {
			t.Error(err)
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
