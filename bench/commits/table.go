package commits

import (
	"fmt"
	"io"
	"slices"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/summary"
)

// A row has the samples of one benchmark in one unit.
type row struct {
	name, unit string
	values     [2][]float64
}

// rows collects the samples, in the order of the first commit. Samples in doubt, see
// experiment.Row.Doubt, are left out and counted.
func (c *comparison) rows() (rows []*row, doubtful int) {
	find := func(name, unit string) *row {
		i := slices.IndexFunc(rows, func(r *row) bool { return r.name == name && r.unit == unit })
		if i < 0 {
			rows = append(rows, &row{name: name, unit: unit})
			i = len(rows) - 1
		}
		return rows[i]
	}
	for i, results := range c.results {
		for _, r := range results {
			if r.GetConfig(experiment.Starved) == "true" || r.GetConfig(experiment.Apart) == "true" {
				doubtful++
				continue
			}
			for _, v := range r.Values {
				row := find(r.Name.String(), v.Unit)
				row.values[i] = append(row.values[i], v.Value)
			}
		}
	}
	return rows, doubtful
}

// confidence is that of the intervals.
const confidence = 0.95

// table writes a row for each benchmark and unit that both commits have, and what it means.
func (c *comparison) table(w io.Writer) error {
	rows, doubtful := c.rows()
	old, new := c.sides[0].name, c.sides[1].name
	t := &summary.Table{
		Header: []string{"row", "unit", old, "±95%", new, "±95%", "change", "p"},
		Right:  []bool{false, false, true, true, true, true, true, true},
	}
	both, differ, least := 0, 0, int(c.f.Count)
	thresholds := benchmath.DefaultThresholds
	for _, r := range rows {
		if len(r.values[0]) == 0 || len(r.values[1]) == 0 {
			continue
		}
		both++
		least = min(least, len(r.values[0]), len(r.values[1]))
		line := []string{r.name, r.unit}
		var samples [2]*benchmath.Sample
		var sums [2]benchmath.Summary
		for i, values := range r.values {
			samples[i] = benchmath.NewSample(slices.Clone(values), &thresholds)
			sums[i] = benchmath.AssumeNothing.Summary(samples[i], confidence)
			line = append(line, benchunit.Scale(sums[i].Center, benchunit.ClassOf(r.unit)), sums[i].PctRangeString())
		}
		compared := benchmath.AssumeNothing.Compare(samples[0], samples[1])
		if compared.P < thresholds.CompareAlpha {
			differ++
		}
		t.Rows = append(t.Rows, append(line, compared.FormatDelta(sums[0].Center, sums[1].Center), fmt.Sprintf("%.3f", compared.P)))
	}
	if both == 0 {
		_, err := fmt.Fprintf(w, "No row has samples of both commits to compare.%s\n", leftOut(doubtful))
		return err
	}
	_, err := fmt.Fprintf(w, "%s\n%d of %d rows differ (Mann-Whitney U test, p < %v, %d rounds); by chance, about %.0f would.%s\n",
		t.Text(), differ, both, thresholds.CompareAlpha, c.rounds, thresholds.CompareAlpha*float64(both), leftOut(doubtful))
	if err == nil && least < minRounds {
		_, err = fmt.Fprintf(w, "With fewer than %d samples of a row no difference can be shown: use -count 10.\n", minRounds)
	}
	if err == nil && c.rounds < int(c.f.Count) {
		_, err = fmt.Fprintf(w, "partial: %d of %d rounds\n", c.rounds, c.f.Count)
	}
	return err
}

// minRounds is the least number of samples on each side with which the U test can reach p < 0.05.
const minRounds = 4

func leftOut(doubtful int) string {
	if doubtful == 0 {
		return ""
	}
	return fmt.Sprintf(" %d samples are left out because their threads got less than 90%% of the CPU time that they asked for, or some ended long before others.", doubtful)
}

// samples writes all samples in the Go benchmark format, with the commit as a setting of the file.
func (c *comparison) samples(w io.Writer) error {
	out := benchfmt.NewWriter(w)
	for i, results := range c.results {
		if _, err := fmt.Fprintf(w, "commit: %s\n", c.sides[i].name); err != nil {
			return err
		}
		for _, r := range results {
			if err := out.Write(r); err != nil {
				return err
			}
		}
	}
	return nil
}
