package runtime

import (
	"context"
	"errors"
	"slices"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// A lease keeps a frozen graph loaded while a thread reads it. It is an entry in a list of the
// thread's own, so that readers write to nothing that they share:
//
//	Thread.leases = the calls of Use under way on the thread
//
// Unload looks at the lists of all threads with the world stopped. A thread between two safe
// points cannot be stopped. So there is nothing between a look at Frozen.departure and the entry
// in the list: if the look found the graph loaded, each stop that begins later finds the lease.
//
// To wait for leases, UnloadContext stops the world once, counts them, and writes a departure into
// each and into the graph, so that there are no new ones. Each lease that ends counts down, and
// the last one wakes the call, which stops the world again to unload.
//
//	state of a Frozen — condition — invariant — transition (who, under what)
//	loaded   — departure == nil, it is in Runtime.frozen — Use and the calls of any goroutine
//	           succeed — to leaving by UnloadContext that finds leases or readers (world
//	           stopped); to unloaded by Unload and UnloadContext that find none (world stopped)
//	leaving  — departure is what the UnloadContexts of it wait for — new calls of Use fail; what
//	           began before reads on; Unload is ErrInUse — to loaded, when the last of these
//	           calls gives up or fails (that call); to unloaded, when nobody uses it (the first
//	           of them to see that, world stopped)
//	unloaded — departure == &unloaded — its addresses mean nothing — for good

// lease is a call of Use under way.
type lease struct {
	f *Frozen
	d *departure // counts its end; written in a stopped world
}

// departure is what calls of UnloadContext for the same graph wait for.
type departure struct {
	leases point.Uint32 // that were counted, and have not ended
	past   point.Bool   // over is closed
	over   chan struct{}

	mu    point.Mutex
	calls int // under mu: that wait for it
}

// unloaded is the departure of graphs that are unloaded.
var unloaded departure

// end wakes the calls: there are no leases any more, or no readers without a thread.
func (d *departure) end() {
	if d.past.CompareAndSwap(false, true) {
		if point.On {
			point.Send(d)
		}
		close(d.over)
	}
}

// wait returns when the calls are woken, or ctx has ended.
func (d *departure) wait(ctx context.Context) {
	if point.On {
		point.Receive(d, func() bool { return isClosed(d.over) || ctx.Err() != nil })
	}
	select {
	case <-d.over:
	case <-ctx.Done():
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// join adds a call that waits, unless the last one has given up, or all were woken.
func (d *departure) join() bool {
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls == 0 || d.past.Load() {
		return false
	}
	d.calls++
	return true
}

// giveUp ends a call's wait for d, if it has one. The last one takes the departure back.
func (f *Frozen) giveUp(d *departure) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls--; d.calls == 0 {
		f.departure.CompareAndSwap(d, nil)
	}
}

// Use calls fn with the root of f, and returns its error. f stays loaded until fn has returned,
// panicked or called runtime.Goexit, also while fn is in Blocking or at a safe point: this is a
// lease. Unload returns ErrInUse meanwhile, and UnloadContext waits. A lease costs a look at a
// word that seldom changes, and writes to nothing that threads share.
//
// The references that fn finds are borrowed from f. They mean nothing after fn, unless an object
// or a scope has them by then: those keep f loaded too. If f is unloaded or another runtime's,
// or an UnloadContext waits for other leases, the error is ErrUnloaded and fn is not called.
// Attached thread.
func (f *Frozen) Use(t *Thread, fn func(root Ref) error) error {
	t.mustBeAttached()
	if f.rt != t.rt || f.departure.Load() != nil {
		return ErrUnloaded
	}
	t.leases = append(t.leases, lease{f: f})
	defer t.endLease(f)
	return fn(f.Root())
}

// endLease ends the last lease on f that began. Others on f would do as well: what counts their
// ends has counted all of them.
func (t *Thread) endLease(f *Frozen) {
	for i := len(t.leases) - 1; i >= 0; i-- {
		if l := t.leases[i]; l.f == f {
			t.leases = slices.Delete(t.leases, i, i+1)
			if l.d != nil && l.d.leases.Add(^uint32(0)) == 0 {
				l.d.end()
			}
			return
		}
	}
}

// uses reports whether the thread has a lease on f, or the goroutine by another thread that it
// has left in Blocking, as far as that is known.
func (t *Thread) uses(f *Frozen) bool {
	for x := t; x != nil; x = x.outer {
		if slices.ContainsFunc(x.leases, func(l lease) bool { return l.f == f }) {
			return true
		}
	}
	return false
}

// Unload gives the memory of f back. With the world stopped it looks for objects
// that refer into it: mortal ones and immortal ones, Cells, containers of any kind. If
// there is one, the error is a *ReferredError, and nothing is done. Weak references
// into it are emptied. References that Go variables hold are the caller's to forget, unless a
// call of Use keeps f loaded: they mean nothing any more. But it sees those that scopes own, and
// those that other calls of the library hold at that time: then it is ErrInUse, as it is while a
// lease is out, or while a Current has f. Other errors are ErrUnloaded, ErrSealed if it was
// frozen with Mseal, and the system's if it does not take the pages back: with each of them
// nothing is done. A safe point. Attached thread.
func (t *Thread) Unload(f *Frozen) error {
	if f != nil && f.kept.Load() {
		return ErrInUse
	}
	return t.unload(context.Background(), f, false)
}

// UnloadContext is Unload that waits for the leases on f, and for WriteTo, WriteFile and Types,
// until ctx ends. There are no new ones meanwhile: they fail with ErrUnloaded. If ctx ends
// first, or f cannot be unloaded then, everything is as before. A thread that has a lease on f
// itself gets ErrInUse at once. A call that holds references into f, and a scope that owns one,
// are ErrInUse as well: end scopes inside Use. Two threads that each wait for a lease of the
// other's wait until ctx ends. A safe point. Attached thread.
func (t *Thread) UnloadContext(ctx context.Context, f *Frozen) error {
	if f != nil && f.kept.Load() {
		return ErrInUse
	}
	return t.unload(ctx, f, true)
}

// Unload is Thread.Unload for goroutines that are not attached.
func (r *Runtime) Unload(f *Frozen) error {
	r.mustNotWait(nil)
	return r.Do(func(t *Thread) error { return t.Unload(f) })
}

// UnloadContext is Thread.UnloadContext for goroutines that are not attached. It must not be
// called inside Use, in Blocking: it would wait for itself. Checked mode finds that, and returns
// ErrInUse.
func (r *Runtime) UnloadContext(ctx context.Context, f *Frozen) error {
	r.mustNotWait(nil)
	return r.DoContext(ctx, func(t *Thread) error { return t.UnloadContext(ctx, f) })
}

// unload unloads f. It waits for leases if it is told to.
func (t *Thread) unload(ctx context.Context, f *Frozen, wait bool) (err error) {
	var d *departure               // that the call waits for
	defer func() { f.giveUp(d) }() // also where a safe point ends the call
	for {
		var next *departure
		if t.StopTheWorldContext(ctx, func() { next, err = t.depart(f, wait) }) != nil {
			return fault.GivenUp(ctx, "unload")
		}
		if next == nil {
			if d != nil && errors.Is(err, ErrUnloaded) {
				return nil // another call has waited, too
			}
			return err
		}
		f.giveUp(d)
		d = next
		t.Blocking(func() { d.wait(ctx) })
	}
}

// depart unloads f if nobody is in the way. If leases are, or readers without a thread, and the
// call is to wait, it returns what to wait for. World stopped.
func (t *Thread) depart(f *Frozen, wait bool) (*departure, error) {
	if f == nil || f.rt != t.rt || !slices.Contains(*t.rt.frozen.Load(), f) {
		return nil, ErrUnloaded
	}
	leases := t.leasesOn(f)
	if len(leases) == 0 {
		t.settle() // what is retired may be all that refers into it
		if err := t.referred(f); err != nil {
			return nil, err
		}
		if t.onHold(f) {
			return nil, ErrInUse
		}
		if f.using.CompareAndSwap(0, -1) {
			return nil, t.discard(f)
		}
	}
	if !wait || t.uses(f) {
		return nil, ErrInUse
	}
	if d := f.departure.Load(); d.join() {
		return d, nil
	}
	d := &departure{over: make(chan struct{}), calls: 1}
	d.leases.Store(uint32(len(leases)))
	for _, l := range leases {
		l.d = d
	}
	f.departure.Store(d)
	if len(leases) == 0 && f.using.Load() == 0 {
		d.end() // the last reader has gone, and has not seen d
	}
	return d, nil
}

// leasesOn returns the leases on f. World stopped.
func (t *Thread) leasesOn(f *Frozen) (all []*lease) {
	for _, x := range t.rt.attachedThreads() {
		for i := range x.leases {
			if l := &x.leases[i]; l.f == f {
				all = append(all, l)
			}
		}
	}
	return all
}

// discard gives the memory of f back, which nobody uses: f.using is -1. World stopped.
func (t *Thread) discard(f *Frozen) error {
	if err := f.ext.Free(); err != nil {
		f.using.Store(0)
		return err
	}
	f.departure.Store(&unloaded)
	t.rt.dropFrozen(f)
	if !(mutant.On && mutant.Is(mutant.UnloadWeakKept)) {
		t.emptyWeakInto(f)
	}
	return nil
}

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
// See Frozen.Use.
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
