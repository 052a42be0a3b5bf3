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

// LeakError lists the mortal objects that were still alive at Close: references
// that nobody gave up, and cycles.
type LeakError struct {
	Runtime string  // Options.Name, if the program has given one
	Types   []Leak  // by falling count
	Frozen  int64   // frozen objects that were loaded until then; they are no leak
	Born    []Birth // checked mode: where the objects were made, by falling count
}

// Birth counts the leaked objects of a type that were made in one place.
type Birth struct {
	Type    string
	Site    string // the user's function, its file and line
	Count   int
	History string // of one of them: the last count operations and where they were made
}

// Leak counts the leaked objects of a type.
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
		fmt.Fprintf(&b, "; apart from these, %d frozen objects were loaded", e.Frozen)
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

// AttachedError says that Close found threads that are still attached.
type AttachedError struct {
	Runtime string   // Options.Name, if the program has given one
	Threads []string // or what else keeps it from closing
}

func (e *AttachedError) Error() string {
	return fmt.Sprintf("%sclose%s: still in use: %s", fault.Prefix, ofRuntime(e.Runtime), strings.Join(e.Threads, ", "))
}

// PendingError says that Close has given up calling what was due: finalizers, callbacks and
// releases that have gone on making others due.
type PendingError struct {
	Calls int // that were due, and are not called
}

func (e *PendingError) Error() string {
	return fmt.Sprintf("%sclose: %d finalizers, callbacks and releases were still due after many rounds of others, and are not called", fault.Prefix, e.Calls)
}

// Close ends the runtime. First code of the user's runs, with everything in place: it
// collects cycles, and calls the finalizers and callbacks that are due; then, as all weak
// references to mortal objects are emptied and all foreign values taken out, the callbacks
// of the former, but for those of a weak reference that has died, and the releases of the
// latter. Then no such code runs any more, and it frees everything, immortals too, and gives
// the memory back. It returns an *AttachedError, and does nothing, while threads are attached
// or blocked; a *LeakError if mortal objects were left; a *PendingError if there was no end
// to what is due; errors.As finds each if there are several. In the latter two cases, and if
// code of the user's ends Close with runtime.Goexit or by a panic of Options.OnError, the
// memory is freed all the same. Closing twice returns ErrClosed. Any goroutine that is not
// attached.
func (r *Runtime) Close() error {
	r.mustNotWait(nil)
	t, err := r.beginClose()
	if err != nil {
		return err
	}
	return t.closeRuntime()
}

// CloseContext is Close that waits until ctx ends for all threads to detach. Attach returns
// ErrClosed meanwhile. If ctx ends first, the runtime is open again. Any goroutine that is not
// attached.
func (r *Runtime) CloseContext(ctx context.Context) error {
	r.mustNotWait(nil)
	t, err := r.beginCloseContext(ctx)
	if err != nil {
		return err
	}
	return t.closeRuntime()
}

// closeRuntime is Close on a thread of its own, whatever ends its first part.
func (t *Thread) closeRuntime() (err error) {
	defer func() { err = t.endRuntime() }()
	t.lastCalls()
	return nil
}

// closeRounds bounds how often Close runs what is due, closeSweeps how often it looks for
// more. In a list of objects each of which drops the next one in its finalizer, each takes a
// round. Guesses; tests change them.
var closeRounds, closeSweeps = 1 << 21, 10

// lastCalls runs code of the user's while all objects are in place, until nothing is due and
// nothing is left that could become due.
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

// mayStillRun reports whether code of the user's is due, or may be once what is
// retired is released. Nobody else is attached.
func (t *Thread) mayStillRun() bool {
	r := t.rt
	if len(t.pending) > 0 || r.left.some.Load() {
		return true
	}
	return r.gil == nil && (t.waits() || r.orphans.some.Load())
}

// takeLeave makes due what the end of the runtime will make due: it empties the weak
// references to mortal objects and, once that calls nothing, takes the foreign values out.
// It reports whether anything is due by that.
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
	slices.SortFunc(targets, compareRefs) // the order is no accident
	for _, target := range targets {
		t.clearWeak(target, nil)
	}
}

// releaseForeign has the foreign values of what is left released.
func (t *Thread) releaseForeign() {
	t.rt.foreign.Range(func(r Ref, _ any) bool {
		typeOf(t.header(r).Meta()).Drop(t, r, t.Body(r))
		return true
	})
}

// endRuntime frees everything, and says what was left. No code of the user's runs in it:
// what was still due, or becomes it, is counted.
func (t *Thread) endRuntime() (err error) {
	r := t.rt
	var errs []error
	defer func() { // also where counts are broken
		t.stopped = false
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
	t.settle()
	inPlace := t.emptyImmortals()
	t.settle()
	t.collectLast() // which takes in what others have left to be called
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

// beginCloseContext bars new threads, waits for the others, and then begins to close.
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

// remove takes a thread out of those that are attached. r.mu is held.
func (r *Runtime) remove(t *Thread) {
	delete(r.mu.threads, t)
	if len(r.mu.threads) == 0 && r.mu.gone != nil {
		close(r.mu.gone)
		r.mu.gone = nil
	}
}

// beginClose bars new threads and returns one for Close itself, which nobody
// else can see.
func (r *Runtime) beginClose() (*Thread, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.beginCloseLocked()
}

// beginCloseLocked is beginClose. r.mu is held.
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

// closeFrozen sees to it that nobody is looking through what is frozen, and that nobody
// begins to. r.mu is held.
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
			return &AttachedError{r.opts.Name, []string{"an image is being written, or looked through"}}
		}
	}
	return nil
}

// collectLast frees the cycles that only immortals kept alive. No code of the
// user's runs in it: what immortals held is gone.
func (t *Thread) collectLast() {
	t.stopped, t.running = false, true
	_, _ = t.collect(context.Background(), false) // which never ends
	t.stopped, t.running = true, false
}

// emptyImmortals gives up what immortal containers hold, so that what only they
// kept alive is no leak. It returns those that became immortal in place.
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

// leaks counts the mortal objects that are left.
func (t *Thread) leaks() error {
	counts := map[string]int{}
	born := map[Birth]*Birth{} // by type and place
	inherited := t.inherited()
	t.rt.space.WalkObjects(func(h uint32) bool {
		hd := t.header(refAt(h))
		if hd.Meta()&metaPoison != 0 || inherited(refAt(h)) {
			return true // freed, and kept by checked mode
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

// inherited returns a function that tells which objects are no leak, in a heap that
// another process has made: what is left of that, as the other may hold it, and what it
// holds. Nobody uses the runtime any more.
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

// maxBornReports bounds how many places a message tells of.
const maxBornReports = 20
