package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
)

// Flags say how to measure scenarios, and how to report the results. Embed them in a struct for
// [Parse].
type Flags struct {
	Benchtime  experiment.Budget    `placeholder:"TIME" help:"Length of one sample: 100ms, or 1000x for that many operations a thread."`
	Count      Count                `placeholder:"N" help:"Samples for each row."`
	Threads    Threads              `placeholder:"N,..." help:"Thread counts (default: 1 and GOMAXPROCS)."`
	Until      Percent              `placeholder:"PERCENT" help:"Take more samples until the interval of each median extends no further: 5%."`
	Within     Time                 `placeholder:"TIME" needs:"until" help:"How long -until may take for a scenario (default: 1m)."`
	Only       experiment.Selection `placeholder:"KEY=VALUE,..." help:"Variants to measure, by their settings: mode=atomic,threads=2."`
	Counters   bool                 `help:"Count cycles, instructions, cache misses and hits in remote memory, where the system allows it."`
	Format     string               `enum:"text,json,bench" default:"text" placeholder:"text|json|bench" help:"Tables, one object a line, or lines for benchstat (default: text)."`
	Plots      string               `placeholder:"FOLDER" help:"Draw each scenario, as NAME.svg in the folder, and its other metrics, as NAME-METRIC.svg."`
	CPUProfile string               `name:"cpuprofile" placeholder:"FILE" help:"Write a CPU profile; its labels are scenario, variant and phase."`
	Trace      string               `placeholder:"FILE" help:"Write an execution trace; each sample is a task, with a region for each thread."`
	Progress   string               `enum:"auto,on,off" default:"auto" placeholder:"auto|on|off" help:"Progress bar on standard error: auto (the default) shows it if that is a terminal."`
}

// Env returns what the flags ask for. The budget of a sample and the number of samples are
// defaults, for flags that were not given.
func (f *Flags) Env(budget time.Duration, samples int) experiment.Env {
	e := experiment.Env{Threads: f.Threads, Budget: f.Benchtime, Count: int(f.Count), Until: float64(f.Until), Limit: time.Duration(f.Within), Only: f.Only, Counters: f.Counters}
	if e.Budget == (experiment.Budget{}) {
		e.Budget.Duration = budget
	}
	if e.Count == 0 {
		e.Count = samples
	}
	return e
}

// Count is a number from 1 to 100,000.
type Count int

// maxCount bounds memory. More samples would say nothing new.
const maxCount = 100_000

// UnmarshalText reads a number.
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > maxCount {
		return fmt.Errorf("%q is not a number from 1 to %d", text, maxCount)
	}
	*c = Count(n)
	return nil
}

// Threads is a list of numbers of threads, each once, in the given order.
type Threads []int

// maxThreads is a guess: more must be a typing error.
const maxThreads = 1024

// UnmarshalText reads numbers with commas between them.
func (l *Threads) UnmarshalText(text []byte) error {
	*l = nil
	for word := range strings.SplitSeq(string(text), ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > maxThreads {
			return fmt.Errorf("%q is not a number of threads from 1 to %d", word, maxThreads)
		}
		if !slices.Contains(*l, n) {
			*l = append(*l, n)
		}
	}
	return nil
}

// Percent is a share from above 0 to 1, such as 5%.
type Percent float64

// UnmarshalText reads a number above 0 and up to 100, with or without a per cent sign.
func (p *Percent) UnmarshalText(text []byte) error {
	v, err := strconv.ParseFloat(strings.TrimSuffix(string(text), "%"), 64)
	if err != nil || !(v > 0 && v <= 100) {
		return fmt.Errorf("%q is not a percentage above 0, such as 5%%", text)
	}
	*p = Percent(v / 100)
	return nil
}

// String writes what UnmarshalText reads.
func (p Percent) String() string { return strconv.FormatFloat(100*float64(p), 'g', 6, 64) + "%" }

// Time is a duration above 0, such as 90s.
type Time time.Duration

// UnmarshalText reads a duration above 0.
func (d *Time) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is not a duration above 0, such as 90s", text)
	}
	*d = Time(v)
	return nil
}

// String writes what UnmarshalText reads.
func (d Time) String() string { return time.Duration(d).String() }

// Bytes is a number of bytes up to 16GiB, such as 64MiB.
type Bytes int64

// maxBytes is a guess: more must be a typing error.
const maxBytes = 16 << 30

var byteUnits = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"", 1}}

// UnmarshalText reads a number with the unit KiB, MiB or GiB, or without a unit.
func (c *Bytes) UnmarshalText(text []byte) error {
	for _, u := range byteUnits {
		digits, found := strings.CutSuffix(string(text), u.name)
		if !found {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 1 || n > maxBytes/u.size {
			break
		}
		*c = Bytes(n * u.size)
		return nil
	}
	return fmt.Errorf("%q is not a size from 1 to %dGiB, such as 64MiB", text, maxBytes>>30)
}

// String writes what UnmarshalText reads.
func (c Bytes) String() string {
	for _, u := range []int{2, 1, 0} { // the greatest unit that divides it
		if unit := byteUnits[u]; c > 0 && int64(c)%unit.size == 0 {
			return fmt.Sprint(int64(c)/unit.size) + unit.name
		}
	}
	return fmt.Sprint(int64(c))
}

// Chosen returns the scenarios with the given names, each once, or all if there are no names. The
// error is a UsageError with the names of all scenarios.
func Chosen(all []experiment.Scenario, names []string) ([]experiment.Scenario, error) {
	if len(names) == 0 {
		return all, nil
	}
	var out []experiment.Scenario
	for _, name := range names {
		i := slices.IndexFunc(all, func(s experiment.Scenario) bool { return s.Name == name })
		if i < 0 {
			var known []string
			for _, s := range all {
				known = append(known, s.Name)
			}
			return nil, UsageError{fmt.Errorf("unknown scenario %q; known: %s", name, strings.Join(known, ", "))}
		}
		if !slices.ContainsFunc(out, func(s experiment.Scenario) bool { return s.Name == name }) {
			out = append(out, all[i])
		}
	}
	return out, nil
}
