//go:build explore

package explore

import (
	"fmt"
	"os"
	"runtime/debug"
	"testing"
)

// counts are the amounts explored, which a verbose run prints at the end: see docs/proof.md.
var counts []string

// conclude logs a line, and adds it to counts.
func conclude(t *testing.T, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	t.Log(line)
	counts = append(counts, line)
}

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // each schedule leaves a runtime to the collector, and little else lives
	code := m.Run()
	if testing.Verbose() {
		for _, line := range counts {
			fmt.Println(line)
		}
	}
	os.Exit(code)
}
