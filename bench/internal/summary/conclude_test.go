package summary

import (
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/internal/median"
	"github.com/ichor-go/ichor/bench/internal/resulttest"
)

func TestConclusionsOfStarved(t *testing.T) {
	for share, want := range map[float64]string{
		0.95: "loads takes 1.00 ns.|address takes 2.00 ns.|shared takes 3.00 ns.|Against loads: loads 1.00; address 2.00; shared 3.00.",
		0.85: "loads takes 1.00 ns.|shared takes 3.00 ns.|Against loads: loads 1.00; shared 3.00.|" +
			"1 of 3 rows are left out because their threads got less than 90% of the CPU time that they asked for.",
	} {
		res := resulttest.WithShares(t, median.MinSamples, share).Results[0]
		if got := strings.Join(Conclusions(res), "|"); got != want {
			t.Errorf("with %v of the time: %q, want %q", share, got, want)
		}
	}
}

// Nothing is concluded from rows whose threads ended apart, and the last lines say why rows are left out.
func TestConclusionsOfApart(t *testing.T) {
	res := resulttest.WithShares(t, median.MinSamples, 0.85).Results[0]
	resulttest.EndApart(res.Rows[2], 0.256)
	want := "loads takes 1.00 ns.|Against loads: loads 1.00.|" +
		"1 of 3 rows are left out because their threads got less than 90% of the CPU time that they asked for.|" +
		"1 of 3 rows are left out because some of their threads ended long before others."
	if got := strings.Join(Conclusions(res), "|"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestConclusionsOfFew(t *testing.T) {
	res := resulttest.WithShares(t, median.MinSamples-1, 1).Results[0]
	if got := Conclusions(res); len(got) != 1 || got[0] != "Too few samples (5) to draw a conclusion: use -count 10." {
		t.Errorf("of five samples: %q", got)
	}
	res.Scenario.Exact = true
	if got := Conclusions(res); len(got) != 4 {
		t.Errorf("of five samples that do not vary: %q", got)
	}
	res.Partial = true
	if got := Conclusions(res); got != nil {
		t.Errorf("of a partial result: %q", got)
	}
	res.Partial, res.Scenario.Conclude = false, nil
	if got := Conclusions(res); got != nil {
		t.Errorf("without a function that concludes: %q", got)
	}
}

// A ratio alone is a conclusion, too. Without one there is nothing to conclude.
func TestConclusionsOfRatios(t *testing.T) {
	few, enough := resulttest.WithShares(t, 5, 1).Results[0], resulttest.WithShares(t, median.MinSamples, 1).Results[0]
	few.Scenario.Conclude, enough.Scenario.Conclude = nil, nil
	if got := Conclusions(few); len(got) != 1 || got[0] != "Too few samples (5) to draw a conclusion: use -count 10." {
		t.Errorf("of five samples: %q", got)
	}
	if got := Conclusions(enough); got != nil {
		t.Errorf("of six samples: %q", got)
	}
	few.Scenario.Baseline = nil
	if got := Conclusions(few); got != nil {
		t.Errorf("without a baseline: %q", got)
	}
}
