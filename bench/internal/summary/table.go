// Package summary makes what reports show of a result: its table, the laws of its rows, and what
// follows from them.
//
// Any goroutine may call each function. Values are plain: several goroutines may read one, or
// one may change it.
package summary

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	gotext "github.com/jedib0t/go-pretty/v6/text"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/cpu"
	"github.com/ichor-go/ichor/bench/internal/median"
)

// A Table is a table of texts.
type Table struct {
	Header []string
	Right  []bool // says which columns are aligned to the right: those of numbers
	Rows   [][]string
}

func (t *Table) column(name string, right bool) {
	t.Header, t.Right = append(t.Header, name), append(t.Right, right)
}

// Text draws the table for a terminal. A long name of a column takes two lines.
func (t *Table) Text() string {
	folded := *t
	folded.Header = nil
	for _, name := range t.Header {
		folded.Header = append(folded.Header, fold(name))
	}
	w := folded.writer()
	style := table.StyleLight
	style.Format.Header = gotext.FormatDefault
	style.Options.SeparateColumns = false
	style.Options.DrawBorder = false
	w.SetStyle(style)
	return w.Render()
}

// longName is how long a name may be in one line. The numbers below it are about as long. A guess.
const longName = 10

// fold divides a long name behind its first dash, where the name of a role ends.
func fold(name string) string {
	role, rest, ok := strings.Cut(name, "-")
	if !ok || len(name) <= longName {
		return name
	}
	return role + "-\n" + rest
}

// Markdown writes the table as Markdown.
func (t *Table) Markdown() string { return t.writer().RenderMarkdown() }

func (t *Table) writer() table.Writer {
	w := table.NewWriter()
	var columns []table.ColumnConfig
	for i, right := range t.Right {
		align := gotext.AlignLeft
		if right {
			align = gotext.AlignRight
		}
		columns = append(columns, table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align, VAlignHeader: gotext.VAlignBottom})
	}
	w.SetColumnConfigs(columns)
	w.AppendHeader(cells(t.Header))
	for _, row := range t.Rows {
		w.AppendRow(cells(row))
	}
	return w
}

func cells(texts []string) (row table.Row) {
	for _, s := range texts {
		row = append(row, s)
	}
	return row
}

// ResultTable has columns for each setting, for the median of the metric and its interval, for the
// medians of the extra metrics, and for the ratio and its interval. If rows are in doubt, the last
// columns mark them. Rows without samples are left out.
func ResultTable(res *experiment.Result) *Table {
	t := &Table{}
	var keys, extra []string
	intervals, starved, apart := false, count(res, experiment.Starved) > 0, count(res, experiment.Apart) > 0
	for _, row := range res.Rows {
		for _, kv := range row.Config {
			keys = appendNew(keys, kv.Key)
		}
		for _, s := range row.Stats()[1:] {
			extra = appendNew(extra, s.Metric)
		}
		intervals = intervals || len(row.Samples) >= median.MinSamples
	}
	slices.Sort(extra) // not every row has all of them
	for _, k := range keys {
		t.column(k, false)
	}
	metric, one := commonMetric(res)
	t.column(metric, true)
	if intervals {
		t.column(withinColumn, true)
	}
	t.column("min", true)
	t.column("max", true)
	for _, unit := range extra {
		t.column(unit, true)
	}
	t.column("n", true)
	hasRatio := hasBaseline(res)
	if hasRatio {
		t.column("ratio", true)
		if intervals {
			t.column(withinColumn, true)
		}
	}
	if starved {
		t.column(gotColumn, true)
	}
	if apart {
		t.column(apartColumn, true)
	}
	for _, row := range res.Rows {
		if len(row.Samples) == 0 {
			continue
		}
		var line []string
		for _, k := range keys {
			line = append(line, cell(row.Config.Get(k)))
		}
		stats := row.Stats()
		median := Human(stats[0].Median)
		if !one {
			median += " " + row.Metric
		}
		line = append(line, median)
		if intervals {
			line = append(line, within(stats[0]))
		}
		line = append(line, Human(stats[0].Min), Human(stats[0].Max))
		for _, unit := range extra {
			value := ""
			for _, s := range stats[1:] {
				if s.Metric == unit {
					value = Human(s.Median)
				}
			}
			line = append(line, value)
		}
		line = append(line, fmt.Sprint(stats[0].N))
		if hasRatio {
			ratio := res.Ratio(row)
			line = append(line, ratioCell(ratio.Median))
			if intervals {
				line = append(line, within(ratio))
			}
		}
		mark := func(doubt string, share float64) {
			text := ""
			if row.Doubt() == doubt {
				text = percent(share)
			}
			line = append(line, text)
		}
		if starved {
			mark(experiment.Starved, row.Got())
		}
		if apart {
			mark(experiment.Apart, row.Apart())
		}
		t.Rows = append(t.Rows, line)
	}
	return t
}

// The names of the columns that mark rows in doubt.
const (
	gotColumn   = "CPU"
	apartColumn = "apart"
)

// withinColumn is the name of the columns of intervals.
const withinColumn = "±95%"

// within is the greater distance of the two ends of the interval from the median, as a percentage
// of the median.
func within(s experiment.Stat) string {
	if math.IsNaN(s.Low) || s.Median == 0 {
		return "-"
	}
	percent := 100 * math.Abs(max(s.High-s.Median, s.Median-s.Low)/s.Median)
	if percent >= 100 {
		return Human(percent) + "%"
	}
	return fmt.Sprintf("%.1f%%", percent)
}

// Notes are the captions of the result's table. They explain the ratio, the intervals and the
// marked rows.
func Notes(res *experiment.Result) (notes []string) {
	if note := ratioNote(res); note != "" {
		notes = append(notes, note)
	}
	for _, row := range res.Rows {
		if len(row.Samples) >= median.MinSamples {
			notes = append(notes, withinColumn+": how far the median's 95 % interval extends, at most")
			break
		}
	}
	for _, row := range res.Rows {
		if slices.ContainsFunc(row.Stats(), func(s experiment.Stat) bool { return strings.HasSuffix(s.Metric, experiment.MaxNs) }) {
			notes = append(notes, experiment.MaxNs+": the greatest latency of a sample; as for all metrics, the table has the median of the samples")
			break
		}
	}
	const leftOut = "the row has no ratio, is not a baseline, and no conclusion is drawn from it"
	if count(res, experiment.Starved) > 0 {
		notes = append(notes, fmt.Sprintf("%s: how much the row's threads got of the CPU time that they asked for, if less than %s. Others had the cores: %s",
			gotColumn, percent(cpu.Enough), leftOut))
	}
	if count(res, experiment.Apart) > 0 {
		notes = append(notes, fmt.Sprintf("%s: the share of a sample's time that was left when the first thread had ended, if more than a tenth. The others then ran alone: %s", apartColumn, leftOut))
	}
	return notes
}

// commonMetric is the metric of all rows, or "median" and false if rows have different metrics.
func commonMetric(res *experiment.Result) (string, bool) {
	metric := ""
	for _, row := range res.Rows {
		if metric != "" && metric != row.Metric {
			return "median", false
		}
		metric = row.Metric
	}
	return metric, true
}

// hasBaseline reports whether a row's baseline is among the rows. It may have been left out by -only.
func hasBaseline(res *experiment.Result) bool {
	return res.Scenario.Baseline != nil && slices.ContainsFunc(res.Rows, func(row *experiment.Row) bool {
		c := res.Scenario.Baseline(row.Config)
		return c != nil && res.Find(c) != nil
	})
}

// ratioNote says what the ratio is to, and which way is better.
func ratioNote(res *experiment.Result) string {
	if !hasBaseline(res) {
		return ""
	}
	note := "ratio: relative to " + res.Scenario.BaselineName + ", in the same round"
	if res.Scenario.BaselineName == "" {
		note = "ratio: relative to the baseline, in the same round"
	}
	switch metric, _ := commonMetric(res); metric {
	case experiment.NsOp:
		return note + "; below 1 is faster"
	case experiment.OpsS:
		return note + "; above 1 is faster"
	}
	return note
}

func cell(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func ratioCell(r float64) string {
	switch a := math.Abs(r); {
	case math.IsNaN(r):
		return "-"
	case a >= 100, a > 0 && a < 0.1: // two digits after the point say too much, or nothing
		return Human(r)
	}
	return fmt.Sprintf("%.2f", r)
}

// Human writes a number as experiment.Figure does.
func Human(v float64) string { return experiment.Figure(v).String() }

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
