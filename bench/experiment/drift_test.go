package experiment

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The chances of few values are those of Kendall's tau in tables, and those of many are close.
func TestByChance(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 1}, {[]float64{1}, 1}, {[]float64{1, 2}, 1}, {[]float64{3, 2, 1}, 1. / 3},
		{[]float64{1, 2, 3, 4, 5, 6}, 2. / 720}, {[]float64{1, 2, 3, 4, 6, 5}, 2 * 6. / 720}, {[]float64{1, 1, 1, 1}, 1},
		// A pair of equals may be for or against the trend. Of an odd number of them, one more is against it.
		{[]float64{1, 2, 3, 4, 5, 5}, 2 * 6. / 720}, {[]float64{1, 2, 3, 4, 4, 4}, 2 * 20. / 720}, {[]float64{5, 5, 4, 3, 2, 1}, 2 * 6. / 720},
		{[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 2. / 3628800},
	} {
		if got := byChance(c.values); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %v, want %v", c.values, got, c.want)
		}
	}
	// On both sides of exactTau, for a trend of one swap in eight.
	rnd := rand.New(rand.NewPCG(1, 1))
	values := make([]float64, exactTau+1)
	for i := range values {
		values[i] = float64(i) + 30*rnd.NormFloat64()
	}
	exact, normal := byChance(values[:exactTau]), byChance(values)
	if exact <= 0 || math.Abs(math.Log(exact/normal)) > math.Log(3) {
		t.Errorf("%d values have a trend by chance with %v, one more with %v", exactTau, exact, normal)
	}
	// The normal distribution is far from that of 30 values where they are in order.
	if exact, normal := byChance(upTo(exactTau)), byChance(upTo(exactTau+1)); exact > 1e-30 || normal < 1e-20 {
		t.Errorf("%d values are in order with %v, one more with %v", exactTau, exact, normal)
	}
	long := make([]float64, 100_000)
	for i := range long {
		long[i] = rnd.NormFloat64() + float64(i)/30_000
	}
	if got := byChance(long); got > 1e-9 {
		t.Errorf("a trend of many values is by chance with %v", got)
	}
}

// upTo is the numbers from 0 to below n.
func upTo(n int) (values []float64) {
	for i := range n {
		values = append(values, float64(i))
	}
	return values
}

// Values fall into blocks of the same length, of which there are as many as may be compared, or fewer.
func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		n, blocks int
		last      float64
	}{{0, 0, 0}, {1, 1, 0}, {maxPairs, maxPairs, maxPairs - 1}, {maxPairs + 1, maxPairs / 2, maxPairs - 1.5}, {2 * maxPairs, maxPairs, 2*maxPairs - 1.5}, {2*maxPairs + 1, 267, 799}} {
		got := blocks(upTo(c.n))
		if len(got) != c.blocks || c.blocks > 0 && got[c.blocks-1] != c.last {
			t.Errorf("of %d values: %v", c.n, got)
		}
	}
}

// A trend is found in one row of many, and of values without one in about one result of a hundred.
func TestTrends(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 3))
	result := func(rows, samples int) *Result {
		r := &Result{}
		for range rows {
			row := &Row{Metric: NsOp}
			for range samples {
				row.Samples = append(row.Samples, Sample{Value: 10 + rnd.NormFloat64()})
			}
			r.Rows = append(r.Rows, row)
		}
		return r
	}
	const tries = 2000
	for _, samples := range []int{1, 5, 6, 10, 40} {
		found := 0
		for range tries {
			if len(result(8, samples).trends()) > 0 {
				found++
			}
		}
		if share := float64(found) / tries; share > 1.9*trendChance { // four deviations
			t.Errorf("%d samples: %.1f %% of results without a trend have one", samples, 100*share)
		}
	}
	r := result(48, 10)
	for i := range r.Rows[7].Samples {
		r.Rows[7].Samples[i].Value -= 2 * float64(i)
	}
	list := r.trends()
	if !slices.ContainsFunc(list, func(t trend) bool { return t.row == r.Rows[7] && t.first > t.last }) {
		t.Errorf("%+v", list)
	}
}
