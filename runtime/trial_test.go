package runtime

import (
	"fmt"
	"testing"
	"time"

	"github.com/ichor-go/ichor/internal/arena"
)

// TestCollectLargeCount has the collector trace a container whose count is too large for a
// trial count: it is not garbage, whatever holds it, and neither is anything that it leads to.
func TestCollectLargeCount(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		child := newNode(th, Nil)
		hub := newNode(th, child)
		counts := th.header(hub).Bytes()
		th.header(hub).SetCounts(counts[1], trialMax+1)
		wantCollected(t, th.Collect(), Collected{Candidates: 2})
		th.header(hub).SetCounts(counts[1], int32(counts[2])>>3)
		th.header(hub).SetCounts(1<<29, 0) // too large for the word
		wantCollected(t, th.Collect(), Collected{Candidates: 2})
		th.header(hub).SetCounts(counts[1], int32(counts[2])>>3)
		th.DecRef(hub)
	})
}

// TestCollectParallel has several goroutines trace a graph with one root, and one with many.
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

// TestDonate has a tracer with a long stack meet an idle one: it donates the older half, and
// together they reach everything.
func TestDonate(t *testing.T) {
	needsThreads(t)
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
			for _, sp := range x.spans {
				team.all[0].countSpan(sp)
			}
			gifts := func() int {
				team.mu.Lock()
				defer team.mu.Unlock()
				return len(team.gifts)
			}
			team.spans = x.spans[:1]
			team.run(func(w *tracer, _ *arena.Span) {
				for team.hungry.Load() == 0 { // the other one is about to wait
					time.Sleep(time.Microsecond)
				}
				w.reach(hub)
				w.drain()
				for gifts() > 0 {
					time.Sleep(time.Microsecond)
				}
			})
			for _, w := range team.all {
				if w.marked == 0 {
					t.Error("one tracer has reached nothing")
				}
			}
			if n, all := team.all[0].marked+team.all[1].marked, team.all[0].candidates; n != all || n != 1+2*len(children) {
				t.Errorf("%d of %d reached", n, all)
			}
		})
		th.DecRef(hub)
	})
}

// TestCollectAtTheEnd has the collector touch an object at the very end of memory.
func TestCollectAtTheEnd(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		o.MemoryLimit = 1 << 19
		clean(t, o, func(t *testing.T, th *Thread) {
			hub := newNode(th, make([]Ref, 15_000)...) // everything that it holds is pushed at once
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

// rowType has consecutive slots behind their number, which the collector reads without calling
// Traverse.
var rowType = must(DefineType(Type{
	Name:    "row",
	Mutable: true,
	Slots:   func(_ Heap, o Body) (Body, int, int) { return o, 1, int(o.Word(0)) },
}))

// newRow returns a new reference to a row, and steals the slots.
func newRow(t *Thread, slots ...Ref) Ref {
	r, o, err := t.New(rowType, 4*(1+len(slots)))
	if err != nil {
		panic(err)
	}
	o.SetWord(0, uint32(len(slots)))
	copy(o.Refs(1, len(slots)), slots)
	return r
}

// TestCollectRows has one goroutine, and several, trace rows: each slot counts once, whatever
// it leads to.
func TestCollectRows(t *testing.T) {
	defer func(n int64) { parallelFrom = n }(parallelFrom)
	forModes(t, func(t *testing.T, o Options) {
		o.CollectWorkers, o.CollectAfter = 3, -1
		clean(t, o, func(t *testing.T, th *Thread) {
			for _, workers := range []int{1, 3} {
				parallelFrom = 1 << 40
				if workers == 3 {
					needsThreads(t)
					parallelFrom = 1
				}
				const n = 5000 // some spans full
				var born Ref
				must0(t, th.Immortally(func() error { born = newLeaf(th); return nil }))
				leaf := newLeaf(th)
				mixed := func(x Ref) Ref {
					th.IncRef(leaf)
					return newRow(th, must1(Int(7)), None, born, leaf, Nil, x)
				}
				kept := newRow(th, Nil)
				last := mixed(newNode(th, mixed(kept)))
				th.IncRef(kept)
				th.Body(kept).StoreRef(1, last) // kept -> row -> node -> row -> kept
				var all []Ref
				for range n {
					x := mixed(Nil)
					th.Body(x).StoreRef(6, x)
					all = append(all, x)
				}
				pair := newRow(th, Nil, Nil)
				th.Body(pair).StoreRef(1, pair)
				th.Body(pair).StoreRef(2, pair) // two slots, two references
				th.IncRef(pair)
				got := th.Collect()
				if got.Workers != workers {
					t.Errorf("%d workers, want %d", got.Workers, workers)
				}
				wantCollected(t, got, Collected{Candidates: n + 5, Garbage: n + 1, Freed: n + 1})
				must0(t, th.Audit(kept, leaf))
				th.DecRef(kept)
				wantCollected(t, th.Collect(), Collected{Candidates: 4, Garbage: 4, Freed: 4})
				th.DecRef(leaf)
				_ = all
			}
		})
	})
}

// TestCollectWorkers checks that one goroutine traces a small heap, and as many as the options
// say a large one, but no more than there are spans.
func TestCollectWorkers(t *testing.T) {
	needsThreads(t)
	defer func(n int64) { parallelFrom = n }(parallelFrom)
	clean(t, Options{CollectWorkers: 3, CollectAfter: -1}, func(t *testing.T, th *Thread) {
		want := func(from int64, workers int) {
			t.Helper()
			parallelFrom = from
			if got := th.Collect(); got.Workers != workers {
				t.Errorf("%d containers, %d needed: %d workers, want %d", got.Candidates, from, got.Workers, workers)
			}
		}
		want(0, 1) // there is no span
		x := newNode(th, Nil)
		want(0, 1) // there is one
		all := []Ref{x}
		for range 9_999 {
			all = append(all, newNode(th, Nil))
		}
		want(10_001, 1)
		want(10_000, 3)
		th.DecRefs(all)
	})
}
