package objects

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// A weakMachine has a few targets and weak references to them, each with a callback.
type weakMachine struct {
	t       rapid.TB
	th      *rt.Thread
	targets map[int]rt.Ref
	weaks   []modelWeak // oldest first
	dead    []rt.Ref    // weak references whose target has died
	next    int
	calls   []int // callbacks that were called
	due     []int // in the model
}

type modelWeak struct {
	ref          rt.Ref
	id, targetID int
	times        int // how often its callback is called
}

func newWeakMachine(t rapid.TB, th *rt.Thread) machine {
	return &weakMachine{t: t, th: th, targets: map[int]rt.Ref{}}
}

// target returns the number of a target, or false.
func (m *weakMachine) target(a int) (int, bool) {
	ids := slices.Sorted(maps.Keys(m.targets))
	if len(ids) == 0 {
		return 0, false
	}
	return ids[a%len(ids)], true
}

func (m *weakMachine) ops() map[string]func(a, b int) {
	return map[string]func(a, b int){
		"new target": func(a, _ int) {
			m.next++
			v := newBig(m.th, m.next)
			if a%2 == 0 { // a container of v
				m.targets[m.next] = must(NewListSteal(m.th, v))
				return
			}
			m.targets[m.next] = v
		},
		"new weak": func(a, b int) {
			id, found := m.target(a)
			if !found {
				return
			}
			m.next++
			n := m.next
			fn := func(*rt.Thread) { m.calls = append(m.calls, n) }
			fns := [][]func(*rt.Thread){{}, {fn}, {nil, fn}, {fn, nil, fn}}[b%4]
			w := must(NewWeak(m.th, m.targets[id], fns...))
			m.weaks = append(m.weaks, modelWeak{w, n, id, []int{0, 1, 1, 2}[b%4]})
		},
		"drop target": func(a, _ int) {
			id, found := m.target(a)
			if !found {
				return
			}
			called := len(m.calls)
			m.th.DecRef(m.targets[id])
			if len(m.calls) != called {
				m.t.Fatalf("a callback was called inside DecRef")
			}
			delete(m.targets, id)
			for i := len(m.weaks) - 1; i >= 0; i-- {
				w := m.weaks[i]
				if w.targetID != id {
					continue
				}
				m.dead = append(m.dead, w.ref)
				for range w.times {
					m.due = append(m.due, w.id)
				}
				m.weaks = slices.Delete(m.weaks, i, i+1)
			}
		},
		"drop weak": func(a, _ int) {
			if n := len(m.weaks); n > 0 {
				m.th.DecRef(m.weaks[a%n].ref)
				m.weaks = slices.Delete(m.weaks, a%n, a%n+1)
			}
		},
		"drop emptied": func(_, _ int) {
			m.th.DecRefs(m.dead)
			m.dead = nil
		},
		"keep": func(a, _ int) { // the reference from Get keeps a target alive
			if n := len(m.weaks); n > 0 {
				w := m.weaks[a%n]
				r, found := Weak(w.ref).Get(m.th)
				if !found || r != m.targets[w.targetID] {
					m.t.Fatalf("a weak reference refers to another object than in the model")
				}
				m.th.DecRef(m.targets[w.targetID])
			}
		},
		"checkpoint": func(_, _ int) { m.th.Checkpoint() },
		"collect":    func(_, _ int) { m.th.Collect() },
	}
}

func (m *weakMachine) check() {
	for _, w := range m.weaks {
		r, found := Weak(w.ref).Get(m.th)
		if !found || r != m.targets[w.targetID] {
			m.t.Fatalf("a weak reference refers to another object than in the model")
		}
		m.th.DecRef(r)
	}
	for _, w := range m.dead {
		if r, found := Weak(w).Get(m.th); found || r != rt.Nil {
			m.t.Fatalf("a weak reference refers to a dead object")
		}
	}
	held := slices.Concat(slices.Collect(maps.Values(m.targets)), m.dead)
	for _, w := range m.weaks {
		held = append(held, w.ref)
	}
	audit(m.t, m.th, held...)
	m.th.Checkpoint()
	if !slices.Equal(m.calls, m.due) {
		m.t.Fatalf("callbacks %v, want %v", m.calls, m.due)
	}
}

func (m *weakMachine) close() {
	for _, w := range m.weaks {
		m.th.DecRef(w.ref)
	}
	m.th.DecRefs(slices.Concat(slices.Collect(maps.Values(m.targets)), m.dead))
	m.th.Checkpoint()
	if !slices.Equal(m.calls, m.due) {
		m.t.Fatalf("callbacks %v, want %v", m.calls, m.due)
	}
}

func TestWeakModel(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) { checkMachine(t, o, newWeakMachine) })
}

func FuzzWeak(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(fuzzMachine(f, newWeakMachine))
}

func TestWeakErrors(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			if _, err := NewWeak(th, rt.Nil); err == nil || err.Error() != "ichor: new weak: target: nil reference" {
				t.Errorf("got %v", err)
			}
			l := must(NewList(th))
			for _, r := range []rt.Ref{rt.Nil, rt.None, smallInt(1), l} {
				if got, found := Weak(r).Get(th); found || got != rt.Nil {
					t.Errorf("%s leads to %s", r, got)
				}
			}
			th.DecRef(l)
		})
		if o.Checked {
			return
		}
		o.MemoryLimit = 1 << 20
		clean(t, o, func(th *rt.Thread) {
			held := hog(t, th)
			if _, err := NewWeak(th, held[0]); !errors.Is(err, rt.ErrMemoryLimit) {
				t.Errorf("got %v, want the memory limit", err)
			}
			audit(t, th, held...)
			th.DecRefs(held)
		})
	})
}

// TestWeakCallbacks: callbacks run in order, after the death, at a safe point and not
// before. A panic is reported and does not keep the others from running.
func TestWeakCallbacks(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		var errs []error
		o.OnError = func(err error) { errs = append(errs, err) }
		clean(t, o, func(th *rt.Thread) {
			var calls []string
			var ws [3]rt.Ref
			say := func(what string) func(*rt.Thread) {
				return func(th *rt.Thread) {
					if _, found := Weak(ws[0]).Get(th); found {
						t.Error("a callback finds the target alive")
					}
					th.DecRef(must(NewList(th))) // it may use objects,
					th.Checkpoint()              // and reach safe points
					calls = append(calls, what)
				}
			}
			broken := func(*rt.Thread) {
				calls = append(calls, "broken")
				panic("out of order")
			}
			x := must(NewList(th))
			ws[0] = must(NewWeak(th, x, nil, say("old")))
			ws[1] = must(NewWeak(th, x, say("a"), broken, say("b")))
			ws[2] = must(NewWeak(th, x, broken))
			th.DecRef(x)
			if len(calls) > 0 {
				t.Error("a callback was called inside DecRef")
			}
			th.Checkpoint()
			if want := []string{"broken", "a", "broken", "b", "old"}; !slices.Equal(calls, want) {
				t.Errorf("called %q, want %q", calls, want)
			}
			for _, err := range errs {
				wantError[*rt.PanicError](t, err)
			}
			if len(errs) != 2 {
				t.Errorf("errors: %v", errs)
			}
			th.DecRefs(ws[:])
		})
	})
}

// TestWeakCallbackElsewhere: the thread that drops the last reference runs the callback. If
// it has detached, the next thread at a safe point does.
func TestWeakCallbackElsewhere(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			var x, w, outer rt.Ref
			calls := 0
			must0(t, r.Do(func(th *rt.Thread) error {
				x = must(NewList(th))
				w = must(NewWeak(th, x, func(*rt.Thread) { calls++ }))
				outer = must(NewListSteal(th, x))
				return nil
			}))
			must0(t, r.Do(func(th *rt.Thread) error {
				must0(t, List(outer).Clear(th)) // retired, and dies some time later
				return nil
			}))
			must0(t, r.Do(func(th *rt.Thread) error {
				audit(t, th, outer, w)
				th.Checkpoint()
				if calls != 1 {
					t.Errorf("called %d times", calls)
				}
				th.DecRefs([]rt.Ref{outer, w})
				return nil
			}))
		})
	})
}

// TestWeakCycles: weak references to garbage are emptied. Those that are garbage themselves
// call nothing.
func TestWeakCycles(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			calls := map[string]int{}
			call := func(what string) func(*rt.Thread) { return func(*rt.Thread) { calls[what]++ } }
			outer := must(NewList(th))
			loop := must(NewList(th))
			must0(t, loop.Append(th, loop))
			leaf := newBig(th, 1)
			must0(t, loop.Append(th, leaf))
			inside := must(NewWeak(th, loop, call("inside, of garbage")))
			insideOut := must(NewWeak(th, outer, call("inside, of a live object")))
			insideLeaf := must(NewWeak(th, leaf, call("inside, of a leaf")))
			for _, w := range []rt.Ref{inside, insideOut, insideLeaf} {
				must0(t, loop.AppendSteal(th, w))
			}
			outside := must(NewWeak(th, loop, call("outside")))
			outsideLeaf := must(NewWeak(th, leaf, call("outside, of a leaf")))
			ofWeak := must(NewWeak(th, inside, call("of a weak reference")))
			th.DecRef(leaf)
			if got := th.Collect(); got.Garbage != 0 {
				t.Errorf("collected %+v while the cycle is held", got)
			}
			th.DecRef(loop)

			// A reference from Get counts like any other: nothing is garbage.
			again, found := outside.Get(th)
			if got := th.Collect(); !found || got.Garbage != 0 {
				t.Errorf("collected %+v while Get's reference is held", got)
			}
			th.DecRef(again)
			if got := th.Collect(); got.Garbage != 4 || got.Freed != 4 {
				t.Errorf("collected %+v, want 4 containers", got)
			}
			th.Checkpoint()
			for _, w := range []rt.Ref{outside, outsideLeaf, ofWeak} {
				if r, found := Weak(w).Get(th); found {
					t.Errorf("a weak reference refers to %s, which was collected", r)
				}
			}
			audit(t, th, outer, outside, outsideLeaf, ofWeak)
			th.DecRef(outer) // its weak reference is gone
			th.Checkpoint()
			if want := map[string]int{"outside": 1, "outside, of a leaf": 1, "of a weak reference": 1}; !maps.Equal(calls, want) {
				t.Errorf("called %v, want %v", calls, want)
			}
			th.DecRefs([]rt.Ref{outside, outsideLeaf, ofWeak})
		})
	})
}

// TestWeakImmortal: a weak reference to an immortal writes nothing to it, and leads to it
// forever. An immortal weak reference is emptied like others.
func TestWeakImmortal(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			calls := 0
			call := func(*rt.Thread) { calls++ }
			s := must(NewString(th, "forever"))
			must0(t, th.Immortalize(s))
			var inRegion, weakInRegion rt.Ref
			mortal, other := must(NewList(th)), must(NewList(th))
			must0(t, th.Immortally(func() error {
				inRegion = must(NewString(th, "born so"))
				weakInRegion = must(NewWeak(th, mortal, call))
				return nil
			}))
			weakInPlace := must(NewWeak(th, mortal, call))
			before := map[rt.Ref][4]uint32{}
			must0(t, th.Immortalize(weakInPlace))
			th.Immortals(func(r rt.Ref, h [4]uint32) { before[r] = h })
			for _, r := range []rt.Ref{s, inRegion, rt.None, smallInt(3), rt.EmptyString, weakInPlace} {
				w := must(NewWeak(th, r, call))
				got, found := w.Get(th)
				if !found || got != r {
					t.Errorf("a weak reference to %s refers to %s", r, got)
				}
				th.DecRefs([]rt.Ref{got, w})
			}
			th.DecRef(mortal)
			th.Checkpoint()
			for _, w := range []rt.Ref{weakInRegion, weakInPlace} {
				if _, found := Weak(w).Get(th); found {
					t.Error("an immortal weak reference refers to a dead object")
				}
			}
			if calls != 2 {
				t.Errorf("%d callbacks, want 2", calls)
			}
			th.Immortals(func(r rt.Ref, h [4]uint32) {
				if h != before[r] {
					t.Errorf("the header of %s has changed", r)
				}
			})

			// Discarding a region removes its weak references from the table.
			failed := errors.New("failed")
			err := th.Immortally(func() error {
				must(NewWeak(th, other, call))
				return failed
			})
			if err != failed {
				t.Errorf("got %v", err)
			}
			th.DecRef(other)
			th.Checkpoint()
			if calls != 2 {
				t.Errorf("%d callbacks after the region was discarded, want 2", calls)
			}
		})
	})
}
