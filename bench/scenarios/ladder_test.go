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
	if len(lines) != len(modes) || !strings.Contains(lines[0], "2 threads do ") || strings.Contains(lines[0], "NaN") {
		t.Errorf("concludes %q", lines)
	}
}
