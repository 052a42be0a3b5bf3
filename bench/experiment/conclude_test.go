package experiment

import (
	"math"
	"slices"
	"testing"
)

// stat is a ratio of so many samples.
func stat(median, low, high float64, n int) Stat {
	return Stat{Metric: ratioUnit, Median: median, Low: low, High: high, Min: low, Max: high, N: n}
}

var missing = newStat(ratioUnit, nil, false)

func TestSay(t *testing.T) {
	lines := Say(nil, "%d, %.1f, %v, %s", 1, 2.0, Figure(3e4), []string{"a", "b"})
	for _, missing := range []any{math.NaN(), Figure(math.NaN()), []string(nil), missing} {
		lines = Say(lines, "%v", missing)
	}
	lines = Say(lines, "%v, %v times, %v times", Stat{Metric: OpsS, Median: 2e7, Low: 1e7, High: 3e7, N: 9}, stat(2, 1.5, 2.5, 9), stat(1, 0.5, 2.5, 9))
	// Only a ratio with an interval can fail to show a difference.
	args := []any{Stat{Metric: OpsS, Median: 1, Low: 0.5, High: 2, N: 9}, newStat(ratioUnit, []float64{1, 1, 1}, false), []string{"a", "b"}}
	lines = Say(lines, "%v, %v, %v", args...)
	want := []string{
		"1, 2.0, 30.0 k, a; b",
		"20.0 M [10.0 M, 30.0 M], 2.00 [1.50, 2.50] times, 1.00 [0.50, 2.50] (no difference shown) times",
		"1.00 [0.50, 2.00], 1.00 (of 3), a; b",
	}
	if _, ok := args[2].([]string); !ok {
		t.Errorf("the caller's arguments are %v", args)
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
}

// A sentence appears only if the interval supports it. Otherwise the line says how many samples
// would tell.
func TestClaim(t *testing.T) {
	for _, c := range []struct {
		ratio      Stat
		want, item string
	}{
		{stat(0.9, 0.85, 0.97, 10), "one: 0.90 [0.85, 0.97] times the speed of two.", "one 0.90 [0.85, 0.97]"},
		{stat(1.3, 1.01, 1.5, 10), "one: 1.30 [1.01, 1.50] times the speed of two.", "one 1.30 [1.01, 1.50]"},
		{stat(0.66901, 0.66901, 0.66902, 10), "one: 0.67 [0.67, 0.67] times the speed of two.", "one 0.67 [0.67, 0.67]"},
		{stat(0.992, 0.991, 0.994, 10), "one: 0.992 [0.991, 0.994] times the speed of two.", "one 0.992 [0.991, 0.994]"},
		{stat(1.002, 1.001, 1.004, 10), "one: 1.002 [1.001, 1.004] times the speed of two.", "one 1.002 [1.001, 1.004]"},
		{stat(1.02, 1.001, 1.04, 10), "one: 1.020 [1.001, 1.040] times the speed of two.", "one 1.020 [1.001, 1.040]"},
		{stat(0.66903, 0.66901, 0.66914, 10), "one: 0.6690 [0.6690, 0.6691] times the speed of two.", "one 0.6690 [0.6690, 0.6691]"},
		// The interval reaches 0.08 above the median, which is 0.04 below 1: four times as many samples.
		{stat(0.96, 0.6, 1.04, 10), "one: no difference shown (0.96, [0.60, 1.04]); -count 40 would tell.", "one: no difference shown (0.96, [0.60, 1.04]), -count 40 would tell"},
		{stat(1.04, 0.96, 1.4, 10), "one: no difference shown (1.04, [0.96, 1.40]); -count 40 would tell.", "one: no difference shown (1.04, [0.96, 1.40]), -count 40 would tell"},
		{stat(1.0001, 0.98, 1.01, 10), "one: no difference shown (1.00, [0.98, 1.01]); it is at most 2.00 %.", "one: no difference shown (1.00, [0.98, 1.01]), it is at most 2.00 %"},
		{stat(1.0001, 0.99, 1.03, 10), "one: no difference shown (1.00, [0.99, 1.03]); it is at most 3.00 %.", "one: no difference shown (1.00, [0.99, 1.03]), it is at most 3.00 %"},
		// An interval that ends at 1 does not exclude it. One sample more may tell.
		{stat(1.1, 1, 1.2, 10), "one: no difference shown (1.10, [1.00, 1.20]); -count 11 would tell.", "one: no difference shown (1.10, [1.00, 1.20]), -count 11 would tell"},
		{stat(0.9, 0.8, 1, 10), "one: no difference shown (0.90, [0.80, 1.00]); -count 11 would tell.", "one: no difference shown (0.90, [0.80, 1.00]), -count 11 would tell"},
		// Digits enough to tell an end from 1, but not more than four; and fewer from 100 on.
		{stat(0.9992, 0.999, 0.9996, 10), "one: 0.9992 [0.9990, 0.9996] times the speed of two.", "one 0.9992 [0.9990, 0.9996]"},
		{stat(1.00002, 1.00001, 1.00004, 10), "one: 1.00 [1.00, 1.00] times the speed of two.", "one 1.00 [1.00, 1.00]"},
		{stat(0.00123, 0.0012, 0.00126, 10), "one: 0.0012 [0.0012, 0.0013] times the speed of two.", "one 0.0012 [0.0012, 0.0013]"},
		{stat(0.000023, 0.00002, 0.000024, 10), "one: 2.3e-05 [2e-05, 2.4e-05] times the speed of two.", "one 2.3e-05 [2e-05, 2.4e-05]"},
		{stat(0.0512, 0.0512, 0.0523, 10), "one: 0.051 [0.051, 0.052] times the speed of two.", "one 0.051 [0.051, 0.052]"},
		{stat(0, 0, 0.5, 10), "one: 0.00 [0.00, 0.50] times the speed of two.", "one 0.00 [0.00, 0.50]"},
		{stat(99.5, 99, 100, 10), "one: 99.50 [99.00, 100] times the speed of two.", "one 99.50 [99.00, 100]"},
		{stat(1, 1, 1, 10), "one: no difference (1.00).", "one 1.00"},
		{newStat(ratioUnit, []float64{2, 2, 2}, false), "one: too few samples to tell (2.00 (of 3)); -count 6 may tell.", "one: too few samples to tell (2.00 (of 3)), -count 6 may tell"},
		{newStat(ratioUnit, []float64{2}, true), "one: 2.00 times the speed of two.", "one 2.00"},
	} {
		if got := Claim(nil, "one", c.ratio, "%v times the speed of %s.", "two"); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%+v: %q, want %q", c.ratio, got, c.want)
		}
		if got := Item(nil, "one", c.ratio); !slices.Equal(got, []string{c.item}) {
			t.Errorf("%+v: %q, want %q", c.ratio, got, c.item)
		}
	}
	before := []string{"before"}
	for _, got := range [][]string{Claim(before, "one", missing, "%v"), Item(before, "one", missing)} {
		if !slices.Equal(got, before) {
			t.Errorf("a missing ratio gives %q", got)
		}
	}
}

func TestNeeded(t *testing.T) {
	for _, c := range []struct {
		stat Stat
		want int
	}{
		{stat(0.9, 0.8, 1.1, 12), 48}, {stat(0.9, 0.8, 1.15, 12), 75}, {stat(0.95, 0.8, 1.15, 10), 160},
		{stat(0.999, 0.8, 1.15, 10), 0}, {missing, 6}, {newStat(ratioUnit, []float64{2, 2, 2}, false), 6}, {stat(1, 1, 1, 10), 0},
		// From exact values there is an interval of fewer than six.
		{stat(0.9, 0.8, 1.1, 2), 24}, {stat(1.5, 1.4, 1.6, 2), 6}, {stat(1.5, 1.4, 1.6, 10), 11},
		// More than 1000 are not advised.
		{stat(1.1, 0.1, 1.9, 10), 1000}, {stat(1.1, 0.09, 1.9, 10), 0},
	} {
		if got := c.stat.Needed(); got != c.want {
			t.Errorf("%+v needs %d, want %d", c.stat, got, c.want)
		}
	}
	for n, want := range map[int]int{7: 7, 99: 99, 100: 100, 101: 110, 990: 990, 995: 1000, 9901: 10_000} {
		if got := roundUp(n); got != want {
			t.Errorf("%d is rounded to %d, want %d", n, got, want)
		}
	}
}

func TestStatUnits(t *testing.T) {
	two := Stat{Metric: ratioUnit, Median: 2, Min: 0.5, Max: 8, Low: 1, High: 4, N: 9}
	if got, want := two.Over(), (Stat{Metric: ratioUnit, Median: 0.5, Min: 0.125, Max: 2, Low: 0.25, High: 1, N: 9}); got != want {
		t.Errorf("1 over 2: %+v", got)
	}
	if got, want := two.Times(10), (Stat{Metric: ratioUnit, Median: 20, Min: 5, Max: 80, Low: 10, High: 40, N: 9}); got != want {
		t.Errorf("10 times 2: %+v", got)
	}
	for _, c := range []struct {
		stat Stat
		want float64
	}{{stat(2, 1, 2.5, 9), 0.5}, {stat(2, 1.5, 4, 9), 1}, {stat(-2, -3, -1, 9), 0.5}} {
		if got := c.stat.Within(); got != c.want {
			t.Errorf("%+v is within %v, want %v", c.stat, got, c.want)
		}
	}
	for _, s := range []Stat{missing, stat(0, -1, 1, 9), newStat(NsOp, []float64{1, 2}, false)} {
		if got := s.Within(); !math.IsNaN(got) {
			t.Errorf("%+v is within %v", s, got)
		}
	}
}

// An interval needs six samples, unless the values are exact: then all of a few count.
func TestNewStat(t *testing.T) {
	for _, c := range []struct {
		values    []float64
		exact     bool
		low, high float64
		text      string
	}{
		{nil, true, math.NaN(), math.NaN(), "-"},
		{[]float64{1, 3}, false, math.NaN(), math.NaN(), "2.00 (of 2)"},
		{[]float64{3, 1}, true, 1, 3, "2.00 [1.00, 3.00]"},
		{[]float64{5, 5}, true, 5, 5, "5.00"},
		{[]float64{12, 13}, true, 12, 13, "12.5 [12.0, 13.0]"},
		{[]float64{9, 1, 2, 3, 4, 5, 6, 7, 8}, true, 2, 8, "5.00 [2.00, 8.00]"},
		{[]float64{9, 1, 2, 3, 4, 5, 6, 7, 8}, false, 2, 8, "5.00 [2.00, 8.00]"},
	} {
		s := newStat("B", c.values, c.exact)
		same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
		if !same(s.Low, c.low) || !same(s.High, c.high) || s.N != len(c.values) || s.Metric != "B" || s.String() != c.text {
			t.Errorf("%v, exact: %t: %+v, %s", c.values, c.exact, s, s)
		}
		if len(c.values) > 0 && (s.Min != slices.Min(c.values) || s.Max != slices.Max(c.values)) {
			t.Errorf("%v: from %v to %v", c.values, s.Min, s.Max)
		}
	}
}
