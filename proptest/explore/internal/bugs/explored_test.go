//go:build explore

package bugs

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/proptest/explore"
)

var (
	found     = regexp.MustCompile(`found in schedule (\d+), `)
	corrected = regexp.MustCompile(`no failure: all (\d+) schedules with at most 2 preemptions`)
)

// TestBugs demands that each bug is found with at most two preemptions, and nothing in its correction,
// in as many schedules as docs/explore.md says.
func TestBugs(t *testing.T) {
	rows := documented(t)
	for i, b := range List {
		t.Run(b.Name, func(t *testing.T) {
			bad, good := &recorder{}, &recorder{}
			explore.Test(bad, func(e *explore.E) { b.Run(e, false) })
			if !bad.failed || !strings.Contains(bad.text.String(), b.Says) {
				t.Errorf("want %q, found:\n%s", b.Says, &bad.text)
			}
			explore.Test(good, func(e *explore.E) { b.Run(e, true) })
			if good.failed {
				t.Errorf("the corrected program fails:\n%s", &good.text)
			}
			at, all := found.FindStringSubmatch(bad.text.String()), corrected.FindStringSubmatch(good.text.String())
			if at == nil || all == nil {
				t.Fatalf("no numbers of schedules in:\n%s\n%s", &bad.text, &good.text)
			}
			t.Logf("found in schedule %s; %s schedules of the corrected program", at[1], all[1])
			if got := [2]string{at[1], all[1]}; got != rows[i] {
				t.Errorf("schedules %v, and the page says %v", got, rows[i])
			}
		})
	}
}

// documented returns the numbers of schedules in the table of docs/explore.md: those to find a bug, and
// those of the corrected program.
func documented(t *testing.T) (rows [][2]string) {
	t.Helper()
	page, err := os.ReadFile("../../../../docs/explore.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Bugs that it finds")
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "## ") {
			break
		}
		cells := strings.Split(line, "|")
		if len(cells) > 4 && !strings.HasPrefix(line, "|--") && !strings.HasPrefix(line, "| bug") {
			rows = append(rows, [2]string{strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])})
		}
	}
	if len(rows) != len(List) {
		t.Fatalf("the page has %d bugs, want %d", len(rows), len(List))
	}
	return rows
}
