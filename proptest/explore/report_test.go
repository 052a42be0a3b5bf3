//go:build explore

package explore_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/proptest/explore"
)

// TestFiles has a failure written as JSON and as a page.
func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	t.Setenv("EXPLORE_OUT", dir)
	_, text := recorded(func(t testing.TB) { explore.Test(t, programs[0].fn) })
	wantText(t, text, "explore: written: ")
	var r struct {
		Test, Error, Schedule, Replay string
		Goroutines                    []string
		Rows                          []struct {
			Step, Goroutine, Line int
			Text, Value, Source   string
			Stack                 []struct{ Function string }
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "TestRecorded.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	steps := 0
	for _, x := range r.Rows {
		if x.Step > 0 {
			steps++
		}
		if x.Line == 0 || x.Source == "" || len(x.Stack) == 0 {
			t.Errorf("a row has no place: %+v", x)
		}
	}
	if r.Test != "TestRecorded" || len(r.Goroutines) != 3 || steps != 7 || !strings.Contains(r.Replay, r.Schedule) || !strings.Contains(r.Error, "got 1, want 2") {
		t.Errorf("the report is %+v", r)
	}
	page, err := os.ReadFile(filepath.Join(dir, "TestRecorded.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"prefers-color-scheme: dark", "width=device-width", "<details>", "EXPLORE_REPLAY=&#39;" + r.Schedule, "got 1, want 2", "a is preempted"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page has no %q", part)
		}
	}
	for _, part := range []string{"http://", "https://", "src=", "<script"} {
		if strings.Contains(string(page), part) {
			t.Errorf("the page needs %q", part)
		}
	}
}
