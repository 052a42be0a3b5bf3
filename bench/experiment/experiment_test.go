package experiment

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fixed is a variant whose samples are the given values in turn.
func fixed(c Config, metric string, values ...float64) Variant {
	i := -1 // the first sample warms up
	return Variant{Config: c, Metric: metric, Sample: func(context.Context, Budget) (Sample, error) {
		v := values[max(i, 0)%len(values)]
		i++
		return Sample{Value: v, Ops: 100}, nil
	}}
}

func scenario(variants ...Variant) Scenario {
	return Scenario{
		Name: "pair", Question: "what does a pair cost?",
		Plan:         func(*Env) (*Plan, error) { return &Plan{Variants: variants}, nil },
		Baseline:     func(c Config) Config { return c.With("state", "loads") },
		BaselineName: "state=loads",
	}
}

func options(count int) Options {
	return Options{Env: Env{Count: count, Budget: Budget{Duration: time.Millisecond}, Threads: []int{1}}}
}

func TestRatioPairsRounds(t *testing.T) {
	row := func(rounds []int, values ...float64) *Row {
		r := &Row{Metric: NsOp, rounds: rounds}
		for _, v := range values {
			r.Samples = append(r.Samples, Sample{Value: v})
		}
		return r
	}
	a, b := row([]int{0, 1, 2}, 2, 40, 6), row([]int{0, 1, 3}, 1, 20, 9)
	if got := Ratio(a, b).Median; got != 2 {
		t.Errorf("the ratio is %v, want 2: the median of those of rounds 0 and 1", got)
	}
	if got := Ratio(b, a); got.Median != 0.5 || got.N != 2 {
		t.Errorf("the other way round: %v", got)
	}
	// A ratio of the rounds that have a quotient would leave out the extremes.
	for _, without := range [][2]*Row{{a, row([]int{0, 1, 2}, 1, 20, 0)}, {a, row([]int{0, 1, 2}, 1, -1, 1)}, {row([]int{0, 1}, -1, 1), b}} {
		if got := Ratio(without[0], without[1]); !got.Missing() {
			t.Errorf("the ratio of %v to %v is %v, want none", without[0].Samples, without[1].Samples, got)
		}
	}
	if got := Ratio(row([]int{0, 1}, 0, 0), b); got.Median != 0 || got.N != 2 {
		t.Errorf("the ratio of nothing to something is %v, want 0", got)
	}
	late := &Row{Metric: NsOp, Samples: []Sample{{Value: 1}}, rounds: []int{7}}
	other := &Row{Metric: OpsS, Samples: a.Samples, rounds: a.rounds}
	for _, r := range []*Row{nil, late, other} {
		if got := Ratio(a, r); !got.Missing() {
			t.Errorf("the ratio to %v is %v, want none", r, got)
		}
		if got := Ratio(r, a); !got.Missing() {
			t.Errorf("the ratio of %v is %v, want none", r, got)
		}
	}
}

// A mean over rows uses the rounds with a sample of each row and of its baseline.
func TestMeanRatio(t *testing.T) {
	row := func(name string, values []float64, rounds ...int) *Row {
		r := &Row{Config: Cfg("v", name), Metric: NsOp, rounds: rounds}
		for _, v := range values {
			r.Samples = append(r.Samples, Sample{Value: v})
		}
		return r
	}
	base := row("base", []float64{1, 2, 1, 1}, 0, 1, 2, 3)
	a, b := row("a", []float64{2, 4, 3}, 0, 1, 2), row("b", []float64{8, 4}, 0, 1)
	s := scenario()
	s.Baseline = func(Config) Config { return base.Config }
	res := &Result{Scenario: &s, Rows: []*Row{base, a, b}}
	// Round 0 has the mean of 2 and 8, round 1 that of 2 and 2. Round 2 has no sample of b.
	got := res.MeanRatio(a, b)
	if got.N != 2 || math.Abs(got.Min-2) > 1e-9 || math.Abs(got.Max-4) > 1e-9 || math.Abs(got.Median-3) > 1e-9 {
		t.Errorf("%+v, want 4 and 2", got)
	}
	if got := res.MeanRatio(a, b, row("c", []float64{1}, 9)); got.N != 0 || !math.IsNaN(got.Median) {
		t.Errorf("%+v, want nothing: no round has all three", got)
	}
	s.Baseline = nil
	if got := res.MeanRatio(a); got.N != 0 {
		t.Errorf("%+v without a baseline", got)
	}
}

func TestHuman(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.012: "0.012", 0.934: "0.93", 9.99: "9.99", 12.34: "12.3", 5432: "5432",
		54321: "54.3 k", 12.3e6: "12.3 M", 4.56e10: "45.6 G", 9.99e12: "9990 G", 1e13: "1e+13", 1.23e16: "1.23e+16", -1e300: "-1e+300",
		// Where the form changes, and below zero.
		0.099: "0.099", 0.1: "0.10", 10: "10.0", 99.9: "99.9", 100: "100", 9999: "9999", 1e4: "10.0 k", 1e7: "10.0 M", 1e10: "10.0 G",
		-0.012: "-0.012", -12.34: "-12.3", -234: "-234", -54321: "-54.3 k",
	} {
		if got := human(v); got != want {
			t.Errorf("human(%v) is %q, want %q", v, got, want)
		}
	}
}

func TestInterleaving(t *testing.T) {
	var seen []string
	var vs []Variant
	for _, name := range []string{"a", "b", "c"} {
		vs = append(vs, Variant{Config: Cfg("v", name), Metric: NsOp, Sample: func(_ context.Context, b Budget) (Sample, error) {
			if b.Duration < time.Millisecond {
				name = strings.ToUpper(name)
			}
			seen = append(seen, name)
			return Sample{Value: 1}, nil
		}})
	}
	if _, err := Run(t.Context(), []Scenario{scenario(vs...)}, options(4)); err != nil {
		t.Fatal(err)
	}
	// Three samples to warm up, then rounds in rotated and reversed order.
	if got, want := strings.Join(seen, ""), "abc"+"abc"+"cba"+"bca"+"acb"; !strings.EqualFold(got, want) {
		t.Errorf("the order is %s, want %s", got, want)
	}
	for n := 1; n < 6; n++ { // in 2n rounds each variant has each place twice
		places := map[[2]int]int{}
		for round := range 2 * n {
			for place, i := range order(n, round) {
				places[[2]int{i, place}]++
			}
		}
		for at, times := range places {
			if times != 2 || len(places) != n*n {
				t.Errorf("of %d, variant %d has place %d %d times", n, at[0], at[1], times)
			}
		}
	}
}

func TestInterruptedRunKeepsItsSamples(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	taken, closed, finished := 0, 0, 0
	v := func(name string) Variant {
		return Variant{
			Config: Cfg("v", name), Metric: OpsS, Close: func() error { closed++; return nil },
			Sample: func(ctx context.Context, _ Budget) (Sample, error) {
				if taken++; taken == 2+5 { // two samples to warm up, then five
					cancel()
				}
				return Sample{Value: 1, Ops: 1}, ctx.Err()
			},
		}
	}
	o := options(10)
	o.Finished = func(res *Result) error { finished++; return nil }
	never := Scenario{Name: "never", Plan: func(*Env) (*Plan, error) { return &Plan{Variants: []Variant{v("x")}}, nil }}
	r, err := Run(ctx, []Scenario{scenario(v("a"), v("b")), never}, o)
	if !errors.Is(err, context.Canceled) || !r.Partial || r.Done != 4 || r.Total != 30 || len(r.Results) != 1 {
		t.Errorf("err %v, report %+v", err, r)
	}
	if closed != 2 || finished != 1 || !r.Results[0].Partial {
		t.Errorf("closed %d variants, finished %d, partial %t", closed, finished, r.Results[0].Partial)
	}
}

func TestStuckSampleIsAbandoned(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	taken := 0
	stuck := Variant{Config: Cfg("v", "stuck"), Metric: OpsS, Sample: func(context.Context, Budget) (Sample, error) {
		if taken++; taken == 3 {
			cancel()
			<-release
		}
		return Sample{Value: 1}, nil
	}}
	o := options(10)
	o.Grace = time.Millisecond
	r, err := Run(ctx, []Scenario{scenario(stuck)}, o)
	if !errors.Is(err, context.Canceled) || r.Done != 1 || len(r.Results) != 1 {
		t.Errorf("err %v, report %+v", err, r)
	}
}

func TestFailures(t *testing.T) {
	boom := errors.New("boom")
	good := fixed(Cfg("v", "good"), NsOp, 1)
	failing := func(after int) Variant {
		return Variant{Config: Cfg("v", "bad"), Metric: NsOp, Sample: func(context.Context, Budget) (Sample, error) {
			if after--; after < 0 {
				return Sample{}, boom
			}
			return Sample{Value: 1}, nil
		}}
	}
	extra := func(s Sample) Variant {
		return Variant{Config: Cfg("v", "extra"), Metric: NsOp, Sample: func(context.Context, Budget) (Sample, error) { return s, nil }}
	}
	unset := good
	unset.Sample = nil
	setUp, closing := good, good
	setUp.Setup = func(context.Context) error { return boom }
	closing.Close = func() error { return boom }
	for name, c := range map[string]struct {
		scenario Scenario
		want     string
		done     int
	}{
		"sample":      {scenario(good, failing(3)), "pair/v=bad: boom", 4},
		"warm up":     {scenario(good, failing(0)), "pair/v=bad: boom", 0},
		"setup":       {scenario(setUp), "pair/v=good: set-up: boom", 0},
		"close":       {scenario(closing), "pair/v=good: close: boom", 4},
		"plan":        {Scenario{Name: "pair", Plan: func(*Env) (*Plan, error) { return nil, boom }}, "pair: boom", 0},
		"nan":         {scenario(fixed(Cfg("v", "nan"), NsOp, math.NaN())), "pair/v=nan: the sample is NaN ns/op", 0},
		"inf":         {scenario(fixed(Cfg("v", "inf"), NsOp, math.Inf(1))), "pair/v=inf: the sample is +Inf ns/op", 0},
		"twice":       {scenario(good, good), "pair: v=good is there twice", 0},
		"two keys":    {scenario(Variant{Config: Cfg("v", 1, "v", 2), Metric: NsOp, Sample: good.Sample}), `pair: v=1/v=2 has the setting "v" twice`, 0},
		"no key":      {scenario(Variant{Config: Cfg("", 1), Metric: NsOp, Sample: good.Sample}), `pair: "=1" has a setting named "", not one word`, 0},
		"no name":     {Scenario{Plan: scenario(good).Plan}, `experiment: the name of scenario 1 is "", not one word`, 0},
		"unset":       {scenario(unset), "pair: v=good has no Sample", 0},
		"no metric":   {scenario(fixed(Cfg("v", 1), "", 1)), `pair: the metric of v=1 is "", not one word`, 0},
		"two words":   {scenario(fixed(Cfg("v", 1), "a b", 1)), `pair: the metric of v=1 is "a b", not one word`, 0},
		"nothing":     {scenario(), "pair: the plan has no variants", 0},
		"extra twice": {scenario(extra(Sample{Value: 1, Extra: map[string]float64{NsOp: 1}})), `pair/v=extra: experiment: the metric "ns/op" is there twice`, 0},
		"extra words": {scenario(extra(Sample{Value: 1, Extra: map[string]float64{"a b": 1}})), `pair/v=extra: experiment: the unit of a metric is "a b", not one word`, 0},
		"extra inf":   {scenario(extra(Sample{Value: 1, Extra: map[string]float64{"a": math.Inf(1)}})), "pair/v=extra: the sample is +Inf a", 0},
		"extra nan":   {scenario(extra(Sample{Value: 1, Extra: map[string]float64{"a": math.NaN()}})), "pair/v=extra: the sample is NaN a", 0},
		"hidden nan":  {scenario(extra(Sample{Value: math.NaN(), Extra: map[string]float64{NsOp: 1}})), "pair/v=extra: the sample is NaN ns/op", 0},
	} {
		r, err := Run(t.Context(), []Scenario{c.scenario}, options(4))
		if err == nil || err.Error() != c.want || r.Done != c.done {
			t.Errorf("%s: err %v after %d samples, want %q after %d", name, err, r.Done, c.want, c.done)
		}
		if len(r.Results) != min(c.done, 1) {
			t.Errorf("%s: %d results of %d samples", name, len(r.Results), c.done)
		}
	}
	o := options(2)
	o.Finished = func(*Result) error { return boom }
	if _, err := Run(t.Context(), []Scenario{scenario(good)}, o); err != boom {
		t.Errorf("an error of Finished gives %v", err)
	}
}

func TestBudgetText(t *testing.T) {
	for text, want := range map[string]Budget{"100ms": {Duration: 100 * time.Millisecond}, "12x": {Ops: 12}, "1ns": {Duration: 1}, "1x": {Ops: 1}} {
		var got Budget
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want || got.String() != text {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "0x", "-1x", "0s", "-1s", "5", "1.5x", "99999999999999999999x"} {
		got := Budget{Ops: 7}
		if err := got.UnmarshalText([]byte(text)); err == nil || got != (Budget{Ops: 7}) || !strings.HasPrefix(err.Error(), strconv.Quote(text)) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

// A run needs to know how long and how many samples are.
func TestRunNeeds(t *testing.T) {
	for _, env := range []Env{{Count: 1}, {Budget: Budget{Ops: 1}}, {Count: -1, Budget: Budget{Ops: 1}}} {
		if r, err := Run(t.Context(), []Scenario{scenario(fixed(Cfg("v", 1), NsOp, 1))}, Options{Env: env}); err == nil || r == nil || len(r.Results) != 0 {
			t.Errorf("%+v: %+v, %v", env, r, err)
		}
	}
}
