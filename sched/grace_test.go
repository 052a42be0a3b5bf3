package sched

import (
	"sync"
	"testing"

	"go.uber.org/atomic"
	"pgregory.net/rapid"
)

func TestGraceWithoutReaders(t *testing.T) {
	g := NewGrace()
	r := g.Register() // offline, so it holds nothing up
	for range 3 {
		goal := g.Advance()
		if g.Passed(goal + 1) {
			t.Error("a period that has not begun has passed")
		}
		if !g.Passed(goal) {
			t.Error("no reader is online, but the goal has not passed")
		}
	}
	g.Unregister(r)
}

func TestGraceWaits(t *testing.T) {
	for name, end := range map[string]func(*Reader){
		"quiescent": (*Reader).Quiescent,
		"offline":   (*Reader).Offline,
		"gone":      func(r *Reader) { r.Offline(); r.g.Unregister(r) },
		"back":      func(r *Reader) { r.Offline(); r.Online() },
	} {
		g := NewGrace()
		a, b := g.Register(), g.Register()
		a.Online()
		b.Online()
		goal := g.Advance()
		late := g.Register()
		late.Online() // cannot have seen anything unlinked before
		for range 3 {
			if g.Passed(goal) {
				t.Fatalf("%s: passed while two old readers are online", name)
			}
		}
		end(a)
		for range 3 {
			if g.Passed(goal) {
				t.Fatalf("%s: passed while an old reader is online", name)
			}
		}
		b.Quiescent()
		if !g.Passed(goal) {
			t.Fatalf("%s: not passed", name)
		}
		next := g.Advance()
		if g.Passed(next) || !g.Passed(goal) {
			t.Fatalf("%s: passed %v %v", name, g.Passed(next), g.Passed(goal))
		}
	}
}

// TestPollBehindItsBack: a poll does not declare a period passed that begins while it
// looks at the readers, because a reader may have come online before that, unnoticed.
func TestPollBehindItsBack(t *testing.T) {
	g := NewGrace()
	r := g.Register()
	low := g.period.Load()
	// Suppose that the poll has seen r offline. Now r comes online, and something is
	// unlinked.
	r.Online()
	goal := g.Advance()
	r.Offline() // the rest of the poll sees r as the beginning did
	if got := g.poll(low); got != low || got >= goal {
		t.Errorf("passed %d, began at %d", got, low)
	}
}

func TestGraceMisuse(t *testing.T) {
	g := NewGrace()
	r := g.Register()
	mustPanic(t, "reader is offline: Reader.Quiescent", r.Quiescent) // r is dormant
	r.Online()
	r.Offline()
	mustPanic(t, "reader is offline: Reader.Quiescent", r.Quiescent)
	r.Online()
	mustPanic(t, "reader is online: Reader.Online", r.Online)
	mustPanic(t, "reader is online: Grace.Unregister", func() { g.Unregister(r) })
	r.Offline()
	r.Offline()
	mustPanic(t, "not registered here", func() { NewGrace().Unregister(r) })
	g.Unregister(r)
	mustPanic(t, "not registered here", func() { g.Unregister(r) })
	mustPanic(t, "reader was unregistered: Reader.Online", r.Online)
	if n := len(*g.readers.Load()); n != 0 {
		t.Errorf("%d readers are left", n)
	}
}

// sweepOften makes every poll sweep that looks at an offline reader.
func sweepOften(t testing.TB) {
	old := sweepAfter
	sweepAfter = 0
	t.Cleanup(func() { sweepAfter = old })
}

// TestSweep follows a reader through all states that are not online.
func TestSweep(t *testing.T) {
	sweepOften(t)
	g := NewGrace()
	busy, r := g.Register(), g.Register()
	busy.Online()
	want := func(when string, seq uint64, listed int) {
		t.Helper()
		if r.seq.Load() != seq || len(*g.readers.Load()) != listed {
			t.Errorf("%s: number %d, %d readers in the list; want %d, %d", when, r.seq.Load(), len(*g.readers.Load()), seq, listed)
		}
	}
	poll := func() { g.poll(g.period.Load()) }
	want("new", dormant, 1)
	r.Offline()
	want("new and offline", dormant, 1)
	r.Online()
	want("online", 1, 2)
	poll()
	want("online, swept", 1, 2)
	r.Offline()
	want("offline", offline, 2)
	poll()
	want("offline, swept", drowsy, 2)
	r.Offline()
	want("offline twice", drowsy, 2)
	mustPanic(t, "reader is offline: Reader.Quiescent", r.Quiescent)
	r.Online()
	r.Offline()
	poll()
	want("back and offline, swept", drowsy, 2)
	poll()
	want("swept twice", dormant, 1)
	mustPanic(t, "reader is offline: Reader.Quiescent", r.Quiescent)
	goal := g.Advance()
	r.Online()
	want("awake", goal, 2)
	busy.Quiescent()
	if next := g.Advance(); !g.Passed(goal) || g.Passed(next) {
		t.Errorf("passed %v %v, want only the first", g.Passed(goal), g.Passed(next))
	}
	r.Offline()
	poll()
	g.Unregister(r)
	want("gone", gone, 1)
	mustPanic(t, "reader is offline: Reader.Quiescent", r.Quiescent)
}

// TestPollsSkipTheOffline: the cost of a poll, which is the length of the list, depends
// on how many readers are online.
func TestPollsSkipTheOffline(t *testing.T) {
	g := NewGrace()
	busy := g.Register()
	busy.Online()
	waiting := make([]*Reader, 10_000)
	for i := range waiting {
		waiting[i] = g.Register()
		waiting[i].Online()
	}
	for _, r := range waiting {
		r.Offline()
	}
	looks := 0
	for range 10 * sweepAfter {
		looks += len(*g.readers.Load())
		busy.Quiescent()
		if goal := g.Advance(); g.Passed(goal) {
			t.Fatal("passed with an old reader online")
		}
		g.poll(g.period.Load())
	}
	if most := 3 * sweepAfter * (len(waiting) + 1); looks > most {
		t.Errorf("%d looks, want %d at most", looks, most)
	}
	if n := len(*g.readers.Load()); n != 1 {
		t.Errorf("%d readers are in the list, want the one that is online", n)
	}
	for i, r := range waiting {
		r.Online()
		if n := len(*g.readers.Load()); n != i+2 {
			t.Fatalf("%d readers in the list of %d that are online", n, i+2)
		}
	}
}

// TestPassedBut: PassedBut ignores its own reader and waits for all others.
func TestPassedBut(t *testing.T) {
	g := NewGrace()
	a, b := g.Register(), g.Register()
	a.Online()
	goal := g.Advance()
	if g.Passed(goal) || !g.PassedBut(a, goal) || g.PassedBut(b, goal) {
		t.Errorf("Passed %v, PassedBut the online reader %v, PassedBut the other %v; want only the second", g.Passed(goal), g.PassedBut(a, goal), g.PassedBut(b, goal))
	}
	if g.PassedBut(a, goal+1) {
		t.Error("a period that has not begun has passed")
	}
	a.Quiescent()
	b.Online()
	goal = g.Advance()
	for range 2 {
		if g.PassedBut(a, goal) {
			t.Error("passed while an old reader is online")
		}
	}
	if a.but != b {
		t.Error("no hint to the reader that holds the goal up")
	}
	b.Quiescent()
	if !g.PassedBut(a, goal) || g.Passed(goal) {
		t.Errorf("PassedBut the online reader %v, Passed %v; want true, false", g.PassedBut(a, goal), g.Passed(goal))
	}
	a.Quiescent()
	if !g.Passed(goal) || !g.PassedBut(a, goal) {
		t.Error("not passed")
	}
}

// graceModel says for each goal which readers may still hold something.
type graceModel struct {
	online  []bool
	blocked map[uint64]map[int]bool
}

func newGraceModel(readers int) *graceModel {
	return &graceModel{make([]bool, readers), map[uint64]map[int]bool{}}
}

func (m *graceModel) advance(goal uint64) {
	m.blocked[goal] = map[int]bool{}
	for i, on := range m.online {
		if on {
			m.blocked[goal][i] = true
		}
	}
}

func (m *graceModel) clear(i int) {
	for _, by := range m.blocked {
		delete(by, i)
	}
}

func (m *graceModel) passed(goal uint64) bool { return len(m.blocked[goal]) == 0 }

// actions are the steps of the readers, applied to both the readers and the model.
func (m *graceModel) actions(readers []*Reader) map[string]func(*rapid.T) {
	pick := rapid.IntRange(0, len(readers)-1)
	return map[string]func(*rapid.T){
		"online": func(t *rapid.T) {
			if i := pick.Draw(t, "i"); !m.online[i] {
				readers[i].Online()
				m.online[i] = true
			}
		},
		"offline": func(t *rapid.T) {
			i := pick.Draw(t, "i")
			readers[i].Offline()
			m.online[i] = false
			m.clear(i)
		},
		"quiescent": func(t *rapid.T) {
			if i := pick.Draw(t, "i"); m.online[i] {
				readers[i].Quiescent()
				m.clear(i)
			}
		},
	}
}

func TestGraceModel(t *testing.T) {
	sweepOften(t)
	rapid.Check(t, func(t *rapid.T) {
		g := NewGrace()
		readers := []*Reader{g.Register(), g.Register(), g.Register()}
		m := newGraceModel(len(readers))
		actions := m.actions(readers)
		actions["advance"] = func(t *rapid.T) { m.advance(g.Advance()) }
		actions["passed"] = func(t *rapid.T) {
			if len(m.blocked) == 0 {
				return
			}
			goal := rapid.Uint64Range(2, uint64(len(m.blocked)+1)).Draw(t, "goal")
			if got := g.Passed(goal); got != m.passed(goal) {
				t.Fatalf("Passed(%d) %v; blocked by %v", goal, got, m.blocked[goal])
			}
		}
		actions["but"] = func(t *rapid.T) {
			if len(m.blocked) == 0 {
				return
			}
			goal := rapid.Uint64Range(2, uint64(len(m.blocked)+1)).Draw(t, "goal")
			i := rapid.IntRange(0, len(readers)-1).Draw(t, "but")
			by := len(m.blocked[goal])
			if m.blocked[goal][i] {
				by--
			}
			if got := g.PassedBut(readers[i], goal); got != (by == 0) {
				t.Fatalf("PassedBut(%d, %d) %v; blocked by %v", i, goal, got, m.blocked[goal])
			}
		}
		t.Repeat(actions)
	})
}

// TestGraceHammer marks an item as spoilt, with a plain write, once its goal has
// passed. Readers that come and go must never see a spoilt item, and the race detector
// must find no read that races with the write.
func TestGraceHammer(t *testing.T) {
	watchdog(t)
	sweepOften(t)
	type thing struct{ spoilt bool }
	g := NewGrace()
	var slots [4]atomic.Pointer[thing]
	for i := range slots {
		slots[i].Store(&thing{})
	}
	var over atomic.Bool
	var readers, writers sync.WaitGroup
	look := func(i int) {
		for k := range slots {
			if slots[(i+k)%len(slots)].Load().spoilt {
				t.Error("a reader saw an item that was given back")
			}
		}
	}
	for n := range 4 {
		readers.Go(func() {
			for i := 0; !over.Load(); i++ {
				r := g.Register()
				for k := range 20 {
					r.Online()
					held := slots[i%len(slots)].Load()
					look(i)
					if k%3 == n%3 {
						if held.spoilt {
							t.Error("an item that a reader held was given back")
						}
						r.Quiescent()
						look(i)
					}
					if held2 := slots[0].Load(); held2.spoilt {
						t.Error("a reader saw an item that was given back")
					}
					r.Offline()
				}
				g.Unregister(r)
			}
		})
	}
	for n := range 2 {
		writers.Go(func() {
			d := NewDeferred[*thing](g, 64)
			spoil := func(x *thing) { x.spoilt = true }
			for i := range rounds(20000) {
				d.Defer(slots[(i+n)%len(slots)].Swap(&thing{}), int64(i%20))
				if i%5 == 0 {
					d.Due(spoil)
				}
			}
			for d.Len() > 0 {
				d.Due(spoil)
			}
		})
	}
	writers.Wait()
	over.Store(true)
	readers.Wait()
}

func BenchmarkQuiescent(b *testing.B) {
	r := NewGrace().Register()
	r.Online()
	for b.Loop() {
		r.Quiescent()
	}
}

func TestGracePeriods(t *testing.T) {
	g := NewGrace()
	want := func(begun, over uint64) {
		t.Helper()
		if b, o := g.Periods(); b != begun || o != over {
			t.Errorf("%d periods begun, %d over: want %d, %d", b, o, begun, over)
		}
	}
	r := g.Register()
	r.Online()
	want(0, 0)
	first := g.Advance()
	g.Passed(first)
	want(1, 0)
	r.Quiescent()
	g.Advance()
	g.Passed(first)
	want(2, 1)
	r.Offline()
	g.Passed(first + 1)
	want(2, 2)
}
