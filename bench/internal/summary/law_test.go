package summary

import (
	"math"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/resulttest"
	"github.com/ichor-go/ichor/internal/usl"
)

func TestLaws(t *testing.T) {
	want := usl.Law{Rate: 1e6, Contention: 0.1, Coherence: 0.01}
	for _, c := range []struct {
		counts, fitted []int
		cores          int
		crowded        bool
	}{
		{[]int{1, 2, 4}, []int{1, 2, 4}, 4, false},
		{[]int{1, 2, 4}, []int{1, 2, 4}, 2, true},
		{[]int{1, 2, 4, 8}, []int{1, 2, 4}, 4, false}, // points with more threads than cores are left out
		{[]int{1, 2}, nil, 2, false},
	} {
		got := laws(resulttest.Lawful(want, c.counts...), c.cores)
		if c.fitted == nil {
			if len(got) != 0 {
				t.Errorf("%v: %+v", c.counts, got)
			}
			continue
		}
		if len(got) != 2 || got[0].Config.String() != "mode=one" || got[1].Config.String() != "mode=two" {
			t.Fatalf("%v: %+v", c.counts, got)
		}
		l := got[1]
		if math.Abs(l.Contention-0.1) > 1e-6 || math.Abs(l.Coherence-0.01) > 1e-6 || math.Abs(l.At(1)-1e6) > 1 ||
			l.Crowded != c.crowded || countList(l.Threads) != countList(c.fitted) || l.Cores != c.cores {
			t.Errorf("%v on %d cores: %+v", c.counts, c.cores, l)
		}
	}
}

func TestNoLawOfStarved(t *testing.T) {
	rows := func(starved int) *experiment.Result {
		res := &experiment.Result{Scenario: &experiment.Scenario{Name: "grow"}}
		for _, n := range []int{1, 2, 3} {
			s := experiment.Sample{Value: float64(n), Threads: []experiment.CPUTime{{CPU: time.Millisecond}}}
			if n == starved {
				s.Threads[0].Delay = time.Millisecond
			}
			res.Rows = append(res.Rows, &experiment.Row{Config: experiment.Cfg("threads", n), Metric: experiment.OpsS, Samples: []experiment.Sample{s}})
		}
		return res
	}
	if got := laws(rows(0), 4); len(got) != 1 {
		t.Errorf("%d laws of three rows", len(got))
	}
	if got := laws(rows(2), 4); len(got) != 0 {
		t.Errorf("%d laws of two rows and one that was starved", len(got))
	}
	apart := rows(0)
	resulttest.EndApart(apart.Rows[2], 0.5)
	if got := laws(apart, 4); len(got) != 0 {
		t.Errorf("%d laws of two rows and one whose threads ended apart", len(got))
	}
}

// With roles, more threads are at work than the setting says.
func TestCrowdedRoles(t *testing.T) {
	res := resulttest.Lawful(usl.Law{Rate: 1e6, Contention: 0.1}, 1, 2, 4)
	for _, row := range res.Rows {
		row.Samples[0].Load.Lanes = row.Lanes() + 1 // a writer beside the readers
	}
	if got := laws(res, 4); len(got) != 2 || !got[0].Crowded || countList(got[0].Threads) != "1, 2, 4" {
		t.Errorf("five threads on four cores: %+v", got)
	}
	if got := laws(res, 5); len(got) != 2 || got[0].Crowded {
		t.Errorf("five threads on five cores: %+v", got)
	}
}
