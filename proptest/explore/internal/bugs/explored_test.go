//go:build explore

package bugs

import (
	"regexp"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/proptest/explore"
)

var found = regexp.MustCompile(`found in schedule .*;`)

// TestBugs demands that each bug is found with at most two preemptions, and nothing in its correction.
func TestBugs(t *testing.T) {
	for _, b := range List {
		t.Run(b.Name, func(t *testing.T) {
			r := &recorder{}
			explore.Test(r, func(e *explore.E) { b.Run(e, false) })
			if !r.failed || !strings.Contains(r.text.String(), b.Says) {
				t.Errorf("want %q, found:\n%s", b.Says, &r.text)
			}
			t.Log(found.FindString(r.text.String()))
			explore.Test(t, func(e *explore.E) { b.Run(e, true) })
		})
	}
}
