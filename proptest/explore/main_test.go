//go:build explore

package explore

import (
	"fmt"
	"os"
	"testing"
)

// counts are what the tests have explored, which a verbose run ends with: see docs/proof.md.
var counts []string

// conclude logs a line, and has it be one of counts.
func conclude(t *testing.T, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	t.Log(line)
	counts = append(counts, line)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if testing.Verbose() {
		for _, line := range counts {
			fmt.Println(line)
		}
	}
	os.Exit(code)
}
