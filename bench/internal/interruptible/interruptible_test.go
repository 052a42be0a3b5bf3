package interruptible

import (
	"context"
	"errors"
	"testing"
)

func TestRun(t *testing.T) {
	broken := errors.New("broken")
	for _, want := range []error{nil, broken} {
		if err := Run(t.Context(), func() error { return want }); err != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	err := Run(ctx, func() error {
		cancel()
		<-release
		return broken
	})
	close(release)
	if err != context.Canceled {
		t.Errorf("of a function that goes on: %v", err)
	}
}
