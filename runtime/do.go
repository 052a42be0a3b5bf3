package runtime

import (
	"context"
	goruntime "runtime"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/race"
	"github.com/ichor-go/ichor/sched"
)

// Do attaches the calling goroutine, runs fn, and detaches the goroutine, even if fn panics. It
// returns fn's error. fn must not keep t. A goroutine that is attached must not call Do: under
// the GIL it would wait for itself, and in lock-free mode no stop of the world would end. Such
// a call panics with a *Misuse where the wait would begin, which is at once under the GIL and
// in checked mode. Any goroutine.
func (r *Runtime) Do(fn func(t *Thread) error) error {
	return r.DoContext(context.Background(), fn)
}

// DoContext is Do that waits only until ctx ends for the GIL, or for the end of a stop. If ctx
// ends first, fn does not run. Once fn runs, it has to observe ctx itself. The rules of Do
// apply. Any goroutine.
func (r *Runtime) DoContext(ctx context.Context, fn func(t *Thread) error) error {
	t, err := r.attachAlone(ctx)
	if err != nil {
		return err
	}
	defer t.end()
	return t.do(fn)
}

// DoValue is Do for a function that also returns a value, such as a new reference or the
// contents of an object. If fn fails, the value is the one that fn has returned with the error.
// The rules of Do apply. Any goroutine.
func DoValue[T any](r *Runtime, fn func(t *Thread) (T, error)) (v T, err error) {
	err = r.Do(func(t *Thread) (err error) {
		v, err = fn(t)
		return err
	})
	return v, err
}

// do calls fn in a frame that names the thread, so that traces show it: see stackOf.
//
//go:noinline
func (t *Thread) do(fn func(*Thread) error) error {
	err := fn(t)
	goruntime.KeepAlive(t)
	return err
}

// work is do for Run.
//
//go:noinline
func (t *Thread) work(ctx context.Context, worker int, fn func(context.Context, *Thread, int) error) error {
	t.run = ctx
	defer func() { t.run = nil }()
	err := fn(ctx, t, worker)
	goruntime.KeepAlive(t)
	return err
}

// Run runs fn on n goroutines, each attached to a thread of its own, and waits for all of them.
// The first error, or the end of ctx, cancels the context that fn gets. Recv and Send end with it;
// pass it to everything else that waits. A goroutine that is not yet attached by then ends
// without running fn. A panic in fn is carried to the caller, as a *sched.Panic with the
// worker's stack. In builds with -race the workers of a lock-free runtime begin together, once all
// are attached. The rules of Do apply. Any goroutine.
func (r *Runtime) Run(ctx context.Context, n int, fn func(ctx context.Context, t *Thread, worker int) error) error {
	r.mustNotWait(nil)
	if r.check != nil {
		r.check.mustBeAlone()
	}
	open := func(ctx context.Context, _ int) (*Thread, error) { return r.attachAlone(ctx) }
	work := func(ctx context.Context, t *Thread, worker int) error { return t.work(ctx, worker, fn) }
	if race.On && r.gil == nil {
		open, work = together(n, open, work)
	}
	return sched.Run(ctx, n, open, (*Thread).end, work)
}

// together makes the workers of a Run begin once all of them have attached, or failed to. Attach and
// Detach order threads: without it, the race detector would take a worker that has ended before
// another one is attached for one that comes before it on purpose. Under the GIL all threads are
// in an order anyway.
func together(n int, open func(context.Context, int) (*Thread, error), work func(context.Context, *Thread, int) error) (
	func(context.Context, int) (*Thread, error), func(context.Context, *Thread, int) error,
) {
	var missing atomic.Int32
	missing.Store(int32(n))
	return func(ctx context.Context, worker int) (*Thread, error) {
			defer missing.Dec()
			return open(ctx, worker)
		}, func(ctx context.Context, t *Thread, worker int) error {
			for missing.Load() > 0 && ctx.Err() == nil {
				t.Checkpoint() // the missing ones may wait for a stop to begin and to end
				goruntime.Gosched()
			}
			return work(ctx, t, worker)
		}
}

func (r *Runtime) attachAlone(ctx context.Context) (*Thread, error) {
	if r.check != nil {
		r.check.mustBeAlone()
	}
	t, err := r.AttachContext(ctx)
	if err == nil && r.check != nil {
		r.check.enter(t)
	}
	return t, err
}

// end detaches a thread whose function has returned, panicked or called Goexit. Its scopes are
// closed already.
func (t *Thread) end() {
	if t.check != nil {
		t.check.exit(t)
	}
	t.Detach()
}

// Recv receives from ch outside the world. ok is false, and nothing was received, if ch is closed
// or the context that Run gave to the thread's function has ended. So a loop over Recv in a worker
// of Run ends with the others. It is a safe point. Attached thread.
func Recv[T any](t *Thread, ch <-chan T) (v T, ok bool) {
	v, ok, _ = RecvContext(t.runContext(), t, ch)
	return v, ok
}

// Send sends v to ch outside the world, and reports whether it did. It does not if the context
// that Run gave to the thread's function has ended; then the caller still owns the references in v.
// It is a safe point. If v is a Ref or a []Ref, it disowns the objects first: see Thread.Disown.
// Attached thread.
func Send[T any](t *Thread, ch chan<- T, v T) bool {
	return SendContext(t.runContext(), t, ch, v) == nil
}

// runContext is the context of the Run that the thread works for.
func (t *Thread) runContext() context.Context {
	if t.run == nil {
		return context.Background()
	}
	return t.run
}

// RecvContext receives from ch outside the world, and reports whether the channel is still open. It
// waits until ctx ends. If it returns an error, nothing was received, even if a value was
// there. Pass the context that Run gives to its function, so that a failing worker does not
// leave this one waiting. It is a safe point before it receives. Attached thread.
func RecvContext[T any](ctx context.Context, t *Thread, ch <-chan T) (v T, ok bool, err error) {
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

// SendContext sends v to ch outside the world. It waits until ctx ends. If it returns an error,
// nothing was sent, and the caller still owns the references in v. It is a safe point before it
// sends. If v is a Ref or a []Ref, it disowns the objects first: see Thread.Disown. Attached
// thread.
func SendContext[T any](ctx context.Context, t *Thread, ch chan<- T, v T) (err error) {
	t.Checkpoint()
	if ctx.Err() != nil {
		return fault.GivenUp(ctx, "send")
	}
	disownSent(t, v)
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
