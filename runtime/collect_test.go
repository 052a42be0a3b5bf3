package runtime

import (
	"bytes"
	"runtime/trace"
	"slices"
	"testing"
)

// finalType has one slot, in word 0, and calls finalized at its death.
var (
	finalType = must(DefineType(Type{
		Name:     "final",
		Mutable:  true,
		Traverse: func(_ Heap, o Body, visit func(Ref)) { visit(o.LoadRef(0)) },
		Finalize: func(t *Thread, r Ref) { finalized(t, r) },
	}))
	finalized func(t *Thread, r Ref)

	// tabledType has one slot, and is in a table that records the calls of Forget.
	tabledType = must(DefineType(Type{
		Name:     "tabled",
		Mutable:  true,
		Traverse: func(_ Heap, o Body, visit func(Ref)) { visit(o.LoadRef(0)) },
		Forget:   func(_ *Thread, r Ref, _ Body) { forgotten = append(forgotten, r) },
	}))
	forgotten []Ref

	// A watch is a weak reference, as package objects makes it.
	watchType = must(DefineType(Type{
		Name:     "watch",
		Traverse: func(Heap, Body, func(Ref)) {},
		Drop:     func(t *Thread, r Ref, _ Body) { t.unlinkWeak(r) },
	}))
)

func newWatch(t *Thread, target Ref, fn func(*Thread)) Ref {
	r, _, err := t.New(watchType, 8)
	if err != nil {
		panic(err)
	}
	t.linkWeak(r, target, fn)
	return r
}

// ring returns n nodes, each with a reference to the next one and to itself, and gives up all
// other references to them.
func ring(t *Thread, n int) []Ref {
	nodes := make([]Ref, n)
	for i := range nodes {
		nodes[i] = newNode(t, Nil, Nil)
	}
	for i, r := range nodes {
		setSlot(t, r, 0, nodes[(i+1)%n])
		setSlot(t, r, 1, r)
	}
	t.DecRefs(nodes)
	return nodes
}

func wantCollected(t *testing.T, got, want Collected) {
	t.Helper()
	got.Stopped, got.Workers = 0, 0
	if got != want {
		t.Errorf("collected %+v, want %+v", got, want)
	}
}

func TestCollect(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			leaf := newLeaf(th)
			held := newNode(th, leaf, Nil) // held by the test
			setSlot(th, held, 1, held)
			ring(th, 3)
			self := newNode(th, Nil) // garbage that refers to the held one
			setSlot(th, self, 0, self)
			th.IncRef(held)
			tail := newNode(th, held)
			loop := newNode(th, Nil, tail)
			setSlot(th, loop, 0, loop)
			th.DecRefs([]Ref{self, loop})
			wantCollected(t, th.Collect(), Collected{Candidates: 7, Garbage: 6, Freed: 6})
			wantCollected(t, th.Collect(), Collected{Candidates: 1})
			must0(t, th.Audit(held))
			setSlot(th, held, 1, Nil)
			th.DecRef(held)
			wantCollected(t, th.Collect(), Collected{}) // settles what is retired
			r.mustHold(t, th, 0)
			return nil
		}))
		s := r.CollectorStats()
		if s.Collections != 3 || s.Garbage != 6 || s.Freed != 6 || s.Longest <= 0 {
			t.Errorf("statistics: %+v", s)
		}
		must0(t, r.Close())
	})
}

// TestCollectImmortals checks that objects held by immortals stay, and that immortals are not
// traced.
func TestCollectImmortals(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			inPlace := newNode(th, Nil)
			must0(t, th.Immortalize(inPlace))
			setSlot(th, inPlace, 0, ring(th, 2)[0])
			wantCollected(t, th.Collect(), Collected{Candidates: 2})
			setSlot(th, inPlace, 0, Nil)
			wantCollected(t, th.Collect(), Collected{Candidates: 2, Garbage: 2, Freed: 2})
			return nil
		}))
		must0(t, r.Close())
	})
}

// TestWeak checks that callbacks come after the death, the youngest reference's first, and only
// for weak references that are alive.
func TestWeak(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		var calls []int
		note := func(n int) func(*Thread) { return func(*Thread) { calls = append(calls, n) } }
		must0(t, r.Do(func(th *Thread) error {
			x := newLeaf(th)
			var ws []Ref
			for i := range 4 {
				ws = append(ws, newWatch(th, x, note(i)))
			}
			if got := th.followWeak(ws[0]); got != x {
				t.Errorf("follows to %s, want %s", got, x)
			}
			th.DecRef(x)
			th.DecRef(ws[2])
			th.DecRef(x)
			if got := th.followWeak(ws[0]); got != Nil {
				t.Errorf("follows to %s after the death", got)
			}
			if len(calls) != 0 {
				t.Error("a callback was called inside DecRef")
			}
			th.Checkpoint()
			if !slices.Equal(calls, []int{3, 1, 0}) {
				t.Errorf("callbacks %v", calls)
			}
			if n := r.weak.Size(); n != 0 {
				t.Errorf("the table has %d entries of the dead", n)
			}
			for _, i := range []int{0, 1, 3} {
				th.DecRef(ws[i])
			}

			// Weak references to an immortal, and to an object that becomes immortal.
			calls = nil
			y := newLeaf(th)
			before := newWatch(th, y, note(0))
			must0(t, th.Immortalize(y))
			after := newWatch(th, y, note(1))
			for _, w := range []Ref{before, after} {
				if th.followWeak(w) != y {
					t.Error("a weak reference to an immortal is empty")
				}
				th.DecRef(w)
			}
			if r.weak.Size() != 0 || len(calls) != 0 {
				t.Errorf("%d entries, %d calls", r.weak.Size(), len(calls))
			}
			return nil
		}))
		must0(t, r.Close())
	})
}

// TestWeakGarbage checks that weak references to cyclic garbage are emptied before finalizers
// run, and that garbage weak references get no callback.
func TestWeakGarbage(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		var order []string
		must0(t, r.Do(func(th *Thread) error {
			f := newFinal(th, Nil)
			loop := newNode(th, f, Nil, Nil)
			setSlot(th, loop, 1, loop)
			inside := newWatch(th, loop, func(*Thread) { order = append(order, "inside") })
			setSlot(th, loop, 2, inside)
			outside := newWatch(th, loop, func(*Thread) { order = append(order, "callback") })
			finalized = func(th *Thread, r Ref) {
				order = append(order, "finalizer")
				if th.followWeak(outside) != Nil {
					t.Error("a weak reference refers to garbage while it is finalized")
				}
			}
			th.DecRef(inside)
			th.DecRef(loop)
			wantCollected(t, th.Collect(), Collected{Candidates: 4, Garbage: 3, Finalized: 1, Freed: 3})
			if !slices.Equal(order, []string{"finalizer", "callback"}) {
				t.Errorf("order %v", order)
			}
			th.DecRef(outside)
			r.mustHold(t, th, 0)
			return nil
		}))
		must0(t, r.Close())
	})
}

// TestCollectByItself has a thread make nothing but cycles: automatic collections keep the heap
// bounded.
func TestCollectByItself(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		o.CollectAfter = 500
		r := newRuntime(t, o)
		rounds := 20_000
		if o.Checked || raceEnabled {
			rounds = 4_000
		}
		must0(t, r.Do(func(th *Thread) error {
			most := int64(0)
			for range rounds {
				ring(th, 2)
				th.Checkpoint()
				most = max(most, r.space.Containers())
			}
			if most > 8_000 && !o.Checked {
				t.Errorf("%d containers at the most", most)
			}
			return nil
		}))
		if s := r.CollectorStats(); s.Automatic == 0 || s.Automatic != s.Collections {
			t.Errorf("statistics: %+v", s)
		}
		must0(t, r.Close())
	})
}

// TestPauseBudget checks that safe points put collections off until the last pause is far
// enough back, but not forever.
func TestPauseBudget(t *testing.T) {
	r := newRuntime(t, Options{CollectAfter: 10_000, PauseBudget: 1e-12})
	must0(t, r.Do(func(th *Thread) error {
		make := func(n int) {
			for range n {
				ring(th, 1)
				th.Checkpoint()
			}
		}
		th.Collect()
		make(30_000)
		if s := r.CollectorStats(); s.Automatic != 0 || s.PutOff == 0 {
			t.Errorf("past CollectAfter: %+v", s)
		}
		make(30_000)
		if s := r.CollectorStats(); s.Automatic != 1 {
			t.Errorf("long past CollectAfter: %+v", s)
		}
		return nil
	}))
	must0(t, r.Close())
}

// TestNoCollectionInCallbacks has a finalizer make garbage until a collection is due: it starts
// after the finalizer has returned.
func TestNoCollectionInCallbacks(t *testing.T) {
	r := newRuntime(t, Options{CollectAfter: 1_000})
	must0(t, r.Do(func(th *Thread) error {
		called := false
		finalized = func(th *Thread, _ Ref) {
			called = true
			for range 10_000 {
				ring(th, 1)
				th.Checkpoint()
			}
			if s := r.CollectorStats(); s.Collections != 0 {
				t.Errorf("in a finalizer: %+v", s)
			}
		}
		th.DecRef(newFinal(th, Nil))
		th.Checkpoint()
		th.Checkpoint()
		if s := r.CollectorStats(); !called || s.Automatic != 1 {
			t.Errorf("finalized: %t, and then %+v", called, s)
		}
		return nil
	}))
	must0(t, r.Close())
}

// TestCollectForgets checks that the collector removes garbage from a table.
func TestCollectForgets(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		forgotten = nil
		clean(t, o, func(t *testing.T, th *Thread) {
			var all []Ref
			for range 3 {
				r, body, err := th.New(tabledType, 4)
				must0(t, err)
				th.SetWeak(r)
				th.IncRef(r)
				body.StoreRef(0, r)
				th.DecRef(r)
				all = append(all, r)
			}
			wantCollected(t, th.Collect(), Collected{Candidates: 3, Garbage: 3, Freed: 3})
			if slices.SortFunc(forgotten, compareRefs); !slices.Equal(forgotten, all) {
				t.Errorf("forgot %v, want %v", forgotten, all)
			}
		})
	})
}

// TestCollectTrace checks that an execution trace shows the phases of a collection.
func TestCollectTrace(t *testing.T) {
	if trace.IsEnabled() {
		t.Skip("SKIPPED: the tests are being traced already, so nothing shows the regions of a collection")
	}
	r := newRuntime(t, Options{CollectAfter: -1})
	finalized = func(*Thread, Ref) {}
	must0(t, r.Do(func(th *Thread) error {
		x := newFinal(th, Nil)
		th.Body(x).StoreRef(0, x)
		return nil
	}))
	var buf bytes.Buffer
	must0(t, trace.Start(&buf))
	got, err := r.Collect()
	trace.Stop()
	must0(t, err)
	if got.Stopped <= 0 {
		t.Errorf("collected %+v", got)
	}
	for _, name := range []string{"ichor collection", "ichor stop", "ichor trace", "ichor trace again", "ichor free"} {
		if !bytes.Contains(buf.Bytes(), []byte(name)) {
			t.Errorf("the trace has no %q", name)
		}
	}
	if all, again := bytes.Count(buf.Bytes(), []byte("ichor trace")), bytes.Count(buf.Bytes(), []byte("ichor trace again")); all == again {
		t.Error("the trace shows only one of two rounds of tracing")
	}
	must0(t, r.Close())
}

// TestCollectRetired checks that objects that die because a stop is a grace period are
// finalized before the trace, and do not hide cycles. An audit knows the reference that a
// pending finalizer has.
func TestCollectRetired(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			calls := 0
			finalized = func(*Thread, Ref) { calls++ }
			slot := newNode(th, Nil)
			overwrite := func() {
				loop := newNode(th, Nil)
				setSlot(th, loop, 0, loop)
				final := newFinal(th, loop)
				setSlot(th, slot, 0, final)
				th.DecRef(final)
				setSlot(th, slot, 0, Nil)
			}
			overwrite()
			must0(t, th.Audit(slot))
			th.Checkpoint()
			wantCollected(t, th.Collect(), Collected{Candidates: 2, Garbage: 1, Freed: 1})
			overwrite()
			wantCollected(t, th.Collect(), Collected{Candidates: 2, Garbage: 1, Freed: 1})
			if calls != 2 {
				t.Errorf("%d finalizers were called", calls)
			}
			th.DecRef(slot)
		})
	})
}

// TestCollectAfterFinalizers checks that a collection finds a cycle that hangs behind a list of
// objects, each of which drops the next one when its finalizer has been called. A collection
// ends although each finalizer makes another one due.
func TestCollectAfterFinalizers(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			calls := 0
			finalized = func(*Thread, Ref) { calls++ }
			head := newNode(th, Nil)
			setSlot(th, head, 0, head)
			for range waitCalls / 2 {
				head = newFinal(th, head)
			}
			th.DecRef(head)
			wantCollected(t, th.Collect(), Collected{Candidates: 1, Garbage: 1, Freed: 1})
			if calls != waitCalls/2 {
				t.Errorf("%d finalizers were called", calls)
			}

			finalized = func(th *Thread, _ Ref) {
				if calls++; calls < 1_000_000 {
					th.DecRef(newFinal(th, Nil))
				}
			}
			th.DecRef(newFinal(th, Nil))
			if th.Collect(); calls > 100*waitCalls {
				t.Errorf("%d finalizers were called before a collection ended", calls)
			}
			calls = 1_000_000
			th.Checkpoint()
		})
	})
}

// TestCloseImmortals checks that cycles that only immortals hold are no leak, and are not
// finalized.
func TestCloseImmortals(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		finalized = func(*Thread, Ref) { t.Error("a finalizer was called in Close") }
		must0(t, r.Do(func(th *Thread) error {
			inPlace := newNode(th, Nil)
			must0(t, th.Immortalize(inPlace))
			final := newFinal(th, Nil)
			weak := newLeaf(th) // its memory is freed a grace period after its death
			th.SetWeak(weak)
			loop := newNode(th, final, Nil, inPlace, weak)
			setSlot(th, loop, 1, loop)
			setSlot(th, inPlace, 0, loop)
			th.DecRef(loop)
			return th.Immortally(func() error {
				ring := newNode(th, Nil)
				setSlot(th, ring, 0, ring)
				newNode(th, loop)
				th.IncRef(loop)
				return nil
			})
		}))
		must0(t, r.Close())
	})
}
