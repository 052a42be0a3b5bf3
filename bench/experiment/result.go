package experiment

import (
	"maps"
	"math"
	"slices"
	"time"
)

// A Report is everything that Run measured.
type Report struct {
	Results []*Result // in the order of the scenarios, without those that were not begun
	Done    int       // samples taken
	Total   int       // samples planned
	Partial bool      // the run ended before all samples were taken
	Failed  bool      // it ended with an error of a scenario or a callback, and was not interrupted
}

// A Result is the table of one scenario.
type Result struct {
	Scenario *Scenario
	Rows     []*Row // in the order of the plan
	Partial  bool   // samples of this scenario are missing

	Rounds []Round // how fast the machine was at the start of each round
	Until  float64 // as in Env
	Wide   bool    // Until was not reached within the limit
	SetUps SetUps  // how often the variants were set up
}

// A Round is how fast the machine was, measured by a loop of arithmetic that always does the same.
type Round struct {
	Step time.Duration // the time of the fastest part of the loop
	Got  float64       // the share of the loop's time for which its thread had a core
}

// A Row has the samples of one variant. One goroutine at a time, that of Run, adds samples;
// then any goroutine may read it.
type Row struct {
	Config  Config
	Metric  string
	Samples []Sample
	rounds  []int // rounds[i] is the round that took Samples[i], ascending
	exact   bool  // as in Scenario
}

// row returns the row with this config, or nil if there is none.
func (r *Result) row(c Config) *Row {
	for _, row := range r.Rows {
		if slices.Equal(row.Config, c) {
			return row
		}
	}
	return nil
}

// Find returns the first row with all of the given settings, or nil if there is none.
func (r *Result) Find(want Config) *Row {
	for _, row := range r.Rows {
		if !slices.ContainsFunc(want, func(kv KV) bool { return row.Config.Get(kv.Key) != kv.Value }) {
			return row
		}
	}
	return nil
}

// Ratio is the ratio of row to its baseline. It is [Stat.Missing] if row has none.
func (r *Result) Ratio(row *Row) Stat { return Ratio(row, r.baseline(row)) }

// MeanRatio sums up the ratios of several rows to their baselines. Its samples are
// geometric means, one of each round that took a sample of all the rows. A disturbed sample
// weighs less in a mean, so the interval is narrower than those of the rows.
func (r *Result) MeanRatio(rows ...*Row) Stat {
	logs := map[int]float64{} // by round
	took := map[int]int{}
	for _, row := range rows {
		for round, ratio := range ratios(row, r.baseline(row)) {
			logs[round] += math.Log(ratio)
			took[round]++
		}
	}
	var means []float64
	for _, round := range slices.Sorted(maps.Keys(logs)) {
		if took[round] == len(rows) {
			means = append(means, math.Exp(logs[round]/float64(len(rows))))
		}
	}
	return newStat(ratioUnit, means, false)
}

// baseline is the row that row is compared with, or nil if there is none.
func (r *Result) baseline(row *Row) *Row {
	if row == nil {
		return nil
	}
	if r.Scenario.Baseline == nil {
		return nil
	}
	c := r.Scenario.Baseline(row.Config)
	if c == nil {
		return nil
	}
	return r.row(c)
}

// Ratio divides a's values by b's, round by round, and sums up the quotients. It is
// [Stat.Missing] if the rows have no round in common, have different metrics, if one of them is
// in [Row.Doubt], or if a value of a is negative or one of b is not positive.
func Ratio(a, b *Row) Stat {
	values := slices.Collect(maps.Values(ratios(a, b)))
	return newStat(ratioUnit, values, len(values) > 0 && a.exact && b.exact)
}

// ratios returns a's values divided by b's, by the round that took a sample of both rows. It
// returns none if the rows have no ratio. To leave out the rounds without a quotient would make
// a ratio of the others alone.
func ratios(a, b *Row) map[int]float64 {
	if a == nil || b == nil || a.Metric != b.Metric || a.Doubt() != "" || b.Doubt() != "" {
		return nil
	}
	if slices.ContainsFunc(a.Samples, func(s Sample) bool { return s.Value < 0 }) || slices.ContainsFunc(b.Samples, func(s Sample) bool { return s.Value <= 0 }) {
		return nil
	}
	values := map[int]float64{}
	for i, round := range a.rounds {
		if j, both := slices.BinarySearch(b.rounds, round); both {
			values[round] = a.Samples[i].Value / b.Samples[j].Value
		}
	}
	return values
}

// Stat sums up the samples in the row's metric. Of no row, as Find returns it, the result is
// Missing.
func (r *Row) Stat() Stat {
	if r == nil {
		return newStat("", nil, false)
	}
	values := make([]float64, len(r.Samples))
	for i, s := range r.Samples {
		values[i] = s.Value
	}
	return newStat(r.Metric, values, r.exact)
}

// Stats sums up the samples in the row's metric, and then in the extra ones, sorted by unit. It
// leaves out percentiles that only some of the samples have: those with the most latencies.
func (r *Row) Stats() []Stat {
	if r == nil {
		return nil
	}
	extra := map[string][]float64{}
	for _, s := range r.Samples {
		for unit, v := range s.Extra {
			extra[unit] = append(extra[unit], v)
		}
	}
	stats := []Stat{r.Stat()}
	for _, unit := range slices.Sorted(maps.Keys(extra)) {
		if isLatency(unit) && len(extra[unit]) < len(r.Samples) {
			continue
		}
		stats = append(stats, newStat(unit, extra[unit], r.exact))
	}
	return stats
}
