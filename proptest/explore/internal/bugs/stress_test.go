//go:build !explore

package bugs

import (
	"os"
	"testing"
	"time"

	"github.com/ichor-go/ichor/proptest/explore"
)

// TestStress runs the corrected programs with real goroutines. EXPLORE_STRESS has it run the bugs, and
// say which it finds: the comparison of docs/explore.md.
func TestStress(t *testing.T) {
	stress := os.Getenv("EXPLORE_STRESS") != ""
	for _, b := range List {
		t.Run(b.Name, func(t *testing.T) {
			r := &recorder{}
			done := make(chan bool)
			go func() {
				defer close(done)
				explore.TestWith(r, explore.Config{Time: time.Second}, func(e *explore.E) { b.Run(e, !stress) })
			}()
			select {
			case <-done:
				if !stress && r.failed {
					t.Error(r.text.String())
				}
				t.Logf("found: %t; %s", r.failed, r.text.String())
			case <-time.After(10 * time.Second):
				if !stress {
					t.Error("it hangs")
				}
				t.Log("found: it hangs")
			}
		})
	}
}
