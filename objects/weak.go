package objects

import (
	"github.com/ichor-go/ichor/internal/fault"
	rt "github.com/ichor-go/ichor/runtime"
)

// A Weak's body is two words, which are the runtime's: see rt.Thread.LinkWeak.
const weakBytes = 8

// Weak visits nothing, as it holds no count. It has a Traverse all the same: so it
// lies among the containers, where the collector can tell that a weak reference is
// garbage itself, and then its callbacks are not called.
var weakType = core.Define(rt.TypeWeak, rt.Type{
	Name:     "weak",
	Traverse: func(rt.Heap, rt.Body, func(rt.Ref)) {},
	Drop:     func(t *rt.Thread, r rt.Ref, _ rt.Body) { core.UnlinkWeak(t, r) },
}, nil)

// Weak is a weak reference: it leads to an object, its target, and does not keep it alive.
// When the target dies it is emptied, for good. There is no borrowed look at the target,
// since nothing keeps it in place: Get takes a reference. Its methods borrow it. Any
// number of attached threads use one at the same time.
type Weak rt.Ref

// NewWeak returns a new reference to a weak reference to target, of which it holds
// no count. The callbacks, of which nil ones are passed over, are called in their
// order once target has died: at the next safe point of the thread on which it
// died, with no lock held, when the weak reference leads nowhere any more. A
// finalizer that saves the target does not bring them back.
//
// Callbacks of several weak references to one target come youngest reference
// first. Only those are called whose weak reference is alive when the target dies:
// none, where the collector finds both to be garbage. Where one decrement ends
// both, the order in which they die is not determined. A callback may do anything
// but detach; what it panics with goes to rt.Options.OnError, and the others are
// called. rt.Runtime.Close calls those that are left, while everything is in place.
//
// An immortal target never dies: nothing is noted then, and nothing is written to it.
// Callbacks of an immortal weak reference are called. target is borrowed. Attached thread.
func NewWeak(t *rt.Thread, target rt.Ref, callbacks ...func(t *rt.Thread)) (Weak, error) {
	t.MustUse(target)
	if target.IsNil() {
		return rt.Nil, fault.Errorf("new weak: target: %w", rt.ErrNilRef)
	}
	r, _, err := t.New(weakType, weakBytes)
	if err != nil {
		return rt.Nil, err
	}
	core.LinkWeak(t, r, target, callbacks...)
	return r, nil
}

// Get returns a new reference to the target, and whether there is one: not after
// its death, nor if w is no weak reference. It loads the target and increments its
// count unless that is 0, which it tries again while others count: lock-free.
// (Conditional increment within a grace period, as in RCU: McKenney, Overview of
// Linux-Kernel Reference Counting, 2007.) Attached thread.
func (w Weak) Get(t *rt.Thread) (rt.Ref, bool) {
	if _, ok := t.Object(w, rt.TypeWeak); !ok {
		return rt.Nil, false
	}
	r := core.FollowWeak(t, w)
	return r, !r.IsNil()
}
