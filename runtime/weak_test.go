package runtime

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ichor-go/ichor/internal/aligned"
)

// TestWeakTable makes and drops a great many targets and weak references to them, in either
// order: nothing dead stays in the table.
func TestWeakTable(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		n := 10_000
		if o.Checked {
			n = 2000
		}
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			least := r.weak.Stats().Capacity
			for i := range n { // one after the other
				x := newLeaf(th)
				pair := []Ref{x, newWatch(th, x, nil)}
				th.DecRef(pair[i%2])
				th.DecRef(pair[1-i%2])
				th.Checkpoint()
			}
			if s := r.weak.Stats(); s.Size != 0 || s.Capacity > least {
				t.Errorf("%d entries, room for %d, want %d", s.Size, s.Capacity, least)
			}
			var targets, watches []Ref // and all at once
			for range n {
				x := newLeaf(th)
				targets, watches = append(targets, x), append(watches, newWatch(th, x, nil))
			}
			if s := r.weak.Stats(); s.Size != n {
				t.Errorf("%d entries of %d living targets", s.Size, n)
			}
			th.DecRefs(targets[:n/2])
			th.DecRefs(watches)
			if s := r.weak.Stats(); s.Size != 0 || s.Capacity > max(n/2, least) {
				t.Errorf("%d entries of the dead, room for %d", s.Size, s.Capacity)
			}
			th.DecRefs(targets[n/2:])
			return nil
		}))
		must0(t, r.Close())
	})
}

// TestWeakToOne makes and drops a great many weak references to one target, in orders that take
// each from another place of the list. Leaving the list takes about the same time for each, and
// the callbacks of those that stay are called in their order. Copying the list each time would
// be quadratic.
func TestWeakToOne(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		n := 40_000
		if raceEnabled || o.Checked || testing.Short() {
			n = 2_000
		}
		for name, leaves := range map[string]func(k int) int{
			"oldest first":   func(k int) int { return k },
			"youngest first": func(k int) int { return n - 1 - k },
			"all over":       func(k int) int { return k * 7919 % n }, // a prime that does not divide n
		} {
			clean(t, o, func(t *testing.T, th *Thread) {
				x := newLeaf(th)
				var calls, want []int
				watches := make([]Ref, n)
				for i := range watches {
					watches[i] = newWatch(th, x, func(*Thread) { calls = append(calls, i) })
				}
				began := time.Now()
				const left = 10
				for k := range n - left {
					i := leaves(k)
					th.DecRef(watches[i])
					watches[i] = Nil
				}
				if d := time.Since(began); d > 10*time.Second {
					t.Errorf("%s: %s to drop %d", name, d, n)
				}
				for i := n - 1; i >= 0; i-- {
					if watches[i] != Nil {
						want = append(want, i)
					}
				}
				th.DecRef(x)
				th.Checkpoint()
				if len(want) != left || !slices.Equal(calls, want) {
					t.Errorf("%s: called %v, want %v", name, calls, want)
				}
				th.DecRefs(watches)
			})
		}
	})
}

// TestWeakList checks that a target's list has no more than twice the places that it needs, and
// that a weak reference that never entered it takes no place away from others.
func TestWeakList(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			x := newLeaf(th)
			stays := newWatch(th, x, nil)
			for range 1000 {
				a, b := newWatch(th, x, nil), newWatch(th, x, nil)
				th.DecRefs([]Ref{a, b})
			}
			if e, _ := r.weak.Load(x); e.alive != 1 || len(e.list) > 2 {
				t.Errorf("%d places for %d", len(e.list), e.alive)
			}
			must0(t, th.Immortalize(x))
			th.DecRef(newWatch(th, x, nil)) // never entered
			if e, _ := r.weak.Load(x); e.alive != 1 {
				t.Errorf("%d weak references are noted, want 1", e.alive)
			}
			th.DecRef(stays)
			if n := r.weak.Size(); n != 0 {
				t.Errorf("%d entries of the dead", n)
			}
			return nil
		}))
		must0(t, r.Close())
	})
}

// TestWeakTableManyThreads has threads watch a few targets, and drop both: several threads
// change, remove and empty an entry at the same time.
func TestWeakTableManyThreads(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		n := 40_000
		if raceEnabled || o.Checked || testing.Short() {
			n = 4_000
		}
		r := newRuntime(t, o)
		var shared Ref // each slot holds a target
		var calls, silent aligned.Int64
		const slots = 3
		must0(t, r.Do(func(th *Thread) error {
			shared = newNode(th, newLeaf(th), newLeaf(th), newLeaf(th))
			return nil
		}))
		must0(t, r.Run(context.Background(), 2, func(_ context.Context, th *Thread, w int) error {
			rnd := rand.New(rand.NewPCG(1, uint64(w)))
			var held []Ref
			for range n {
				i := rnd.IntN(slots)
				x := th.Body(shared).LoadRef(1 + i) // borrowed
				held = append(held, newWatch(th, x, func(*Thread) { calls.Inc() }))
				if rnd.IntN(8) == 0 {
					fresh := newLeaf(th)
					setSlot(th, shared, i, fresh)
					th.DecRef(fresh)
				}
				if j := rnd.IntN(len(held)); rnd.IntN(3) > 0 {
					if y := th.followWeak(held[j]); y != Nil {
						if th.TypeOf(y) != leafType || th.Body(y).Word(0) != 42 {
							t.Error("a weak reference refers to an object that is not a leaf")
						}
						th.DecRef(y)
					} else {
						silent.Inc()
					}
					th.DecRef(held[j])
					held[j] = held[len(held)-1]
					held = held[:len(held)-1]
				}
				if len(held) > 20 {
					th.DecRefs(held)
					held = held[:0]
				}
				if rnd.IntN(4) == 0 {
					th.Checkpoint()
				}
			}
			th.DecRefs(held)
			return nil
		}))
		must0(t, r.Do(func(th *Thread) error {
			must0(t, th.Audit(shared))
			th.DecRef(shared)
			return nil
		}))
		t.Logf("%d callbacks, %d reads of dead objects", calls.Load(), silent.Load())
		if calls.Load() == 0 || silent.Load() == 0 {
			t.Error("nothing died while it was watched")
		}
		if s := r.weak.Stats(); s.Size != 0 {
			t.Errorf("%d entries of the dead", s.Size)
		}
		must0(t, r.Close())
	})
}

// TestTriedAfterDeath checks that a table without counts, which an object leaves in Forget,
// leads to a revived object, and that a weak reference does not.
func TestTriedAfterDeath(t *testing.T) {
	table := map[Ref]bool{}
	y := must(DefineType(Type{
		Name:     "in a table",
		Finalize: func(*Thread, Ref) {},
		Forget:   func(_ *Thread, r Ref, _ Body) { delete(table, r) },
	}))
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			x, _, err := th.New(y, 4)
			must0(t, err)
			th.SetWeak(x)
			table[x] = true
			w := newWatch(th, x, nil)
			th.DecRef(x)
			if got := th.followWeak(w); got != Nil {
				t.Errorf("the weak reference refers to %s, which has died", got)
			}
			if !table[x] || !th.TryIncRef(x) {
				t.Fatal("an object that waits for its finalizer is not alive")
			}
			th.Checkpoint()
			if th.DecRef(x); len(table) != 0 {
				t.Error("still in the table after its last death")
			}
			th.DecRef(w)
		})
	})
}

// TestWeakToImmortals checks that weak references to immortals of either kind have no entry.
func TestWeakToImmortals(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			inPlace := newLeaf(th)
			must0(t, th.Immortalize(inPlace))
			var born Ref
			must0(t, th.Immortally(func() error { born = newLeaf(th); return nil }))
			call := func(*Thread) { t.Error("the callback of an immortal's was called") }
			for _, x := range []Ref{inPlace, born, None, must1(Int(1))} {
				before := th.header(inPlace).Bytes()
				w := newWatch(th, x, call)
				if n := th.rt.weak.Size(); n != 0 || th.followWeak(w) != x {
					t.Errorf("%s: %d entries; it refers to %s", x, n, th.followWeak(w))
				}
				if th.DecRef(w); th.rt.weak.Size() != 0 || th.header(inPlace).Bytes() != before {
					t.Errorf("%s: %d entries of the dead", x, th.rt.weak.Size())
				}
			}
		})
	})
}
