package runtime

import (
	"context"
	"time"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/point"
)

// Checkpoint is the safe point. It offers the GIL to those who wait, lets the
// world be stopped, declares that the thread holds no borrowed references, and
// releases what was retired and is due. Call it once for each unit of work: it
// costs a few loads when there is nothing to do. Attached thread.
func (t *Thread) Checkpoint() {
	if !t.attached || t.stopped {
		t.mustBeAttached()
		t.misused("safe point inside StopTheWorld", "none until its function has returned")
	}
	if t.locked[0] != nil {
		t.unlockLeft()
	}
	if g := t.rt.gil; g != nil {
		if g.DropRequested() {
			t.cache.Publish()
			g.Yield()
		}
	} else {
		if t.member.Stopping() {
			t.rt.mustNotWait(t)
			t.cache.Publish()
			t.reader.Offline()
			t.member.Pause()
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
		t.immortaliseSticky()
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

// Blocking runs fn outside the world: other threads may hold the GIL, stop the
// world, and release what this one has dropped, meanwhile. It is a safe point. fn must
// not touch objects. Use it around everything that waits: system calls, channels, locks of
// your own.
// Attached thread.
func (t *Thread) Blocking(fn func()) {
	t.Checkpoint()
	t.outside(fn)
}

// outside is Blocking once nothing is due any more. The thread is back afterwards, also
// where fn, or what leaving finds, ends it with a panic or runtime.Goexit.
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
	case t.reader != nil: // leaving has failed, before the reader went offline or after
		t.reader.Offline()
		t.reader.Online()
	}
	if t.queue != nil {
		t.attachQueue()
	}
	t.attached = true
}

// StopTheWorld runs fn while no other thread is between two safe points. Under
// the GIL that is so already. It is a safe point before fn, and fn must not
// reach another. Attached thread.
func (t *Thread) StopTheWorld(fn func()) {
	_ = t.StopTheWorldContext(context.Background(), fn) // which never ends
}

// StopTheWorldContext is StopTheWorld that waits until ctx ends, for the other threads to come
// to safe points: they go on then, and fn does not run. It is a safe point in any case.
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
		if !(point.On && point.Explored()) && r.world.Waits(t.member) {
			r.mustNotWait(t)
		}
		t.reader.Offline() // while it waits for its turn it counts as stopped
		waited, err := r.world.StopContext(ctx, t.member)
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
	fn()
	return nil
}

// stallLimit is how long a checkpoint waits for a grace period when the thread
// holds back more than its budget. Waiting for ever would let one thread that
// reaches no checkpoint stop all who drop. A guess; tests have more patience.
var stallLimit = 10 * time.Millisecond
