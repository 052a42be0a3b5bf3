package plot

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A scale is an axis of values in steps of a round number, from one to another number of them. Zero is
// on it.
type scale struct {
	step     float64
	from, to int
}

// newScale returns a scale of six steps at most, or seven if there are values below zero.
func newScale(low, high float64) scale {
	low, high = min(low, 0), max(high, 0)
	if low == high {
		return scale{0.25, 0, 4}
	}
	unit := math.Pow(10, math.Floor(math.Log10(high-low))-1)
	for {
		for _, digit := range []float64{1, 2, 2.5, 5} {
			step := digit * unit
			s := scale{step, int(math.Floor(low/step + 1e-9)), int(math.Ceil(high/step - 1e-9))}
			if s.to-s.from <= 6 || s.from < 0 && s.to-s.from <= 7 {
				return s
			}
		}
		unit *= 10
	}
}

// at returns where the value is: 0 is the low end, 1 the high one. It is not beyond either.
func (s scale) at(v float64) float64 {
	return min(max((v/s.step-float64(s.from))/float64(s.to-s.from), 0), 1)
}

// beyond reports whether the value is above the high end.
func (s scale) beyond(v float64) bool { return v/s.step > float64(s.to)+1e-9 }

// below reports whether the value is below the low end.
func (s scale) below(v float64) bool { return v/s.step < float64(s.from)-1e-9 }

// values are those at the steps.
func (s scale) values() (list []float64) {
	for i := s.from; i <= s.to; i++ {
		list = append(list, float64(i)*s.step)
	}
	return list
}

// finite reports whether there can be an axis with the value on it.
func finite(v float64) bool { return math.Abs(v) < 1e300 }

// units are those of numbers, from large to small.
var units = []struct {
	size float64
	name string
}{{1e18, " E"}, {1e15, " P"}, {1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}, {1, ""}}

// number writes a number with its unit.
func number(v float64, write func(v float64) string) string {
	for _, u := range units {
		if math.Abs(v) >= u.size {
			return write(v/u.size) + u.name
		}
	}
	return strings.Replace(write(v), "e-0", "e-", 1)
}

// axisNumber writes up to three digits.
func axisNumber(v float64) string {
	return number(v, func(v float64) string { return fmt.Sprintf("%.3g", v) })
}

// valueNumber writes three digits.
func valueNumber(v float64) string {
	switch a := math.Abs(v); {
	case v == 0:
		return "0"
	case a < 0.1:
		return number(v, func(v float64) string { return fmt.Sprintf("%.2g", v) })
	case a < 1:
		return fmt.Sprintf("%.2f", v)
	}
	return number(v, func(v float64) string {
		return strconv.FormatFloat(v, 'f', max(0, 2-int(math.Log10(math.Abs(v)))), 64)
	})
}

// axisCount writes round thousands with a unit, if three digits are enough for that: different
// numbers look different.
func axisCount(n int) string {
	round := n
	for round != 0 && round%10 == 0 {
		round /= 10
	}
	if (n >= 10_000 || n <= -10_000) && round > -1000 && round < 1000 {
		return axisNumber(float64(n))
	}
	return strconv.Itoa(n)
}

// spread places the values of a setting, which ascend, between 0 and 1: in proportion, or in proportion to
// their logarithms, if that keeps neighbours at least twice as far apart. A zero is then as far below the
// others as the first two of them are apart.
func spread(values []int) (places []float64, logarithmic bool) {
	if len(values) == 1 {
		return []float64{0.5}, false
	}
	linear := within(values, func(v int) float64 { return float64(v) })
	if values[0] < 0 {
		return linear, false
	}
	positive := values
	if values[0] == 0 {
		positive = values[1:]
	}
	if len(positive) < 2 {
		return linear, false
	}
	step := math.Log(float64(positive[1]) / float64(positive[0]))
	logs := within(values, func(v int) float64 {
		if v == 0 {
			return math.Log(float64(positive[0])) - step
		}
		return math.Log(float64(v))
	})
	if narrowest(logs) > 2*narrowest(linear) {
		return logs, true
	}
	return linear, false
}

// within maps values to numbers from 0 to 1.
func within(values []int, f func(v int) float64) (places []float64) {
	low, high := f(values[0]), f(values[len(values)-1])
	for _, v := range values {
		places = append(places, (f(v)-low)/(high-low))
	}
	return places
}

// narrowest is the least distance of neighbours; 1 if there are none.
func narrowest(places []float64) float64 {
	least := 1.0
	for i := range places[1:] {
		least = min(least, places[i+1]-places[i])
	}
	return least
}

// A label is a text in the middle of which is a place on an axis.
type label struct {
	text string
	at   float64
}

// clear leaves out labels so that the others do not touch. Of those at equal distances it keeps every
// second, or every third, and so on; of others the first, the last, and what there is room for.
func (c *canvas) clear(labels []label) []label {
	touch := func(a, b label) bool { return b.at-a.at < (c.width(a.text)+c.width(b.text))/2+4 }
	if len(labels) < 2 {
		return labels
	}
	touching := func(labels []label) bool {
		for i := range labels[1:] {
			if touch(labels[i], labels[i+1]) {
				return true
			}
		}
		return false
	}
	if equallyFar(labels) {
		for stride := 1; ; stride++ {
			var kept []label
			for i := 0; i < len(labels); i += stride {
				kept = append(kept, labels[i])
			}
			if !touching(kept) {
				return kept
			}
		}
	}
	last := labels[len(labels)-1]
	kept := labels[:1:1]
	for _, l := range labels[1 : len(labels)-1] {
		if !touch(kept[len(kept)-1], l) && !touch(l, last) {
			kept = append(kept, l)
		}
	}
	if !touch(kept[len(kept)-1], last) {
		kept = append(kept, last)
	}
	return kept
}

// equallyFar reports whether labels are at equal distances.
func equallyFar(labels []label) bool {
	for i := range labels[1:] {
		if math.Abs((labels[i+1].at-labels[i].at)-(labels[1].at-labels[0].at)) > 1 {
			return false
		}
	}
	return true
}
