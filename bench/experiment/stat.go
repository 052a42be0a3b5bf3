package experiment

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/ichor-go/ichor/bench/internal/median"
)

// A Stat sums up the samples of one metric, or the ratios of two rows. Low and High are the
// ends of the median's 95 % confidence interval. They are NaN for fewer than six samples,
// unless the scenario is exact; then they are the least and the greatest value.
type Stat struct {
	Metric           string
	Median, Min, Max float64
	Low, High        float64
	N                int
}

// ratioUnit is the metric of ratios.
const ratioUnit = "ratio"

func newStat(metric string, values []float64, exact bool) Stat {
	if len(values) == 0 {
		nan := math.NaN()
		return Stat{Metric: metric, Median: nan, Min: nan, Max: nan, Low: nan, High: nan}
	}
	low, high := median.Interval(values)
	s := Stat{
		Metric: metric, Low: low, High: high,
		Median: median.Of(values),
		Min:    slices.Min(values),
		Max:    slices.Max(values),
		N:      len(values),
	}
	if exact && math.IsNaN(low) {
		s.Low, s.High = s.Min, s.Max
	}
	return s
}

// Missing reports whether there is no value at all.
func (s Stat) Missing() bool { return math.IsNaN(s.Median) }

// Known reports whether there is an interval.
func (s Stat) Known() bool { return !math.IsNaN(s.Low) }

// Within is the greater distance of the two ends of the interval from the median, as a share of
// the median. It is NaN without an interval.
func (s Stat) Within() float64 {
	if s.Median == 0 {
		return math.NaN()
	}
	return math.Abs(max(s.High-s.Median, s.Median-s.Low) / s.Median)
}

// Shown reports whether the interval of a ratio excludes 1: then the rows differ.
func (s Stat) Shown() bool { return s.Low > 1 || s.High < 1 }

// Needed estimates how many samples would show that a ratio is not 1: an interval shrinks with
// the root of the number of samples, and the median is taken to stay where it is. It is 0 if
// no number up to maxNeeded would.
func (s Stat) Needed() int {
	if !s.Known() {
		return median.MinSamples
	}
	distance, half := s.Median-1, s.Median-s.Low
	if distance < 0 {
		distance, half = -distance, s.High-s.Median
	}
	n := math.Ceil(float64(max(s.N, median.MinSamples))*(half/distance)*(half/distance) - 1e-9)
	if math.IsNaN(n) || n > maxNeeded {
		return 0
	}
	return max(roundUp(int(n)), s.N+1, median.MinSamples)
}

// maxNeeded is the greatest number of samples that a sentence advises. More take longer than
// anybody waits for a difference that is so small. A guess.
const maxNeeded = 1000

// roundUp rounds up to two digits.
func roundUp(n int) int {
	unit := 1
	for n > 99*unit {
		unit *= 10
	}
	return (n + unit - 1) / unit * unit
}

// Over is 1 divided by the ratio: of times, if the ratio is of speeds, and the reverse.
func (s Stat) Over() Stat {
	s.Median, s.Min, s.Max, s.Low, s.High = 1/s.Median, 1/s.Max, 1/s.Min, 1/s.High, 1/s.Low
	return s
}

// Times is the figure in another unit.
func (s Stat) Times(factor float64) Stat {
	s.Median, s.Min, s.Max, s.Low, s.High = factor*s.Median, factor*s.Min, factor*s.Max, factor*s.Low, factor*s.High
	return s
}

// String writes the median and the interval: 0.96 [0.90, 1.02], or 21.5 M [20.9 M, 21.7 M].
// Without an interval it says of how many samples the median is.
func (s Stat) String() string {
	text := s.text()
	switch {
	case s.Missing():
		return "-"
	case !s.Known():
		return fmt.Sprintf("%s (of %d)", text(s.Median), s.N)
	case s.Low == s.High:
		return text(s.Median)
	}
	return text(s.Median) + " " + s.interval(text)
}

func (s Stat) interval(text func(float64) string) string {
	return "[" + text(s.Low) + ", " + text(s.High) + "]"
}

// text returns how to write the stat's numbers. A ratio has two digits after the point, or as
// many more, up to four, as an end of the interval that is not 1 needs to look different from 1,
// and the ends from each other, if four are enough for that. A small one has two digits that are
// not leading zeros.
func (s Stat) text() func(float64) string {
	if s.Metric != ratioUnit {
		return human
	}
	same := func(a, b float64, places int) bool {
		return a != b && strconv.FormatFloat(a, 'f', places, 64) == strconv.FormatFloat(b, 'f', places, 64)
	}
	least := func(places int, apart func(places int) bool) int {
		for more := places; more <= 4; more++ {
			if apart(more) {
				return more
			}
		}
		return places
	}
	places := least(2, func(places int) bool { return !same(s.Low, 1, places) && !same(s.High, 1, places) })
	places = least(places, func(places int) bool { return !same(s.Low, s.High, places) })
	return func(v float64) string {
		if a := math.Abs(v); a >= 100 || a > 0 && a < 10*math.Pow10(-places) {
			return human(v)
		}
		return strconv.FormatFloat(v, 'f', places, 64)
	}
}

// verdict says what a ratio shows that is not Shown.
func (s Stat) verdict() string {
	if !s.Known() {
		return fmt.Sprintf("too few samples to tell (%s); -count %d may tell", s, s.Needed())
	}
	text := s.text()
	if s.Low == s.High {
		return fmt.Sprintf("no difference (%s)", text(s.Median))
	}
	found := fmt.Sprintf("no difference shown (%s, %s)", text(s.Median), s.interval(text))
	if n := s.Needed(); n > 0 {
		return fmt.Sprintf("%s; -count %d would tell", found, n)
	}
	most := max(math.Abs(s.Low-1), math.Abs(s.High-1))
	return fmt.Sprintf("%s; it is at most %s %%", found, digits(100*most))
}
