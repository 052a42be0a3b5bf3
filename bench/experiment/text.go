package experiment

import (
	"fmt"
	"io"
	"runtime"
	"strings"
)

// Text returns a reporter that writes one table a scenario, as soon as the
// scenario is finished. The last column is the ratio to the baseline.
func Text(w io.Writer) Reporter { return &textReporter{w: w} }

type textReporter struct{ w io.Writer }

func (t *textReporter) Begin(env *Env) error {
	machine := runtime.GOOS + "/" + runtime.GOARCH
	if cpu := CPUName(); cpu != "" {
		machine += ", " + cpu
	}
	_, err := fmt.Fprintf(t.w, "%s, %s, GOMAXPROCS %d\n%d samples of %s a row, rows interleaved\n",
		runtime.Version(), machine, runtime.GOMAXPROCS(0), env.Count, env.Budget)
	return err
}

func (t *textReporter) Result(res *Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: %s\n", res.Scenario.Name, res.Scenario.Question)
	b.WriteString(ResultTable(res).Text())
	b.WriteByte('\n')
	for _, note := range Notes(res) {
		b.WriteString(note + "\n")
	}
	if laws := LawTable(res); laws != nil {
		b.WriteString("\n" + laws.Text() + "\n")
		for _, note := range LawNotes(res) {
			b.WriteString(note + "\n")
		}
	}
	for _, line := range Conclusions(res) {
		b.WriteString(line + "\n")
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
