package runtime

import (
	"runtime/debug"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/sched"
)

// Code of the user's that a death has made due: finalizers, callbacks of weak
// references, releases of foreign values. A death may come in the midst of
// anything, so nothing of it runs there. It waits in a list of the thread on which
// the object died:
//
//	waiting — in Thread.pending — what waits to be finalized has one reference, the
//	          list's — running (that thread, at its next safe point), orphaned (that
//	          thread, when it detaches, or waits in a callback)
//	orphaned — in Runtime.left — as waiting — waiting (the thread that comes to a safe
//	          point next, or Close)
//	running — taken from the list; what is being finalized is in Thread.finalizing — no
//	          lock is held, the world runs, and the thread is in it, or outside — done
//
// A safe point runs what was waiting when it began. What becomes due by that waits for the
// next one: so code that makes more of its kind due ends no safe point's right to return.
type pending struct {
	ref     Ref           // to finalize; the list holds a reference
	fn      func(*Thread) // or to call
	outside func()        // or to call outside the world
}

// Later has fn called at the thread's next safe point, with no lock held and the
// world running. fn may do anything but detach; a panic of it goes to
// Options.OnError. It is for Type.Drop and Type.Forget. Attached thread.
func (t *Thread) Later(fn func(*Thread)) { t.pending = append(t.pending, pending{fn: fn}) }

// LaterBlocking is Later for what may have to wait for other threads, or attaches by itself:
// fn is called outside the world, as in Blocking. Attached thread.
func (t *Thread) LaterBlocking(fn func()) { t.pending = append(t.pending, pending{outside: fn}) }

// revive has the dead object r finalized later, if it is to be and was not yet.
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

// finalizedWord finds the word that says whether the finalizer of r has been
// called. It is the last one of the slot, whatever the type's layout: the header
// never changes but for counting.
func (t *Thread) finalizedWord(r Ref) (o Body, word int) {
	return t.Block(r), int(t.rt.space.Granules(uint32(r.Handle)))*4 - 1
}

// runPending runs what is due. It is the end of each safe point. What it calls
// may reach safe points.
func (t *Thread) runPending() {
	if t.running || t.stopped {
		return
	}
	region := t.region
	t.running, t.region = true, nil
	defer func() { t.running, t.region = false, region }()
	for n := len(t.pending); n > 0 && len(t.pending) > 0; { // Blocking may have handed some to others
		n -= t.runNext(n)
	}
	if len(t.pending) == 0 {
		t.pending = nil
	}
}

// runNext runs the first entry of the list, or as many in a row as are for outside the
// world, but no more than most. It returns how many it has taken from the list.
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
	defer func() { // also where OnError has a word in it
		t.finalizing = Nil
		t.DecRef(p.ref)
	}()
	if !t.IsImmortal(p.ref) {
		t.finalize(p.ref)
	}
	return 1
}

// runOutside is runNext for calls outside the world. The list is the world's: what is
// called is taken out before, and put back if one of them ends the goroutine.
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

// PanicError is what Options.OnError gets: code of the user's, called at a safe
// point, has panicked, or has ended its goroutine: then Value is sched.ErrGoexit.
type PanicError struct {
	Where string // "finalizer of T", "callback", "release"
	Value any    // of the panic
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

// call runs fn and reports its panic. A call of runtime.Goexit is reported, and goes on
// to end the goroutine. A panic or a Goexit of OnError itself goes on, too.
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
			t.rt.logger().Error(fault.Prefix+"code that was called at a safe point has panicked",
				"runtime", t.rt.label, "where", where, "panic", p, "stack", string(err.Stack))
		}
	}()
	fn()
	returned = true
}

// leftovers are what threads had no time for before they detached.
type leftovers struct {
	some point.Bool // list is not empty
	mu   point.Mutex
	list []pending
}

// leavePending leaves what is due to whoever comes to a safe point next.
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

// adoptPending takes what others have left.
func (t *Thread) adoptPending() {
	l := &t.rt.left
	l.mu.Lock()
	defer l.mu.Unlock()
	t.pending = append(t.pending, l.list...)
	l.list = nil
	l.some.Store(false)
}
