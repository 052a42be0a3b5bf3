package progress

import (
	"strings"
	"testing"
	"time"
)

// The bar follows a total that grows, as when more samples are taken until an interval is narrow.
func TestGrowingTotal(t *testing.T) {
	var out strings.Builder
	bar := New(&out, "mine", "on")
	for done, total := 0, 4; done < 8; done++ {
		total = max(total, done+2)
		out.Reset()
		bar.Show(done, total, "next")
		time.Sleep(110 * time.Millisecond) // it draws no more often
	}
	if !strings.Contains(out.String(), "/9)") {
		t.Errorf("the bar is %q", out.String())
	}
	bar.Logf("a line")
	if !strings.Contains(out.String(), "mine: a line\n") {
		t.Errorf("the line is missing in %q", out.String())
	}
}
