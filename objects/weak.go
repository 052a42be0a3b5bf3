package objects

import (
	"github.com/ichor-go/ichor/internal/fault"
	rt "github.com/ichor-go/ichor/runtime"
)

// The body of a Weak is two words, which belong to the runtime: see rt.Thread.LinkWeak.
const weakBytes = 8

// A Weak's Traverse visits nothing, because a weak reference holds no count. The type has a
// Traverse so that its objects lie among the containers. There the collector can tell that
// a weak reference is garbage too, and then does not call its callbacks.
var weakType = core.Define(rt.TypeWeak, rt.Type{
	Name:     "weak",
	Traverse: func(rt.Heap, rt.Body, func(rt.Ref)) {},
	Drop:     func(t *rt.Thread, r rt.Ref, _ rt.Body) { core.UnlinkWeak(t, r) },
}, nil, nil)

// Weak is a weak reference: it leads to an object, its target, and does not keep it alive.
// It is emptied when the target dies, and stays empty. There is no call that borrows the
// target, because nothing would keep the target in place: Get takes a reference. Its
// methods borrow it. Any number of attached threads may use one at the same time.
type Weak rt.Ref

// NewWeak returns a new reference to a weak reference to target, of which it holds no
// count. The callbacks are called in order once target has died; nil ones are skipped. They
// run at the next safe point of the thread on which target died, with no lock held, and the
// weak reference is empty by then. If a finalizer saves the target, the weak reference
// stays empty and its callbacks are called all the same.
//
// If several weak references have one target, the callbacks of the youngest reference come
// first. Callbacks are called only for weak references that are alive when the target dies,
// so none are called if the collector finds both to be garbage. If one decrement ends both,
// the order in which they die is undefined. A callback may do anything but detach. If it
// panics, the panic goes to rt.Options.OnError, and the remaining callbacks are called.
// rt.Runtime.Close calls the callbacks that are left, while every object is still in place.
//
// An immortal target never dies: NewWeak registers no callbacks, and writes nothing to the
// target. The callbacks of an immortal weak reference are called. target is borrowed. The
// error is rt.ErrNilRef or rt.ErrMemoryLimit. Attached thread.
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

// Get returns a new reference to the target, and whether there is one. There is none after
// the target's death, or if w is not a weak reference. In lock-free mode, a target that has
// left a container lives until a grace period is over. Get increments its count unless that
// is 0. It tries again while other threads change the count: lock-free. (As in RCU: McKenney,
// Overview of Linux-Kernel Reference Counting, 2007.) Attached thread.
func (w Weak) Get(t *rt.Thread) (rt.Ref, bool) {
	if _, ok := t.Object(w, rt.TypeWeak); !ok {
		return rt.Nil, false
	}
	r := core.FollowWeak(t, w)
	return r, !r.IsNil()
}
