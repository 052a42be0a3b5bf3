package runtime

import (
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// The weak table leads from an object to the weak references to it. It holds no count of
// either:
//
//	death of         on            effect
//	the object       any thread    its entry is removed, all its weak references are
//	                               emptied, their callbacks become due
//	a weak reference any thread    it leaves its object's entry
//
// Both happen under the entry's lock in the table, so the memory of a weak reference in an
// entry is in place. A weak reference is emptied before its object's memory is freed, and the
// memory waits for a grace period since the object's weak bit is set. So a thread that has
// loaded the object from a weak reference may try to increment its count until the thread's
// next safe point.
//
// A successful attempt does not prove that the object has lived all along, since a death that
// leads to a finalizer ends with a count of one. The weak reference tells the two cases apart:
//
//	death with a finalizer    count 0; empty weak references; count 1 (Revive); finalizer due
//	followWeak                load the target; TryInc; load it again
//
// If TryInc has incremented a count from before any death, it has kept the object alive since,
// and the second load finds the object. (Only a stop of the world empties weak references to
// live objects, and it waits for this thread.) If TryInc has incremented the count of one that
// Revive stored, the weak reference was emptied before, and the second load finds Nil. Then
// followWeak gives the reference up. No other code has seen it. If it has become the last one,
// the object dies as it would have died without it. Biased counting is no exception: no thread
// owns an object that Revive has counted, and an owner's local count changes in the owner
// alone, in program order.

// weakRef is a weak reference as an item of an entry.
type weakRef struct {
	ref Ref // the object whose first word leads to the target; Nil if it has left the entry
	fns []func(*Thread)
}

// weakRefs is an entry of the table: the weak references to one object, oldest first.
//
//	alive = items of list that have not left
//	len(list) <= 2*alive, so leaving takes amortised constant time
//
// It is read and changed only under the entry's lock.
type weakRefs struct {
	list  []weakRef
	alive int
}

// Words of a weak reference's body.
const (
	weakTarget = 0 // the target; Nil when that has died
	weakIndex  = 1 // index in the entry's list; under the entry's lock
)

// linkWeak makes the unpublished object w a weak reference to target. Word 0 of its body leads
// to target until target dies; word 1 belongs to the table. The functions that are not nil are
// called after that death in their order, as by Thread.Later, unless w has died by then. For an
// immortal target there is no entry. The type of w has a Drop that calls unlinkWeak. Attached
// thread, which holds target or has borrowed it.
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

// unlinkWeak removes the weak reference w, which is borrowed and dead, from the table. Attached
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
			return e, e.alive == 0 // emptied meanwhile, or never entered
		}
		e.list[i] = weakRef{}
		if e.alive--; len(e.list) > 2*e.alive {
			e.list = t.closeRanks(e)
		}
		return e, e.alive == 0
	})
}

// closeRanks returns the entry's list without the items that have left. The entry is locked.
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

// followWeak returns a new reference to the target of the weak reference w, or Nil. w is
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
		t.DecRef(target) // it has died, and its finalizer is due
		return Nil
	}
	return target
}

// clearWeak empties the weak references to r, which has died, and makes their callbacks due,
// the youngest reference's first. A weak reference for which garbage returns true has died as
// well, and gets no callback. garbage may be nil.
func (t *Thread) clearWeak(r Ref, garbage func(Ref) bool) {
	if point.On {
		point.Load(t.rt.weak)
	}
	if _, ok := t.rt.weak.Load(r); !ok || mutant.On && mutant.Is(mutant.WeakKept) {
		return // no thread can add to it any more
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
