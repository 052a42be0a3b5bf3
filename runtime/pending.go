package runtime

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// Code of the user's that a death has made due: finalizers, callbacks of weak
// references, releases of foreign values. A death may come in the midst of
// anything, so nothing of it runs there. It waits in a list of the thread on which
// the object died:
//
//	waiting — in Thread.pending — who waits to be finalized has one reference, the
//	          list's — running (that thread, at its next safe point), orphaned (that
//	          thread, when it detaches, or waits in a callback)
//	orphaned — in Runtime.left — as waiting — waiting (whoever comes to a safe
//	          point next, or Close)
//	running — taken from the list — no lock is held, the world runs — done
type pending struct {
	ref Ref           // to finalize; the list holds a reference
	fn  func(*Thread) // or to call
}

// Later has fn called at the thread's next safe point, with no lock held and the
// world running. fn may do anything but detach; a panic of it goes to
// Options.OnError. It is for Type.Drop and Type.Forget. Attached thread.
func (t *Thread) Later(fn func(*Thread)) { t.pending = append(t.pending, pending{fn: fn}) }

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
	return t.Block(r), int(t.rt.space.Granules(uint32(r)))*4 - 1
}

// runPending runs what is due. It is the end of each safe point. What it calls
// may reach safe points: what becomes due there runs after it.
func (t *Thread) runPending() {
	if t.running || t.stopped {
		return
	}
	region := t.region
	t.running, t.region = true, nil
	defer func() { t.running, t.region = false, region }()
	for len(t.pending) > 0 {
		p := t.pending[0]
		t.pending = t.pending[1:]
		if p.fn != nil {
			t.call("callback", p.fn)
		} else {
			t.finalize(p.ref)
			t.DecRef(p.ref)
		}
	}
	t.pending = nil
}

// finalize calls the finalizer of r.
func (t *Thread) finalize(r Ref) {
	y := t.TypeOf(r)
	t.call("finalizer of "+y.Name, func(t *Thread) { y.Finalize(t, r) })
}

// PanicError is what Options.OnError gets: code of the user's, called at a safe
// point, has panicked.
type PanicError struct {
	Where string // "finalizer of T", "callback"
	Value any    // of the panic
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("ichor: %s: panic: %v", e.Where, e.Value) }

// call runs fn and reports its panic. Scopes that it has left open are closed.
func (t *Thread) call(where string, fn func(*Thread)) {
	depth := t.depth
	defer func() {
		p := recover()
		for t.depth > depth {
			t.scopes[t.depth-1].close()
		}
		if p == nil {
			return
		}
		err := &PanicError{where, p, debug.Stack()}
		if t.rt.opts.OnError != nil {
			t.rt.opts.OnError(err)
		} else {
			slog.Error("ichor: code that was called at a safe point has panicked",
				"where", where, "panic", p, "stack", string(err.Stack))
		}
	}()
	fn(t)
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
