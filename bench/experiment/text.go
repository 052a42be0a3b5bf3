package experiment

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	gotext "github.com/jedib0t/go-pretty/v6/text"
)

// Text returns a reporter that writes one table a scenario, as soon as the
// scenario is finished. The last column is the ratio to the baseline.
func Text(w io.Writer) Reporter { return &textReporter{w: w} }

type textReporter struct{ w io.Writer }

func (t *textReporter) Begin(env *Env) error {
	machine := runtime.GOOS + "/" + runtime.GOARCH
	if cpu := cpuName(); cpu != "" {
		machine += ", " + cpu
	}
	_, err := fmt.Fprintf(t.w, "%s, %s, GOMAXPROCS %d\n%d samples of %s a row, rows interleaved\n",
		runtime.Version(), machine, runtime.GOMAXPROCS(0), env.Count, env.Budget)
	return err
}

func (t *textReporter) Result(res *Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: %s\n", res.Scenario.Name, res.Scenario.Question)
	b.WriteString(resultTable(res))
	b.WriteByte('\n')
	if note := ratioNote(res); note != "" {
		b.WriteString(note + "\n")
	}
	if res.Scenario.Conclude != nil && !res.Partial {
		for _, line := range res.Scenario.Conclude(res) {
			b.WriteString(line + "\n")
		}
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

func (t *textReporter) End(report *Report) error {
	if !report.Partial {
		return nil
	}
	_, err := fmt.Fprintf(t.w, "\n%s\n", partialLine(report))
	return err
}

// resultTable has a column for every setting, for the summary of the metric, for
// the median of every extra metric, and for the ratio.
func resultTable(res *Result) string {
	var keys, extra []string
	hasRatio := res.Scenario.Baseline != nil
	for _, row := range res.Rows {
		for _, kv := range row.Config {
			keys = appendNew(keys, kv.Key)
		}
		for _, s := range row.Stats()[1:] {
			extra = appendNew(extra, s.Metric)
		}
	}
	metric, one := commonMetric(res)
	header := table.Row{}
	var columns []table.ColumnConfig
	add := func(name string, align gotext.Align) {
		header = append(header, name)
		columns = append(columns, table.ColumnConfig{Number: len(header), Align: align, AlignHeader: align})
	}
	for _, k := range keys {
		add(k, gotext.AlignLeft)
	}
	add(metric, gotext.AlignRight)
	add("min", gotext.AlignRight)
	add("max", gotext.AlignRight)
	for _, unit := range extra {
		add(unit, gotext.AlignRight)
	}
	add("n", gotext.AlignRight)
	if hasRatio {
		add("ratio", gotext.AlignRight)
	}

	tw := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = gotext.FormatDefault
	style.Options.SeparateColumns = false
	style.Options.DrawBorder = false
	tw.SetStyle(style)
	tw.SetColumnConfigs(columns)
	tw.AppendHeader(header)
	for _, row := range res.Rows {
		if len(row.Samples) == 0 {
			continue
		}
		var cells table.Row
		for _, k := range keys {
			cells = append(cells, cell(row.Config.Get(k)))
		}
		stats := row.Stats()
		median := human(stats[0].Median)
		if !one {
			median += " " + row.Metric
		}
		cells = append(cells, median, human(stats[0].Min), human(stats[0].Max))
		for _, unit := range extra {
			value := ""
			for _, s := range stats[1:] {
				if s.Metric == unit {
					value = human(s.Median)
				}
			}
			cells = append(cells, value)
		}
		cells = append(cells, stats[0].N)
		if hasRatio {
			cells = append(cells, ratioCell(res.Ratio(row)))
		}
		tw.AppendRow(cells)
	}
	return tw.Render()
}

// commonMetric is the metric of all rows, or "median" and false if they differ.
func commonMetric(res *Result) (string, bool) {
	metric := ""
	for _, row := range res.Rows {
		if metric != "" && metric != row.Metric {
			return "median", false
		}
		metric = row.Metric
	}
	return metric, true
}

// ratioNote is the table's caption: what the ratio is and which way is good.
func ratioNote(res *Result) string {
	if res.Scenario.Baseline == nil {
		return ""
	}
	note := "ratio: to " + res.Scenario.BaselineName + " in the same round"
	if res.Scenario.BaselineName == "" {
		note = "ratio: to the baseline in the same round"
	}
	switch metric, _ := commonMetric(res); metric {
	case NsOp:
		return note + "; below 1 is faster"
	case OpsS:
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
	if math.IsNaN(r) {
		return "-"
	}
	return fmt.Sprintf("%.2f", r)
}

// human writes three digits or more, with k, M or G from 10,000 on.
func human(v float64) string {
	a := math.Abs(v)
	switch {
	case a >= 1e10:
		return digits(v/1e9) + " G"
	case a >= 1e7:
		return digits(v/1e6) + " M"
	case a >= 1e4:
		return digits(v/1e3) + " k"
	}
	return digits(v)
}

func digits(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.1 || a == 0:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
