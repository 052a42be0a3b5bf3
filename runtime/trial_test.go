package runtime

import (
	"fmt"
	"testing"
)

// TestCollectLargeCount has the collector meet a container whose count is too large for a
// trial: whoever holds it, it is no garbage, and neither is what it leads to.
func TestCollectLargeCount(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		child := newNode(th, Nil)
		hub := newNode(th, child)
		counts := th.header(hub).Bytes()
		th.header(hub).SetCounts(counts[1], trialMax+1)
		wantCollected(t, th.Collect(), Collected{Candidates: 2})
		th.header(hub).SetCounts(counts[1], int32(counts[2])>>3)
		th.DecRef(hub)
	})
}

// TestCollectParallel has several goroutines trace a graph that one root leads to,
// and one that has many.
func TestCollectParallel(t *testing.T) {
	if raceEnabled {
		defer func(n int64) { parallelFrom = n }(parallelFrom)
		parallelFrom = 2000
	}
	for _, roots := range []int{1, 100} {
		t.Run(fmt.Sprintf("roots=%d", roots), func(t *testing.T) {
			r := newRuntime(t, Options{CollectWorkers: 3, CollectAfter: -1, AddressSpace: 1 << 28})
			must0(t, r.Do(func(th *Thread) error {
				n := int(parallelFrom) + 1000
				all := make([]Ref, n)
				for i := range all {
					all[i] = newNode(th, Nil, Nil, Nil)
				}
				for i, x := range all {
					for k := range 3 {
						setSlot(th, x, k, all[(i*3+1+k)%n])
					}
				}
				kept := append([]Ref(nil), all[:roots]...)
				th.DecRefs(all[roots:])
				garbage := ring(th, n)
				got := th.Collect()
				if got.Workers != 3 {
					t.Errorf("%d workers", got.Workers)
				}
				wantCollected(t, got, Collected{Candidates: 2 * n, Garbage: len(garbage), Freed: len(garbage)})
				must0(t, th.Audit(kept...))
				th.DecRefs(kept)
				wantCollected(t, th.Collect(), Collected{Candidates: n, Garbage: n, Freed: n})
				return nil
			}))
			must0(t, r.Close())
		})
	}
}

// TestDonate has a tracer with a long stack meet one that has nothing to do: it gives away
// the older half, and together they reach all there is.
func TestDonate(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		children := make([]Ref, 4*donateFrom)
		for i := range children {
			children[i] = newNode(th, newNode(th))
		}
		hub := newNode(th, children...)
		th.StopTheWorld(func() {
			x := trial{heap: th.Heap, spans: th.rt.space.Tracked(nil)}
			x.makeTables()
			team := newTeam(t.Context(), &x, 2)
			busy, idle := team.all[0], team.all[1]
			for _, sp := range x.spans {
				busy.countSpan(sp)
			}
			team.hungry.Store(1) // idle is about to wait
			busy.reach(hub)
			busy.drain()
			if len(team.gifts) == 0 {
				t.Fatal("nothing was given away")
			}
			team.hungry.Store(0)
			for n := len(team.gifts); n > 0; n-- {
				if !team.receive(idle) {
					t.Fatal("a gift is lost")
				}
				idle.drain()
			}
			if n := busy.marked + idle.marked; n != busy.candidates || n != 1+2*len(children) || idle.marked == 0 {
				t.Errorf("%d and %d of %d reached", busy.marked, idle.marked, busy.candidates)
			}
		})
		th.DecRef(hub)
	})
}

// TestCollectAtTheEnd has the collector look at an object behind which there is no memory.
func TestCollectAtTheEnd(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.MemoryLimit = 1 << 20
		clean(t, o, func(t *testing.T, th *Thread) {
			hub := newNode(th, make([]Ref, 30_000)...) // all that it holds gets on the stack at once
			n := 0
			for ; ; n++ {
				child, _, err := th.New(nodeType, 4)
				if err != nil {
					break // each span is full, to its last byte
				}
				th.Body(hub).StoreRef(1+n, child)
			}
			if got := th.Collect(); got.Candidates != n+1 || got.Garbage != 0 {
				t.Errorf("%d children, collected %+v", n, got)
			}
			th.DecRef(hub)
		})
	})
}
