package experiment

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/ichor-go/ichor/bench/internal/median"
)

// Thresholds of warnings. The first is a fact; the others are guesses at what still leaves a
// comparison sound.
const (
	goTurn       = 10 * time.Millisecond // Go's scheduler takes the core from a goroutine after so long
	fewTurns     = 2                     // samples should be this many turns long
	muchChange   = 1.10                  // the slowest round's calibration, relative to the fastest's
	muchBusy     = 0.10                  // of the cores' time, by other programs
	muchStolen   = 0.01                  // by a hypervisor
	littleGotten = 0.90                  // of the calibration's time
	muchApart    = 0.10                  // of a sample's time, after a lane had ended
	muchBehind   = 0.10                  // of the operations that lanes with a pace were asked for
	leastNs      = 0.05                  // for an operation: a fraction of a cycle
)

// Warnings are sentences about what makes a result doubtful: samples that are too short, more
// threads than cores, a machine that changed its speed or was busy with something else. They
// are empty if nothing is known to be wrong. On systems other than Linux most of it is unknown.
func (r *Result) Warnings() []string { return r.warnings(min(runtime.GOMAXPROCS(0), runtime.NumCPU())) }

func (r *Result) warnings(cores int) (lines []string) {
	warn := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	shortest := r.shortest()
	if short := shortest > 0 && shortest < fewTurns*goTurn; short && !r.Scenario.Exact {
		warn("Samples are as short as %v. Go's scheduler gives a thread turns of %v, so one lost turn is a large part of a sample: use -benchtime 100ms.",
			rounded(shortest), goTurn)
	} else if u := r.SetUps; !u.Anew && !u.worthwhile() && len(r.Rounds) > 1 && !r.Scenario.Exact {
		warn("The rows were set up once, which took %v, and not for each round. Which memory they got is luck that all rounds share, and may differ by some percent between rows.",
			rounded(u.Took))
	}
	most := 0
	for _, row := range r.Rows {
		most = max(most, row.Lanes())
	}
	if most > cores {
		warn("%d threads have %s: rows with more threads than cores show how the threads take turns, not how they scale.", most, counted(cores, "core"))
	}
	if n := r.count(func(row *Row) bool { return row.Apart() > muchApart }); n > 0 {
		warn("In %d of %s, some threads ended long before others, which then ran alone: their rates are not those of all threads at once. Use a longer -benchtime, such as 1s.",
			n, counted(len(r.Rows), "row"))
	}
	if n := r.count(func(row *Row) bool { return row.behind() > muchBehind }); n > 0 {
		warn("In %d of %s, threads with a rate did less than %.0f %% of what they were asked for. Latencies since operations were due then grow with the length of a sample.",
			n, counted(len(r.Rows), "row"), 100*(1-muchBehind))
	}
	if n := r.count((*Row).instant); n > 0 {
		warn("In %d of %s, an operation takes less than %v ns on a core: the compiler may have left it out.", n, counted(len(r.Rows), "row"), leastNs)
	}
	if list := r.trends(); len(list) > 0 {
		t := list[0]
		warn("In %d of %s, samples rose or fell from round to round, as in %s: first %s, last %s %s. What is measured depends on what was done before, or the machine changed. Medians depend on the number of rounds; ratios do not if both rows change alike.",
			len(list), counted(len(r.Rows), "row"), t.row.Config, human(t.first), human(t.last), t.row.Metric)
	}
	var steps, shares []float64
	for _, round := range r.Rounds {
		steps, shares = append(steps, float64(round.Step)), append(shares, round.Got)
	}
	if len(steps) > 0 {
		if low, high := slices.Min(steps), slices.Max(steps); high > muchChange*low {
			warn("The machine's speed changed between rounds: a loop that always does the same took from %v to %v. Ratios are taken within rounds; medians mix the speeds.",
				rounded(time.Duration(low)), rounded(time.Duration(high)))
		}
		if got := median.Of(shares); got < littleGotten {
			warn("Between samples, a thread that only computes had a core for %.0f %% of its time.", 100*got)
		}
	}
	var m Row
	for _, row := range r.Rows {
		m.Samples = append(m.Samples, row.Samples...)
	}
	if busy := m.Busy(); busy > muchBusy {
		warn("Other programs had %.0f %% of the cores' time during the samples.", 100*busy)
	}
	if stolen := m.Stolen(); stolen > muchStolen {
		warn("The hypervisor took %.0f %% of the time for which there was work.", 100*stolen)
	}
	if r.Wide {
		warn("The intervals did not become as narrow as ±%s %% within the time limit.", digits(100*r.Until))
	}
	return lines
}

// count counts the rows of which something is true.
func (r *Result) count(is func(row *Row) bool) (n int) {
	for _, row := range r.Rows {
		if is(row) {
			n++
		}
	}
	return n
}

// Lanes is the number of threads that work at once in the row's samples: its setting threads, or
// the number of lanes if that is greater, as with roles.
func (r *Row) Lanes() int {
	most, _ := r.Config.Get(threadsKey).(int)
	for _, s := range r.Samples {
		most = max(most, s.Load.Lanes)
	}
	return most
}

// behind is the share of the operations due that the row's lanes have not done.
func (r *Row) behind() float64 {
	return r.medianOf(func(l Load) float64 { return l.Behind })
}

// medianOf is the median over the samples.
func (r *Row) medianOf(figure func(l Load) float64) float64 {
	var figures []float64
	for _, s := range r.Samples {
		figures = append(figures, figure(s.Load))
	}
	return median.Of(figures)
}

// instant reports whether the row's operations take no time.
func (r *Row) instant() bool {
	var took []float64
	for _, s := range r.Samples {
		if l := s.Load; l.Lanes > 0 {
			took = append(took, float64(l.Elapsed.Nanoseconds())*float64(l.Lanes)/float64(s.Ops))
		}
	}
	return median.Of(took) < leastNs
}

// counted writes 1 row, or 2 rows.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// shortest is the least median length of a row's samples, or 0 if none is known.
func (r *Result) shortest() (shortest time.Duration) {
	for _, row := range r.Rows {
		var lengths []float64
		for _, s := range row.Samples {
			if s.Load.Elapsed > 0 {
				lengths = append(lengths, float64(s.Load.Elapsed))
			}
		}
		if d := time.Duration(median.Of(lengths)); len(lengths) > 0 && (shortest == 0 || d < shortest) {
			shortest = d
		}
	}
	return shortest
}

// rounded leaves three digits.
func rounded(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit)
}
