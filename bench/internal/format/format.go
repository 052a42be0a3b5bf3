// Package format writes results as text, as JSON and in the Go benchmark format. Any goroutine
// may call each function.
package format

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/ichor-go/ichor/bench/experiment"
)

// A Reporter writes results in one format. Begin is called first; Result is called for each
// scenario when it is finished; End is called last, even if the run ended early. One goroutine at
// a time.
type Reporter interface {
	Begin(env *experiment.Env) error
	Result(res *experiment.Result) error
	End(report *experiment.Report) error
}

// Names are the names of the formats.
var Names = []string{"text", "json", "bench"}

// New returns the reporter of a format.
func New(name string, w io.Writer) (Reporter, error) {
	switch name {
	case "text":
		return &textReporter{w}, nil
	case "json":
		return &jsonReporter{w}, nil
	case "bench":
		return &benchReporter{w}, nil
	}
	return nil, fmt.Errorf("unknown format %q; known: %s", name, strings.Join(Names, ", "))
}

// partialLine says how many samples a run has taken that was interrupted or failed.
func partialLine(r *experiment.Report) string {
	why := "interrupted"
	if r.Failed {
		why = "failed"
	}
	if r.Total == 0 {
		return "partial: " + why + " before the first sample"
	}
	return fmt.Sprintf("partial: %s after %d of %d samples", why, r.Done, r.Total)
}

// significant rounds to six digits: more digits would be noise.
func significant(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 5, 64), 64)
	if a := math.Abs(v); a >= 1e21 || a < 1e-12 {
		return strconv.FormatFloat(rounded, 'e', -1, 64)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}
