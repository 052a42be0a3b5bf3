package format

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"unicode"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/cpu"
)

// benchReporter writes the Go benchmark format, one line a sample:
//
//	BenchmarkPair/state=address/temp=hot/threads=1	107526881	0.93 ns/op
//
// Rows in doubt have the setting "starved: true" or "apart: true", so that benchstat puts them into
// tables of their own. Warnings are comments. It writes everything at the end. See golang.org/design/14313-benchmark-format.
type benchReporter struct{ w io.Writer }

func (r *benchReporter) Begin(*experiment.Env) error     { return nil }
func (r *benchReporter) Result(*experiment.Result) error { return nil }

func (r *benchReporter) End(report *experiment.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "goos: %s\ngoarch: %s\n%s", runtime.GOOS, runtime.GOARCH, packageLine(debug.ReadBuildInfo))
	if name := cpu.Name(); name != "" {
		fmt.Fprintf(&b, "cpu: %s\n", name)
	}
	fmt.Fprintf(&b, "Unit %s better=higher\n", experiment.OpsS)
	for _, res := range report.Results {
		for _, row := range res.Rows {
			name := benchName(res.Scenario.Name, row.Config)
			doubt := row.Doubt()
			if doubt != "" {
				b.WriteString(doubt + ": true\n")
			}
			for _, s := range row.Samples {
				fmt.Fprintf(&b, "%s\t%d\t%s %s", name, max(s.Ops, 1), significant(s.Value), row.Metric)
				for _, unit := range slices.Sorted(maps.Keys(s.Extra)) {
					fmt.Fprintf(&b, "\t%s %s", significant(s.Extra[unit]), unit)
				}
				b.WriteByte('\n')
			}
			if doubt != "" {
				b.WriteString(doubt + ":\n") // no longer
			}
		}
	}
	for _, res := range report.Results {
		for _, line := range res.Warnings() {
			fmt.Fprintf(&b, "# warning: %s: %s\n", res.Scenario.Name, line)
		}
	}
	if report.Partial {
		fmt.Fprintf(&b, "# %s\n", partialLine(report))
	}
	_, err := io.WriteString(r.w, b.String())
	return err
}

// packageLine names the package of the program, which may be somebody's own, if it is known.
func packageLine(read func() (*debug.BuildInfo, bool)) string {
	if info, ok := read(); ok && info.Path != "" {
		return "pkg: " + info.Path + "\n"
	}
	return ""
}

// benchName is the name of the benchmark: that of the scenario, with a capital, and the settings.
func benchName(scenario string, c experiment.Config) string {
	var b strings.Builder
	b.WriteString("Benchmark")
	for i, r := range nameWord(scenario) {
		if i == 0 {
			r = unicode.ToUpper(r)
		}
		b.WriteRune(r)
	}
	for _, kv := range c {
		fmt.Fprintf(&b, "/%s=%s", nameWord(kv.Key), nameWord(fmt.Sprint(kv.Value)))
	}
	return b.String()
}

// nameWord replaces what would end or split a name: spaces, slashes, and dashes. A dash before
// digits at the end of a name means GOMAXPROCS.
func nameWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '-' || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, s)
}
