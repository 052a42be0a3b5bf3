// Package fault is how the library says what went wrong.
//
// Each message begins with "ichor: ", once. New and Errorf put it there. Errorf, and the
// types whose message has that of another error in it, take it off the inner one with Bare.
// What only ever becomes a part of another message begins without it: errors.New, fmt.Errorf
// and, around an error that may have the prefix, Partf make it.
//
// A message says what was found and then what was wanted: "list of 101 items, want at most
// 100".
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Prefix begins each message of the library.
const Prefix = "ichor: "

// New returns an error with the text. Any goroutine.
func New(text string) error { return errors.New(Prefix + text) }

// Errorf is fmt.Errorf for a message of the library. Errors among args lose their prefix in
// it, and are what the error wraps if the verb is %w. Any goroutine.
func Errorf(format string, args ...any) error { return Partf(Prefix+format, args...) }

// Partf is Errorf for what becomes a part of another message. Any goroutine.
func Partf(format string, args ...any) error {
	own := make([]any, len(args))
	for i, a := range args {
		own[i] = a
		if err, ok := a.(error); ok {
			own[i] = bare{err}
		}
	}
	return fmt.Errorf(format, own...)
}

// bare is an error without its prefix.
type bare struct{ error }

func (b bare) Error() string { return Bare(b.error) }
func (b bare) Unwrap() error { return b.error }

// Bare returns the message of err as a part of another one, without the prefix. Any goroutine.
func Bare(err error) string {
	return strings.ReplaceAll(strings.TrimPrefix(err.Error(), Prefix), "\n"+Prefix, "\n")
}

// BareValue is Bare for what was panicked with: an error, or anything else as %v prints it.
// Any goroutine.
func BareValue(v any) string {
	if err, ok := v.(error); ok {
		return Bare(err)
	}
	return fmt.Sprint(v)
}

// Kind is a sentinel that is a case of a more general one: errors.Is finds both. Immutable.
type Kind struct {
	Text string
	Of   error // the more general one
}

func (k *Kind) Error() string { return Prefix + k.Text }

// Unwrap returns the more general sentinel.
func (k *Kind) Unwrap() error { return k.Of }
