package fault

import (
	"context"
	"errors"
	"testing"
)

// TestGivenUp: the error says what was given up and why, and errors.Is tells it from others.
func TestGivenUp(t *testing.T) {
	for text, cause := range map[string]error{
		"ichor: attach given up: context canceled":     nil,
		"ichor: attach given up: the client has left":  errors.New("the client has left"),
		"ichor: attach given up: memory limit reached": New("memory limit reached"),
	} {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(cause)
		err := GivenUp(ctx, "attach")
		if err.Error() != text {
			t.Errorf("%q, want %q", err, text)
		}
		if !errors.Is(err, context.Canceled) || !errors.Is(err, context.Cause(ctx)) {
			t.Errorf("%q: errors.Is does not find its cause or the context's error", err)
		}
	}
}
