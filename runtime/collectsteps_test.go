package runtime

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ichor-go/ichor/internal/arena"
)

// TestCollectorStatsAddUp checks that the statistics are the sums of the results of
// collections, and that the next one is as far away as the options say.
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

// TestCollectInImmortally checks that finalizers called by a collection make mortal objects,
// and that births after it are immortal again.
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

// TestDonateWakes checks that a donation wakes a waiting tracer, which then waits no more.
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
			busy.donate() // it takes the lock, so idle is waiting by then
			if !<-got || len(idle.stack) != 1 || idle.stack[0] != None || len(busy.stack) != 2 || busy.stack[0] != True {
				t.Errorf("one has %s, the other one %s", busy.stack, idle.stack)
			}
			if n := team.hungry.Load(); n != 0 || len(team.gifts) != 0 {
				t.Errorf("%d are waiting, and %d gifts are left", n, len(team.gifts))
			}
		})
	})
}

// TestTeamSurvives checks that a Traverse that panics ends the collection, with one tracer or
// several, and that no tracer waits forever.
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

// TestRegions checks that a complete region has no table, that a discarded one is forgotten,
// and that objects made immortal in place do not count as containers for the next collection.
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

// TestPendingIsGone checks that the list of pending calls is unreferenced after all of them
// were made.
func TestPendingIsGone(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		th.Later(func(*Thread) {})
		if th.Checkpoint(); th.pending != nil {
			t.Error("the list is kept")
		}
	})
}

// TestPausesUnderTheGIL checks that a pause is measured from when the world is stopped.
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

// TestCollectTellsTypes checks that garbage leaves the tables that lead to it by one call of
// its type's Forget, even if some of it was finalized and some was resurrected. A type whose
// object is in no table gets no call.
func TestCollectTellsTypes(t *testing.T) {
	dropped := map[Ref]int{}
	y := must(DefineType(Type{
		Name:     "dropped",
		Traverse: func(_ Heap, o Body, visit func(Ref)) { visit(o.LoadRef(0)) },
		Forget:   func(_ *Thread, r Ref, _ Body) { forgotten = append(forgotten, r) },
		Drop:     func(_ *Thread, r Ref, _ Body) { dropped[r]++ },
	}))
	forgotten = nil
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			self := func(weak bool) Ref {
				x, o, err := th.New(y, 4)
				must0(t, err)
				if weak {
					th.SetWeak(x)
				}
				o.StoreRef(0, x)
				return x
			}
			want := func(round string, tables, drops []Ref) {
				t.Helper()
				if !slices.Equal(forgotten, tables) || len(dropped) != len(drops) {
					t.Errorf("%s: forgot %v, dropped %v; want %v and %v", round, forgotten, dropped, tables, drops)
				}
				for _, x := range drops {
					if dropped[x] != 1 {
						t.Errorf("%s: %s was dropped %d times", round, x, dropped[x])
					}
				}
				forgotten = nil
				clear(dropped)
			}
			a, b := self(true), self(false)
			wantCollected(t, th.Collect(), Collected{Candidates: 2, Garbage: 2, Freed: 2})
			want("nothing to finalize", []Ref{a}, []Ref{a, b})

			a, b = self(true), self(true)
			holder := newNode(th, Nil)
			finalized = func(th *Thread, _ Ref) { setSlot(th, holder, 0, b) }
			x := newFinal(th, Nil)
			th.Body(x).StoreRef(0, x)
			wantCollected(t, th.Collect(), Collected{Candidates: 4, Garbage: 3, Finalized: 1, Resurrected: 1, Freed: 2})
			want("something to finalize", []Ref{a}, []Ref{a})
			if th.TypeOf(th.Body(holder).LoadRef(1)) != y {
				t.Error("a resurrected object was freed")
			}
			setSlot(th, holder, 0, Nil)
			wantCollected(t, th.Collect(), Collected{Candidates: 2, Garbage: 1, Freed: 1})
			want("a resurrected object", []Ref{b}, []Ref{b})
			th.DecRef(holder)
		})
	})
}

// TestCollectFreesBlocks checks that the block of a garbage object is freed.
func TestCollectFreesBlocks(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			node := newNode(th, Nil)
			th.Body(node).StoreRef(1, newBox(th, node))
			wantCollected(t, th.Collect(), Collected{Candidates: 2, Garbage: 2, Freed: 2})
			if n := th.rt.Memory().Blocks; n != 0 {
				t.Errorf("%d blocks are left", n)
			}
		})
	})
}

// TestAbandonWakes checks that abandon wakes a tracer that waits for a donation.
func TestAbandonWakes(t *testing.T) {
	needsThreads(t)
	team := newTeam(t.Context(), &trial{}, 2)
	idle := team.all[1]
	got := make(chan bool)
	go func() { got <- team.receive(idle) }()
	for team.hungry.Load() != 1 {
		time.Sleep(time.Microsecond)
	}
	team.abandon() // it takes the lock, so idle is waiting by then
	if <-got || len(idle.stack) != 0 {
		t.Errorf("it was given %s", idle.stack)
	}
}

// TestTeamBeginsAnew checks that the end of one pass does not end the next one.
func TestTeamBeginsAnew(t *testing.T) {
	needsThreads(t)
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		x := newNode(th)
		th.StopTheWorld(func() {
			team := newTeam(t.Context(), &trial{heap: th.Heap, spans: th.rt.space.Tracked(nil)}, 2)
			for pass := range 3 {
				spans := 0
				team.run(func(_ *tracer, sp *arena.Span) {
					team.mu.Lock()
					defer team.mu.Unlock()
					if spans++; team.done {
						t.Errorf("pass %d is done as it begins", pass)
					}
				})
				if spans != 1 || !team.done {
					t.Errorf("pass %d: %d spans, done %t", pass, spans, team.done)
				}
			}
		})
		th.DecRef(x)
	})
}

// TestCollectTrimsTheCommon checks that a collection returns the spans that threads' first
// objects have left empty.
func TestCollectTrimsTheCommon(t *testing.T) {
	r := newRuntime(t, Options{CollectAfter: -1})
	a, b := must(r.Attach()), must(r.Attach())
	x := newLeaf(b)
	n := *arenaCount(r.space)
	b.DecRef(x)
	if now := *arenaCount(r.space); now != n {
		t.Fatalf("%d spans are in use, want %d", now, n)
	}
	a.Blocking(func() { b.Collect() })
	if now := *arenaCount(r.space); now != n-1 {
		t.Errorf("%d spans are in use, want %d", now, n-1)
	}
	a.Detach()
	b.Detach()
	must0(t, r.Close())
}

// TestImmortalsAreHidden checks that the collector visits neither immortals nor spans that have
// nothing else.
func TestImmortalsAreHidden(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		tracked := func() (n int) {
			th.StopTheWorld(func() {
				for _, sp := range th.rt.space.Tracked(nil) {
					n += len(sp.Containers(nil))
				}
			})
			return n
		}
		x, y := newNode(th, newNode(th)), newNode(th)
		large := newNode(th, make([]Ref, 20_000)...)
		if n := tracked(); n != 4 {
			t.Errorf("%d containers, want 4", n)
		}
		must0(t, th.Immortalize(x, large))
		if n := tracked(); n != 1 {
			t.Errorf("%d containers, want 1", n)
		}
		th.DecRef(y)
	})
}

// TestPausesAreNoted checks that the next collection takes the time and the duration of the
// last pause into account.
func TestPausesAreNoted(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		before := time.Now()
		c := th.Collect()
		m := &th.rt.collector.mu
		if m.stopped != c.Stopped || c.Stopped <= 0 || m.ended.Before(before) || time.Since(m.ended) < 0 {
			t.Errorf("stopped for %s, at %s; want %s, after %s", m.stopped, m.ended, c.Stopped, before)
		}
	})
}

// TestCollectIsASafePoint checks that calls that become due by a collection are made before it
// returns.
func TestCollectIsASafePoint(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			called := false
			loop := newNode(th, Nil)
			th.Body(loop).StoreRef(1, loop)
			w := newWatch(th, loop, func(*Thread) { called = true })
			if c := th.Collect(); c.Freed != 1 || !called {
				t.Errorf("collected %+v, called: %t", c, called)
			}
			th.DecRef(w)
		})
	})
}

// TestCollectPlans checks that the next collection is due when the containers have grown in
// number by half of those alive.
func TestCollectPlans(t *testing.T) {
	r := newRuntime(t, Options{CollectAfter: 1000})
	must0(t, r.Do(func(th *Thread) error {
		r.collector.next.Store(1 << 40)
		var all []Ref
		for range 3000 {
			all = append(all, newNode(th))
		}
		ring(th, 500)
		th.Collect()
		n := r.space.Containers()
		if next, hard := r.collector.next.Load(), r.collector.hard.Load(); n != 3000 || next != n+1500 || hard != n+6000 {
			t.Errorf("with %d containers the next collection is due at %d, at the latest at %d", n, next, hard)
		}
		th.DecRefs(all)
		return nil
	}))
	must0(t, r.Close())
}

// countedContext ends after a number of calls of Err.
type countedContext struct {
	context.Context
	calls int
}

func (c *countedContext) Err() error {
	if c.calls--; c.calls < 0 {
		return errEnough
	}
	return nil
}

// TestCollectContextAtEachLook has the context end at each place where a collection looks at it:
// nothing has changed, even if the trace was complete.
func TestCollectContextAtEachLook(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.CollectAfter = -1
		clean(t, o, func(t *testing.T, th *Thread) {
			x := ring(th, 1)[0]
			watch := newWatch(th, x, nil)
			defer th.DecRef(watch)
			for calls := range 20 {
				c, err := th.CollectContext(&countedContext{context.Background(), calls})
				if err == nil {
					if c.Freed != 1 || calls < 4 {
						t.Errorf("after %d calls: %+v", calls, c)
					}
					return
				}
				if y := th.followWeak(watch); !errors.Is(err, errEnough) || c.Garbage != 0 || y != x {
					t.Errorf("after %d calls: %+v, %v; a weak reference to garbage refers to %s", calls, c, err, y)
				} else {
					th.DecRef(y)
				}
			}
			t.Error("no collection was complete")
		})
	})
}

// TestCollectionDue checks at which number of containers a collection becomes due, and that it
// does not run inside Immortally.
func TestCollectionDue(t *testing.T) {
	clean(t, Options{Mode: GIL, CollectAfter: 10}, func(t *testing.T, th *Thread) {
		r := th.rt
		x := ring(th, 3)[0]
		th.cache.Publish()
		n := r.space.Containers()
		for _, c := range []struct {
			next int64
			want bool
		}{{n + 1, false}, {n, true}} {
			r.collector.next.Store(c.next)
			if r.requestCollection(); r.collector.due.Load() != c.want {
				t.Errorf("%d of %d containers: due is %t", n, c.next, r.collector.due.Load())
			}
		}
		must0(t, th.Immortally(func() error {
			th.Checkpoint()
			if _, _, ok := r.space.Block(uint32(x.Handle)); !ok || !r.collector.due.Load() {
				t.Error("a collection ran inside Immortally")
			}
			return nil
		}))
		th.Checkpoint()
		if n := r.CollectorStats().Automatic; n != 1 || r.collector.due.Load() {
			t.Errorf("%d collections ran afterwards", n)
		}
	})
}
