package format

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/cpu"
	"github.com/ichor-go/ichor/bench/internal/summary"
)

// textReporter writes a table for each scenario as soon as it is finished.
type textReporter struct{ w io.Writer }

func (t *textReporter) Begin(env *experiment.Env) error {
	machine := runtime.GOOS + "/" + runtime.GOARCH
	if name := cpu.Name(); name != "" {
		machine += ", " + name
	}
	samples := fmt.Sprintf("%d samples of %s a row", env.Count, env.Budget)
	if env.Count == 1 {
		samples = fmt.Sprintf("1 sample of %s a row", env.Budget)
	}
	if env.Until > 0 {
		samples += fmt.Sprintf(" or more, until no median's interval extends beyond ±%s%%", significant(100*env.Until))
	}
	_, err := fmt.Fprintf(t.w, "%s, %s, GOMAXPROCS %d\n%s, rows interleaved\n", runtime.Version(), machine, runtime.GOMAXPROCS(0), samples)
	if err == nil && cpu.Measure() == "" {
		_, err = fmt.Fprintln(t.w, "This system does not say what CPU time threads ask for, so no row is marked as starved.")
	}
	return err
}

func (t *textReporter) Result(res *experiment.Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: %s\n", res.Scenario.Name, res.Scenario.Question)
	b.WriteString(summary.ResultTable(res).Text())
	b.WriteByte('\n')
	for _, note := range summary.Notes(res) {
		b.WriteString(note + "\n")
	}
	if laws := summary.LawTable(res); laws != nil {
		b.WriteString("\n" + laws.Text() + "\n")
		for _, note := range summary.LawNotes(res) {
			b.WriteString(note + "\n")
		}
	}
	if _, err := io.WriteString(t.w, b.String()); err != nil { // a function that concludes may panic
		return err
	}
	b.Reset()
	for _, line := range summary.Conclusions(res) {
		b.WriteString(line + "\n")
	}
	for _, line := range res.Warnings() {
		b.WriteString("warning: " + line + "\n")
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

func (t *textReporter) End(report *experiment.Report) error {
	if !report.Partial {
		return nil
	}
	_, err := fmt.Fprintf(t.w, "\n%s\n", partialLine(report))
	return err
}
