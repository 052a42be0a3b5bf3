package runtime

import (
	"context"
	"runtime/trace"
	"slices"
	"sync"
	"time"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
)

// The collector finds cycles of garbage, which counting never frees: containers to which only
// garbage refers. The algorithm is trial deletion (Bacon and Rajan, ECOOP 2001, the synchronous
// variant; CPython's gcmodule.c) with the world stopped:
//
//	stop    settle everything retired or queued: a stop is a grace period.
//	        Again, if a finalizer has become due by that.
//	        Trace (see trial.go): garbage is what trial deletion leaves.
//	        Empty the weak references to garbage; their callbacks become due.
//	        If any garbage has a finalizer, give all garbage one more reference
//	run     call the finalizers of garbage, each with all of the garbage in place
//	stop    settle; trace again, the candidates only: what has become reachable stays
//	run     free the rest, and take the extra reference back from what stays
//
// The last two steps are left out if no garbage has a finalizer. The garbage to be freed has no
// reference from outside and no weak one, so the world may run meanwhile.
//
// A collection can be cancelled as long as no object is certain to be freed: while it waits for
// a stop or traces. Until it empties the first weak reference, it changes nothing in the heap,
// since tracing writes only to tables in Go memory. If it is cancelled after the finalizers
// were called, garbage loses its extra reference and is left to the next collection, which does
// not call the finalizers again.
//
// The counts tell the roots: a root is a mortal container with a reference that no mortal
// container accounts for. So Go variables, scopes, immortals, pending finalizers and all other
// owners of counts need no list of roots.
//
// The collector neither reads nor writes immortals, and writes no byte of live objects: trial
// counts and marks lie in tables of Go memory.

// Collected is the result of a collection.
type Collected struct {
	Candidates  int           // mortal containers that it has traced
	Garbage     int           // candidates to which only garbage referred
	Finalized   int           // finalizers called
	Resurrected int           // garbage that was reachable after the finalizers
	Freed       int           // garbage that was freed
	Stopped     time.Duration // how long the world was stopped
	Workers     int           // goroutines that traced
}

// collector is the state of a runtime's collections.
type collector struct {
	due  atomic.Bool   // the next safe point starts a collection
	next aligned.Int64 // number of containers at which one becomes due
	hard aligned.Int64 // number at which the pause budget does not matter any more

	mu struct {
		sync.Mutex
		stopped time.Duration // how long the last one stopped the world
		ended   time.Time     // when the last one ended
		stats   CollectorStats
	}
}

// CollectorStats adds up a runtime's collections.
type CollectorStats struct {
	Collections int64 // all of them
	Automatic   int64 // those that a safe point started
	PutOff      int64 // how often the pause budget put one off

	Candidates, Garbage, Finalized, Resurrected, Freed int64 // sums of the fields of Collected

	Stopped time.Duration // total
	Longest time.Duration // maximum of one collection
	Budget  float64       // Options.PauseBudget
	Next    int64         // number of containers at which the next one is due
}

// CollectorStats returns the totals of all collections so far. Any goroutine.
func (r *Runtime) CollectorStats() CollectorStats {
	m := &r.collector.mu
	m.Lock()
	defer m.Unlock()
	s := m.stats
	s.Budget, s.Next = r.opts.PauseBudget, r.collector.next.Load()
	return s
}

// note adds a finished collection to the statistics.
func (c *collection) note() {
	c.t.rt.collectorPauses.Add(c.Stopped)
	m := &c.t.rt.collector.mu
	m.Lock()
	defer m.Unlock()
	m.stopped, m.ended = c.Stopped, time.Now()
	s := &m.stats
	s.Collections++
	if c.auto {
		s.Automatic++
	}
	s.Candidates += int64(c.Candidates)
	s.Garbage += int64(c.Garbage)
	s.Finalized += int64(c.Finalized)
	s.Resurrected += int64(c.Resurrected)
	s.Freed += int64(c.Freed)
	s.Stopped += c.Stopped
	s.Longest = max(s.Longest, c.Stopped)
}

// requestCollection makes a collection due at the next safe point, if there are enough
// containers and the pause budget allows it, or if there are too many.
func (r *Runtime) requestCollection() {
	c := &r.collector
	if n := r.space.Containers(); r.opts.CollectAfter > 0 && n >= c.next.Load() && !c.due.Load() {
		c.due.Store(n >= c.hard.Load() || r.withinBudget())
	}
}

// withinBudget reports whether the last collection ended long enough ago.
func (r *Runtime) withinBudget() bool {
	m := &r.collector.mu
	m.Lock()
	defer m.Unlock()
	if time.Since(m.ended).Seconds()*r.opts.PauseBudget >= m.stopped.Seconds() {
		return true
	}
	m.stats.PutOff++
	return false
}

// plan decides when the next collection is due: when the containers have grown in number by
// half of those found alive, and by at least CollectAfter. So each new container costs at most
// three traced ones, whatever the size of the heap.
func (r *Runtime) plan(alive int64) {
	grow := max(int64(r.opts.CollectAfter), alive/2)
	n := r.space.Containers()
	r.collector.next.Store(n + grow)
	r.collector.hard.Store(n + 4*grow)
}

// collectDue runs the collection that is due at a safe point.
func (t *Thread) collectDue() {
	if t.running || t.region != nil {
		return // the next safe point outside a callback does it
	}
	if t.rt.collector.due.CompareAndSwap(true, false) {
		_, _ = t.collect(context.Background(), true) // this context never ends
	}
}

// Collect finds all cycles of garbage, frees them, and returns what it has found. A safe point,
// at which finalizers and callbacks run. Attached thread.
func (t *Thread) Collect() Collected {
	c, _ := t.CollectContext(context.Background()) // this context never ends
	return c
}

// CollectContext is Collect that ends early if ctx ends while it waits for the world to stop,
// for its turn, or while it traces. Then it returns an error, frees nothing, and leaves all
// garbage to the next collection. If finalizers have run by then, they stay called, and weak
// references to garbage stay empty. Once it frees, it goes on to the end. A safe point in any
// case. Attached thread.
func (t *Thread) CollectContext(ctx context.Context) (Collected, error) {
	c, err := t.collect(ctx, false)
	t.Checkpoint()
	return c, err
}

// Collect is Thread.Collect for goroutines that are not attached.
func (r *Runtime) Collect() (Collected, error) { return r.CollectContext(context.Background()) }

// CollectContext is Thread.CollectContext for goroutines that are not attached.
func (r *Runtime) CollectContext(ctx context.Context) (c Collected, err error) {
	r.mustNotWait(nil)
	err = r.DoContext(ctx, func(t *Thread) (err error) {
		c, err = t.CollectContext(ctx)
		return err
	})
	return c, err
}

func (t *Thread) collect(ctx context.Context, auto bool) (Collected, error) {
	c := &collection{t: t, ctx: ctx, auto: auto}
	defer c.region("ichor collection").End()
	defer c.letGo()
	final, waits := false, true
	for rounds := 0; waits; rounds++ {
		traced := true
		err := c.stop(func() {
			if waits = c.waits(rounds); waits {
				return
			}
			c.garbage = c.trace()
			if traced = ctx.Err() == nil; !traced {
				return // the trace may be incomplete
			}
			c.Garbage = len(c.garbage)
			if final = !slices.ContainsFunc(c.garbage, t.toFinalize); !final {
				c.hold()
			}
			c.condemn(final)
		})
		if err != nil || !traced {
			return c.Collected, fault.GivenUp(ctx, "collect")
		}
		for n := 0; waits && n < waitCalls && len(t.pending) > 0 && ctx.Err() == nil; n++ {
			t.runPending()
		}
	}
	if !final {
		c.finalize()
		err := c.stop(func() {
			c.retrace()
			c.condemn(true)
		})
		if err != nil {
			return c.Collected, fault.GivenUp(ctx, "collect")
		}
	}
	c.free()
	t.rt.space.TrimShared()
	t.cache.Publish()
	t.rt.plan(int64(c.Candidates - c.Freed))
	c.note()
	return c.Collected, nil
}

// collection is a collection in progress.
type collection struct {
	Collected
	t       *Thread
	ctx     context.Context // bounds waiting and tracing
	auto    bool
	trial   trial
	garbage []Ref
	kept    []Ref // garbage that was resurrected
	held    []Ref // objects to which the collection has given an extra reference
}

// region begins a region of an execution trace.
func (c *collection) region(name string) *trace.Region {
	return trace.StartRegion(c.t.tracing(c.ctx), name)
}

// waitRounds bounds how often a collection stops to wait for finalizers, and waitCalls how often
// it runs those that are due after such a stop. A list in which each object has a finalizer and
// drops the next one takes one call for each object. Finalizers that make others due without
// end are left to the safe points that follow. The values are guesses.
const waitRounds, waitCalls = 10, 1000

// waits reports whether to run pending code before the trace. The stop may have made finalizers
// due, since it was a grace period. Until such a finalizer has run, its object holds everything
// that it refers to, cycles too. A collection that a safe point has started leaves these
// objects to the next collection.
func (c *collection) waits(rounds int) bool {
	return len(c.t.pending) > 0 && !c.auto && !c.t.running && rounds < waitRounds
}

// stop runs fn with the world stopped and everything settled, unless ctx ends before that.
func (c *collection) stop(fn func()) error {
	defer c.region("ichor stop").End()
	return c.t.StopTheWorldContext(c.ctx, func() {
		began := time.Now()
		defer func() { c.Stopped += time.Since(began) }()
		if !(mutant.On && mutant.Is(mutant.CollectUnsettled)) {
			c.t.settle()
		}
		fn()
	})
}

// condemn empties the weak references to garbage. If final is true, it also removes garbage
// from all other tables. World stopped.
func (c *collection) condemn(final bool) {
	t := c.t
	for _, r := range c.garbage {
		h := t.header(r)
		y := typeOf(h.Meta())
		if h.IsWeak() {
			if !(mutant.On && mutant.Is(mutant.GarbageWeakKept)) {
				t.clearWeak(r, c.trial.isGarbage)
			}
			if final && y.Forget != nil {
				y.Forget(t, r, t.Body(r))
			}
		}
		if final && y.Drop != nil {
			y.Drop(t, r, t.Body(r))
		}
	}
}

// hold gives all garbage one more reference, so that it survives whatever the finalizers do.
// World stopped.
func (c *collection) hold() {
	c.t.IncRefs(c.garbage)
	c.held = c.garbage
	c.t.Hold(&c.held)
}

// letGo takes the extra reference back: from the objects that stay, or from all of them if a
// finalizer has ended the collection with runtime.Goexit. If it finds misuse at one object, it
// goes on with the others.
func (c *collection) letGo() {
	defer func() {
		if len(c.held) > 0 {
			c.letGo()
		}
	}()
	c.t.Unhold(&c.held)
	for n := len(c.held); n > 0; n = len(c.held) {
		r := c.held[n-1]
		c.held = c.held[:n-1]
		c.t.DecRef(r)
	}
}

// toFinalize reports whether r has a finalizer that was not called yet.
func (t *Thread) toFinalize(r Ref) bool {
	meta := t.header(r).Meta()
	if meta&metaDeath == 0 || t.rt.ending || typeOf(meta).Finalize == nil || t.IsImmortal(r) {
		return false
	}
	o, word := t.finalizedWord(r)
	return o.Word(word) == 0
}

// finalize calls the finalizers of garbage, except of objects that one of them has made
// immortal. The world runs.
func (c *collection) finalize() {
	t := c.t
	region, running := t.region, t.running
	t.region, t.running = nil, true
	defer func() { t.region, t.running = region, running }()
	for _, r := range c.garbage {
		if t.toFinalize(r) {
			o, word := t.finalizedWord(r)
			o.SetWord(word, 1)
			t.finalize(r)
			c.Finalized++
		}
	}
}

// free frees the garbage, which no code can reach. References among garbage need no counting.
func (c *collection) free() {
	defer c.region("ichor free").End()
	c.Freed, c.Resurrected, c.held = len(c.garbage), len(c.kept), c.kept
	c.freeGarbage()
}

// freeGarbage frees the garbage that is left. If misuse or a function of a type panics, the
// memory of that object is freed all the same, and so are the others: they hold counts of each
// other that nothing else would give up.
func (c *collection) freeGarbage() {
	t := c.t
	visit := func(r Ref) {
		if !r.IsNil() && r.Handle < Limit && !c.trial.isGarbage(r) {
			t.DecRef(r)
		}
	}
	defer func() {
		if len(c.garbage) > 0 {
			defer c.freeGarbage()
			t.giveBack(c.takeGarbage())
		}
	}()
	for len(c.garbage) > 0 {
		r := c.garbage[0]
		typeOf(t.header(r).Meta()).Traverse(t.Heap, t.Body(r), visit)
		t.giveBack(c.takeGarbage())
	}
}

func (c *collection) takeGarbage() (r Ref) {
	r, c.garbage = c.garbage[0], c.garbage[1:]
	return r
}

// giveBack frees the block and the memory of a garbage object.
func (t *Thread) giveBack(r Ref) {
	if y := typeOf(t.header(r).Meta()); y.Block != nil {
		t.FreeBlock(y.Block(t.Body(r)))
	}
	t.freeMemory(r)
}
