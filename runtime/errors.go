package runtime

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
)

// Errors of many calls, for errors.Is. Those of one kind of call are beside it.
var (
	// ErrMemoryLimit says that there is no memory within Options.MemoryLimit.
	ErrMemoryLimit = arena.ErrLimit
	// ErrAddressSpace says that Options.AddressSpace is used up. It is an ErrMemoryLimit.
	ErrAddressSpace = arena.ErrAddressSpace
	// ErrClosed says that the runtime is closed, or about to be.
	ErrClosed = fault.New("runtime is closed")
	// ErrNilRef says that a reference is Nil where an object is wanted.
	ErrNilRef = fault.New("nil reference")
)

// SizeError says that something would be larger than it can be.
type SizeError struct {
	Of   string // "list", "body of a point"
	Size int64
	Unit string // "items", "bytes"
	Most int64
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s%s of %d %s, want 0 to %d", fault.Prefix, e.Of, e.Size, e.Unit, e.Most)
}

// OptionsError says which option has a value that it cannot have.
type OptionsError struct {
	Option string // "MemoryLimit", "JSONOptions.MaxDepth"
	Value  any
	Want   string
}

func (e *OptionsError) Error() string {
	return fmt.Sprintf("%soption %s is %v, want %s", fault.Prefix, e.Option, e.Value, e.Want)
}

// TypeError says that an object is of another type than a call needs.
type TypeError struct{ Want, Got string }

func (e *TypeError) Error() string {
	return fmt.Sprintf("%swant %s, got %s", fault.Prefix, e.Want, e.Got)
}

// WantType returns the error for an object that is not of the type that a call needs. r is
// borrowed. Attached thread.
func (t *Thread) WantType(r Ref, want TypeID) error {
	got := "nil reference"
	if y := t.TypeOf(r); y != nil {
		got = y.String()
	}
	return &TypeError{Want: types.table[want].Load().String(), Got: got}
}

// allocError returns the error of an allocation for users.
func allocError(err error) error {
	if err == nil || errors.Is(err, ErrMemoryLimit) {
		return limitError(err)
	}
	return fault.Errorf("%w", err)
}

// limitError returns the sentinel alone if err is about a limit, else err.
func limitError(err error) error {
	switch {
	case errors.Is(err, ErrAddressSpace):
		return ErrAddressSpace
	case errors.Is(err, ErrMemoryLimit):
		return ErrMemoryLimit
	}
	return err
}

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
