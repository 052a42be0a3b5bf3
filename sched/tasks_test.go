package sched

import (
	"bytes"
	"runtime/trace"
	"testing"
)

// TestTasks checks that grace periods are tasks of an execution trace, and that nothing is kept
// of them when they are over, or when there is no trace.
func TestTasks(t *testing.T) {
	g := NewGrace()
	r := g.Register()
	r.Online()
	d := NewDeferred[int](g, 1000)
	begin := func() uint64 {
		d.Defer(1, 1)
		d.closeBatch()
		return g.period.Load()
	}
	begin()
	if g.tasks.some.Load() || len(g.tasks.open) > 0 {
		t.Error("there are tasks without a trace")
	}
	var b bytes.Buffer
	if err := trace.Start(&b); err != nil {
		t.Skip("SKIPPED: there is a trace already: ", err)
	}
	first, second := begin(), begin()
	if g.Passed(second) || len(g.tasks.open) != 2 {
		t.Errorf("%d tasks, want 2", len(g.tasks.open))
	}
	task := g.tasks.open[second]
	r.seq.Store(first) // as if it had been quiescent in between
	g.behind.Store(nil)
	if !g.Passed(first) || len(g.tasks.open) != 1 || g.tasks.open[second] != task || !g.tasks.some.Load() {
		t.Errorf("%d tasks after the first, want the second", len(g.tasks.open))
	}
	r.Quiescent()
	if !g.Passed(second) || len(g.tasks.open) != 0 || g.tasks.some.Load() {
		t.Errorf("%d tasks in the end", len(g.tasks.open))
	}
	trace.Stop()
	if !bytes.Contains(b.Bytes(), []byte("ichor grace period")) {
		t.Error("the trace has no grace period")
	}
}
