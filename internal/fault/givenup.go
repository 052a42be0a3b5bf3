package fault

import "context"

// GivenUp returns the error of a call that gave up because ctx has ended. The message begins
// with what, and errors.Is finds both context.Cause(ctx) and ctx.Err() in it. Any goroutine.
func GivenUp(ctx context.Context, what string) error {
	return &givenUp{what, [2]error{context.Cause(ctx), ctx.Err()}}
}

type givenUp struct {
	what string
	errs [2]error // the cause first
}

func (e *givenUp) Error() string { return Prefix + e.what + " given up: " + Bare(e.errs[0]) }

// Unwrap returns the cause, and the context's own error.
func (e *givenUp) Unwrap() []error { return e.errs[:] }
