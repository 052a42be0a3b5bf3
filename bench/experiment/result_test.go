package experiment

import (
	"fmt"
	"math"
	"testing"
)

// Find returns the first row with all of the settings.
func TestFind(t *testing.T) {
	rows := []*Row{{Config: Cfg("mode", "gil", "threads", 1)}, {Config: Cfg("mode", "gil", "threads", 2)}, {Config: Cfg("mode", "atomic", "threads", 2)}}
	res := &Result{Rows: rows}
	for _, c := range []struct {
		want Config
		row  *Row
	}{
		{nil, rows[0]}, {Cfg("mode", "gil"), rows[0]}, {Cfg("threads", 2), rows[1]}, {Cfg("threads", 2, "mode", "atomic"), rows[2]},
		{Cfg("threads", "2"), nil}, {Cfg("mode", "atomic", "threads", 1), nil}, {Cfg("size", 1), nil},
	} {
		if got := res.Find(c.want); got != c.row {
			t.Errorf("%v: %v", c.want, got)
		}
	}
}

// A row without a baseline has no ratio.
func TestBaseline(t *testing.T) {
	row := func(name string, v float64) *Row {
		return &Row{Config: Cfg("v", name), Metric: NsOp, Samples: []Sample{{Value: v}}, rounds: []int{0}}
	}
	a, b := row("a", 2), row("b", 6)
	s := scenario()
	res := &Result{Scenario: &s, Rows: []*Row{a, b}}
	for _, c := range []struct {
		name     string
		baseline func(c Config) Config
		want     float64
	}{
		{"the other row", func(Config) Config { return Cfg("v", "a") }, 3},
		{"no row", func(Config) Config { return Cfg("v", "c") }, math.NaN()},
		{"none", func(Config) Config { return nil }, math.NaN()},
		{"no function", nil, math.NaN()},
	} {
		s.Baseline = c.baseline
		if got := res.Ratio(b).Median; fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if got := res.Ratio(nil); !got.Missing() {
			t.Errorf("%s: the ratio of no row is %v", c.name, got)
		}
	}
	// A row without settings is no baseline by chance.
	res.Rows = append(res.Rows, &Row{Metric: NsOp, Samples: a.Samples, rounds: a.rounds})
	s.Baseline = func(Config) Config { return nil }
	if got := res.Ratio(b); !got.Missing() {
		t.Errorf("a ratio of %v to no baseline", got)
	}
}

// The stats of a row are that of its metric, and then those of the extra metrics that some of its
// samples have, by name.
func TestStats(t *testing.T) {
	r := &Row{Metric: NsOp, Samples: []Sample{
		{Value: 3, Extra: map[string]float64{"b": 1, "a": 8}}, {Value: 1, Extra: map[string]float64{"b": 3}}, {Value: 2},
	}}
	for _, exact := range []bool{false, true} {
		r.exact = exact
		stats := r.Stats()
		want := []Stat{
			{Metric: NsOp, Median: 2, Min: 1, Max: 3, Low: 1, High: 3, N: 3}, {Metric: "a", Median: 8, Min: 8, Max: 8, Low: 8, High: 8, N: 1},
			{Metric: "b", Median: 2, Min: 1, Max: 3, Low: 1, High: 3, N: 2},
		}
		if len(stats) != len(want) {
			t.Fatalf("%v", stats)
		}
		for i, got := range stats {
			if got.Known() != exact {
				t.Errorf("exact: %t, but the interval of %s is known: %t", exact, got.Metric, got.Known())
			}
			if got.Low, got.High = want[i].Low, want[i].High; got != want[i] {
				t.Errorf("%+v, want %+v", got, want[i])
			}
		}
	}
	var none *Row
	if got := none.Stat(); !got.Missing() || none.Stats() != nil {
		t.Errorf("of no row: %+v, %v", got, none.Stats())
	}
}

// Ratios of counted values are exact if both rows are.
func TestRatioOfExact(t *testing.T) {
	row := func(exact bool) *Row {
		return &Row{Metric: "B", Samples: []Sample{{Value: 2}}, rounds: []int{0}, exact: exact}
	}
	for _, c := range []struct{ a, b, want bool }{{true, true, true}, {true, false, false}, {false, true, false}, {false, false, false}} {
		if got := Ratio(row(c.a), row(c.b)); got.Median != 1 || got.Known() != c.want {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}
