package runtime

import (
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/locks"
)

// Scope owns references and gives them up when it ends. It is the convenient way to hold new
// references; hot paths count by hand. An attached thread uses it, as long as it is the
// innermost open scope.
type Scope struct {
	t    *Thread
	base int // index of its first reference in t.owned
}

// scopeAbort carries an error from Own to Scope.
type scopeAbort struct {
	s   *Scope
	err error
}

// Scope runs fn and then gives up the references that its scope owns, even if fn panics. If Own
// or Check has ended fn, Scope returns their error. Scopes nest. Attached thread.
func (t *Thread) Scope(fn func(s *Scope)) (err error) {
	if t.depth == len(t.scopes) {
		t.scopes = append(t.scopes, &Scope{t: t})
	}
	s := t.scopes[t.depth]
	s.base = len(t.owned)
	t.depth++
	defer func() {
		s.close()
		if p := recover(); p != nil {
			a, ok := p.(scopeAbort)
			if !ok || a.s != s {
				panic(p)
			}
			err = a.err
		}
	}()
	fn(s)
	return nil
}

func (s *Scope) close() {
	t := s.t
	t.depth--
	mine := t.owned[s.base:]
	t.owned = t.owned[:s.base] // first, so that a misuse that panics below does not release anything twice
	if !(mutant.On && mutant.Is(mutant.ScopeForgets)) {
		t.DecRefs(mine)
	}
}

// Own steals r, keeps it until the scope ends, and returns it as a borrowed reference that is
// good until then. If err is not nil, Own ends the scope's function, and Scope returns the
// error. Own takes the results of a call:
//
//	item := s.Own(list.Get(t, 0))
//
// The result is assignable to any kind of reference; the function Own keeps the kind of its
// argument. Attached thread, in its innermost scope.
func (s *Scope) Own(r Ref, err error) Ref {
	s.mustBeOpen()
	if err != nil {
		panic(scopeAbort{s, err})
	}
	s.t.MustUse(r)
	if !r.IsNil() && r.Handle < Limit || r.IsFrozen() { // frozen ones too: Unload looks for them
		s.t.owned = append(s.t.owned, r)
	}
	return r
}

// Owned holds the arguments of Own until In is called, which has to happen once. Attached
// thread, the one that called Own.
type Owned[R ~Ref] struct {
	r   R
	err error
}

// Own is Scope.Own for a reference of any kind, and keeps its kind. In returns the result: the
// new reference is stolen, and comes back as a borrowed one that is good until the scope ends.
// Own takes the results of a call:
//
//	list := rt.Own(objects.NewList(t)).In(s)
//
// Attached thread.
func Own[R ~Ref](r R, err error) Owned[R] { return Owned[R]{r, err} }

// In passes the reference to the scope, and returns it as a borrowed one. If Own was given an
// error, In ends the scope's function with it. Attached thread, in its innermost scope.
func (o Owned[R]) In(s *Scope) R {
	s.Own(Ref(o.r), o.err)
	return o.r
}

// Check ends the scope's function with err if err is not nil, as Own does. Attached thread, in
// its innermost scope.
func (s *Scope) Check(err error) {
	if err != nil {
		s.mustBeOpen()
		panic(scopeAbort{s, err})
	}
}

// Keep borrows r, and returns a new reference to it, which outlives the scope. Attached thread,
// in its innermost scope.
func (s *Scope) Keep(r Ref) Ref {
	s.mustBeOpen()
	s.t.IncRef(r)
	return r
}

// Len returns how many counted and frozen references the scope owns. Attached thread, in its
// innermost scope.
func (s *Scope) Len() int {
	s.mustBeOpen()
	return len(s.t.owned) - s.base
}

// String returns the scope's number, which is 1 for the thread's outermost one, and its thread.
func (s *Scope) String() string {
	return fmt.Sprintf("scope %d of %s", slices.Index(s.t.scopes, s)+1, s.t.name())
}

// A call of the library that reaches safe points may hold counts meanwhile that no other record
// shows. It announces them for as long as it has them: see Thread.Audit.
//
//	Thread.holds = the calls in progress on the thread that hold counts
//
// Calls end in any order, since a loop over a container may be driven by iter.Pull. The list
// belongs to the thread, and other threads read it while the world is stopped. So the thread
// changes it only while it is in the world.

// holder is a call that holds counts.
type holder interface {
	held(visit func(Ref)) // calls visit for each count
}

// refsHolder holds a count for each entry of a slice, which may change.
type refsHolder struct{ refs *[]Ref }

func (h refsHolder) held(visit func(Ref)) {
	for _, r := range *h.refs {
		visit(r)
	}
}

// Hold announces to Audit the references that a call holds across safe points: one count for
// each entry of *refs, which the call may change while its thread is in the world. They are
// borrowed: nothing is counted or given up. End it with Unhold, even after a panic. Attached
// thread.
func (t *Thread) Hold(refs *[]Ref) { t.hold(refsHolder{refs}) }

// Unhold undoes Hold with the same slice, whose references are borrowed. It does nothing if
// that was undone already. Attached thread.
func (t *Thread) Unhold(refs *[]Ref) { t.unhold(refsHolder{refs}) }

func (t *Thread) hold(h holder) { t.holds = append(t.holds, h) }

// unhold searches from the end, since calls mostly end in reverse order.
func (t *Thread) unhold(h holder) {
	for i := len(t.holds) - 1; i >= 0; i-- {
		if t.holds[i] == h {
			t.holds = slices.Delete(t.holds, i, i+1)
			return
		}
	}
}

// A container's lock is a leaf: between locking and unlocking there is no safe point, no other
// lock except the second of a pair, and no user code. But there may be a panic, since a
// reference that was given up once too often shows wherever it is counted. The panic ends the
// write, and the lock stays locked. So a thread records which words it has locked:
//
//	locked[0], locked[1]  the words of the locks that the thread holds; nil for none
//
// The thread unlocks what a panic has left locked when it reaches a safe point, which includes
// detaching, and before it takes another lock.

// Lock locks the mutex in word i of the mutable object o for a write. Under the GIL it does
// nothing, since no other thread runs. Until Unlock the thread must not wait, call user code,
// or take another lock: for a pair see Lock2. Attached thread.
func (t *Thread) Lock(o Body, i int) {
	if t.rt.gil == nil {
		if t.locked[0] != nil {
			t.unlockLeft()
		}
		if !locks.TryLock(o.word(i)) {
			t.waitForLock(o.word(i))
		}
		t.locked[0] = o.word(i)
	}
}

func (t *Thread) waitForLock(w *uint32) {
	t.wait(WaitLock, func() { locks.Lock(w) })
}

// Unlock undoes Lock. Attached thread.
func (t *Thread) Unlock(o Body, i int) {
	if t.rt.gil == nil {
		t.locked[0] = nil
		locks.Unlock(o.word(i))
	}
}

// Lock2 locks word i of both a and b, which may be the same. Attached thread.
func (t *Thread) Lock2(a, b Body, i int) {
	if t.rt.gil == nil {
		if t.locked[0] != nil {
			t.unlockLeft()
		}
		if !locks.TryLock2(a.word(i), b.word(i)) {
			t.waitForLocks(a.word(i), b.word(i))
		}
		t.locked = [2]*uint32{a.word(i), b.word(i)}
	}
}

func (t *Thread) waitForLocks(a, b *uint32) {
	t.wait(WaitLock, func() { locks.Lock2(a, b) })
}

// Unlock2 undoes Lock2. Attached thread.
func (t *Thread) Unlock2(a, b Body, i int) {
	if t.rt.gil == nil {
		t.locked = [2]*uint32{}
		locks.Unlock2(a.word(i), b.word(i))
	}
}

// unlockLeft unlocks the locks that a panic has left locked.
func (t *Thread) unlockLeft() {
	left := t.locked
	t.locked = [2]*uint32{}
	if left[1] == nil {
		left[1] = left[0]
	}
	locks.Unlock2(left[0], left[1])
}
