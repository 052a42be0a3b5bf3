package experiment

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Conclusions is what the scenario concludes from its result, with a word about what it leaves
// out: rows whose threads were starved, and everything if there are too few samples to tell, or if
// the result is partial.
func Conclusions(res *Result) []string {
	if res.Scenario.Conclude == nil || res.Partial {
		return nil
	}
	if line := TooFew(res); line != "" {
		return []string{line}
	}
	lines := res.Scenario.Conclude(res.Sound())
	if n := res.starved(); n > 0 {
		lines = append(lines, fmt.Sprintf("%d of %d rows are left out here: their threads got less than %s of the CPU time that they asked for.",
			n, len(res.Rows), percent(EnoughCPU)))
	}
	return lines
}

// TooFew says that there are too few samples to conclude from, "" if there are enough.
func TooFew(res *Result) string {
	if res.Scenario.Exact {
		return ""
	}
	for _, row := range res.Rows {
		if n := len(row.Samples); n < MinSamples {
			return fmt.Sprintf("Too few samples to conclude from (%d): -count 10 would tell.", n)
		}
	}
	return ""
}

// Sound is the result to conclude from: in it, rows whose threads were starved have no samples,
// so that what is computed from them is NaN. See Say.
func (r *Result) Sound() *Result {
	sound := *r
	sound.Rows = nil
	for _, row := range r.Rows {
		if row.Starved() {
			row = &Row{Config: row.Config, Metric: row.Metric}
		}
		sound.Rows = append(sound.Rows, row)
	}
	return &sound
}

// starved counts the rows that are.
func (r *Result) starved() (n int) {
	for _, row := range r.Rows {
		if row.Starved() {
			n++
		}
	}
	return n
}

// A Figure is a number that is written as Human writes it.
type Figure float64

func (f Figure) String() string { return Human(float64(f)) }

// Say adds a sentence to lines, unless one of its figures is missing: a number that is NaN, or a
// list of none. A list is written with commas. For functions that conclude.
func Say(lines []string, format string, args ...any) []string {
	args = slices.Clone(args)
	for i, a := range args {
		missing := false
		switch v := a.(type) {
		case float64:
			missing = math.IsNaN(v)
		case Figure:
			missing = math.IsNaN(float64(v))
		case []string:
			missing = len(v) == 0
			args[i] = strings.Join(v, ", ")
		}
		if missing {
			return lines
		}
	}
	return append(lines, fmt.Sprintf(format, args...))
}
