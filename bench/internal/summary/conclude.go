package summary

import (
	"fmt"
	"math"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/cpu"
	"github.com/ichor-go/ichor/bench/internal/median"
)

// Conclusions are the lines that the scenario concludes from its result. If rows are in doubt, lines
// say why, and nothing is concluded from them. If there are too few samples, the only line
// says so. A partial result has no conclusions.
func Conclusions(res *experiment.Result) []string {
	concludes := res.Scenario.Conclude != nil
	if res.Partial || !concludes && !hasBaseline(res) { // a ratio is a conclusion, too
		return nil
	}
	if line := TooFew(res); line != "" {
		return []string{line}
	}
	if !concludes {
		return nil
	}
	lines := res.Scenario.Conclude(sound(res))
	for _, doubt := range []struct{ word, why string }{
		{experiment.Starved, "their threads got less than " + percent(cpu.Enough) + " of the CPU time that they asked for"},
		{experiment.Apart, "some of their threads ended long before others"},
	} {
		if n := count(res, doubt.word); n > 0 {
			lines = append(lines, fmt.Sprintf("%d of %d rows are left out because %s.", n, len(res.Rows), doubt.why))
		}
	}
	return lines
}

// TooFew says that there are too few samples to conclude from, or "" if there are enough.
func TooFew(res *experiment.Result) string {
	if res.Scenario.Exact {
		return ""
	}
	for _, row := range res.Rows {
		if n := len(row.Samples); n < median.MinSamples {
			return fmt.Sprintf("Too few samples (%d) to draw a conclusion: use -count 10.", n)
		}
	}
	return ""
}

// sound is the result to conclude from. Its rows in doubt have no samples, so that figures of them
// are NaN. See experiment.Say.
func sound(res *experiment.Result) *experiment.Result {
	sound := *res
	sound.Rows = nil
	for _, row := range res.Rows {
		if row.Doubt() != "" {
			row = &experiment.Row{Config: row.Config, Metric: row.Metric}
		}
		sound.Rows = append(sound.Rows, row)
	}
	return &sound
}

// count counts the rows with the doubt.
func count(res *experiment.Result, doubt string) (n int) {
	for _, row := range res.Rows {
		if row.Doubt() == doubt {
			n++
		}
	}
	return n
}

// percent writes a share as a percentage, rounded down.
func percent(share float64) string { return fmt.Sprintf("%.0f%%", math.Floor(100*share)) }
