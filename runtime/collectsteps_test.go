package runtime

import (
	"errors"
	"testing"
	"time"
)

// TestCollectorStatsAddUp: the statistics are the sums of what collections return, and the
// next one is due as far from here as the options say.
func TestCollectorStatsAddUp(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.CollectAfter = 1000
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			var want CollectorStats
			holder := newNode(th, Nil)
			finalized = func(th *Thread, x Ref) {
				if th.Body(holder).LoadRef(1) == Nil {
					setSlot(th, holder, 0, x)
				}
			}
			for range 3 {
				for range 2 {
					x := newFinal(th, Nil)
					th.Body(x).StoreRef(0, x)
				}
				ring(th, 5)
				c := th.Collect()
				want.Collections++
				want.Candidates += int64(c.Candidates)
				want.Garbage += int64(c.Garbage)
				want.Finalized += int64(c.Finalized)
				want.Resurrected += int64(c.Resurrected)
				want.Freed += int64(c.Freed)
				want.Stopped += c.Stopped
				want.Longest = max(want.Longest, c.Stopped)
				if c.Finalized == 0 || c.Freed == 0 || c.Stopped <= 0 {
					t.Errorf("collected %+v", c)
				}
				alive := int64(0)
				r.eachObject(func(Ref) { alive++ })
				if m := r.Memory(); m.Objects != alive && !o.Checked {
					t.Errorf("%d objects are in use, want %d", m.Objects, alive)
				}
			}
			got := r.CollectorStats()
			if want.Resurrected == 0 {
				t.Error("nothing was resurrected")
			}
			want.Budget, want.Next = r.opts.PauseBudget, got.Next
			if got != want {
				t.Errorf("statistics are %+v, want %+v", got, want)
			}
			n := uint64(0)
			for _, k := range r.collectorPauses.Read().Counts {
				n += k
			}
			if n != 3 {
				t.Errorf("%d pauses are noted", n)
			}
			setSlot(th, holder, 0, Nil)
			th.DecRef(holder)
			th.Collect()
			if next, hard, n := r.collector.next.Load(), r.collector.hard.Load(), r.space.Containers(); next != n+1000 || hard != n+4000 {
				t.Errorf("with %d containers the next collection is due at %d, at the latest at %d", n, next, hard)
			}
			return nil
		}))
		must0(t, r.Close())
	})
}

// TestCollectInImmortally: finalizers that a collection calls make mortal objects, and births
// after it are immortal as before.
func TestCollectInImmortally(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			calls := 0
			finalized = func(th *Thread, _ Ref) {
				calls++
				x := newLeaf(th)
				if th.IsImmortal(x) || th.region != nil {
					t.Error("a finalizer makes immortals")
				}
				th.DecRef(x)
				due := false
				th.Later(func(*Thread) { due = true })
				if th.Checkpoint(); due {
					t.Error("a callback was called in a finalizer")
				}
			}
			x := newFinal(th, Nil)
			th.Body(x).StoreRef(0, x)
			must0(t, th.Immortally(func() error {
				th.Collect()
				if y := newLeaf(th); !th.IsImmortal(y) {
					t.Error("after the collection births are mortal")
				}
				return nil
			}))
			if calls != 1 {
				t.Errorf("%d finalizers were called", calls)
			}
			if th.running {
				t.Error("the thread is running finalizers still")
			}
		})
	})
}

// TestDonateWakes: a tracer that waits is woken by a gift, and waits for none any more.
func TestDonateWakes(t *testing.T) {
	needsThreads(t)
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		th.StopTheWorld(func() {
			team := newTeam(t.Context(), &trial{heap: th.Heap}, 2)
			busy, idle := team.all[0], team.all[1]
			busy.stack = []Ref{None, True, False}
			got := make(chan bool)
			go func() { got <- team.receive(idle) }()
			for team.hungry.Load() != 1 {
				time.Sleep(time.Microsecond)
			}
			busy.donate() // it takes the lock, so idle waits by then
			if !<-got || len(idle.stack) != 1 || idle.stack[0] != None || len(busy.stack) != 2 || busy.stack[0] != True {
				t.Errorf("one has %s, the other one %s", busy.stack, idle.stack)
			}
			if n := team.hungry.Load(); n != 0 || len(team.gifts) != 0 {
				t.Errorf("%d are waiting, and %d gifts are left", n, len(team.gifts))
			}
		})
	})
}

// TestTeamSurvives: a Traverse that panics ends the collection, with several tracers as with
// one, and no tracer waits for ever.
func TestTeamSurvives(t *testing.T) {
	needsThreads(t)
	defer func(n int64) { parallelFrom = n }(parallelFrom)
	parallelFrom = 0
	defer func() { trap = trapdoor{} }()
	r := newRuntime(t, Options{CollectWorkers: 3, CollectAfter: -1})
	must0(t, r.Do(func(th *Thread) error {
		trap = trapdoor{}
		var all []Ref
		for range 10_000 {
			all = append(all, newNode(th, Nil))
		}
		x := newFaulty(th, newLeaf(th), newLeaf(th))
		trap = trapdoor{"Traverse", 1, func() { panic("mine") }}
		if msg := panics(t, func() { th.Collect() }); msg == "" {
			t.Error("no message")
		}
		trap = trapdoor{}
		if c := th.Collect(); c.Workers != 3 || c.Candidates != 10_001 || c.Garbage != 0 {
			t.Errorf("collected %+v", c)
		}
		th.DecRefs(append(all, x))
		return nil
	}))
	must0(t, r.Close())
}

// TestRegions: a region that is built has no table any more, one that is given up is forgotten,
// and what becomes immortal in place is none of the containers that a collection is due for.
func TestRegions(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			var g *region
			must0(t, th.Immortally(func() error {
				g = th.region
				if g.equal == nil || g.built.Load() {
					t.Error("a region that is being built has no table, or is built")
				}
				if x := newLeaf(th); th.TypeOf(x) != leafType {
					t.Errorf("%s is a %s", x, th.TypeOf(x))
				}
				return nil
			}))
			if g.equal != nil || !g.built.Load() || th.region != nil {
				t.Error("a region that is built is still being built")
			}
			broken := errors.New("broken")
			if err := th.Immortally(func() error { return broken }); err != broken || len(th.rt.mu.regions) != 1 || th.rt.mu.regions[0] != g {
				t.Errorf("%v: %d regions are known", err, len(th.rt.mu.regions))
			}
			ring(th, 10)
			th.Collect()
			before := th.rt.space.Containers()
			x := newNode(th, newNode(th))
			must0(t, th.Immortalize(x))
			th.cache.Publish()
			if n := th.rt.space.Containers(); n != before {
				t.Errorf("%d containers, want %d", n, before)
			}
		})
	})
}

// TestPendingIsGone: the list of what was due is nobody's any more once all of it was called.
func TestPendingIsGone(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		th.Later(func(*Thread) {})
		if th.Checkpoint(); th.pending != nil {
			t.Error("the list is kept")
		}
	})
}

// TestPausesUnderTheGIL: the time for which the world is stopped is measured from there on.
func TestPausesUnderTheGIL(t *testing.T) {
	r := newRuntime(t, Options{Mode: GIL})
	must0(t, r.Do(func(th *Thread) error {
		th.StopTheWorld(func() {})
		return nil
	}))
	h := r.pauses.Read()
	if n := h.Counts[len(h.Counts)-1]; n != 0 {
		t.Errorf("%d stops have taken more than %g seconds", n, h.Buckets[len(h.Buckets)-2])
	}
	must0(t, r.Close())
}
