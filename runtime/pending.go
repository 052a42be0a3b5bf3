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
