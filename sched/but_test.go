package sched

import (
	"slices"
	"testing"
)

// TestDueBut: DueBut gives back items that only the owner still looks at, but none that
// another reader may see. The open batch stays open.
func TestDueBut(t *testing.T) {
	g := NewGrace()
	own, other := g.Register(), g.Register()
	own.Online()
	d := NewDeferred[int](g, 1000)
	var got []int
	give := func(x int) { got = append(got, x) }
	d.Defer(1, 250) // closes its batch
	d.Defer(2, 10)
	other.Online()
	d.DueBut(own, give)
	if !slices.Equal(got, []int{1}) || d.Len() != 1 || d.Bytes() != 10 {
		t.Fatalf("given %v, %d are left", got, d.Len())
	}
	if begun, _ := g.Periods(); begun != 1 {
		t.Errorf("%d periods were begun, want 1: the open batch has none", begun)
	}
	d.Defer(3, 250) // closes the batch of 2 and 3
	d.DueBut(own, give)
	if len(got) != 1 {
		t.Fatalf("given %v while another looks", got)
	}
	d.Due(give)
	other.Quiescent()
	d.Due(give)
	if len(got) != 1 {
		t.Fatalf("given %v although Due waits for the owner, too", got)
	}
	d.DueBut(own, give)
	if !slices.Equal(got, []int{1, 2, 3}) {
		t.Fatalf("given %v", got)
	}
}

// TestDueWithin: inside the callback of Due or DueBut both do nothing, and do not even
// close a batch. They work again afterwards, and after a panic.
func TestDueWithin(t *testing.T) {
	g := NewGrace()
	r := g.Register()
	d := NewDeferred[int](g, 1000)
	var got []int
	calls := map[string]func(fn func(int)){"Due": d.Due, "DueBut": func(fn func(int)) { d.DueBut(r, fn) }}
	for outer, call := range calls {
		for inner, within := range calls {
			got = nil
			d.Defer(1, 250)
			d.Defer(2, 250)
			call(func(x int) {
				if got = append(got, x); x == 1 {
					d.Defer(3, 1)
					before, _ := g.Periods()
					within(func(int) { t.Errorf("%s within %s gives something back", inner, outer) })
					if now, _ := g.Periods(); now != before {
						t.Errorf("%s within %s begins a period", inner, outer)
					}
				}
			})
			if !slices.Equal(got, []int{1, 2}) {
				t.Errorf("%s within %s: given %v", inner, outer, got)
			}
			func() {
				defer func() { _ = recover() }()
				d.Due(func(int) { panic("fn") })
			}()
			d.Defer(4, 250)
			got = nil
			call(func(x int) { got = append(got, x) })
			if !slices.Equal(got, []int{4}) || d.Len() != 0 {
				t.Errorf("after a panic in %s: given %v", outer, got)
			}
		}
	}
}

// TestPassedButHint compares the answers of Passed and PassedBut, and checks their
// hints.
func TestPassedButHint(t *testing.T) {
	g := NewGrace()
	a, b := g.Register(), g.Register()
	a.Online()
	goal := g.Advance()
	if g.Passed(goal) || g.behind.Load() != a {
		t.Error("reader a holds the goal up, but Passed reports that it has passed, or keeps no hint")
	}
	if !g.PassedBut(a, goal) || a.but != nil {
		t.Error("only reader a holds the goal up, and PassedBut(a) does not ignore it")
	}
	if g.passed.Load() >= goal {
		t.Error("PassedBut has raised passed")
	}
	if g.PassedBut(b, goal) || b.but != a {
		t.Error("reader a holds the goal up, but PassedBut(b) reports that it has passed, or keeps no hint")
	}
	b.Online() // after the goal
	if !g.PassedBut(a, goal) {
		t.Error("a reader that came online after the goal holds it up")
	}
	goal = g.Advance()
	if g.PassedBut(a, goal) || a.but != b {
		t.Error("a reader that came online before the goal does not hold it up")
	}
	b.Offline()
	if !g.PassedBut(a, goal) || g.PassedBut(b, goal) {
		t.Error("an offline reader holds the goal up, or the online one does not")
	}
	a.Quiescent()
	if !g.PassedBut(b, goal) || b.but != nil {
		t.Error("a reader that was quiescent holds the goal up")
	}
	if !g.Passed(goal) || g.behind.Load() != nil {
		t.Error("no reader holds the goal up, and Passed keeps a hint")
	}
	b.Online()
	if g.Advance(); !g.PassedBut(a, goal) {
		t.Error("a goal has passed for all readers, but not for PassedBut")
	}
}

// TestHintForgotten: unregistering a reader removes the hint to it, and leaves a hint
// to another.
func TestHintForgotten(t *testing.T) {
	g := NewGrace()
	r, other := g.Register(), g.Register()
	r.Online()
	if g.Passed(g.Advance()) || g.behind.Load() != r {
		t.Fatal("the reader does not hold the goal up")
	}
	g.Unregister(other)
	if g.behind.Load() != r {
		t.Error("unregistering another reader removed the hint")
	}
	r.Offline()
	g.Unregister(r)
	if g.behind.Load() != nil {
		t.Error("the hint leads to an unregistered reader")
	}
}

// TestSweepCounts follows readers out of the list and back. Two sweeps that find them
// offline make them dormant, and there is no sweep after too few vain looks.
func TestSweepCounts(t *testing.T) {
	g := NewGrace()
	const n = 5
	var rs [n]*Reader
	for i := range rs {
		rs[i] = g.Register()
		rs[i].Online()
	}
	for _, r := range rs[1:] {
		r.Offline()
	}
	inList := func() int { return len(*g.readers.Load()) }
	poll := func() { g.poll(g.period.Load()) }
	g.sweep()
	if rs[1].seq.Load() != offline || inList() != n {
		t.Fatal("a sweep before any vain look")
	}
	for i := range uint32(sweepAfter*n) / (n - 1) {
		poll()
		if got := g.vain.Load(); got != (i+1)*(n-1) {
			t.Fatalf("%d looks were in vain, want %d", got, (i+1)*(n-1))
		}
	}
	g.vain.Store(uint32(sweepAfter * n)) // exactly the limit is not enough
	g.sweep()
	if rs[1].seq.Load() != offline {
		t.Fatal("a sweep after one vain look too few")
	}
	poll()
	if got := g.vain.Load(); got != 0 {
		t.Errorf("%d looks are counted after a sweep", got)
	}
	for i, r := range rs {
		if want := map[bool]uint64{true: 1, false: drowsy}[i == 0]; r.seq.Load() != want {
			t.Errorf("reader %d has number %d after a sweep, want %d", i, r.seq.Load(), want)
		}
	}
	rs[1].Online() // no longer drowsy
	rs[1].Offline()
	g.vain.Store(uint32(sweepAfter * n))
	poll()
	if inList() != 2 || rs[1].seq.Load() != drowsy || rs[2].seq.Load() != dormant || rs[0].seq.Load() != 1 {
		t.Errorf("%d readers are in the list after two sweeps, want 2", inList())
	}
	rs[2].Online()
	if inList() != 3 || g.Passed(g.Advance()) {
		t.Error("a reader that was dormant is online, and polls do not look at it")
	}
	g.vain.Store(1 << 20)
	poll() // rs[1] is not online
	if g.vain.Load() != 0 {
		t.Error("no sweep after many vain looks")
	}
	rs[1].Online()
	g.vain.Store(1 << 20)
	poll()
	if g.vain.Load() != 1<<20 {
		t.Error("a sweep without a vain look")
	}
	rs[1].Offline()
	rs[0].Offline()
	if rs[2].Offline(); !g.Passed(g.Advance()) {
		t.Error("no reader is online, but the goal has not passed")
	}
}

// TestPassedOnlyRises: passed does not fall when a reader comes online late, with the
// number of a period that is over already.
func TestPassedOnlyRises(t *testing.T) {
	g := NewGrace()
	r := g.Register()
	r.Online()
	old := g.period.Load()
	r.Offline()
	goal := g.Advance()
	if !g.Passed(goal) {
		t.Fatal("no reader is online, but the goal has not passed")
	}
	r.seq.Store(old) // as if Online had loaded the period earlier
	next := g.Advance()
	if g.Passed(next) {
		t.Error("the reader holds the goal up, but was overlooked")
	}
	if got := g.poll(next); got != goal {
		t.Errorf("a poll finds that %d has passed, want %d", got, goal)
	}
	if got := g.passed.Load(); got != goal || !g.Passed(goal) {
		t.Errorf("passed is %d, want %d", got, goal)
	}
}
