// Package median sums up samples: their median, and the confidence interval of the median. Any
// goroutine may call each function.
package median

import (
	"math"
	"slices"
)

// Confidence is that of the intervals in reports.
const Confidence = 0.95

// MinSamples is the least number of samples that have an interval. The least and the greatest of
// five enclose the median in only 94 % of cases.
const MinSamples = 6

// Interval returns the confidence interval of the median, or NaN if there are too few values. It
// assumes nothing about the distribution of the values. Its ends are two of the values, as far
// inside as the binomial distribution allows.
func Interval(values []float64) (low, high float64) {
	n := len(values)
	k := rank(n)
	if k == 0 {
		return math.NaN(), math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	return s[k-1], s[n-k]
}

// rank returns the greatest k for which the k-th least and the k-th greatest of n values enclose
// the median with the Confidence, or 0 if there is none.
func rank(n int) (k int) {
	term := -float64(n) * math.Ln2 // the logarithm of the probability that i values are below the median
	below := 0.0
	for i := range n/2 + 1 {
		if below += math.Exp(term); below > (1-Confidence)/2 {
			return i
		}
		term += math.Log(float64(n-i)) - math.Log(float64(i+1))
	}
	return n / 2
}

// Of returns the median of the values, or NaN if there are none.
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
