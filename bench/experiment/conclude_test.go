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
	want := []string{"1, 2.0, 30.0 k, a; b", "20.0 M [10.0 M, 30.0 M], 2.00 [1.50, 2.50] times, 1.00 [0.50, 2.50] (no difference shown) times"}
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
		{stat(0.992, 0.991, 0.994, 10), "one: 0.992 [0.991, 0.994] times the speed of two.", "one 0.992 [0.991, 0.994]"},
		{stat(1.002, 1.001, 1.004, 10), "one: 1.002 [1.001, 1.004] times the speed of two.", "one 1.002 [1.001, 1.004]"},
		// The interval reaches 0.08 above the median, which is 0.04 below 1: four times as many samples.
		{stat(0.96, 0.6, 1.04, 10), "one: no difference shown (0.96, [0.60, 1.04]); -count 40 would tell.", "one: no difference shown (0.96, [0.60, 1.04]), -count 40 would tell"},
		{stat(1.04, 0.96, 1.4, 10), "one: no difference shown (1.04, [0.96, 1.40]); -count 40 would tell.", "one: no difference shown (1.04, [0.96, 1.40]), -count 40 would tell"},
		{stat(1.0001, 0.98, 1.01, 10), "one: no difference shown (1.00, [0.98, 1.01]); it is at most 2.00 %.", "one: no difference shown (1.00, [0.98, 1.01]), it is at most 2.00 %"},
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
	if got := append(Claim(nil, "one", missing, "%v"), Item(nil, "one", missing)...); got != nil {
		t.Errorf("a missing ratio gives %q", got)
	}
}

func TestNeeded(t *testing.T) {
	for _, c := range []struct {
		stat Stat
		want int
	}{
		{stat(0.9, 0.8, 1.1, 12), 48}, {stat(0.9, 0.8, 1.15, 12), 75}, {stat(0.95, 0.8, 1.15, 10), 160},
		{stat(0.999, 0.8, 1.15, 10), 0}, {missing, 6}, {stat(1, 1, 1, 10), 0},
	} {
		if got := c.stat.Needed(); got != c.want {
			t.Errorf("%+v needs %d, want %d", c.stat, got, c.want)
		}
	}
	for n, want := range map[int]int{7: 7, 99: 99, 101: 110, 995: 1000} {
		if got := roundUp(n); got != want {
			t.Errorf("%d is rounded to %d, want %d", n, got, want)
		}
	}
}

func TestStatUnits(t *testing.T) {
	if got := stat(2, 1, 4, 9).Over(); got.Median != 0.5 || got.Low != 0.25 || got.High != 1 {
		t.Errorf("1 over 2: %+v", got)
	}
	if got := stat(2, 1, 4, 9).Times(10); got.Median != 20 || got.Low != 10 || got.High != 40 {
		t.Errorf("10 times 2: %+v", got)
	}
	if got := stat(2, 1, 2.5, 9).Within(); got != 0.5 {
		t.Errorf("within %v", got)
	}
}
