package explore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/ichor-go/ichor/proptest/explore"
	"github.com/ichor-go/ichor/proptest/explore/atomic"
)

// register is the model of a counter whose add returns what was there before.
var register = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, in, out any) (bool, any) { return out == state, state.(int) + in.(int) },
}

// adds has two goroutines add to a counter, in one step or in two.
func adds(steps int) func(e *explore.E) {
	return func(e *explore.E) {
		var n atomic.Int64
		h := e.History(register)
		for _, name := range []string{"a", "b"} {
			e.Go(name, func() {
				h.Call(1, func() any {
					if steps == 1 {
						return int(n.Add(1)) - 1
					}
					v := n.Load()
					n.Store(v + 1)
					return int(v)
				})
			})
		}
		e.Wait()
	}
}

// TestHistory demands that calls that are linearizable pass.
func TestHistory(t *testing.T) { explore.Test(t, adds(1)) }

// TestHistoryFails demands that calls that are not linearizable are found, and drawn.
func TestHistoryFails(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("EXPLORE_OUT", dir)
	failed, text := recorded(func(t testing.TB) { explore.Test(t, adds(2)) })
	if strings.Contains(text, "nothing was explored") && !failed {
		t.Skip("SKIPPED: no run of the stress test has shown it")
	}
	wantText(t, text, "the calls are not linearizable:", ": 1 -> 0", ": 1 -> 0", "a picture is in "+filepath.Join(dir, "history.html"))
	if _, err := os.Stat(filepath.Join(dir, "history.html")); err != nil {
		t.Error(err)
	}
}
