package runtime

import (
	"context"

	"github.com/ichor-go/ichor/internal/fault"
)

// Recv receives from ch outside the world, and reports whether the channel is still open. It
// waits until ctx ends: an error says that nothing was received, even if there is something.
// Use the context that Run passes to its function, so that the others need not wait for this
// one. It is a safe point before it receives. Attached thread.
func Recv[T any](ctx context.Context, t *Thread, ch <-chan T) (v T, ok bool, err error) {
	t.Checkpoint()
	if ctx.Err() != nil {
		return v, false, fault.GivenUp(ctx, "receive")
	}
	select {
	case v, ok = <-ch:
		return v, ok, nil
	default:
	}
	t.outside(func() {
		select {
		case v, ok = <-ch:
		case <-ctx.Done():
			err = fault.GivenUp(ctx, "receive")
		}
	})
	return v, ok, err
}

// Send sends v to ch outside the world. It waits until ctx ends: an error says that nothing was
// sent, and what v refers to is the caller's still. It is a safe point before it sends. Attached
// thread.
func Send[T any](ctx context.Context, t *Thread, ch chan<- T, v T) (err error) {
	t.Checkpoint()
	if ctx.Err() != nil {
		return fault.GivenUp(ctx, "send")
	}
	select {
	case ch <- v:
		return nil
	default:
	}
	t.outside(func() {
		select {
		case ch <- v:
		case <-ctx.Done():
			err = fault.GivenUp(ctx, "send")
		}
	})
	return err
}
