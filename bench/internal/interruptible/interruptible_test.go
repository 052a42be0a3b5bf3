package interruptible

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"go.uber.org/atomic"
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
	var ran atomic.Bool
	for range 100 { // it would run on a goroutine of its own, which may take its time
		if err := Run(ctx, func() error { ran.Store(true); return nil }); err != context.Canceled {
			t.Errorf("with a context that has ended: %v", err)
		}
		runtime.Gosched()
	}
	if ran.Load() {
		t.Error("a function ran although the context had ended")
	}
}
