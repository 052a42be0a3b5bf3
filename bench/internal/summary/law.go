package summary

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/internal/usl"
)

// A Law is the Universal Scalability Law of rows that differ only in the setting threads. It is
// fitted to their medians, in ops/s.
type Law struct {
	Config     experiment.Config // of the rows, without threads
	Rate       float64           // of one thread, operations a second
	Contention float64           // the share of the work that only one thread at a time can do
	Coherence  float64           // the cost of each pair of threads to each other
	Deviation  float64           // of the medians from the law, relative
	Peak       float64           // the number of threads with the greatest throughput, +Inf if more threads always do more
	Threads    []int             // the numbers of threads that it is fitted to, ascending

	// Crowded says that some of the rows have more threads at work than Cores, because fewer than
	// three have not.
	// Then the law takes the lack of cores for contention.
	Crowded bool
	Cores   int // GOMAXPROCS, or the number of cores if there are fewer
}

// At is the throughput of n threads, as the law has it.
func (l *Law) At(n float64) float64 {
	return usl.Law{Rate: l.Rate, Contention: l.Contention, Coherence: l.Coherence}.At(n)
}

// Laws fits a law to each group of rows with three numbers of threads or more.
func Laws(res *experiment.Result) []Law {
	return laws(res, min(runtime.GOMAXPROCS(0), runtime.NumCPU()))
}

func laws(res *experiment.Result, cores int) (laws []Law) {
	for _, group := range byThreads(res) {
		var all, fit []usl.Point
		crowd := map[int]bool{} // the numbers of threads of rows with more threads at work than cores
		for _, row := range group {
			n, _ := row.Config.Get(threadsKey).(int)
			p := usl.Point{Threads: n, Rate: row.Stat().Median}
			all = append(all, p)
			if crowd[n] = row.Lanes() > cores; !crowd[n] {
				fit = append(fit, p)
			}
		}
		if len(fit) < 3 {
			fit = all
		}
		l, err := usl.Fit(fit)
		if err != nil {
			continue // too few numbers of threads
		}
		law := Law{
			Config: group[0].Config.Without(threadsKey), Cores: cores,
			Rate: l.Rate, Contention: l.Contention, Coherence: l.Coherence, Deviation: l.Deviation, Peak: l.Peak(),
		}
		for _, p := range fit {
			law.Threads = append(law.Threads, p.Threads)
			law.Crowded = law.Crowded || crowd[p.Threads]
		}
		slices.Sort(law.Threads)
		laws = append(laws, law)
	}
	return laws
}

// threadsKey is the setting that laws are about.
const threadsKey = "threads"

// byThreads groups rows that differ only in the setting threads: those in ops/s, with samples, and
// not in doubt.
func byThreads(res *experiment.Result) (groups [][]*experiment.Row) {
	at := map[string]int{}
	for _, row := range res.Rows {
		if _, ok := row.Config.Get(threadsKey).(int); !ok || row.Metric != experiment.OpsS || len(row.Samples) == 0 || row.Doubt() != "" {
			continue
		}
		name := row.Config.Without(threadsKey).String()
		i, known := at[name]
		if !known {
			i = len(groups)
			at[name], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], row)
	}
	return groups
}

// LawTable has a row for each law of the result. It is nil if there is none.
func LawTable(res *experiment.Result) *Table {
	laws := Laws(res)
	if len(laws) == 0 {
		return nil
	}
	t := &Table{}
	var keys []string
	for _, l := range laws {
		for _, kv := range l.Config {
			keys = appendNew(keys, kv.Key)
		}
	}
	for _, k := range keys {
		t.column(k, false)
	}
	for _, name := range []string{"contention", "coherence", "deviation", "best threads"} {
		t.column(name, true)
	}
	ahead := laws[0].Ahead()
	t.column(fmt.Sprintf("%s at %d threads", experiment.OpsS, ahead), true)
	for _, l := range laws {
		var line []string
		for _, k := range keys {
			line = append(line, cell(l.Config.Get(k)))
		}
		peak := "more"
		if !math.IsInf(l.Peak, 0) {
			peak = fmt.Sprintf("%.0f", l.Peak)
		}
		t.Rows = append(t.Rows, append(line, share(l.Contention), share(l.Coherence), share(l.Deviation), peak, Human(l.At(float64(ahead)))))
	}
	return t
}

// Ahead is the number of threads of the prediction in reports: twice the greatest number that the
// law is fitted to.
func (l *Law) Ahead() int { return 2 * l.Threads[len(l.Threads)-1] }

func share(v float64) string {
	if v < 1e-5 { // a rounding error, or too little to be measured
		return "0"
	}
	return fmt.Sprintf("%.3g%%", 100*v)
}

// LawNotes are the captions of LawTable.
func LawNotes(res *experiment.Result) (notes []string) {
	for _, l := range Laws(res) {
		notes = appendNew(notes, "Universal Scalability Law, fitted to the medians with "+countList(l.Threads)+" threads. "+
			"contention: share of the work that only one thread at a time can do; coherence: what each pair of threads costs; the last column is a prediction.")
		if l.Crowded {
			notes = appendNew(notes, fmt.Sprintf("The threads have only %d cores. The law mistakes the lack of cores for contention, so it predicts for this machine, not for a larger one.", l.Cores))
		}
	}
	return notes
}

// countList writes 1, 2, 4.
func countList(counts []int) string {
	var words []string
	for _, n := range counts {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ", ")
}
