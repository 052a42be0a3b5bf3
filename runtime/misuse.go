package runtime

import (
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/internal/fault"
)

// Misuse is what a panic over a broken contract carries, in every mode: an object that is
// used after it was freed, a thread that is not attached, a lock that is not locked. It is
// an error. Its fields are strings:
//
//	What     what is wrong: "use after free"
//	Call     what was called: "Thread.DecRef", "List.Append"
//	On       what it was called on or with: "list 0x00000120", "thread 3"
//	Want     what the contract asks for
//	Type     the type of the object, if it is about one and the type is known
//	History  in checked mode what happened to the object, with the user's lines;
//	         elsewhere the stacks that explain it, if any
//
// docs/errors.md says of each what to do. Immutable.
type Misuse = fault.Misuse

// What the contracts ask for.
const (
	wantAlive    = "an object of this runtime that is alive"
	wantAttached = "a thread between Attach and Detach that is not in Blocking"
	wantOutside  = "a goroutine that is not attached: use the thread that it has, or call this in Blocking"
)

// misuse panics over the object r.
func (t *Thread) misuse(r Ref, what string) {
	if t.check != nil {
		t.check.misuse(r, what)
	}
	m := Misuse{What: what, On: "object " + r.String(), Want: wantAlive}
	if y := typeOf(t.header(r).Meta()); y != nil {
		m.Type, m.On = y.String(), y.String()+" "+r.String()
	}
	fault.Throw(m)
}

func (t *Thread) mustBeAttached() {
	if !t.attached {
		t.misused("the thread is not attached", wantAttached)
	}
}

// misused panics over a call on the thread.
func (t *Thread) misused(what, want string) {
	fault.Throw(Misuse{What: what, On: t.name(), Want: want})
}

// mustBeOpen panics unless the scope is the innermost one that is open. It is inlined.
func (s *Scope) mustBeOpen() {
	if t := s.t; t.depth == 0 || t.scopes[t.depth-1] != s {
		s.notOpen()
	}
}

func (s *Scope) notOpen() {
	t := s.t
	m := Misuse{What: "the scope has ended", On: s.String(), Want: "a scope whose function is running"}
	if slices.Index(t.scopes, s) < t.depth {
		m.What, m.Want = "the scope is not the innermost one", fmt.Sprintf("the innermost one, which is scope %d", t.depth)
	}
	fault.Throw(m)
}
