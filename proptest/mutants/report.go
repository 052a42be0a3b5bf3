package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// report has the results of all mutants.
type report struct {
	results []result
	lines   []*packageLine
	equal   map[Mutant]string // reasons
	stale   []string
}

// packageLine is the line of a package in the table.
type packageLine struct {
	rel                                           string
	all, run, killed, equivalent, left, deletions int
	refused                                       int
	seconds                                       float64
}

// percent returns the share of mutants killed, without the equivalent ones.
func (l *packageLine) percent() float64 {
	if l.run == l.equivalent {
		return 100
	}
	return 100 * float64(l.killed) / float64(l.run-l.equivalent)
}

// wanted is the percentage of mutants that must be killed.
const wanted = 95

// newReport counts the results.
func newReport(c *config, ins []*instrumented, results []result) *report {
	r := &report{results: results, equal: map[Mutant]string{}}
	lines := map[string]*packageLine{}
	exists := map[Mutant]bool{}
	for _, in := range ins {
		for _, m := range in.mutants {
			exists[m.id()] = true
		}
		lines[in.rel] = &packageLine{rel: in.rel, all: len(in.mutants), refused: in.refused}
	}
	listed := map[Mutant]equivalent{}
	for _, e := range c.listed {
		listed[e.mutant] = e
		if lines[e.mutant.Package] != nil && !exists[e.mutant] {
			r.stale = append(r.stale, fmt.Sprintf("line %d: there is no such mutant: %s: %s → %s", e.line, e.mutant.Func, e.mutant.Text, e.mutant.To))
		}
	}
	for _, x := range results {
		l := lines[x.Package]
		if l.run == 0 {
			r.lines = append(r.lines, l)
		}
		l.run++
		l.seconds += x.Seconds
		e, is := listed[x.id()]
		switch {
		case x.Verdict == killed:
			l.killed++
			if is {
				r.stale = append(r.stale, fmt.Sprintf("line %d: killed by %s: %s", e.line, x.By, x.Mutant))
			}
		case is:
			l.equivalent++
			r.equal[x.id()] = e.reason
		default:
			l.left++
			if inFull[x.Op] {
				l.deletions++
			}
		}
	}
	return r
}

// good reports whether enough mutants were killed.
func (r *report) good() bool {
	for _, l := range r.lines {
		if l.deletions > 0 || l.percent() < wanted {
			return false
		}
	}
	return len(r.stale) == 0
}

// write writes the mutants that were not killed, and the table.
func (r *report) write(w io.Writer) error {
	for _, x := range r.results {
		reason, is := r.equal[x.id()]
		switch {
		case x.Verdict == killed:
		case is:
			fmt.Fprintf(w, "equivalent: %s\n\t%s\n", x.Mutant, reason)
		default:
			fmt.Fprintf(w, "%s\n", x.Mutant)
			switch x.Verdict {
			case unreached:
				fmt.Fprintf(w, "\tno test reaches it\n")
			case chance:
				fmt.Fprintf(w, "\tby chance: %d of %d runs of %s\n", x.Fails, x.Runs, x.By)
			case cutShort:
				fmt.Fprintf(w, "\tsurvived those of %d tests for which there was time\n", x.Tests)
			default:
				fmt.Fprintf(w, "\tsurvived %d tests\n", x.Tests)
			}
			fmt.Fprintf(w, "\t%s\n", row(x.Mutant))
		}
	}
	for _, s := range r.stale {
		fmt.Fprintf(w, "stale: %s\n", s)
	}
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tab, "package\tmutants\trun\tkilled\tequivalent\tsurvivors\tdeletions, locks, stores among them\tkilled, %\ts each\t")
	for _, l := range r.lines {
		fmt.Fprintf(tab, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t%.2f\t\n",
			l.rel, l.all, l.run, l.killed, l.equivalent, l.left, l.deletions, l.percent(), l.seconds/float64(l.run))
	}
	return tab.Flush()
}
