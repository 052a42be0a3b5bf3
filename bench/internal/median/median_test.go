package median

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The ranks are those in tables of the sign test.
func TestRank(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 0, 5: 0, 6: 1, 8: 1, 9: 2, 10: 2, 12: 3, 20: 6, 25: 8, 100: 40, 10_000: 4902} {
		if got := rank(n); got != want {
			t.Errorf("%d values: rank %d, want %d", n, got, want)
		}
	}
}

// At least 95 % of many intervals enclose the median, and not many more.
func TestIntervalCovers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	const tries, n = 4000, 25
	enclosed := 0
	for range tries {
		values := make([]float64, n)
		for i := range values {
			values[i] = math.Exp(rnd.NormFloat64()) // its median is 1
		}
		if low, high := Interval(values); low <= 1 && 1 <= high {
			enclosed++
		}
	}
	if share := float64(enclosed) / tries; share < 0.945 || share > 0.975 { // exactly 95.7 %
		t.Errorf("%.1f %% of intervals enclose the median", 100*share)
	}
}

func TestIntervalOfFew(t *testing.T) {
	if low, high := Interval([]float64{1, 2, 3, 4, 5}); !math.IsNaN(low) || !math.IsNaN(high) {
		t.Errorf("five values give %v to %v", low, high)
	}
	if low, high := Interval([]float64{3, 6, 1, 5, 2, 4}); low != 1 || high != 6 {
		t.Errorf("six values give %v to %v", low, high)
	}
}
