package runtime

import (
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/internal/mutant"
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
