package runtime

import (
	"context"
	"runtime/trace"
	"time"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/point"
)

// Checkpoint is the plain safe point. It offers the GIL to waiting threads, lets other threads
// stop the world, declares that the thread holds no borrowed references, and releases retired
// objects that are due. Call it once for each unit of work: it costs a few loads when there is
// nothing to do. Attached thread.
func (t *Thread) Checkpoint() {
	if !t.attached || t.stopped {
		t.mustBeAttached()
		t.misused("safe point inside StopTheWorld", "no safe point before its function has returned")
	}
	if t.locked[0] != nil {
		t.unlockLeft()
	}
	if g := t.rt.gil; g != nil {
		if g.DropRequested() {
			t.cache.Publish()
			t.wait(WaitGIL, g.Yield)
		}
	} else {
		if t.member.Stopping() {
			t.rt.mustNotWait(t)
			t.cache.Publish()
			t.reader.Offline()
			t.wait(WaitWorld, t.member.Pause)
			t.reader.Online()
		}
		t.reader.Quiescent()
		if t.waits() || t.rt.orphans.some.Load() {
			t.releaseDue()
		}
		if t.queue.some.Load() {
			t.drain(t.queue)
		}
		if t.behind != nil {
			t.waitForOwner()
		}
	}
	if !t.dying.IsNil() {
		t.mend()
	}
	if len(t.sticky) > 0 {
		t.immortalizeSticky()
	}
	if t.rt.heap != nil {
		t.cache.NextWindow()
	}
	if t.rt.collector.due.Load() {
		t.collectDue()
	}
	if t.rt.left.some.Load() {
		t.adoptPending()
	}
	if len(t.pending) > 0 {
		t.runPending()
	}
}

// Blocking runs fn outside the world: meanwhile other threads may hold the GIL, stop the world,
// and release what this thread has retired. fn must not touch objects. Use Blocking around
// everything that waits: system calls, channels, locks of your own. A safe point. Attached
// thread.
func (t *Thread) Blocking(fn func()) {
	t.Checkpoint()
	t.outside(fn)
}

// outside is Blocking after the code that was due has run. The thread is back in the world
// afterwards, even if a panic or runtime.Goexit ends fn or the leaving.
func (t *Thread) outside(fn func()) {
	defer t.comeBack()
	if t.queue != nil {
		t.leaveQueue()
	}
	t.leaveBehind()
	t.attached = false
	t.leave()
	fn()
}

func (t *Thread) comeBack() {
	switch {
	case !t.attached:
		t.enter()
	case t.reader != nil: // leaving has failed, before or after the reader went offline
		t.reader.Offline()
		t.reader.Online()
	}
	if t.queue != nil {
		t.attachQueue()
	}
	t.attached = true
}

// StopTheWorld runs fn while every other thread is at a safe point, blocked or detached. Under
// the GIL, holding the lock is enough. It is a safe point before fn runs; fn must not reach
// another one. Attached thread.
func (t *Thread) StopTheWorld(fn func()) {
	_ = t.StopTheWorldContext(context.Background(), fn) // this context never ends
}

// StopTheWorldContext is StopTheWorld that gives up when ctx ends before all other threads are
// at safe points. Then they go on, and fn does not run. It is a safe point in any case.
// Attached thread.
func (t *Thread) StopTheWorldContext(ctx context.Context, fn func()) error {
	t.Checkpoint()
	if ctx.Err() != nil {
		return fault.GivenUp(ctx, "stop of the world")
	}
	t.cache.Publish()
	r := t.rt
	var began time.Time
	if r.gil == nil {
		waits := !(point.On && point.Explored()) && r.world.Waits(t.member)
		if waits {
			r.mustNotWait(t)
		}
		t.reader.Offline() // a thread that waits for its turn counts as stopped
		waited, err := t.stopOthers(ctx, waits)
		if err != nil {
			t.reader.Online()
			return fault.GivenUp(ctx, "stop of the world")
		}
		r.stopping.Add(waited)
	} else {
		began = time.Now()
	}
	t.stopped = true
	defer func() {
		t.stopped = false
		if r.gil == nil {
			r.pauses.Add(r.world.Start(t.member))
			t.reader.Online()
		} else {
			r.pauses.Add(time.Since(began))
		}
	}()
	defer trace.StartRegion(t.tracing(ctx), "ichor stopped world").End()
	fn()
	return nil
}

// stopOthers stops the world. waits says whether it has to wait for other threads.
func (t *Thread) stopOthers(ctx context.Context, waits bool) (waited time.Duration, err error) {
	if !waits {
		return t.rt.world.StopContext(ctx, t.member)
	}
	t.wait(WaitStop, func() { waited, err = t.rt.world.StopContext(ctx, t.member) })
	return waited, err
}

// stallLimit bounds the wait of a checkpoint for a grace period when the thread exceeds its
// budget. Without a bound, one thread that reaches no checkpoint would stop every thread that
// retires objects. The value is a guess; tests set a larger one.
var stallLimit = 10 * time.Millisecond
