// Package fault has the errors and panics of the library, and the form of their messages.
//
// Each message begins with "ichor: ", once. New and Errorf put the prefix there. Errorf, and
// error types whose message contains that of another error, remove it from the inner message
// with Bare. An error that only ever becomes a part of another message has no prefix: it is
// made with errors.New, fmt.Errorf or, around an error that may have the prefix, Partf.
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

// New returns an error with the prefix and the text. Any goroutine.
func New(text string) error { return errors.New(Prefix + text) }

// Errorf is fmt.Errorf with the prefix. Errors among args lose their own prefix; the verb %w
// wraps them. Any goroutine.
func Errorf(format string, args ...any) error { return Partf(Prefix+format, args...) }

// Partf is Errorf for a part of another message: it adds no prefix. Any goroutine.
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

// bare wraps an error and prints it without its prefix.
type bare struct{ error }

func (b bare) Error() string { return Bare(b.error) }
func (b bare) Unwrap() error { return b.error }

// Bare returns the message of err without the prefix, as a part of another message. Any goroutine.
func Bare(err error) string {
	return strings.ReplaceAll(strings.TrimPrefix(err.Error(), Prefix), "\n"+Prefix, "\n")
}

// BareValue is Bare for the value of a panic: an error, or anything else as %v prints it.
// Any goroutine.
func BareValue(v any) string {
	if err, ok := v.(error); ok {
		return Bare(err)
	}
	return fmt.Sprint(v)
}

// Kind is a sentinel for a special case of a more general one; errors.Is finds both. Immutable.
type Kind struct {
	Text string
	Of   error // the more general one
}

func (k *Kind) Error() string { return Prefix + k.Text }

// Unwrap returns the more general sentinel.
func (k *Kind) Unwrap() error { return k.Of }
