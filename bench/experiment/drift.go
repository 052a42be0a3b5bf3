package experiment

import (
	"cmp"
	"math"

	"github.com/ichor-go/ichor/bench/internal/median"
)

// A trend is a row whose samples rose or fell from round to round. What is measured then depends on
// what was done before, as in a container that grows, or the machine changes. So the median depends
// on how many samples there are, and its interval is too narrow.
type trend struct {
	row         *Row
	first, last float64 // medians of the first and of the last third of the samples
}

// trendChance is how many results have a row that looks like a trend by chance.
const trendChance = 0.01

// trends are the rows with a trend.
func (r *Result) trends() (list []trend) {
	for _, row := range r.Rows {
		var values []float64
		for _, s := range row.Samples {
			values = append(values, s.Value)
		}
		if byChance(values) < trendChance/float64(len(r.Rows)) {
			n := len(values)
			list = append(list, trend{row, median.Of(values[:(n+2)/3]), median.Of(values[n-(n+2)/3:])})
		}
	}
	return list
}

// byChance is the probability that values that do not depend on their order rise or fall as much
// as these, in the sense of Kendall's tau: how many more pairs rise than fall.
func byChance(values []float64) float64 {
	values = blocks(values)
	n := len(values)
	more := 0
	for i := range n {
		for j := range i {
			more += cmp.Compare(values[i], values[j])
		}
	}
	if n > exactTau {
		deviation := math.Sqrt(float64(n) * float64(n-1) * float64(2*n+5) / 18)
		return math.Erfc(math.Abs(float64(more)) / deviation / math.Sqrt2)
	}
	few := (n*(n-1)/2 - max(more, -more) + 1) / 2 // pairs against the trend, and half of the ties
	below := 0.0
	for _, p := range inversions(n)[:few+1] {
		below += p
	}
	return min(2*below, 1)
}

// exactTau is the greatest number of values for which the distribution is computed. For more, the
// normal distribution is close.
const exactTau = 30

// inversions returns, for each k, the share of the orders of n values in which k pairs fall.
func inversions(n int) []float64 {
	share := []float64{1}
	for i := 2; i <= n; i++ { // the i-th value falls behind up to i-1 others, each as likely
		next := make([]float64, len(share)+i-1)
		for k, p := range share {
			for more := range i {
				next[k+more] += p / float64(i)
			}
		}
		share = next
	}
	return share
}

// maxPairs is the greatest number of values of which all pairs are compared.
const maxPairs = 400

// blocks returns the medians of blocks of as many values as it takes for there to be few enough
// medians to compare. Values that do not fill a block are left out.
func blocks(values []float64) (out []float64) {
	size := (len(values)-1)/maxPairs + 1
	for len(values) >= size {
		out, values = append(out, median.Of(values[:size])), values[size:]
	}
	return out
}
