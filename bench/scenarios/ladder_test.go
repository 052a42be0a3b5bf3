package scenarios

import (
	"strings"
	"testing"
)

func TestLadder(t *testing.T) {
	res := shortRun(t, Ladder(), nil)
	if n := len(modes) * len(ladderRungs) * 2; len(res.Rows) != n {
		t.Errorf("%d rows, want %d", len(res.Rows), n)
	}
	lines := concludeLadder(res)
	// The first line is in a report's summary, so it has few figures.
	if len(lines) != len(modes)+1 || !strings.HasPrefix(lines[0], "Without a lock and with atomic counts, 2 threads do ") || strings.Contains(lines[0], "NaN") || !strings.HasPrefix(lines[1], "mode=atomic: 2 threads do ") {
		t.Errorf("concludes %q", lines)
	}
}
