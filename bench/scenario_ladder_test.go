package main

import (
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
)

func TestLadder(t *testing.T) {
	res := shortRun(t, ladderScenario(), nil)
	if n := len(modes) * len(ladderRungs) * 2; len(res.Rows) != n {
		t.Errorf("%d rows, want %d", len(res.Rows), n)
	}
	lines := concludeLadder(res)
	if len(lines) != len(modes) || !strings.Contains(lines[0], "2 threads do ") || strings.Contains(lines[0], "NaN") {
		t.Errorf("concludes %q", lines)
	}
}

// What nobody shares is counted by its thread alone, and what is shared keeps its count.
func TestLadderCounts(t *testing.T) {
	for _, mode := range modes {
		for _, shared := range ladderRungs {
			run := &ladderRun{mode: mode, shared: shared}
			if err := run.setup(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := run.r.Memory().Objects
			s, err := run.sampler(2)(t.Context(), experiment.Budget{Ops: 1000})
			if err != nil || s.Ops != 2*1024 {
				t.Errorf("%s/%s: %v operations, %v", mode, shared, s.Ops, err)
			}
			if after := run.r.Memory().Objects; after != before {
				t.Errorf("%s/%s: %d objects, then %d", mode, shared, before, after)
			}
			if err := run.close(); err != nil { // says what leaked
				t.Errorf("%s/%s: %v", mode, shared, err)
			}
		}
	}
}
