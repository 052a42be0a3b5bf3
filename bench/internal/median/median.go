// Package median sums up samples: their median, and the confidence interval of the median. Any
// goroutine may call each function.
package median

import (
	"math"
	"slices"
)

// Confidence of the intervals in reports.
const Confidence = 0.95

// MinSamples is how many samples it takes for an interval: the least and the greatest of
// five enclose the median in 94 % of cases only.
const MinSamples = 6

// Interval returns the confidence interval of the median, NaN if there are too few
// values. It supposes nothing of how values are distributed: its ends are two of them, as
// far inside as the binomial distribution allows.
func Interval(values []float64) (low, high float64) {
	n := len(values)
	k := rank(n)
	if k == 0 {
		return math.NaN(), math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	return s[k-1], s[n-k]
}

// rank returns the greatest k for which the k-th least and the k-th greatest of n values
// enclose the median with the confidence; 0 if there is none.
func rank(n int) (k int) {
	term := -float64(n) * math.Ln2 // the logarithm of the chance that i values are below the median
	below := 0.0
	for i := range n/2 + 1 {
		if below += math.Exp(term); below > (1-Confidence)/2 {
			return i
		}
		term += math.Log(float64(n-i)) - math.Log(float64(i+1))
	}
	return n / 2
}

// Of returns the middle value, NaN if there is none.
func Of(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	if n%2 == 1 {
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}
