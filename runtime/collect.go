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

// The collector finds cycles of garbage, which counting never frees: containers
// that only garbage refers to. It is trial deletion (Bacon and Rajan, ECOOP 2001, the
// synchronous variant; CPython's gcmodule.c) with the world stopped:
//
//	stop    settle what is retired or queued: a stop is everybody's grace period.
//	        Again, if something was to be finalized that died by it
//	        trace (see trial.go): garbage is what trial deletion leaves
//	        weak references to garbage are emptied, their callbacks are due
//	        if something in it is to be finalized, all garbage gets one more reference
//	run     finalizers of garbage, each with all of the garbage in place
//	stop    settle; trace again, the candidates only: what has become reachable stays
//	run     what is left is freed, and what stays gives back its one more reference
//
// The two later steps are left out where nothing is to be finalized. What is freed
// has no reference from outside and no weak one, so the world may run meanwhile.
//
// A collection can be given up as long as nothing is certain to be freed: while it waits for
// a stop or traces. Before the first weak reference is emptied that leaves everything as it
// was: tracing writes to tables in Go memory only. After the finalizers were called, garbage
// loses its one more reference, and is the next collection's, which does not call them again.
//
// Roots are what counts say: a mortal container with a reference that no mortal
// container accounts for. So Go variables, scopes, immortals, waiting finalizers and
// everything else that holds a count needs no list of roots.
//
// Immortals are neither looked at nor written, and of what lives no byte is written
// at all: trial counts and marks lie in tables of Go memory.

// Collected says what a collection has done.
type Collected struct {
	Candidates  int           // mortal containers that it has looked at
	Garbage     int           // of these, what only garbage referred to
	Finalized   int           // finalizers called
	Resurrected int           // garbage that was reachable after that
	Freed       int           // garbage that was freed
	Stopped     time.Duration // for which the world stood still
	Workers     int           // goroutines that have traced
}

// collector is the state of a runtime's collections.
type collector struct {
	due  atomic.Bool   // a safe point is to collect
	next aligned.Int64 // containers in use from which on one is due
	hard aligned.Int64 // from which on the pause budget does not matter

	mu struct {
		sync.Mutex
		stopped time.Duration // by the last one
		ended   time.Time     // when it was
		stats   CollectorStats
	}
}

// CollectorStats adds up a runtime's collections.
type CollectorStats struct {
	Collections int64 // all of them
	Automatic   int64 // of these, begun by a safe point
	PutOff      int64 // times that the pause budget kept one from being begun

	Candidates, Garbage, Finalized, Resurrected, Freed int64 // sums of what Collected says

	Stopped time.Duration // sum
	Longest time.Duration // the most that one collection has stopped the world
	Budget  float64       // Options.PauseBudget
	Next    int64         // containers in use from which on the next one is due
}

// CollectorStats returns what collections have done so far. Any goroutine.
func (r *Runtime) CollectorStats() CollectorStats {
	m := &r.collector.mu
	m.Lock()
	defer m.Unlock()
	s := m.stats
	s.Budget, s.Next = r.opts.PauseBudget, r.collector.next.Load()
	return s
}

// note adds a collection that is over to the statistics.
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

// requestCollection has the next safe point collect if enough containers have
// come, and the pause budget allows it or too many have come.
func (r *Runtime) requestCollection() {
	c := &r.collector
	if n := r.space.Containers(); r.opts.CollectAfter > 0 && n >= c.next.Load() && !c.due.Load() {
		c.due.Store(n >= c.hard.Load() || r.withinBudget())
	}
}

// withinBudget reports whether the last pause is far enough back.
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

// plan sets when the next collection is due: when there are half as many
// containers more than were found alive, and at least CollectAfter. So a container
// is traced three times for each that is made, at worst, whatever the size of the
// heap.
func (r *Runtime) plan(alive int64) {
	grow := max(int64(r.opts.CollectAfter), alive/2)
	n := r.space.Containers()
	r.collector.next.Store(n + grow)
	r.collector.hard.Store(n + 4*grow)
}

// collectDue is a safe point's collection.
func (t *Thread) collectDue() {
	if t.running || t.region != nil {
		return // at the next safe point that is nobody's callback
	}
	if t.rt.collector.due.CompareAndSwap(true, false) {
		_, _ = t.collect(context.Background(), true) // which never ends
	}
}

// Collect finds all cycles of garbage and frees them, and returns what it has
// found. A safe point, at which finalizers and callbacks run. Attached thread.
func (t *Thread) Collect() Collected {
	c, _ := t.CollectContext(context.Background()) // which never ends
	return c
}

// CollectContext is Collect that is given up when ctx ends: while it waits for the world to
// stop, or for its turn, and while it traces. Garbage stays then, all of it, for the next
// collection, and the error is the only effect. If the call has come to finalizers, however,
// those have been called, and weak references to garbage are empty. Once it frees, it goes on
// to the end. A safe point in any case. Attached thread.
func (t *Thread) CollectContext(ctx context.Context) (Collected, error) {
	t.mustBeAttached()
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
	ctx, task := trace.NewTask(ctx, "ichor collection")
	defer task.End()
	c := &collection{t: t, ctx: ctx, auto: auto}
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
				return // it may have left out something
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
		if waits {
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
	trace.WithRegion(ctx, "ichor free", c.free)
	t.rt.space.TrimShared()
	t.cache.Publish()
	t.rt.plan(int64(c.Candidates - c.Freed))
	c.note()
	return c.Collected, nil
}

// collection is one in the making.
type collection struct {
	Collected
	t       *Thread
	ctx     context.Context // until when it waits and traces
	auto    bool
	trial   trial
	garbage []Ref
	kept    []Ref // garbage that was resurrected
	held    []Ref // what has one more reference, which is the collection's
}

// waitRounds bounds how often a collection waits for finalizers. A guess.
const waitRounds = 10

// waits reports whether to run what is due first: what has died because the stop
// was a grace period, and is to be finalized, holds all that it refers to until
// then, cycles too. A collection that a safe point has begun leaves them to the
// next one.
func (c *collection) waits(rounds int) bool {
	return len(c.t.pending) > 0 && !c.auto && !c.t.running && rounds < waitRounds
}

// stop runs fn with the world stopped and everything settled, unless ctx ends before.
func (c *collection) stop(fn func()) error {
	defer trace.StartRegion(c.ctx, "ichor stop").End()
	return c.t.StopTheWorldContext(c.ctx, func() {
		began := time.Now()
		defer func() { c.Stopped += time.Since(began) }()
		if !(mutant.On && mutant.Is(mutant.CollectUnsettled)) {
			c.t.settle()
		}
		fn()
	})
}

// condemn empties the weak references to garbage. If this is final, garbage
// leaves all other tables as well. World stopped.
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

// hold gives all garbage one more reference: finalizers may do what they like
// with the rest. World stopped.
func (c *collection) hold() {
	c.t.IncRefs(c.garbage)
	c.held = c.garbage
	c.t.Hold(&c.held)
}

// letGo gives that back: what stays by then, or all, where a finalizer has ended the
// collection with runtime.Goexit. Misuse that shows in it keeps nothing else.
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

// toFinalize reports whether r has a finalizer that has not been called.
func (t *Thread) toFinalize(r Ref) bool {
	meta := t.header(r).Meta()
	if meta&metaDeath == 0 || t.rt.ending || typeOf(meta).Finalize == nil || t.IsImmortal(r) {
		return false
	}
	o, word := t.finalizedWord(r)
	return o.Word(word) == 0
}

// finalize calls the finalizers of garbage, but for what one of them has made immortal.
// The world runs.
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

// free frees garbage, which nobody can reach. What garbage refers to among itself
// needs no counting.
func (c *collection) free() {
	c.Freed, c.Resurrected, c.held = len(c.garbage), len(c.kept), c.kept
	c.freeGarbage()
	c.trial.release()
}

// freeGarbage frees what is left of it. Where a misuse shows, or a function of a type
// panics, the object's memory goes back all the same, and that of the others: they have
// counts of each other that nobody would give up any more.
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

// giveBack gives back the block and the memory of garbage.
func (t *Thread) giveBack(r Ref) {
	if y := typeOf(t.header(r).Meta()); y.Block != nil {
		t.FreeBlock(y.Block(t.Body(r)))
	}
	t.freeMemory(r)
}
