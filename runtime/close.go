package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/internal/fault"
)

// LeakError lists the mortal objects that were still alive at Close: references that were never
// given up, and cycles.
type LeakError struct {
	Runtime string  // Options.Name, if set
	Types   []Leak  // in descending order of count
	Frozen  int64   // frozen objects that were still loaded, which are not leaks
	Born    []Birth // checked mode: where the objects were made, in descending order of count
}

// Birth counts the leaked objects of one type that were made at one place.
type Birth struct {
	Type    string
	Site    string // the user's function, with file and line
	Count   int
	History string // of one of them: the last count operations, and where they were made
}

// Leak counts the leaked objects of one type.
type Leak struct {
	Type  string
	Count int
}

func (e *LeakError) Error() string {
	var b strings.Builder
	b.WriteString(fault.Prefix + "close" + ofRuntime(e.Runtime) + ": leaked ")
	for i, l := range e.Types {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d %s", l.Count, l.Type)
	}
	if e.Frozen > 0 {
		fmt.Fprintf(&b, "; besides, %d frozen objects were still loaded", e.Frozen)
	}
	for i, x := range e.Born {
		if i == maxBornReports {
			fmt.Fprintf(&b, "\n  and from %d other places", len(e.Born)-i)
			break
		}
		fmt.Fprintf(&b, "\n  %d %s made at %s", x.Count, x.Type, x.Site)
		if x.History != "" {
			b.WriteString("; one of them:\n" + x.History)
		}
	}
	return b.String()
}

// ofRuntime names a runtime in a message, if it has a name.
func ofRuntime(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" of runtime %q", name)
}

// AttachedError says that Close has found attached threads.
type AttachedError struct {
	Runtime string   // Options.Name, if set
	Threads []string // or other reasons that it cannot close
}

func (e *AttachedError) Error() string {
	return fmt.Sprintf("%sclose%s: still in use: %s", fault.Prefix, ofRuntime(e.Runtime), strings.Join(e.Threads, ", "))
}

// PendingError says that Close has stopped calling pending code, because finalizers, callbacks
// and releases kept making more of it due.
type PendingError struct {
	Calls int // pending calls that were not made
}

func (e *PendingError) Error() string {
	return fmt.Sprintf("%sclose: %d finalizers, callbacks and releases were still due after many rounds of others, and were not called", fault.Prefix, e.Calls)
}

// Close ends the runtime. First user code runs, with all objects in place. Close collects
// cycles, and calls the finalizers and callbacks that are due. Then it empties all weak
// references to mortal objects, and takes out all foreign values. It calls the callbacks of the
// former, except those of dead weak references, and the releases of the latter. After that no
// user code runs. Close frees all objects, including immortals, and returns the memory to the
// system.
//
// Close returns an *AttachedError, and does nothing, while threads are attached or blocked; a
// *LeakError if mortal objects were left; a *PendingError if calls that were due made others
// due without end. errors.As finds each if there are several. The memory is freed in the last
// two cases too, and also if user code ends Close with runtime.Goexit or with a panic in
// Options.OnError. Closing twice returns ErrClosed. Any goroutine that is not attached.
func (r *Runtime) Close() error {
	r.mustNotWait(nil)
	t, err := r.beginClose()
	if err != nil {
		return err
	}
	return t.closeRuntime()
}

// CloseContext is Close that first waits until ctx ends for all threads to detach. Attach
// returns ErrClosed meanwhile. If ctx ends first, the runtime is open again. Any goroutine that
// is not attached.
func (r *Runtime) CloseContext(ctx context.Context) error {
	r.mustNotWait(nil)
	t, err := r.beginCloseContext(ctx)
	if err != nil {
		return err
	}
	return t.closeRuntime()
}

// closeRuntime is Close on a thread of its own. It frees the memory however the first part
// ends.
func (t *Thread) closeRuntime() (err error) {
	defer func() { err = t.endRuntime() }()
	t.lastCalls()
	return nil
}

// closeRounds bounds how often Close runs pending code, and closeSweeps how often it looks for
// more. A list in which each object drops the next one in its finalizer takes one round for
// each object. The values are guesses; tests change them.
var closeRounds, closeSweeps = 1 << 21, 10

// lastCalls runs user code while all objects are in place, until nothing is due and
// nothing could become due.
func (t *Thread) lastCalls() {
	rounds := closeRounds
	for range closeSweeps {
		for range closeSweeps { // finalizers may make new garbage
			for ; t.mayStillRun() && rounds > 0; rounds-- {
				t.Checkpoint()
			}
			if rounds == 0 {
				return
			}
			if c := t.Collect(); c.Freed == 0 && !t.mayStillRun() {
				break
			}
		}
		if !t.takeLeave() {
			return
		}
	}
}

// mayStillRun reports whether user code is due, or may become due when retired references are
// released. No other thread is attached.
func (t *Thread) mayStillRun() bool {
	r := t.rt
	if len(t.pending) > 0 || r.left.some.Load() {
		return true
	}
	return r.gil == nil && (t.waits() || r.orphans.some.Load())
}

// takeLeave makes due what the end of the runtime triggers. It empties the weak references to
// mortal objects; if that triggers no calls, it takes out the foreign values. It reports
// whether anything has become due.
func (t *Thread) takeLeave() bool {
	due := len(t.pending)
	t.clearAllWeak()
	if len(t.pending) == due {
		t.releaseForeign()
	}
	return len(t.pending) > due
}

// clearAllWeak empties the weak references to mortal objects.
func (t *Thread) clearAllWeak() {
	var targets []Ref
	t.rt.weak.Range(func(target Ref, _ weakRefs) bool {
		if !t.IsImmortal(target) {
			targets = append(targets, target)
		}
		return true
	})
	slices.SortFunc(targets, compareRefs) // a deterministic order
	for _, target := range targets {
		t.clearWeak(target, nil)
	}
}

// releaseForeign makes the releases of the remaining foreign values due.
func (t *Thread) releaseForeign() {
	t.rt.foreign.Range(func(r Ref, _ any) bool {
		typeOf(t.header(r).Meta()).Drop(t, r, t.Body(r))
		return true
	})
}

// endRuntime frees everything, and reports what was left. It runs no user code: it only
// counts the calls that were still due, or become due now.
func (t *Thread) endRuntime() (err error) {
	r := t.rt
	var errs []error
	defer func() { // even if counts are wrong
		t.leave()
		if n := len(t.pending); n > 0 {
			errs = append(errs, &PendingError{n})
		}
		if err := r.space.Close(); err != nil {
			errs = append(errs, fault.Errorf("close: %w", err))
		}
		if err = errors.Join(errs...); len(errs) == 1 {
			err = errs[0]
		}
	}()
	t.stopped, r.ending = true, true
	inPlace := t.emptyImmortals()
	t.collectLast() // this settles, and adopts the pendings that others have left
	t.settle()
	for _, r := range inPlace {
		t.cache.Free(uint32(r.Handle))
	}
	if err := t.leaks(); err != nil {
		errs = append(errs, err)
	}
	t.clearAllWeak()
	t.releaseForeign()
	r.space.Check()
	return nil
}

// beginCloseContext bars new threads, waits for the attached ones, and then begins to close.
func (r *Runtime) beginCloseContext(ctx context.Context) (*Thread, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closing {
		return nil, ErrClosed
	}
	for len(r.mu.threads) > 0 && ctx.Err() == nil {
		gone := make(chan struct{})
		r.mu.closing, r.mu.gone = true, gone
		r.mu.Unlock()
		select {
		case <-gone:
		case <-ctx.Done():
		}
		r.mu.Lock()
		r.mu.closing, r.mu.gone = false, nil
	}
	if ctx.Err() != nil {
		return nil, fault.GivenUp(ctx, "close")
	}
	return r.beginCloseLocked()
}

// beginClose bars new threads and returns one for Close itself, which no other goroutine can
// see.
func (r *Runtime) beginClose() (*Thread, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.beginCloseLocked()
}

// beginCloseLocked is beginClose for callers that hold r.mu.
func (r *Runtime) beginCloseLocked() (*Thread, error) {
	if r.mu.closing {
		return nil, ErrClosed
	}
	if len(r.mu.threads) > 0 {
		return nil, &AttachedError{r.opts.Name, r.attachedNames()}
	}
	if err := r.closeFrozen(); err != nil {
		return nil, err
	}
	r.mu.closing = true
	t := r.takeIdle()
	t.enter()
	t.attached = true
	return t, nil
}

// closeFrozen makes sure that no call reads a Frozen without a thread, and that none begins to.
// r.mu is held.
func (r *Runtime) closeFrozen() error {
	list := *r.frozen.Load()
	if r.mu.opening > 0 {
		return &AttachedError{r.opts.Name, []string{"an image is being opened"}}
	}
	for i, f := range list {
		if !f.using.CompareAndSwap(0, -1) {
			for _, f := range list[:i] {
				f.using.Store(0)
			}
			return &AttachedError{r.opts.Name, []string{"an image is being written or inspected"}}
		}
	}
	return nil
}

// collectLast frees the cycles that only immortals kept alive, after immortals have given up
// their references. It runs no user code.
func (t *Thread) collectLast() {
	t.stopped, t.running = false, true
	_, _ = t.collect(context.Background(), false) // this context never ends
	t.stopped, t.running = true, false
}

// emptyImmortals gives up the references of immortal containers, so that objects which only
// immortals kept alive are not leaks. It returns the objects that are immortal in place.
func (t *Thread) emptyImmortals() (inPlace []Ref) {
	t.rt.space.WalkObjects(func(h uint32) bool {
		if t.header(refAt(h)).Owner() < 0 {
			inPlace = append(inPlace, refAt(h))
		}
		return true
	})
	for _, r := range inPlace {
		t.emptyImmortal(r)
	}
	for _, g := range t.rt.mu.regions {
		t.emptyRegion(g)
	}
	return inPlace
}

// leaks returns a *LeakError if mortal objects are left.
func (t *Thread) leaks() error {
	counts := map[string]int{}
	born := map[Birth]*Birth{} // by type and place
	inherited := t.inherited()
	t.rt.space.WalkObjects(func(h uint32) bool {
		hd := t.header(refAt(h))
		if hd.Meta()&metaPoison != 0 || inherited(refAt(h)) {
			return true // freed, and in checked mode's quarantine
		}
		name := "unknown type"
		if y := typeOf(hd.Meta()); y != nil {
			name = y.String()
		}
		counts[name]++
		if t.check != nil {
			site, history := t.check.birth(refAt(h))
			key := Birth{Type: name, Site: site}
			if born[key] == nil {
				born[key] = &Birth{Type: name, Site: site, History: history}
			}
			born[key].Count++
		}
		return true
	})
	if len(counts) == 0 {
		return nil
	}
	e := &LeakError{Runtime: t.rt.opts.Name}
	for _, b := range born {
		e.Born = append(e.Born, *b)
	}
	slices.SortFunc(e.Born, func(a, b Birth) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Site, b.Site))
	})
	for _, f := range *t.rt.frozen.Load() {
		e.Frozen += f.objects
	}
	for name, n := range counts {
		e.Types = append(e.Types, Leak{name, n})
	}
	slices.SortFunc(e.Types, func(a, b Leak) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Type, b.Type)
	})
	return e
}

// inherited returns a function that reports which objects are no leaks in a heap that another
// process has made: the objects left from that heap, which the other process may hold, and
// everything that they hold. The runtime is no longer used.
func (t *Thread) inherited() func(Ref) bool {
	if !t.rt.adopted {
		return func(Ref) bool { return false }
	}
	shared := func(r Ref) bool { return t.rt.space.IsShared(uint32(r.Handle)) }
	own := map[Ref]bool{}
	var work []Ref
	visit := func(r Ref) {
		if !r.IsNil() && r.Handle < Limit && !shared(r) && !own[r] {
			own[r] = true
			work = append(work, r)
		}
	}
	follow := func(r Ref) {
		if y := typeOf(t.header(r).Meta()); y != nil && y.Traverse != nil {
			y.Traverse(t.Heap, t.Body(r), visit)
		}
	}
	t.rt.space.WalkObjects(func(h uint32) bool {
		if shared(refAt(h)) && t.header(refAt(h)).Meta()&metaPoison == 0 {
			follow(refAt(h))
		}
		return true
	})
	for len(work) > 0 {
		r := work[len(work)-1]
		work = work[:len(work)-1]
		follow(r)
	}
	return func(r Ref) bool { return own[r] || shared(r) }
}

// maxBornReports bounds how many places a message lists.
const maxBornReports = 20
