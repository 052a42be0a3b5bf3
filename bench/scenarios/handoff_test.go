package scenarios

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
)

func TestHandoff(t *testing.T) {
	res := shortRun(t, Handoff(), nil)
	if n := len(modes) * len(HandoffShares); len(res.Rows) != n {
		t.Errorf("%d rows, want %d", len(res.Rows), n)
	}
}

// An interrupted sample ends soon, and leaves nothing behind.
func TestHandoffInterrupted(t *testing.T) {
	for _, mode := range modes {
		run := &handoffRun{modeRun{mode: mode}}
		if err := run.setup(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, after := range []time.Duration{0, 5 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			begin := time.Now()
			_, err := run.sampler(50)(ctx, experiment.Budget{Duration: time.Hour})
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > time.Minute {
				t.Errorf("%s: %v after %v", mode, err, time.Since(begin))
			}
			cancel()
		}
		if err := run.close(); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

func TestWhereLost(t *testing.T) {
	shares := []int{0, 10, 50}
	for _, c := range []struct {
		ratios []float64
		want   string
	}{
		{[]float64{1.5, 1.2, 1}, "In this run, biased counting is never slower, up to 50 % foreign objects."},
		{[]float64{1.5, 1.2, 0.8}, "In this run, biased counting becomes slower at about 30 % foreign objects."},
		{[]float64{1.5, 1, 0.5}, "In this run, biased counting becomes slower at about 10 % foreign objects."},
		{[]float64{0.9, 1.2, 0.8}, "In this run, biased counting is slower already at 0 % foreign objects."},
	} {
		if got := whereLost(shares, c.ratios); got != c.want {
			t.Errorf("%v: %q, want %q", c.ratios, got, c.want)
		}
	}
}
