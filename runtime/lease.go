package runtime

import (
	"context"
	"errors"
	"slices"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// A lease keeps a frozen graph loaded while a thread reads it. It is an entry in the thread's
// own list, so readers write to nothing that they share:
//
//	Thread.leases = the calls of Use in progress on the thread
//
// Unload reads the lists of all threads with the world stopped. A thread cannot be stopped
// between two safe points. So Use has no safe point between its load of Frozen.departure and
// its entry in the list: if the load has found the graph loaded, every stop that begins later
// finds the lease.
//
// To wait for leases, UnloadContext stops the world once, counts them, and stores a departure
// in each and in the graph, which prevents new ones. Each lease counts down when it ends, and
// the last one wakes the call, which stops the world again to unload.
//
//	state of a Frozen — condition — invariant — transition (by)
//	loaded   — departure == nil, it is in Runtime.frozen — Use and the calls of any goroutine
//	           succeed — leaving (UnloadContext that finds leases or readers, world stopped),
//	           unloaded (Unload and UnloadContext that find none, world stopped)
//	leaving  — departure is what the calls of UnloadContext wait for — new calls of Use fail;
//	           those in progress go on; Unload is ErrInUse — loaded (the last of these calls to
//	           give up or fail), unloaded (the first of them to find no use, world stopped)
//	unloaded — departure == &unloaded — its addresses are invalid — for good

// lease is a call of Use in progress.
type lease struct {
	f *Frozen
	d *departure // counts its end; written in a stopped world
}

// departure is what all calls of UnloadContext for the same graph wait for.
type departure struct {
	leases point.Uint32 // leases that were counted, and have not ended
	past   point.Bool   // over is closed
	over   chan struct{}

	mu    point.Mutex
	calls int // under mu: calls that wait for it, until it is over
}

// unloaded is the departure of unloaded graphs.
var unloaded departure

// end wakes the waiting calls: no leases are left, or no readers without a thread.
func (d *departure) end() {
	if d.past.CompareAndSwap(false, true) {
		if point.On {
			point.Send(d)
		}
		close(d.over)
	}
}

// wait returns when the calls are woken, or ctx ends.
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

// join adds a waiting call. It fails if the last one has given up, or all were woken.
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

// giveUp ends a call's wait for d, if it waits. The last call to do so removes the departure.
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
// panicked or called runtime.Goexit, even while fn is in Blocking or at a safe point: this is a
// lease. Meanwhile Unload returns ErrInUse, and UnloadContext waits. A lease costs a load of a
// word that seldom changes, and no writes to memory that threads share.
//
// The references that fn finds are borrowed from f. They are invalid after fn, unless an object
// or a scope holds them by then, since those keep f loaded too. The error is ErrUnloaded, and
// fn is not called, if f is unloaded or another runtime's, or if an UnloadContext waits for
// other leases. Attached thread.
func (f *Frozen) Use(t *Thread, fn func(root Ref) error) error {
	t.mustBeAttached()
	if f.rt != t.rt || f.departure.Load() != nil {
		return ErrUnloaded
	}
	t.leases = append(t.leases, lease{f: f})
	defer t.endLease(f)
	return fn(f.Root())
}

// endLease ends the last lease on f that the thread began. Any other one on f would do: if
// their ends are counted, all of them are.
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

// uses reports whether the thread has a lease on f. So does another thread that the same
// goroutine has left in Blocking, as far as that is known.
func (t *Thread) uses(f *Frozen) bool {
	for x := t; x != nil; x = x.outer {
		if slices.ContainsFunc(x.leases, func(l lease) bool { return l.f == f }) {
			return true
		}
	}
	return false
}

// Unload frees the memory of f. It stops the world and searches all objects, mortal and
// immortal, for references into f. If there are any, the error is a *ReferredError. Weak
// references into f are emptied. Unload does not see references in Go variables, which are
// invalid afterwards; code that reads f inside Use is safe. References that scopes own, and
// those that calls of the library in progress hold, are ErrInUse, and so are leases, and a
// Current that has f. Other errors are ErrUnloaded; ErrSealed if f was frozen with Mseal; and
// the system's if it does not unmap the pages. After any error, f is loaded as before. A safe
// point. Attached thread.
func (t *Thread) Unload(f *Frozen) error {
	if f != nil && f.kept.Load() {
		return fault.Errorf("unload: %w", errKept)
	}
	return t.unload(context.Background(), f, false)
}

// UnloadContext is Unload that waits until ctx ends for the leases on f, and for calls of
// WriteTo, WriteFile and Types. New ones fail with ErrUnloaded meanwhile. If ctx ends first, or
// f cannot be unloaded in the end, everything is as before. A thread that itself has a lease on
// f gets ErrInUse at once. A call that holds references into f, or a scope that owns one, is
// ErrInUse as well: end scopes inside Use. Two threads that wait for each other's leases wait
// until ctx ends. A safe point. Attached thread.
func (t *Thread) UnloadContext(ctx context.Context, f *Frozen) error {
	if f != nil && f.kept.Load() {
		return fault.Errorf("unload: %w", errKept)
	}
	return t.unload(ctx, f, true)
}

// Unload is Thread.Unload for goroutines that are not attached.
func (r *Runtime) Unload(f *Frozen) error {
	r.mustNotWait(nil)
	return r.Do(func(t *Thread) error { return t.Unload(f) })
}

// UnloadContext is Thread.UnloadContext for goroutines that are not attached. It must not be
// called in Blocking inside Use, since it would wait for itself. Checked mode detects that, and
// returns ErrInUse.
func (r *Runtime) UnloadContext(ctx context.Context, f *Frozen) error {
	r.mustNotWait(nil)
	return r.DoContext(ctx, func(t *Thread) error { return t.UnloadContext(ctx, f) })
}

// unload unloads f. If wait is true, it waits for leases.
func (t *Thread) unload(ctx context.Context, f *Frozen, wait bool) (err error) {
	var d *departure               // the one that the call waits for
	defer func() { f.giveUp(d) }() // even if a safe point ends the call
	for {
		var next *departure
		if t.StopTheWorldContext(ctx, func() { next, err = t.depart(f, wait) }) != nil {
			return fault.GivenUp(ctx, "unload")
		}
		if next == nil {
			if d != nil && errors.Is(err, ErrUnloaded) {
				return nil // another waiting call has unloaded it
			}
			return err
		}
		d = next // the earlier one is over
		t.Blocking(func() { d.wait(ctx) })
	}
}

// depart unloads f if nothing is in the way. If leases or readers without a thread are, and
// wait is true, it returns the departure to wait for. World stopped.
func (t *Thread) depart(f *Frozen, wait bool) (*departure, error) {
	if f == nil || f.rt != t.rt || !slices.Contains(*t.rt.frozen.Load(), f) {
		return nil, ErrUnloaded
	}
	leases := t.leasesOn(f)
	if len(leases) == 0 {
		t.settle() // the only references into f may be retired ones
		if err := t.referred(f); err != nil {
			return nil, err
		}
		if t.onHold(f) {
			return nil, errRead
		}
		if f.using.CompareAndSwap(0, -1) {
			return nil, t.discard(f)
		}
	}
	if !wait || t.uses(f) {
		return nil, errRead
	}
	if d := f.departure.Load(); d.join() {
		return d, nil
	}
	return f.newDeparture(leases), nil
}

// newDeparture returns a departure for a call that waits for leases, or for readers without a
// thread if there are no leases, and stores it where these find it. World stopped.
func (f *Frozen) newDeparture(leases []*lease) *departure {
	d := &departure{over: make(chan struct{}), calls: 1}
	d.leases.Store(uint32(len(leases)))
	for _, l := range leases {
		l.d = d
	}
	f.departure.Store(d)
	if len(leases) == 0 && f.using.Load() == 0 {
		d.end() // the last reader has left without seeing d
	}
	return d
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

// discard frees the memory of f, which has no readers: f.using is -1. World stopped.
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

// Current is a frozen graph that can be replaced: a catalog, a configuration, a set of rules.
// Threads read it by Use while others replace it. Each reader sees the old graph or the new
// one, as a whole, for as long as its function runs. The old graph is unloaded after its last
// reader.
//
//	catalog, err := rt.NewCurrent(frozen)        // or an image that was opened
//	err = catalog.Use(t, func(root rt.Ref) error { … }) // a reader
//	err = catalog.Swap(t, next)                  // freezes next, replaces, unloads
//
// A reader loads a pointer and takes a lease. Unlike in other schemes, it need not load the
// pointer again to see whether it has changed. A graph is unloaded only after a stop of the
// world that begins after the graph was replaced, and a thread cannot be stopped between the
// load and the lease. See Frozen.Use.
//
//	state — condition — invariant — transition (by)
//	open   — now != nil — now is loaded, and no other Current has it — open, with another
//	         graph (Swap and Replace, by compare-and-swap), closed (Close)
//	closed — now == nil — Use, Swap and Replace fail — for good
//
//	state of a graph — condition — transition (by)
//	current  — now — replaced (Swap, Replace and Close)
//	replaced — in old — unloaded (the call that has replaced it, or a later one)
//
// Any goroutine may use it.
type Current struct {
	rt  *Runtime
	now point.Pointer[Frozen]

	mu  point.Mutex
	old []*Frozen // under mu: replaced, and not unloaded yet
}

// ErrCurrentClosed says that a Current was closed.
var ErrCurrentClosed = fault.New("the Current is closed")

// StillLoadedError says that a new graph is current, but the one that it has replaced could not
// be unloaded. Each later Swap, Replace and Close tries again.
type StillLoadedError struct {
	Frozen *Frozen // the graph that is still loaded
	Err    error   // the reason: ErrInUse, a *ReferredError, the end of a context
}

func (e *StillLoadedError) Error() string {
	return fault.Prefix + "swap: the new graph is current, and the old one stays loaded: " + fault.Bare(e.Err)
}

// Unwrap returns the cause.
func (e *StillLoadedError) Unwrap() error { return e.Err }

// NewCurrent returns a Current of f, which belongs to it from now on: Unload of f is ErrInUse.
// The error is ErrUnloaded if f is not loaded, and ErrInUse if another Current has it. Any
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

// keep marks f, which has to be of runtime r, as a Current's.
func (f *Frozen) keep(r *Runtime) error {
	switch {
	case f == nil || f.rt != r || f.departure.Load() != nil:
		return ErrUnloaded
	case !f.kept.CompareAndSwap(false, true):
		return errKept
	}
	return nil
}

// Use calls fn with the root of the current graph, and returns its error. The graph stays
// loaded until fn has returned, panicked or called runtime.Goexit, even if another one becomes
// current meanwhile: see Frozen.Use, whose rules apply. The references that fn gets and finds
// are borrowed from the graph. If the Current is closed, the error is ErrCurrentClosed and fn
// is not called. Attached thread.
func (c *Current) Use(t *Thread, fn func(root Ref) error) error {
	f := c.now.Load()
	if f == nil {
		return ErrCurrentClosed
	}
	return f.Use(t, fn) // no safe point since the load
}

// Swap freezes everything reachable from root, makes that the current graph, and unloads the
// old one when it has no more readers. It waits for them outside the world. Unless the error is
// a *StillLoadedError, it says that nothing has changed: it is Freeze's, ErrCurrentClosed, or
// ErrInUse inside Use of the current graph, where Swap would wait for itself. Several threads
// may swap at the same time: each unloads the graph that it has replaced. root is borrowed. A
// safe point. Attached thread, which holds root.
func (c *Current) Swap(t *Thread, root Ref, opts ...FreezeOptions) error {
	return c.SwapContext(context.Background(), t, root, opts...)
}

// SwapContext is Swap that waits only until ctx ends. If ctx ends before the new graph is
// current, nothing has changed; if it ends later, it is the cause of a *StillLoadedError. root
// is borrowed. A safe point. Attached thread, which holds root.
func (c *Current) SwapContext(ctx context.Context, t *Thread, root Ref, opts ...FreezeOptions) error {
	switch now := c.now.Load(); {
	case now == nil:
		return ErrCurrentClosed
	case t.uses(now):
		return fault.Errorf("swap: %w", errInside)
	}
	f, err := t.FreezeContext(ctx, root, opts...)
	if err != nil {
		return err
	}
	f.kept.Store(true)
	if err := c.replace(ctx, t, f); !errors.Is(err, ErrCurrentClosed) {
		return err
	}
	_ = t.unload(context.Background(), f, false) // it was never published
	return ErrCurrentClosed
}

// Replace makes f the current graph, and unloads the old one when it has no more readers. It
// waits for them until ctx ends. f belongs to the Current afterwards. Unless the error is a
// *StillLoadedError, it says that nothing has changed, and f still belongs to the caller: it is
// ErrCurrentClosed, ErrUnloaded if f is not loaded in this runtime, ErrInUse if a Current has
// it already, or that of attaching. Replace must not be called in Blocking inside Use, since it
// would wait for itself until ctx ends. Checked mode detects that. Any goroutine that is not
// attached.
func (c *Current) Replace(ctx context.Context, f *Frozen) error {
	c.rt.mustNotWait(nil)
	return c.rt.DoContext(ctx, func(t *Thread) error {
		if t.uses(c.now.Load()) {
			return fault.Errorf("replace: %w", errInside)
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

// Close ends the Current: Use fails from now on. It unloads the current graph, and those that
// earlier calls have left loaded, when they have no more readers. It waits for them until ctx
// ends. If a graph stays loaded, the error says why; call Close again to try again. As with
// Replace, it must not be called inside Use. Any goroutine that is not attached.
func (c *Current) Close(ctx context.Context) error {
	c.rt.mustNotWait(nil)
	return c.rt.DoContext(ctx, func(t *Thread) error {
		if t.uses(c.now.Load()) {
			return fault.Errorf("close the current graph: %w", errInside)
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

// replace makes f current, and unloads the old graph. It does not wait for graphs that earlier
// calls have left.
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
		_ = c.unload(ctx, t, x, false) // a later call tries again
	}
	if err != nil {
		return &StillLoadedError{old, err}
	}
	return nil
}

// leave adds a replaced graph to those that are to be unloaded.
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

// unload unloads a replaced graph, unless another call has done so.
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
