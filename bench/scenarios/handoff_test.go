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
	if n := len(modes) * (len(HandoffShares) + 2); len(res.Rows) != n {
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
			_, err := run.sampler(50, handoffUses)(ctx, experiment.Budget{Duration: time.Hour})
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
	faster, slower, unclear := experiment.Stat{Low: 1.1, High: 1.3}, experiment.Stat{Low: 0.7, High: 0.9}, experiment.Stat{Low: 0.9, High: 1.1}
	for _, c := range []struct {
		ratios []experiment.Stat
		want   string
	}{
		{[]experiment.Stat{faster, faster, unclear}, "Biased counting is nowhere shown to be slower, up to 50 % foreign objects."},
		{[]experiment.Stat{faster, unclear, slower}, "Biased counting is slower from 50 % foreign objects on, and faster up to 0 %."},
		{[]experiment.Stat{slower, faster, slower}, "Biased counting is slower from 0 % foreign objects on."},
	} {
		if got := whereLost(shares, c.ratios); got != c.want {
			t.Errorf("%v: %q, want %q", c.ratios, got, c.want)
		}
	}
}
