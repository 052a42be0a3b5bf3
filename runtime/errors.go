package runtime

import (
	"errors"
	"fmt"

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
