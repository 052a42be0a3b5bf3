package runtime

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
)

// Errors that many calls share, for errors.Is. An error of a single kind of call is declared
// beside that call.
var (
	// ErrMemoryLimit says that an allocation would exceed Options.MemoryLimit.
	ErrMemoryLimit = arena.ErrLimit
	// ErrAddressSpace says that Options.AddressSpace is used up. For errors.Is, it is also an
	// ErrMemoryLimit.
	ErrAddressSpace = arena.ErrAddressSpace
	// ErrClosed says that the runtime is closed, or is being closed.
	ErrClosed = fault.New("runtime is closed")
	// ErrNilRef says that a reference is Nil where an object is wanted.
	ErrNilRef = fault.New("nil reference")
)

// SizeError says that something would be larger than it may be.
type SizeError struct {
	Of   string // "list", "body of a point"
	Size int64
	Unit string // "items", "bytes"
	Most int64
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s%s of %d %s, want 0 to %d", fault.Prefix, e.Of, e.Size, e.Unit, e.Most)
}

// OptionsError names an option with an invalid value.
type OptionsError struct {
	Option string // "MemoryLimit", "JSONOptions.MaxDepth"
	Value  any
	Want   string
}

func (e *OptionsError) Error() string {
	return fmt.Sprintf("%soption %s is %v, want %s", fault.Prefix, e.Option, e.Value, e.Want)
}

// TypeError says that an object has another type than the call needs.
type TypeError struct{ Want, Got string }

func (e *TypeError) Error() string {
	return fmt.Sprintf("%swant %s, got %s", fault.Prefix, e.Want, e.Got)
}

// WantType returns a *TypeError for the object r, which is not of the wanted type. r is
// borrowed. Attached thread.
func (t *Thread) WantType(r Ref, want TypeID) error {
	got := "nil reference"
	if y := t.TypeOf(r); y != nil {
		got = y.String()
	}
	return &TypeError{Want: types.table[want].Load().String(), Got: got}
}

// allocError translates an error of the allocator to the one that users get.
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

// Misuse is the value of a panic over a broken contract: an object that is used after it was
// freed, a thread that is not attached, a lock that is not locked. Only checked mode finds every
// one; other modes find what costs nothing to find. It is an error. Its fields are strings:
//
//	What     the violation: "use after free"
//	Call     the function that was called: "Thread.DecRef", "List.Append"
//	On       its receiver or argument: "list 0x00000120", "thread 3"
//	Want     what the contract asks for
//	Type     the type of the object, if it is about one and the type is known
//	History  in checked mode the events of the object, with the user's lines;
//	         elsewhere the stacks that explain it, if any
//
// docs/errors.md says for each of them what to do. Immutable.
type Misuse = fault.Misuse

// The contracts, as Misuse.Want puts them.
const (
	wantAlive    = "a live object of this runtime"
	wantAttached = "an attached thread that is not in Blocking"
	wantOutside  = "a goroutine that is not attached: use the thread that it has, or call this in Blocking"
)

// misuse panics with a *Misuse about the object r.
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

// misused panics with a *Misuse about a call on the thread.
func (t *Thread) misused(what, want string) {
	fault.Throw(Misuse{What: what, On: t.name(), Want: want})
}

// mustBeOpen panics unless the scope is the innermost open one. It is inlined.
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
