package experiment

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/internal/perf"
)

// fakeCounters count 1000 cycles and 10 misses each time, unless they fail.
type fakeCounters struct {
	running     bool
	start, stop error
}

func (f *fakeCounters) Start() (func() (map[string]float64, error), error) {
	f.running = true
	return func() (map[string]float64, error) {
		f.running = false
		return map[string]float64{"cycles": 1000, "misses": 10}, f.stop
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

// Counters are extra metrics of samples of lanes. They count while the lanes run.
func TestCounters(t *testing.T) {
	fake := &fakeCounters{}
	v := Variant{Config: Cfg("v", 1), Metric: NsOp, Sample: func(ctx context.Context, b Budget) (Sample, error) {
		return NsPerOp(ctx, Budget{Ops: 500}, 1, func(l *Lane) error {
			for l.Next() {
				l.Add("running", map[bool]float64{true: 1}[fake.running])
			}
			return nil
		})
	}}
	for ctx, want := range map[context.Context]map[string]float64{
		context.WithValue(t.Context(), counterKey{}, fake): {"cycles/op": 2, "misses/op": 0.02}, t.Context(): {},
	} {
		r, err := Run(ctx, []Scenario{scenario(v)}, options(1))
		if err != nil {
			t.Fatal(err)
		}
		extra := r.Results[0].Rows[0].Samples[0].Extra
		if running := extra["running"] > 0; running != (len(want) > 0) {
			t.Errorf("the counters run: %t", running)
		}
		delete(extra, "running")
		if !maps.Equal(extra, want) {
			t.Errorf("%v, want %v", extra, want)
		}
	}
}

// Counters are in the context of a run if they are asked for and there. A line says why some or all
// are not.
func TestWithCounters(t *testing.T) {
	real := openCounters
	defer func() { openCounters = real }()
	if c, reason := real(); c == nil && reason == "" {
		t.Error("there are no counters, for no reason")
	}
	there := &perf.Counters{}
	for _, c := range []struct {
		asked  bool
		there  *perf.Counters
		reason string
		want   any
		logged string
	}{{true, there, "", there, ""}, {true, there, "not all", there, "-counters: not all"}, {true, nil, "not permitted", nil, "-counters: not permitted"}, {false, there, "not all", nil, ""}} {
		openCounters = func() (*perf.Counters, string) { return c.there, c.reason }
		o := options(1)
		logged := ""
		o.Counters, o.Logf = c.asked, func(format string, args ...any) { logged += fmt.Sprintf(format, args...) }
		if got := withCounters(t.Context(), &o).Value(counterKey{}); got != c.want || logged != c.logged {
			t.Errorf("%+v: %v, logged %q", c, got, logged)
		}
	}
	o := options(1)
	o.Counters = true
	openCounters = func() (*perf.Counters, string) { return nil, "not permitted" }
	if _, err := Run(t.Context(), []Scenario{scenario(fixed(Cfg("v", 1), NsOp, 1))}, o); err != nil { // without Logf, which then logs nothing
		t.Error(err)
	}
	logged := ""
	o.Logf = func(format string, args ...any) { logged += fmt.Sprintf(format, args...) }
	if _, err := Run(t.Context(), []Scenario{scenario(fixed(Cfg("v", 1), NsOp, 1))}, o); err != nil || logged == "" {
		t.Errorf("the run has not asked for counters: %q, %v", logged, err)
	}
}
