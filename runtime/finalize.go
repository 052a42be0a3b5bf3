package runtime

import (
	"runtime/debug"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/sched"
)

// A pending is user code that a death has made due: a finalizer, a callback of a weak
// reference, or a release of a foreign value. An object can die in the middle of any call, so
// this code does not run there. It waits in a list of the thread on which the object died.
//
//	state — condition — invariant — transition (by)
//	waiting — in Thread.pending — an object to be finalized has one reference, the
//	          list's — running (that thread, at its next safe point), orphaned (that
//	          thread, when it detaches, or waits in a callback)
//	orphaned — in Runtime.left — as waiting — waiting (the next thread that reaches a safe
//	          point, or Close)
//	running — removed from the list; an object to be finalized is in Thread.finalizing —
//	          no lock is held, the world runs, and the thread is in it, or outside — done
//
// A safe point runs the entries that were waiting when it began. Entries that these add wait
// for the next safe point. So a safe point returns even if each finalizer makes another one
// due.
type pending struct {
	ref     Ref           // to be finalized; the list holds a reference
	fn      func(*Thread) // or: to be called
	outside func()        // or: to be called outside the world
}

// Later schedules fn for the thread's next safe point, where it is called with no lock held and
// the world running. fn may do anything but detach; a panic in it goes to Options.OnError.
// Later is for Type.Drop and Type.Forget. Attached thread.
func (t *Thread) Later(fn func(*Thread)) { t.pending = append(t.pending, pending{fn: fn}) }

// LaterBlocking is Later for a function that may wait for other threads, or that attaches by
// itself: fn is called outside the world, as in Blocking. Attached thread.
func (t *Thread) LaterBlocking(fn func()) { t.pending = append(t.pending, pending{outside: fn}) }

// revive makes the finalizer of the dead object r due, if r has one that was not called yet,
// and reports whether it did.
func (t *Thread) revive(r Ref, y *Type) bool {
	if y.Finalize == nil || t.rt.ending {
		return false
	}
	o, word := t.finalizedWord(r)
	if o.Word(word) != 0 {
		return false
	}
	if !(mutant.On && mutant.Is(mutant.FinalizesTwice)) {
		o.SetWord(word, 1)
	}
	t.header(r).Revive()
	if mutant.On && mutant.Is(mutant.FinalizerLost) {
		return true
	}
	t.pending = append(t.pending, pending{ref: r})
	return true
}

// finalizedWord finds the word that records whether the finalizer of r was called. It is the
// last word of the object's slot, whatever the type's layout is, since the header changes only
// by counting.
func (t *Thread) finalizedWord(r Ref) (o Body, word int) {
	return t.Block(r), int(t.rt.space.Granules(uint32(r.Handle)))*4 - 1
}

// runPending runs the code that is due. Every safe point ends with it. The code that it calls
// may reach safe points.
func (t *Thread) runPending() {
	if t.running || t.stopped {
		return
	}
	region := t.region
	t.running, t.region = true, nil
	defer func() { t.running, t.region = false, region }()
	for n := len(t.pending); n > 0 && len(t.pending) > 0; { // Blocking may have handed some entries to other threads
		n -= t.runNext(n)
	}
	if len(t.pending) == 0 {
		t.pending = nil
	}
}

// runNext runs the first entry of the list. If it is a call outside the world, runNext also
// runs the ones that follow it, up to most calls in all. It returns how many entries it has
// removed from the list.
func (t *Thread) runNext(most int) int {
	p := t.pending[0]
	if p.outside != nil {
		return t.runOutside(min(most, len(t.pending)))
	}
	t.pending = t.pending[1:]
	if p.fn != nil {
		t.call("callback", func() { p.fn(t) })
		return 1
	}
	t.finalizing = p.ref
	defer func() { // even if OnError panics
		t.finalizing = Nil
		t.DecRef(p.ref)
	}()
	if !t.IsImmortal(p.ref) {
		t.finalize(p.ref)
	}
	return 1
}

// runOutside is runNext for calls outside the world. The list may be used only in the world. So
// the entries are removed before the calls, and those not yet called are put back if a call
// ends the goroutine.
func (t *Thread) runOutside(most int) int {
	n := 1
	for n < most && t.pending[n].outside != nil {
		n++
	}
	row := t.pending[:n:n]
	t.pending = t.pending[n:]
	done := 0
	defer func() { t.pending = append(row[done:], t.pending...) }()
	t.outside(func() {
		for _, p := range row {
			done++
			t.call("release", p.outside)
		}
	})
	return n
}

// finalize calls the finalizer of r.
func (t *Thread) finalize(r Ref) {
	y := t.TypeOf(r)
	t.call("finalizer of "+y.String(), func() { y.Finalize(t, r) })
}

// PanicError is the error that Options.OnError gets when user code at a safe point has
// panicked, or has ended its goroutine. In the second case Value is sched.ErrGoexit.
type PanicError struct {
	Where string // "finalizer of T", "callback", "release"
	Value any    // the value of the panic
	Stack []byte
}

func (e *PanicError) Error() string {
	if e.Value == sched.ErrGoexit {
		return fault.Prefix + e.Where + ": runtime.Goexit was called"
	}
	return fault.Prefix + e.Where + ": panic: " + fault.BareValue(e.Value)
}

// Unwrap returns the value if it is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// call runs fn and reports its panic. A call of runtime.Goexit is reported, and then ends the
// goroutine. A panic or a Goexit in OnError itself is not recovered.
func (t *Thread) call(where string, fn func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		p := recover()
		if p == nil {
			p = sched.ErrGoexit
		}
		err := &PanicError{where, p, debug.Stack()}
		if t.rt.opts.OnError != nil {
			t.rt.opts.OnError(err)
		} else {
			t.rt.logger().Error(fault.Prefix+"user code panicked at a safe point",
				"runtime", t.rt.label, "where", where, "panic", p, "stack", string(err.Stack))
		}
	}()
	fn()
	returned = true
}

// leftovers are pendings of threads that detached before running them.
type leftovers struct {
	some point.Bool // list is not empty
	mu   point.Mutex
	list []pending
}

// leavePending leaves the thread's pendings to the next thread that reaches a safe point.
func (t *Thread) leavePending() {
	if len(t.pending) == 0 {
		return
	}
	l := &t.rt.left
	l.mu.Lock()
	defer l.mu.Unlock()
	if !(mutant.On && mutant.Is(mutant.PendingLost)) {
		l.list = append(l.list, t.pending...)
	}
	l.some.Store(true)
	t.pending = nil
}

// adoptPending takes the pendings that other threads have left.
func (t *Thread) adoptPending() {
	l := &t.rt.left
	l.mu.Lock()
	defer l.mu.Unlock()
	t.pending = append(t.pending, l.list...)
	l.list = nil
	l.some.Store(false)
}

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
