package runtime

import (
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/locks"
)

// Scope owns references and gives them up at its end. It is the comfortable way to hold
// new references; hot paths count by hand. An attached thread uses it, as long as it is
// the innermost one that is open.
type Scope struct {
	t    *Thread
	base int // of its references in t.owned
}

// scopeAbort carries an error from Own to Scope.
type scopeAbort struct {
	s   *Scope
	err error
}

// Scope runs fn and then gives up the references that its scope owns, also when
// fn panics. It returns the error that ended fn through Own, if any. Scopes nest.
// Attached thread.
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
	t.owned = t.owned[:s.base] // first: a misuse that panics below is not released twice
	if !(mutant.On && mutant.Is(mutant.ScopeForgets)) {
		t.DecRefs(mine)
	}
}

// Own steals r, keeps it until the scope ends, and returns it as a borrowed
// reference that is good that long. If err is not nil, Own ends the scope's
// function: Scope returns the error. It takes the results of a call:
//
//	item := s.Own(list.Get(t, 0))
//
// The reference has the kind that it is assigned to; the function Own keeps the call's.
// Attached thread, in its innermost scope.
func (s *Scope) Own(r Ref, err error) Ref {
	s.mustBeOpen()
	if err != nil {
		panic(scopeAbort{s, err})
	}
	s.t.MustUse(r)
	if !r.IsNil() && r.Handle < Limit || r.IsFrozen() { // Unload looks for frozen ones
		s.t.owned = append(s.t.owned, r)
	}
	return r
}

// Owned is what Own has been given. Attached thread, the one that called Own, once.
type Owned[R ~Ref] struct {
	r   R
	err error
}

// Own is Scope.Own for a reference of whatever kind, which it returns as that: a new
// reference is stolen, and comes back as a borrowed one that is good until the scope ends.
// It takes the results of a call, and goes on with In:
//
//	list := rt.Own(objects.NewList(t)).In(s)
//
// Attached thread.
func Own[R ~Ref](r R, err error) Owned[R] { return Owned[R]{r, err} }

// In has the scope own the reference, and returns it as a borrowed one; if there was an
// error, it ends the scope's function with it. Attached thread, in its innermost scope.
func (o Owned[R]) In(s *Scope) R {
	s.Own(Ref(o.r), o.err)
	return o.r
}

// Check ends the scope's function if err is not nil, as Own does. Attached thread, in its
// innermost scope.
func (s *Scope) Check(err error) {
	if err != nil {
		s.mustBeOpen()
		panic(scopeAbort{s, err})
	}
}

// Keep borrows r, and returns a new reference to it, which outlives the scope. Attached
// thread, in its innermost scope.
func (s *Scope) Keep(r Ref) Ref {
	s.mustBeOpen()
	s.t.IncRef(r)
	return r
}

// Len returns how many references the scope owns that are counted, or lead into what is frozen. Attached thread, in its
// innermost scope.
func (s *Scope) Len() int {
	s.mustBeOpen()
	return len(s.t.owned) - s.base
}

// String says which scope it is: 1 is the thread's outermost one.
func (s *Scope) String() string {
	return fmt.Sprintf("scope %d of %s", slices.Index(s.t.scopes, s)+1, s.t.name())
}

// A call of the library that reaches safe points may hold counts of its own meanwhile,
// which nobody else knows of. It says so for as long as it has them: see Thread.Audit.
//
//	Thread.holds = the calls under way on the thread that hold counts
//
// They end in any order: a loop over a container may be one of iter.Pull. The list is the
// thread's, and read by others while the world is stopped. So it changes while the thread is
// in the world.

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

// Hold has Audit know of references that a call holds across safe points: one count for each
// entry of *refs, which the call may change while its thread is in the world. They are
// borrowed: nothing is counted or given up. End it with Unhold, also after a panic. Attached
// thread.
func (t *Thread) Hold(refs *[]Ref) { t.hold(refsHolder{refs}) }

// Unhold ends what Hold began with the same slice, whose references are borrowed; it does
// nothing if that has ended. Attached thread.
func (t *Thread) Unhold(refs *[]Ref) { t.unhold(refsHolder{refs}) }

func (t *Thread) hold(h holder) { t.holds = append(t.holds, h) }

// unhold looks from the end: a call that began last ends first, as a rule.
func (t *Thread) unhold(h holder) {
	for i := len(t.holds) - 1; i >= 0; i-- {
		if t.holds[i] == h {
			t.holds = slices.Delete(t.holds, i, i+1)
			return
		}
	}
}

// A container's lock is a leaf: between locking and unlocking there is no safe point, no
// other lock but the second of a pair, and no code of users. But there may be a panic: a
// reference that somebody has given up once too often shows wherever it is counted. It ends
// the write, and leaves the lock. So a thread notes which words it holds:
//
//	locked[0], locked[1]  the words of locks that the thread holds; nil for none
//
// What a panic has left is unlocked when the thread comes to a safe point, which it does at
// its end, and before it takes another lock.

// Lock locks word i of o, the mutex of a mutable object, for a write; under the GIL it does
// nothing, as no other thread runs. Nothing that may wait or call users' code comes before
// Unlock, and no other lock: for a pair see Lock2. Attached thread.
func (t *Thread) Lock(o Body, i int) {
	if t.rt.gil == nil {
		if t.locked[0] != nil {
			t.unlockLeft()
		}
		locks.Lock(o.word(i))
		t.locked[0] = o.word(i)
	}
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
		locks.Lock2(a.word(i), b.word(i))
		t.locked = [2]*uint32{a.word(i), b.word(i)}
	}
}

// Unlock2 undoes Lock2. Attached thread.
func (t *Thread) Unlock2(a, b Body, i int) {
	if t.rt.gil == nil {
		t.locked = [2]*uint32{}
		locks.Unlock2(a.word(i), b.word(i))
	}
}

// unlockLeft unlocks what a panic has left locked.
func (t *Thread) unlockLeft() {
	left := t.locked
	t.locked = [2]*uint32{}
	if left[1] == nil {
		left[1] = left[0]
	}
	locks.Unlock2(left[0], left[1])
}
