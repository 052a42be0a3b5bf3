package experiment

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// A Reporter writes results in one format. Begin comes first, Result once a scenario as it
// is finished, End last, even if the run ended early. One goroutine at a time.
type Reporter interface {
	Begin(env *Env) error
	Result(res *Result) error
	End(report *Report) error
}

// Formats are the names that NewReporter knows.
var Formats = []string{"text", "json", "bench"}

// NewReporter returns the reporter for a format.
func NewReporter(format string, w io.Writer) (Reporter, error) {
	switch format {
	case "text":
		return Text(w), nil
	case "json":
		return JSON(w), nil
	case "bench":
		return Bench(w), nil
	}
	return nil, fmt.Errorf("unknown format %q; known: %s", format, strings.Join(Formats, ", "))
}

// partialLine says how far a run came.
func partialLine(r *Report) string {
	return fmt.Sprintf("partial: interrupted after %d of %d samples", r.Done, r.Total)
}

// significant rounds to six digits: more would be noise in every report.
func significant(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 5, 64), 64)
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// CPUName is the processor as the kernel names it, empty where it does not. Any goroutine.
func CPUName() string {
	if runtime.GOOS != "linux" {
		return ""
	}
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	return cpuFrom(string(text))
}

func cpuFrom(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		key, value, ok := strings.Cut(line, ":")
		if key = strings.TrimSpace(key); ok && (key == "model name" || key == "Model") {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
