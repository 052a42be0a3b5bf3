package plot

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// An axis of values ends at round numbers, has zero on it, and few steps.
func TestNewScale(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0, 0, "0 0.25 0.5 0.75 1"}, {0, 1, "0 0.2 0.4 0.6 0.8 1"}, {0, 10.2, "0 2 4 6 8 10 12"}, {0, 99, "0 20 40 60 80 100"}, {0, 7, "0 2 4 6 8"}, {50, 60, "0 10 20 30 40 50 60"},
		{0, 137e6, "0 25 M 50 M 75 M 100 M 125 M 150 M"}, {0, 3.5e-3, "0 0.001 0.002 0.003 0.004"}, {0, 11.1e18, "0 2 E 4 E 6 E 8 E 10 E 12 E"}, {0, 2.2e-8, "0 5e-9 1e-8 1.5e-8 2e-8 2.5e-8"},
		{-3, 2, "-3 -2 -1 0 1 2"}, {-3.1, 2.3, "-4 -3 -2 -1 0 1 2 3"}, {-7e6, -5e6, "-7 M -6 M -5 M -4 M -3 M -2 M -1 M 0"},
	} {
		var texts []string
		for _, v := range newScale(c.low, c.high).values() {
			texts = append(texts, axisNumber(v))
		}
		if got := strings.Join(texts, " "); got != c.want {
			t.Errorf("%g to %g: %s, want %s", c.low, c.high, got, c.want)
		}
	}
	s := newScale(-10, 30)
	for v, want := range map[float64]float64{-10: 0, 0: 0.25, 30: 1, 300: 1, -300: 0} {
		if got := s.at(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("%g is at %g of %v, want %g", v, got, s, want)
		}
	}
	if s.beyond(30) || !s.beyond(30.1) || s.below(-10) || !s.below(-10.1) {
		t.Errorf("beyond %v", s)
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int]string{1: "1", 1024: "1024", 10_000: "10 k", 65_536: "65536", 10_000_000: "10 M", 12_300_000: "12.3 M", 12_340_000: "12340000", -20: "-20", -99_900: "-99.9 k", -1_234_000: "-1234000", 0: "0"} {
		if got := axisCount(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 1.354e6: "1.35 M", 13: "13.0", 930: "930", 0.8: "0.80", 1000: "1.00 k", -3: "-3.00", 3.7e18: "3.70 E", 2.5e13: "25.0 T", 3.7e-9: "3.7e-9", 0.012: "0.012"} {
		if got := valueNumber(v); got != want {
			t.Errorf("%g: %q, want %q", v, got, want)
		}
	}
}

// Values of a setting are where they are in proportion, or in proportion to their logarithms if that keeps
// them much further apart.
func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values      []int
		places      string
		logarithmic bool
	}{
		{[]int{7}, "[0.50]", false},
		{[]int{1, 2}, "[0.00 1.00]", false},
		{[]int{1, 2, 3, 4}, "[0.00 0.33 0.67 1.00]", false},
		{[]int{1, 2, 4}, "[0.00 0.33 1.00]", false},
		{[]int{1, 2, 4, 8}, "[0.00 0.33 0.67 1.00]", true},
		{[]int{10, 100, 10_000}, "[0.00 0.33 1.00]", true},
		{[]int{0, 25, 50, 100}, "[0.00 0.25 0.50 1.00]", false},
		{[]int{0, 1, 10, 100}, "[0.00 0.33 0.67 1.00]", true},
		{[]int{0, 1}, "[0.00 1.00]", false},
		{[]int{-20, -10, 20}, "[0.00 0.25 1.00]", false},
	} {
		places, logarithmic := spread(c.values)
		if got := fmt.Sprintf("%.2f", places); got != c.places || logarithmic != c.logarithmic {
			t.Errorf("%v: %s, %t, want %s, %t", c.values, got, logarithmic, c.places, c.logarithmic)
		}
	}
}

// Labels at equal distances remain so; others keep the first and the last.
func TestClear(t *testing.T) {
	c, err := newCanvas(full.letter)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		wide   float64
		places []float64
		want   string
	}{
		{400, []float64{0, 0.25, 0.5, 0.75, 1}, "0 25 50 75 100"},
		{100, []float64{0, 0.25, 0.5, 0.75, 1}, "0 50 100"},
		{20, []float64{0, 0.25, 0.5, 0.75, 1}, "0"},
		{400, []float64{0, 0.01, 0.5, 0.99, 1}, "0 50 100"},
		{400, []float64{0, 0.3, 0.31, 0.9, 1}, "0 30 90 100"},
		{400, nil, ""},
		{400, []float64{0}, "0"},
	} {
		var labels []label
		for _, p := range x.places {
			labels = append(labels, label{axisNumber(100 * p), p * x.wide})
		}
		var texts []string
		for _, l := range c.clear(labels) {
			texts = append(texts, l.text)
		}
		if got := strings.Join(texts, " "); got != x.want {
			t.Errorf("%v on %g px: %s, want %s", x.places, x.wide, got, x.want)
		}
	}
	if w := c.width("日本"); w < 2*full.letter { // two squares
		t.Errorf("wide letters are %g px wide", w)
	}
	if !slices.IsSorted([]float64{c.width(""), c.width("i"), c.width("W")}) {
		t.Error("letters have no widths")
	}
}
