package runtime

import (
	"context"
	"errors"
	"slices"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/point"
)

// Current is the frozen graph that is current: a catalog, a configuration, a set of rules.
// Threads read it by Use, and others replace it meanwhile: each reader has the old graph or the
// new one, whole, for as long as its function runs. The old graph is unloaded after its last
// reader.
//
//	catalog, err := rt.NewCurrent(frozen)        // or an image that was opened
//	err = catalog.Use(t, func(root rt.Ref) error { … }) // a reader
//	err = catalog.Swap(t, next)                  // freezes next, replaces, unloads
//
// A reader loads a pointer and takes a lease; it does not look again, as other schemes do,
// whether the pointer is still the same. It need not: a graph is unloaded only after the world was
// stopped since it was replaced, and a thread cannot be stopped between the load and the lease.
// See lease.go.
//
//	state — condition — invariant — transition (who)
//	open   — now != nil — now is loaded, and no other Current has it — to itself, with another
//	         graph, by Swap and Replace (anybody, by compare and swap); to closed by Close
//	closed — now == nil — Use, Swap and Replace fail — for good
//
//	state of a graph — condition — transition (who)
//	current  — now — to replaced by Swap, Replace and Close
//	replaced — in old — to unloaded by the call that has replaced it, or by a later one
//
// Any goroutine may have it.
type Current struct {
	rt  *Runtime
	now point.Pointer[Frozen]

	mu  point.Mutex
	old []*Frozen // under mu: replaced, and not unloaded yet
}

// ErrCurrentClosed says that a Current was closed.
var ErrCurrentClosed = fault.New("the Current is closed")

// StillLoadedError says that a new graph is current, but the one that it has replaced could not
// be unloaded. Each later Swap and Replace, and Close, tries again.
type StillLoadedError struct {
	Frozen *Frozen // the one that is still loaded
	Err    error   // what is in the way: ErrInUse, a *ReferredError, the end of a context
}

func (e *StillLoadedError) Error() string {
	return fault.Prefix + "swap: the new graph is current, and the old one stays loaded: " + fault.Bare(e.Err)
}

// Unwrap returns the cause.
func (e *StillLoadedError) Unwrap() error { return e.Err }

// NewCurrent returns a Current of f, which belongs to it from now on: Unload of f is ErrInUse.
// The error is ErrUnloaded if f is not loaded, and ErrInUse if a Current has it already. Any
// goroutine.
func NewCurrent(f *Frozen) (*Current, error) {
	if f == nil {
		return nil, ErrUnloaded
	}
	if err := f.keep(f.rt); err != nil {
		return nil, err
	}
	c := &Current{rt: f.rt}
	c.now.Store(f)
	return c, nil
}

// keep makes f, which is to be of runtime r, a Current's.
func (f *Frozen) keep(r *Runtime) error {
	switch {
	case f == nil || f.rt != r || f.departure.Load() != nil:
		return ErrUnloaded
	case !f.kept.CompareAndSwap(false, true):
		return ErrInUse
	}
	return nil
}

// Use calls fn with the root of the graph that is current, and returns its error. The graph
// stays loaded until fn has returned, panicked or called runtime.Goexit, also if another one
// becomes current meanwhile: see Frozen.Use, whose rules apply. The references that fn gets and
// finds are borrowed from the graph. If the Current is closed, the
// error is ErrCurrentClosed and fn is not called. Attached thread.
func (c *Current) Use(t *Thread, fn func(root Ref) error) error {
	f := c.now.Load()
	if f == nil {
		return ErrCurrentClosed
	}
	return f.Use(t, fn) // no safe point since the load
}

// Swap freezes what is reachable from root, makes that the current graph, and unloads the old
// one once nobody uses it. It waits for that outside the world. An error other than a
// *StillLoadedError says that nothing has changed: it is Freeze's, or ErrCurrentClosed, or
// ErrInUse inside Use of the current graph, where it would wait for itself. Several threads may
// swap at once: each unloads the graph that it has replaced. A safe point. root is borrowed.
// Attached thread, which holds root.
func (c *Current) Swap(t *Thread, root Ref, opts ...FreezeOptions) error {
	return c.SwapContext(context.Background(), t, root, opts...)
}

// SwapContext is Swap that waits until ctx ends. If it ends before the new graph is current,
// nothing has changed; later it is the cause of a *StillLoadedError. A safe point. root is
// borrowed. Attached thread, which holds root.
func (c *Current) SwapContext(ctx context.Context, t *Thread, root Ref, opts ...FreezeOptions) error {
	switch now := c.now.Load(); {
	case now == nil:
		return ErrCurrentClosed
	case t.uses(now):
		return ErrInUse
	}
	f, err := t.FreezeContext(ctx, root, opts...)
	if err != nil {
		return err
	}
	f.kept.Store(true)
	if err := c.replace(ctx, t, f); !errors.Is(err, ErrCurrentClosed) {
		return err
	}
	_ = t.unload(context.Background(), f, false) // nobody has seen it
	return ErrCurrentClosed
}

// Replace makes f, which was frozen or opened, the current graph, and unloads the old one once
// nobody uses it, or ctx ends. f belongs to the Current then. An error other than a
// *StillLoadedError says that nothing has changed, and f is the caller's still: it is
// ErrCurrentClosed, ErrUnloaded if f is not loaded in this runtime, ErrInUse if a Current has it
// already, or that of attaching. It must not be called inside Use, in Blocking: it would wait for
// itself until ctx ends. Checked mode finds that. Any goroutine that is not attached.
func (c *Current) Replace(ctx context.Context, f *Frozen) error {
	c.rt.mustNotWait(nil)
	return c.rt.DoContext(ctx, func(t *Thread) error {
		if t.uses(c.now.Load()) {
			return ErrInUse
		}
		if err := f.keep(c.rt); err != nil {
			return err
		}
		err := c.replace(ctx, t, f)
		if errors.Is(err, ErrCurrentClosed) {
			f.kept.Store(false)
		}
		return err
	})
}

// Close ends the Current: Use fails from now on. It unloads the graph that is current, and those
// that earlier calls have left loaded, once nobody uses them, or ctx ends. If one stays loaded,
// the error says why; calling Close again tries again. It must not be called inside Use, as
// Replace. Any goroutine that is not attached.
func (c *Current) Close(ctx context.Context) error {
	c.rt.mustNotWait(nil)
	return c.rt.DoContext(ctx, func(t *Thread) error {
		if t.uses(c.now.Load()) {
			return ErrInUse
		}
		if f := c.now.Swap(nil); f != nil {
			c.leave(f)
		}
		var errs []error
		for _, f := range c.left() {
			errs = append(errs, c.unload(ctx, t, f, true))
		}
		return errors.Join(errs...)
	})
}

// replace makes f current, and unloads the old graph. It does not wait for what earlier calls
// have left.
func (c *Current) replace(ctx context.Context, t *Thread, f *Frozen) error {
	old := c.now.Load()
	for old != nil && !c.now.CompareAndSwap(old, f) {
		old = c.now.Load()
	}
	if old == nil {
		return ErrCurrentClosed
	}
	left := c.left()
	c.leave(old)
	err := c.unload(ctx, t, old, true)
	for _, x := range left {
		_ = c.unload(ctx, t, x, false) // another time
	}
	if err != nil {
		return &StillLoadedError{old, err}
	}
	return nil
}

// leave notes a graph that was replaced, and is to be unloaded.
func (c *Current) leave(f *Frozen) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.old = append(c.old, f)
}

// left returns the graphs that are to be unloaded.
func (c *Current) left() []*Frozen {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.old)
}

// unload unloads a graph that was replaced, unless another call has done so.
func (c *Current) unload(ctx context.Context, t *Thread, f *Frozen, wait bool) error {
	err := t.unload(ctx, f, wait)
	if err != nil && !errors.Is(err, ErrUnloaded) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.old = slices.DeleteFunc(c.old, func(x *Frozen) bool { return x == f })
	return nil
}
