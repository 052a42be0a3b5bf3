package runtime

import (
	"bytes"
	"context"
	"fmt"
	"io"
	goruntime "runtime"
	"runtime/trace"
	"strings"
	"testing"
	"time"
)

// waitsAt returns the sum of the records of waits for what, in a function of that name.
func waitsAt(r *Runtime, what Wait, function string) (sum ContentionRecord) {
	for _, x := range r.ContentionProfile() {
		if x.For == what && strings.Contains(framesOf(x.Place), function) {
			sum.Place, sum.For = x.Place, x.For
			sum.Waits += x.Waits
			sum.Waited += x.Waited
			sum.Samples += x.Samples
		}
	}
	return sum
}

// until calls step until done returns true.
func until(done func() bool, step func()) {
	for !done() {
		step()
	}
}

//go:noinline
func attachWaiting(r *Runtime, ctx context.Context, fn func(*Thread)) error {
	return r.DoContext(ctx, func(t *Thread) error {
		fn(t)
		return nil
	})
}

// contend has threads wait for the GIL, or for each other's stops and locks.
func contend(t *testing.T, r *Runtime, ctx context.Context) {
	t.Helper()
	must0(t, r.Do(func(th *Thread) error {
		came, left := make(chan bool), make(chan error)
		if r.gil != nil {
			go func() { left <- attachWaiting(r, ctx, func(*Thread) {}) }()
			before := r.gil.Stats().Switches
			until(func() bool { return r.gil.Waiter() != nil }, goruntime.Gosched)
			until(func() bool { return r.gil.Stats().Switches > before }, th.Checkpoint)
			th.Blocking(func() { must0(t, <-left) })
			return nil
		}
		node, _, err := th.New(leafType, 8) // word 0 is a lock
		must0(t, err)
		defer th.DecRef(node)
		other, _, err := th.New(leafType, 8)
		must0(t, err)
		defer th.DecRef(other)
		for _, both := range []bool{false, true} { // a container lock, and a pair of them
			th.Lock(th.Body(node), 0)
			go func() {
				left <- attachWaiting(r, ctx, func(x *Thread) {
					came <- true
					if both {
						x.Lock2(x.Body(other), x.Body(node), 0)
						x.Unlock2(x.Body(other), x.Body(node), 0)
						return
					}
					x.Lock(x.Body(node), 0)
					x.Unlock(x.Body(node), 0)
				})
			}()
			<-came
			time.Sleep(5 * time.Millisecond) // long enough for the other thread to find it locked, as a rule
			th.Unlock(th.Body(node), 0)
			th.Blocking(func() { must0(t, <-left) })
		}
		// A stop waits for this thread, and this thread waits in it.
		go func() {
			left <- attachWaiting(r, ctx, func(x *Thread) { x.StopTheWorld(func() {}) })
		}()
		until(th.member.Stopping, goruntime.Gosched)
		th.Checkpoint()
		// A thread that attaches in a stop waits for its end.
		th.Blocking(func() { must0(t, <-left) })
		th.StopTheWorld(func() {
			go func() { left <- attachWaiting(r, ctx, func(*Thread) {}) }()
			for waiting := false; !waiting; {
				for _, x := range r.attachedThreads() {
					waiting = waiting || x != th && strings.Contains(x.member.String(), "paused")
				}
			}
		})
		th.Blocking(func() { must0(t, <-left) })
		return nil
	}))
}

// TestContentionProfile checks that waits are recorded, with what they were for, where they
// were, and the labels.
func TestContentionProfile(t *testing.T) {
	needsThreads(t)
	for _, o := range []Options{{Mode: GIL}, {Mode: LockFree}} {
		o.ContentionProfileRate = 1
		r := newRuntime(t, o)
		ctx := withLabel("who", "waits")
		kinds := []Wait{WaitGIL}
		if o.Mode == LockFree {
			kinds = []Wait{WaitLock, WaitStop, WaitWorld}
		}
		for tries := 0; ; tries++ { // whether a thread finds a lock locked is up to the scheduler
			contend(t, r, ctx)
			missing := ""
			for _, what := range kinds {
				x := waitsAt(r, what, "attachWaiting")
				if x.Samples == 0 || x.Waits != x.Samples || x.Waited <= 0 || x.Labels["who"] != "waits" {
					missing += what.String() + ", "
				}
			}
			if missing == "" {
				break
			}
			if tries == 20 {
				t.Fatalf("%s: %sof %+v", o, missing, r.ContentionProfile())
			}
		}
		if o.Mode == GIL {
			if x := waitsAt(r, WaitGIL, "Checkpoint"); x.Samples == 0 {
				t.Error("the thread that gave up the GIL did not wait for it")
			}
		}
		must0(t, r.Close())
		if len(r.ContentionProfile()) == 0 {
			t.Error("no profile after Close")
		}
	}
}

// TestContentionBudget checks that a stall of a thread that holds back too much memory is recorded
// as one wait, however often the thread looks whether it is over.
func TestContentionBudget(t *testing.T) {
	was := stallLimit
	stallLimit = time.Millisecond
	defer func() { stallLimit = was }()
	r := newRuntime(t, Options{ContentionProfileRate: 1, DeferredBytes: 1})
	hold := must(r.Attach())
	must0(t, r.Do(func(th *Thread) error {
		th.Retire(newLeaf(th))
		th.Checkpoint()
		return nil
	}))
	hold.Detach()
	if x := waitsAt(r, WaitGrace, "TestContentionBudget"); x.Samples != 2 || x.Waits != 2 || x.Waited < stallLimit {
		t.Errorf("want a wait for a grace period of the checkpoint and one of Detach: %+v", r.ContentionProfile())
	}
	must0(t, r.Close())
}

// TestContentionOff checks that a runtime keeps no profile unless it is told to.
func TestContentionOff(t *testing.T) {
	r := newRuntime(t, Options{Mode: GIL})
	contend(t, r, context.Background())
	if r.ContentionProfile() != nil || r.ContentionProfileRate() != 0 {
		t.Error("there is a profile")
	}
	must0(t, r.Close())
	if _, err := New(Options{ContentionProfileRate: -1}); err == nil {
		t.Error("a negative rate is accepted")
	}
}

// TestTraceNamesOthers checks that a thread that stops the world is said to wait for the others alone.
func TestTraceNamesOthers(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		if got := th.awaits(WaitStop); got != "stops the world, with no other thread in it" {
			t.Errorf("alone: %s", got)
		}
		other := must(th.rt.Attach())
		if got := th.awaits(WaitStop); got != "waits for safe points of "+other.name() {
			t.Errorf("beside %s: %s", other.name(), got)
		}
		other.Detach()
	})
}

// TestTraceNamesHolder checks what a trace says of threads that wait for the GIL, and of the one that
// hands it over.
func TestTraceNamesHolder(t *testing.T) {
	needsThreads(t)
	r := newRuntime(t, Options{Mode: GIL})
	must0(t, r.Do(func(th *Thread) error {
		th.Blocking(func() {
			if got := th.awaits(WaitGIL); got != "waits for the GIL of a thread that has just released it" {
				t.Errorf("without a holder: %s", got)
			}
		})
		if got := th.awaits(WaitGIL); got != "waits for the GIL of "+th.name() {
			t.Errorf("without another thread: %s", got)
		}
		ended := make(chan error)
		go func() { ended <- r.Do(func(*Thread) error { return nil }) }()
		until(func() bool { return r.gil.Waiter() != nil }, goruntime.Gosched)
		waiter := r.gil.Waiter().(*Thread)
		if got := th.awaits(WaitGIL); got != "hands the GIL over to "+waiter.name() {
			t.Errorf("the holder: %s", got)
		}
		if got := waiter.awaits(WaitGIL); got != "waits for the GIL of "+th.name() {
			t.Errorf("the waiter: %s", got)
		}
		th.Blocking(func() { must0(t, <-ended) })
		return nil
	}))
	must0(t, r.Close())
}

// TestTraceOfWaits checks that an execution trace shows what threads wait for, and for whom.
func TestTraceOfWaits(t *testing.T) {
	needsThreads(t)
	for _, o := range []Options{{Mode: GIL}, {Mode: LockFree}} {
		r := newRuntime(t, o)
		want := []string{"ichor wait for the GIL", "hands the GIL over to thread", "waits for the GIL of thread"}
		if o.Mode == LockFree {
			want = []string{
				"ichor stopped world", "ichor wait to stop the world", "waits for safe points of thread",
				"ichor wait in a stopped world", "waits for the end of a stop: world of", "ichor wait for a container lock",
			}
		}
		for tries := 0; ; tries++ {
			var b bytes.Buffer
			if err := trace.Start(&b); err != nil {
				t.Skip("SKIPPED: there is a trace already: ", err)
			}
			contend(t, r, context.Background())
			trace.Stop()
			missing := ""
			for _, text := range want {
				if !bytes.Contains(b.Bytes(), []byte(text)) {
					missing += text + "; "
				}
			}
			if missing == "" {
				break
			}
			if tries == 20 {
				t.Fatalf("%s: the trace lacks %s", o, missing)
			}
		}
		must0(t, r.Close())
	}
}

// asked is a context that counts how often a trace looks in it for a task.
type asked struct {
	context.Context
	times *int
}

func (a asked) Value(key any) any {
	if fmt.Sprintf("%T", key) == "trace.traceContextKey" {
		*a.times++
	}
	return a.Context.Value(key)
}

// TestTraceTasks checks that regions belong to the task of the context that the call has got, or, if
// it takes none, of the context that the thread was attached with, or was told last.
func TestTraceTasks(t *testing.T) {
	if err := trace.Start(io.Discard); err != nil {
		t.Skip("SKIPPED: there is a trace already: ", err)
	}
	defer trace.Stop()
	for _, o := range []Options{{Mode: GIL, CollectAfter: -1}, {Mode: LockFree, CollectAfter: -1}} {
		r := newRuntime(t, o)
		times, others := 0, 0
		ctx, other := asked{context.Background(), &times}, asked{context.Background(), &others}
		check := func(what string, want int, got *int) {
			t.Helper()
			if *got != want || times+others != want {
				t.Errorf("%s, %s: %d regions and logs of the thread's task, %d of another one, want %d", o, what, times, others, want)
			}
			times, others = 0, 0
		}
		finalized = func(*Thread, Ref) {}
		garbage := func(th *Thread) {
			x := newFinal(th, Nil)
			th.Body(x).StoreRef(0, x)
		}
		must0(t, r.DoContext(ctx, func(th *Thread) error {
			th.StopTheWorld(func() {})
			check("a stop", 1, &times)
			garbage(th)
			th.Collect()
			check("a collection", 1+2*2+2+1, &times) // itself; two stops, each with its function; two traces; what is freed
			th.wait(WaitLock, func() {})
			check("a wait", 2, &times)
			must0(t, th.StopTheWorldContext(other, func() {}))
			check("a stop with a context", 1, &others)
			garbage(th)
			must(th.CollectContext(other))
			check("a collection with a context", 8, &others)
			th.SetLabels(other)
			th.StopTheWorld(func() {})
			check("a stop for another task", 1, &others)
			return nil
		}))
		must0(t, r.Close()) // stops the world on a thread without a context
		check("at the end", 0, &times)
	}
}
