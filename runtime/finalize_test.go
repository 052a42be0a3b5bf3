package runtime

import (
	"fmt"
	"testing"
)

func newFinal(t *Thread, child Ref) Ref {
	r, o, err := t.New(finalType, 4)
	if err != nil {
		panic(err)
	}
	o.StoreRef(0, child)
	return r
}

// TestFinalize checks that a finalizer is called once, at the next safe point, with the world
// running. A resurrected object lives on and dies without another call.
func TestFinalize(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		var errs []error
		o.OnError = func(err error) { errs = append(errs, err) }
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			calls := map[Ref]int{}
			var saved Ref
			finalized = func(th *Thread, r Ref) {
				calls[r]++
				if saved == Nil {
					th.IncRef(r)
					saved = r
				}
				th.Checkpoint()
				th.StopTheWorld(func() {})
			}
			a := newFinal(th, newFinal(th, newLeaf(th)))
			th.DecRef(a)
			if len(calls) != 0 {
				t.Error("a finalizer ran inside DecRef")
			}
			th.Checkpoint()
			if saved != a || calls[a] != 1 || len(calls) != 1 {
				t.Errorf("saved %s, calls %v", saved, calls)
			}
			th.DecRef(a) // dies for good, and the inner one with it
			th.Checkpoint()
			if calls[a] != 1 || len(calls) != 2 {
				t.Errorf("calls %v", calls)
			}
			r.mustHold(t, th, 0)

			// A panic is reported, and nothing else is lost.
			calls = map[Ref]int{}
			finalized = func(th *Thread, r Ref) {
				th.Scope(func(*Scope) {
					if calls[r]++; len(calls) == 1 {
						panic("broken")
					}
				})
			}
			th.DecRefs([]Ref{newFinal(th, Nil), newFinal(th, Nil)})
			th.Checkpoint()
			if len(calls) != 2 || len(errs) != 1 {
				t.Errorf("calls %v, errors %v", calls, errs)
			}
			wantIn(t, fmt.Sprint(errs), "finalizer of final", "broken")
			r.mustHold(t, th, 0)
			return nil
		}))
		must0(t, r.Close())
	})
}

// TestFinalizeGarbage checks that finalizers of a cycle find all of it in place, and that
// objects they make reachable stay.
func TestFinalizeGarbage(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			calls := map[Ref]int{}
			holder := newNode(th, Nil)
			var rescue Ref
			finalized = func(th *Thread, r Ref) {
				calls[r]++
				next := th.Body(r).LoadRef(0)
				if th.TypeOf(next) != finalType {
					t.Error("a finalizer finds its cycle broken")
				}
				if r == rescue {
					setSlot(th, holder, 0, r)
				}
			}
			pair := func() (a Ref) {
				a = newFinal(th, Nil)
				b := newFinal(th, a)
				th.Body(a).StoreRef(0, b) // steals b
				th.IncRef(a)
				return a
			}
			a, c := pair(), pair()
			rescue = a
			wantCollected(t, th.Collect(), Collected{Candidates: 5})
			th.DecRefs([]Ref{a, c})
			wantCollected(t, th.Collect(), Collected{Candidates: 5, Garbage: 4, Finalized: 4, Resurrected: 2, Freed: 2})
			must0(t, th.Audit(holder))
			setSlot(th, holder, 0, Nil)
			wantCollected(t, th.Collect(), Collected{Candidates: 3, Garbage: 2, Freed: 2})
			for r, n := range calls {
				if n != 1 {
					t.Errorf("%s was finalized %d times", r, n)
				}
			}
			th.DecRef(holder)
			r.mustHold(t, th, 0)
			return nil
		}))
		must0(t, r.Close())
	})
}
