// Package usl fits the Universal Scalability Law to measured throughputs.
//
//	X(n) = Rate·n / (1 + Contention·(n-1) + Coherence·n·(n-1))
//
// Rate is the throughput of a single thread. Contention is the share of the work that
// only one thread at a time can do. Coherence is the cost that each pair of threads
// causes each other, such as a cache line that moves back and forth. With it,
// throughput falls beyond a peak. Without either, n threads have n times the
// throughput. See N. J. Gunther, Guerrilla Capacity Planning, Springer 2007.
//
// # What it does not do
//
// Neither term is ever negative. Superlinear scaling, as with caches that add up, is
// fitted as linear. The law holds for threads that have a core each, so do not fit
// points with more threads than cores.
package usl

import (
	"errors"
	"math"
)

// A Point is a measured throughput.
type Point struct {
	Threads int
	Rate    float64 // operations per unit of time, above 0
}

// A Law is the law with values for its terms.
type Law struct {
	Rate       float64 // of one thread
	Contention float64 // at least 0; Amdahl's serial fraction
	Coherence  float64 // at least 0
	Deviation  float64 // relative root-mean-square deviation of the points from the law
}

// At returns the throughput of n threads. n is at least 1.
func (l Law) At(n float64) float64 {
	return l.Rate * n / (1 + l.Contention*(n-1) + l.Coherence*n*(n-1))
}

// Peak returns the number of threads with the greatest throughput, or +Inf if
// throughput always grows.
func (l Law) Peak() float64 {
	switch {
	case l.Coherence > 0:
		return max(1, math.Sqrt(max(0, 1-l.Contention)/l.Coherence))
	case l.Contention >= 1:
		return 1
	}
	return math.Inf(1)
}

// Limit returns the throughput that no number of threads exceeds, or +Inf if there is
// none.
func (l Law) Limit() float64 {
	switch p := l.Peak(); {
	case !math.IsInf(p, 1):
		return l.At(p)
	case l.Contention > 0:
		return l.Rate / l.Contention
	}
	return math.Inf(1)
}

// ErrFew says that the points have fewer than three thread counts. The law has three
// terms.
var ErrFew = errors.New("usl: fewer than three thread counts")

// Fit returns the law with the smallest relative deviation from the points.
func Fit(points []Point) (Law, error) {
	counts := map[int]bool{}
	for _, p := range points {
		if p.Threads < 1 || !(p.Rate > 0) || math.IsInf(p.Rate, 1) {
			return Law{}, errors.New("usl: a point has no thread or no throughput")
		}
		counts[p.Threads] = true
	}
	if len(counts) < 3 {
		return Law{}, ErrFew
	}
	// n/X is linear in 1/Rate and its products with the other terms. Dividing by n/X
	// makes all deviations relative. If terms must not be negative, the least squares
	// have some terms at 0 and are the ordinary least squares in the others. All four
	// cases are tried.
	best := Law{Deviation: math.Inf(1)}
	for _, free := range [][]int{{0}, {0, 1}, {0, 2}, {0, 1, 2}} {
		terms, ok := solve(points, free)
		if !ok {
			continue
		}
		l := Law{Rate: 1 / terms[0], Contention: terms[1] / terms[0], Coherence: terms[2] / terms[0]}
		l.Deviation = deviation(points, terms)
		if l.Deviation < best.Deviation {
			best = l
		}
	}
	if math.IsInf(best.Deviation, 1) {
		return Law{}, errors.New("usl: no law fits")
	}
	return best, nil
}

// row returns the coefficients of the terms at a point: their weighted sum should be 1.
func (p Point) row() [3]float64 {
	n := float64(p.Threads)
	x := p.Rate / n
	return [3]float64{x, x * (n - 1), x * n * (n - 1)}
}

// solve returns the least squares in the free terms, with the other terms 0. ok is
// false if a term is negative, or if the terms are not determined.
func solve(points []Point, free []int) (terms [3]float64, ok bool) {
	var m [3][4]float64 // the normal equations, in units in which one thread does 1
	unit := points[0].Rate / float64(points[0].Threads)
	for _, p := range points {
		row := Point{p.Threads, p.Rate / unit}.row()
		for i, a := range free {
			for j, b := range free {
				m[i][j] += row[a] * row[b]
			}
			m[i][3] += row[a]
		}
	}
	k := len(free)
	for i := range k { // Gauss and Jordan; the matrix is positive definite or singular
		if m[i][i] < 1e-12 {
			return terms, false
		}
		for r := range k {
			if r == i {
				continue
			}
			f := m[r][i] / m[i][i]
			for c := i; c < 4; c++ {
				m[r][c] -= f * m[i][c]
			}
		}
	}
	for i, a := range free {
		terms[a] = m[i][3] / m[i][i] / unit
		if terms[a] < 0 || a == 0 && terms[a] == 0 {
			return terms, false
		}
	}
	return terms, true
}

// deviation returns Law.Deviation for a law given by its terms.
func deviation(points []Point, terms [3]float64) float64 {
	sum := 0.0
	for _, p := range points {
		d := -1.0
		for i, x := range p.row() {
			d += x * terms[i]
		}
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(points)))
}
