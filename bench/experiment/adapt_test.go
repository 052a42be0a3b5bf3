package experiment

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// With Until, rounds go on until the intervals are narrow, or until the time is over.
func TestUntil(t *testing.T) {
	// Samples vary by a third at first, and then not at all.
	narrowing := fixed(Cfg("v", "a"), NsOp, append([]float64{2, 3, 2, 3, 2, 3, 2, 3}, slices.Repeat([]float64{2.5}, 100)...)...)
	o := options(6)
	o.Until = 0.05
	r, err := Run(t.Context(), []Scenario{scenario(narrowing, fixed(Cfg("v", "b"), NsOp, 1))}, o)
	res := r.Results[0]
	if n := len(res.Rows[0].Samples); err != nil || n <= 8 || n > 60 || res.Rows[0].Stat().Within() > 0.05 || res.Wide || r.Partial || r.Done != r.Total || len(res.Rows[1].Samples) != n {
		t.Errorf("%d samples, wide %t, report %+v, %v", n, res.Wide, r, err)
	}
	never := fixed(Cfg("v", "a"), NsOp, 2, 3)
	o.Limit = 20 * time.Millisecond
	r, err = Run(t.Context(), []Scenario{scenario(never)}, o)
	if res := r.Results[0]; err != nil || !res.Wide || res.Partial || r.Partial || len(res.Warnings()) == 0 {
		t.Errorf("samples that never agree: %+v, %v", res, err)
	}
	defer func(n int) { maxRounds = n }(maxRounds)
	maxRounds, o.Limit = 20, time.Hour
	r, err = Run(t.Context(), []Scenario{scenario(never)}, o)
	if res := r.Results[0]; err != nil || !res.Wide || len(res.Rows[0].Samples) != maxRounds || r.Done != maxRounds || r.Total != maxRounds {
		t.Errorf("more rounds than the most: %+v, %v", r, err)
	}
	o.Until = 0
	if r, err = Run(t.Context(), []Scenario{scenario(never)}, o); err != nil || len(r.Results[0].Rows[0].Samples) != 6 {
		t.Errorf("without -until: %+v, %v", r, err)
	}
}

// Narrow intervals count only if those of the round before were narrow too.
func TestUntilTwice(t *testing.T) {
	res := &Result{Until: 0.1, Rows: []*Row{{Metric: NsOp}}}
	c := &collector{open: res}
	for i, v := range []float64{10, 10.1, 10.2, 10.3, 10.4, 10.5, 13, 13, 10.2, 10.2, 10.2, 10.2} {
		res.Rows[0].Samples = append(res.Rows[0].Samples, Sample{Value: v})
		// Six samples are narrow, seven and eight are not, nine leave out the two outliers' farther one.
		want := res.within(0.1) && c.narrow
		if got := c.settled(); got != want || i < 6 && got {
			t.Errorf("after %d samples, settled is %t, want %t", i+1, got, want)
		}
	}
	if !c.narrow || !c.settled() {
		t.Error("samples that agree never settle")
	}
}

// The intervals of runs with Until enclose the median in nearly as many cases as they say. If a run
// stopped at the first narrow intervals, 93 % would.
func TestUntilCovers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for name, draw := range map[string]func() float64{
		"normal":  func() float64 { return 1 + 0.1*rnd.NormFloat64() },
		"skewed":  func() float64 { return math.Exp(0.1 * rnd.NormFloat64()) },
		"bimodal": func() float64 { return 1 + 0.04*(2*rnd.Float64()-1) + []float64{-0.03, 0.03}[rnd.IntN(2)] },
	} {
		const tries = 4000
		enclosed := 0
		for range tries {
			row := &Row{Metric: NsOp}
			c := &collector{open: &Result{Until: 0.05, Rows: []*Row{row}}}
			for len(row.Samples) < 10 || !c.settled() {
				row.Samples = append(row.Samples, Sample{Value: draw()})
			}
			if s := row.Stat(); s.Low <= 1 && 1 <= s.High {
				enclosed++
			}
		}
		if share := float64(enclosed) / tries; share < 0.945 {
			t.Errorf("%s: %.1f %% of the intervals enclose the median", name, 100*share)
		}
	}
}

// All rows must be narrow. Values that do not vary are, even if they are 0.
func TestWithin(t *testing.T) {
	row := func(values ...float64) *Row {
		r := &Row{Metric: NsOp}
		for _, v := range values {
			r.Samples = append(r.Samples, Sample{Value: v})
		}
		return r
	}
	still, zero, wide := row(4, 4, 4, 4, 4, 4), row(0, 0, 0, 0, 0, 0), row(3, 4, 4, 4, 4, 5)
	for i, c := range []struct {
		rows []*Row
		want bool
	}{
		{nil, true}, {[]*Row{still, zero}, true}, {[]*Row{wide}, true}, {[]*Row{still, row(2.9, 4, 4, 4, 4, 5), still}, false},
		{[]*Row{row(4, 4)}, false}, {[]*Row{row(0, 0, 0, 0, 0, 1)}, false},
	} {
		if got := (&Result{Rows: c.rows}).within(0.25); got != c.want {
			t.Errorf("case %d: %t", i, got)
		}
	}
}

// Rows whose threads are starved do not keep a run going.
func TestUntilOfStarved(t *testing.T) {
	res := &Result{Rows: []*Row{{Metric: NsOp, Samples: []Sample{{Value: 1}, {Value: 9}}}}}
	if res.within(0.5) {
		t.Error("two samples without an interval are enough")
	}
	for i := range res.Rows[0].Samples {
		res.Rows[0].Samples[i].Threads = []CPUTime{{1 * ms, 9 * ms}}
	}
	if !res.within(0.5) {
		t.Error("a starved row is waited for")
	}
}

func TestSelection(t *testing.T) {
	var vs []Variant
	for _, mode := range []string{"gil", "atomic"} {
		for _, n := range []int{1, 2, 4} {
			vs = append(vs, fixed(Cfg("mode", mode, "threads", n), NsOp, 1))
		}
	}
	vs = append(vs, fixed(Cfg("mode", "raw"), NsOp, 1))
	for text, want := range map[string]string{
		"mode=atomic,threads=2":        "mode=atomic/threads=2",
		"threads=4,threads=1,mode=gil": "mode=gil/threads=1 mode=gil/threads=4",
		"mode=raw":                     "mode=raw",
		"mode=raw,threads=1":           "pair: no variant has all of mode=raw,threads=1",
		"mode=x":                       "pair: no variant has mode=x; mode is gil, atomic, raw",
		"heap=go":                      `pair: there is no setting "heap"; its settings are mode, threads`,
		"":                             `"" is not a setting such as mode=atomic; commas separate settings`,
		"mode":                         `"mode" is not a setting such as mode=atomic; commas separate settings`,
		"=gil":                         `"=gil" is not a setting such as mode=atomic; commas separate settings`,
		"mode=":                        `"mode=" is not a setting such as mode=atomic; commas separate settings`,
		"mode=atomic,":                 `"" is not a setting such as mode=atomic; commas separate settings`,
	} {
		o := options(1)
		err := o.Only.UnmarshalText([]byte(text))
		var r *Report
		if err == nil {
			r, err = Run(t.Context(), []Scenario{scenario(slices.Clone(vs)...)}, o)
		}
		got := ""
		if err != nil {
			got = err.Error()
			var s *SelectionError
			if r != nil && !errors.As(err, &s) {
				t.Errorf("%s: a %T", text, err)
			}
		} else {
			for i, row := range r.Results[0].Rows {
				if i > 0 {
					got += " "
				}
				got += row.Config.String()
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if (Selection{"a": {"<nil>"}}).Keeps(Cfg("b", 1)) {
		t.Error("a variant without the setting is kept")
	}
	s := Selection{"b": {"2"}, "a": {"1", "0"}}
	if s.String() != "a=1,a=0,b=2" {
		t.Error(s)
	}
}

// A failure is not an interruption.
func TestFailedIsNotInterrupted(t *testing.T) {
	broken := fixed(Cfg("v", 1), NsOp, 1)
	broken.Setup = func(context.Context) error { return errors.New("no such file") }
	r, err := Run(t.Context(), []Scenario{scenario(broken)}, options(1))
	if err == nil || !r.Failed || !r.Partial {
		t.Errorf("a set-up that fails: %+v, %v", r, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	broken.Setup = func(context.Context) error { cancel(); return nil }
	if r, err := Run(ctx, []Scenario{scenario(broken)}, options(1)); err == nil || r.Failed || !r.Partial {
		t.Errorf("an interrupted set-up: %+v, %v", r, err)
	}
	if r, err := Run(t.Context(), []Scenario{scenario(fixed(Cfg("v", 1), NsOp, 1))}, options(1)); err != nil || r.Failed || r.Partial {
		t.Errorf("no failure: %+v, %v", r, err)
	}
	s := scenario(fixed(Cfg("v", 1), NsOp, 1))
	if r, err := Run(t.Context(), []Scenario{s, s}, options(1)); err == nil || err.Error() != `experiment: the scenario "pair" is there twice` || !r.Partial || !r.Failed {
		t.Errorf("one scenario twice: %v, %+v", err, r)
	}
}
