package sched

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/ichor-go/ichor/internal/fault"
)

// ErrGoexit is what Run returns, wrapped, if a worker called runtime.Goexit, as
// testing's FailNow does.
var ErrGoexit = fault.New("runtime.Goexit was called")

// Panic is what Run panics with if a worker has panicked. It is an error, so code that
// recovers errors prints all of it.
type Panic struct {
	Value  any    // what the worker panicked with
	Stack  []byte // the worker's stack at that time
	Worker int
}

// Error returns the value and the worker's stack.
func (p *Panic) Error() string {
	return fmt.Sprintf("%sworker %d panicked: %s\n\n%s", fault.Prefix, p.Worker, fault.BareValue(p.Value), p.Stack)
}

// String is Error.
func (p *Panic) String() string { return p.Error() }

// Unwrap returns the value if it is an error, else nil.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// Run calls fn in n goroutines, each with a state that open makes for it and close
// ends. It returns when all goroutines have ended. If open is nil, the states are zero;
// if close is nil, it is not called. close is called if and only if open succeeded,
// however fn ended. open gets the same context as fn: if it waits, it ends with that.
//
// The first error, panic or Goexit cancels the workers' context, and is the cause of
// the cancellation. The error returned joins
//
//   - the cause of ctx, if ctx was cancelled: even if no worker returned an error,
//     since their work may not be complete;
//   - the workers' errors in the order of their occurrence, except errors after the
//     cancellation that only repeat its cause.
//
// A single error is returned as it is. If a worker panicked, Run panics with the first
// *Panic once all workers have ended. Any goroutine.
func Run[S any](
	ctx context.Context, n int,
	open func(ctx context.Context, worker int) (S, error), close func(S),
	fn func(ctx context.Context, s S, worker int) error,
) error {
	if n < 1 {
		return fault.Errorf("Run with %d workers, want at least 1", n)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &pool[S]{outer: ctx, inner: inner, cancel: cancel, open: open, close: close, fn: fn}
	p.ended.Add(n)
	for worker := range n {
		go p.work(worker)
	}
	p.ended.Wait()
	return p.result()
}

// pool is one call of Run.
type pool[S any] struct {
	outer, inner context.Context
	cancel       context.CancelCauseFunc
	open         func(context.Context, int) (S, error)
	close        func(S)
	fn           func(context.Context, S, int) error
	ended        sync.WaitGroup

	mu    sync.Mutex
	errs  []error // under mu
	panic *Panic  // under mu; the first panic
}

// work runs a worker. Each stage is watched separately, so that close runs after a
// panic of fn, and neither hides the other.
func (p *pool[S]) work(worker int) {
	defer p.ended.Done()
	var s S
	if p.open != nil {
		opened := false
		// A Goexit in open ends the goroutine here.
		p.watch(worker, func() (err error) {
			s, err = p.open(p.inner, worker)
			opened = err == nil
			return err
		})
		if !opened {
			return
		}
	}
	if p.close != nil {
		// Deferred, because Goexit runs only deferred calls.
		defer p.watch(worker, func() error {
			p.close(s)
			return nil
		})
	}
	p.watch(worker, func() error { return p.fn(p.inner, s, worker) })
}

// watch calls stage and records how it ended. It does not return if stage called
// Goexit.
func (p *pool[S]) watch(worker int, stage func() error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			p.panicked(&Panic{Value: v, Stack: debug.Stack(), Worker: worker})
		} else {
			p.failed(fault.Errorf("worker %d: %w", worker, ErrGoexit))
		}
	}()
	err := stage()
	returned = true
	if err != nil {
		p.failed(err)
	}
}

// failed records an error and cancels the other workers. It drops an error that only
// repeats the cause of the cancellation.
func (p *pool[S]) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(err, p.inner.Err()) || errors.Is(err, context.Cause(p.inner)) { // before a cancellation both are nil, which matches no error
		return
	}
	p.errs = append(p.errs, err)
	p.cancel(err)
}

func (p *pool[S]) panicked(v *Panic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.panic == nil {
		p.panic = v
	}
	p.cancel(v)
}

// result returns the error of Run, after all workers have ended.
func (p *pool[S]) result() error {
	if p.panic != nil {
		panic(p.panic)
	}
	errs := p.errs
	if p.outer.Err() != nil {
		errs = append([]error{context.Cause(p.outer)}, errs...)
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
