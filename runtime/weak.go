package runtime

import (
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// The weak table leads from an object to the weak references to it. It holds no
// count of either:
//
//	what dies        who                                 what happens
//	the object       the thread on which it dies         its entry goes, all its weak references are
//	                                                     emptied, their callbacks are due
//	a weak reference the thread on which it dies         it leaves its object's entry
//
// Both happen under the lock that the table has for an entry, so a weak reference
// in an entry is in place. A weak reference is emptied before its object's memory
// is free: and that waits for a grace period, as the object's weak bit is set. So
// a thread that has loaded the object from a weak reference may try to increment it
// until its next safe point.
//
// An attempt that succeeds does not say that the object has lived all along: a death
// that leads to a finalizer ends with a count of one again. The weak reference does:
//
//	death with a finalizer    count 0; weak references emptied; count 1 (Revive); finalizer due
//	followWeak                load the target; TryInc; load it again
//
// If TryInc has counted up from a count of before the death, that count has kept the
// object alive, and the second load finds it: only a stopped world empties the weak
// references to what lives, and it waits for this thread. If TryInc has counted up from
// the one of Revive, the weak reference was emptied before, and the second load finds
// Nil. Then the reference is given up: nobody has seen it, and if it has become the last
// one, the object dies as it would have died without it. No thread is the owner of what
// Revive has counted, and an owner's own count, in biased counting, goes down in the
// owner alone: so for the owner's local word the same holds, in one thread.

// weakRef is a weak reference as the table has it.
type weakRef struct {
	ref Ref // the object whose first word leads to the target; Nil if it has left
	fns []func(*Thread)
}

// weakRefs is an entry: the weak references to one object, oldest first.
//
//	alive = items of list that have not left
//	len(list) <= 2*alive, so leaving takes constant time, amortised
//
// It is read and changed under the entry's lock alone.
type weakRefs struct {
	list  []weakRef
	alive int
}

// Words of a weak reference's body.
const (
	weakTarget = 0 // leads to its object; Nil when that has died
	weakIndex  = 1 // its place in the entry's list; under the entry's lock
)

// linkWeak makes the object w, which nobody else has seen yet, a weak reference to
// target: word 0 of its body leads there until target dies, and word 1 is the
// table's. The functions, of which nil ones are passed over, are called afterwards, in their
// order, as Thread.Later does, unless w has died by then. To an immortal nothing is noted. The type of w has a Drop that calls
// unlinkWeak. Attached thread, which holds target or has borrowed it.
func (t *Thread) linkWeak(w, target Ref, fns ...func(*Thread)) {
	if target.IsNil() {
		fault.Throw(Misuse{What: "weak reference to a nil reference", On: w.String(), Want: "an object as the target"})
	}
	t.MustUse(w)
	o := t.Body(w)
	if t.IsImmortal(target) && !(mutant.On && mutant.Is(mutant.WeakMarks) && target.Handle < Limit) {
		o.StoreRef(weakTarget, target)
		return
	}
	t.SetWeak(target)
	var called []func(*Thread)
	for _, fn := range fns {
		if fn != nil {
			called = append(called, fn)
		}
	}
	if point.On {
		defer point.Whole(t.rt.weak)()
	}
	t.rt.weak.Compute(target, func(e weakRefs, _ bool) (weakRefs, bool) {
		o.StoreRef(weakTarget, target)
		o.SetWord(weakIndex, uint32(len(e.list)))
		return weakRefs{append(e.list, weakRef{w, called}), e.alive + 1}, false
	})
}

// unlinkWeak takes the weak reference w, which is borrowed and dead, out of the table. Attached
// thread.
func (t *Thread) unlinkWeak(w Ref) {
	target := t.Body(w).LoadRef(weakTarget)
	if target.IsNil() || target.Handle >= Limit {
		return
	}
	if point.On {
		defer point.Whole(t.rt.weak)()
	}
	t.rt.weak.Compute(target, func(e weakRefs, _ bool) (weakRefs, bool) {
		i := int(t.Body(w).Word(weakIndex))
		if i >= len(e.list) || e.list[i].ref != w {
			return e, e.alive == 0 // emptied meanwhile, or never noted
		}
		e.list[i] = weakRef{}
		if e.alive--; len(e.list) > 2*e.alive {
			e.list = t.closeRanks(e)
		}
		return e, e.alive == 0
	})
}

// closeRanks returns the entry's list without those that have left. The entry is
// locked.
func (t *Thread) closeRanks(e weakRefs) []weakRef {
	rest := make([]weakRef, 0, e.alive)
	for _, x := range e.list {
		if !x.ref.IsNil() {
			t.Body(x.ref).SetWord(weakIndex, uint32(len(rest)))
			rest = append(rest, x)
		}
	}
	return rest
}

// followWeak returns a new reference to what the weak reference w leads to, or Nil. w is
// borrowed. Attached thread.
func (t *Thread) followWeak(w Ref) Ref {
	t.MustUse(w)
	target := t.Body(w).LoadRef(weakTarget)
	if target.IsNil() {
		return Nil
	}
	if mutant.On && mutant.Is(mutant.WeakFromZero) && target.Handle < Limit {
		mutant.Dawdle()
		t.header(target).Inc(t.owner)
		return target
	}
	if !t.TryIncRef(target) {
		return Nil
	}
	if t.Body(w).LoadRef(weakTarget).IsNil() {
		t.DecRef(target) // it has died, and is to be finalized
		return Nil
	}
	return target
}

// clearWeak empties the weak references to r, which has died, and has their
// callbacks called later: the youngest reference's first. Those that the function
// garbage names, which may be nil, have died as well, and get no call.
func (t *Thread) clearWeak(r Ref, garbage func(Ref) bool) {
	if point.On {
		point.Load(t.rt.weak)
	}
	if _, ok := t.rt.weak.Load(r); !ok || mutant.On && mutant.Is(mutant.WeakKept) {
		return // nobody can add to it any more
	}
	if point.On {
		defer point.Whole(t.rt.weak)()
	}
	t.rt.weak.Compute(r, func(e weakRefs, _ bool) (weakRefs, bool) {
		for i := len(e.list) - 1; i >= 0; i-- {
			w := e.list[i]
			if w.ref.IsNil() {
				continue
			}
			t.Body(w.ref).StoreRef(weakTarget, Nil)
			if garbage != nil && garbage(w.ref) {
				continue
			}
			for _, fn := range w.fns {
				t.Later(fn)
			}
		}
		return weakRefs{}, true
	})
}
