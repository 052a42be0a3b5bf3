package usl

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// measured returns the throughputs of a law at the thread counts, with noise in
// percent.
func measured(l Law, noise float64, counts ...int) (points []Point) {
	rnd := rand.New(rand.NewPCG(7, 11))
	for _, n := range counts {
		points = append(points, Point{n, l.At(float64(n)) * (1 + noise/100*(2*rnd.Float64()-1))})
	}
	return points
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func TestFitExact(t *testing.T) {
	for _, want := range []Law{
		{Rate: 3e6, Contention: 0, Coherence: 0},
		{Rate: 3e6, Contention: 0.05, Coherence: 0},
		{Rate: 0.002, Contention: 0, Coherence: 0.01},
		{Rate: 1e9, Contention: 0.3, Coherence: 0.002},
		{Rate: 50, Contention: 1, Coherence: 0.5},
		{Rate: 50, Contention: 2.5, Coherence: 0}, // two threads are slower than one
	} {
		for _, counts := range [][]int{{1, 2, 4}, {1, 2, 3, 4, 8, 16, 32}, {2, 8, 64}} {
			got, err := Fit(measured(want, 0, counts...))
			if err != nil || !near(got.Rate/want.Rate, 1, 1e-6) || !near(got.Contention, want.Contention, 1e-6) ||
				!near(got.Coherence, want.Coherence, 1e-6) || got.Deviation > 1e-6 {
				t.Errorf("%v: %+v, %v, want %+v", counts, got, err, want)
			}
		}
	}
}

func TestFitNoise(t *testing.T) {
	want := Law{Rate: 1e6, Contention: 0.08, Coherence: 0.003}
	got, err := Fit(measured(want, 2, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32))
	if err != nil || !near(got.Contention, want.Contention, 0.02) || !near(got.Coherence, want.Coherence, 0.001) {
		t.Errorf("%+v, %v, want about %+v", got, err, want)
	}
	if got.Deviation < 0.001 || got.Deviation > 0.02 {
		t.Errorf("deviation %v of points within 2 %%", got.Deviation)
	}
}

// No law near the fitted one is closer to the points.
func TestFitIsLeast(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var points []Point
		for n := 1; n <= 16; n *= 2 {
			points = append(points, Point{n, 0.5 + rnd.Float64()*float64(n)})
		}
		got, err := Fit(points)
		if err != nil {
			t.Fatal(err)
		}
		if got.Rate <= 0 || got.Contention < 0 || got.Coherence < 0 {
			t.Fatalf("%v: %+v", points, got)
		}
		for range 100 {
			step := func(x float64) float64 { return max(0, x+(rnd.Float64()-0.5)*0.02) }
			terms := [3]float64{step(1 / got.Rate), step(got.Contention / got.Rate), step(got.Coherence / got.Rate)}
			if d := deviation(points, terms); d < got.Deviation-1e-9 {
				t.Fatalf("%v: %+v deviates %v, but %v only %v", points, got, got.Deviation, terms, d)
			}
		}
	}
}

// Superlinear scaling is fitted with both terms 0.
func TestFitSuperlinear(t *testing.T) {
	got, err := Fit([]Point{{1, 1}, {2, 2.2}, {4, 5}})
	if err != nil || got.Contention != 0 || got.Coherence != 0 || got.Rate < 1 || got.Rate > 1.25 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFitRefuses(t *testing.T) {
	for _, points := range [][]Point{nil, {{1, 1}, {2, 2}}, {{1, 1}, {2, 2}, {2, 2}, {1, 1}}} {
		if _, err := Fit(points); !errors.Is(err, ErrFew) {
			t.Errorf("%v: %v", points, err)
		}
	}
	for _, bad := range []Point{{0, 1}, {3, 0}, {3, -1}, {3, math.NaN()}, {3, math.Inf(1)}} {
		if _, err := Fit([]Point{{1, 1}, {2, 2}, {4, 4}, bad}); err == nil || errors.Is(err, ErrFew) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestPeakAndLimit(t *testing.T) {
	for _, c := range []struct {
		law         Law
		peak, limit float64
	}{
		{Law{Rate: 2}, math.Inf(1), math.Inf(1)},
		{Law{Rate: 2, Contention: 0.1}, math.Inf(1), 20},
		{Law{Rate: 2, Contention: 0.19, Coherence: 0.01}, 9, 2 * 9 / (1 + 0.19*8 + 0.01*72)},
		{Law{Rate: 2, Contention: 3}, 1, 2},
		{Law{Rate: 2, Contention: 3, Coherence: 1}, 1, 2},
	} {
		if p, l := c.law.Peak(), c.law.Limit(); !near2(p, c.peak) || !near2(l, c.limit) {
			t.Errorf("%+v: peak %v, limit %v, want %v, %v", c.law, p, l, c.peak, c.limit)
		}
	}
}

func near2(a, b float64) bool { return a == b || near(a, b, 1e-9) }
