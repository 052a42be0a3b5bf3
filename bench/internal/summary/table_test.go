package summary

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/resulttest"
)

// Columns of extra metrics are in one order, whichever rows have them. Their long names take two lines on a
// terminal.
func TestExtraColumns(t *testing.T) {
	res := resulttest.Grid(experiment.OpsS, experiment.Axis{Key: "a-long-setting", Values: []any{"x", "y"}})
	for k := range res.Rows[0].Samples {
		res.Rows[0].Samples[k].Extra = map[string]float64{"readers-max-ns": 1, "writers-ops/s": 2}
		res.Rows[1].Samples[k].Extra = map[string]float64{"readers-p99-ns": 3, "p99.9-ns": 4}
	}
	table := ResultTable(res)
	if got := strings.Join(table.Header, " "); got != "a-long-setting ops/s ±95% min max p99.9-ns readers-max-ns readers-p99-ns writers-ops/s n" {
		t.Errorf("the columns are %s", got)
	}
	var heads []string
	for line := range strings.Lines(table.Text()) {
		heads = append(heads, strings.Join(strings.Fields(line), " "))
	}
	if heads[0] != "a- readers- readers- writers-" || heads[1] != "long-setting ops/s ±95% min max p99.9-ns max-ns p99-ns ops/s n" {
		t.Errorf("the table is\n%s", table.Text())
	}
	if text := table.Markdown(); !strings.Contains(text, "| readers-max-ns | readers-p99-ns |") {
		t.Errorf("the table is\n%s", text)
	}
}

// If no row has its baseline beside it, nothing is said about ratios.
func TestNoBaseline(t *testing.T) {
	for left, want := range map[string]bool{"loads": false, "address": true} {
		res := resulttest.WithShares(t, 5, 1).Results[0]
		res.Scenario.Conclude = nil
		res.Rows = slices.DeleteFunc(res.Rows, func(row *experiment.Row) bool { return row.Config.Get("state") == left })
		column, note := slices.Contains(ResultTable(res).Header, "ratio"), len(Notes(res)) > 0
		if column != want || note != want || (Conclusions(res) != nil) != want {
			t.Errorf("without %s: a column: %t, a note: %t, %q", left, column, note, Conclusions(res))
		}
	}
	res := resulttest.WithShares(t, 5, 1).Results[0]
	res.Scenario.Baseline = func(experiment.Config) experiment.Config { return nil }
	if slices.Contains(ResultTable(res).Header, "ratio") {
		t.Error("there are ratios to no baseline")
	}
}

// The column of ratios has as many digits as say something.
func TestRatioCell(t *testing.T) {
	for ratio, want := range map[float64]string{1: "1.00", 0.96: "0.96", 0.0012: "0.0012", 0.0999: "0.1", 99.9: "99.90", 12345.6: "12.3 k", 0: "0.00"} {
		if got := ratioCell(ratio); got != want {
			t.Errorf("%v is written as %s, want %s", ratio, got, want)
		}
	}
}

// The column of intervals has no digits that say nothing.
func TestWithin(t *testing.T) {
	for high, want := range map[float64]string{10: "0.0%", 10.456: "4.6%", 19.994: "99.9%", 20: "100%", 119.93: "1099%", 1e7: "100.0 M%"} {
		if got := within(experiment.Stat{Median: 10, Low: 10, High: high}); got != want {
			t.Errorf("up to %v: %s, want %s", high, got, want)
		}
	}
	for _, s := range []experiment.Stat{{Median: 10, Low: math.NaN(), High: math.NaN()}, {Low: -1, High: 1}} {
		if got := within(s); got != "-" {
			t.Errorf("%+v: %s", s, got)
		}
	}
}
