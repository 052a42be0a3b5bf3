package runtime

import (
	"io"
	"slices"
	"testing"
	"time"
)

// TestSafePoints checks that each call that is a safe point runs pending code.
func TestSafePoints(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			x := newWide(th)
			f, err := th.Freeze(x)
			must0(t, err)
			current := must(NewCurrent(must(th.Freeze(x))))
			full, empty := make(chan int, 1), make(chan int)
			full <- 1
			after := func(do func()) { go func() { time.Sleep(time.Millisecond); do() }() }
			calls := []struct {
				name string
				call func()
			}{
				{"Checkpoint", th.Checkpoint},
				{"Blocking", func() { th.Blocking(func() {}) }},
				{"Recv of a value that is ready", func() { _, _, _ = RecvContext(t.Context(), th, full) }},
				{"Send, for which there is room", func() { _ = SendContext(t.Context(), th, full, 1) }},
				{"Recv", func() { after(func() { empty <- 1 }); _, _, _ = RecvContext(t.Context(), th, empty) }},
				{"Send", func() { after(func() { <-empty }); _ = SendContext(t.Context(), th, empty, 1) }},
				{"StopTheWorld", func() { th.StopTheWorld(func() {}) }},
				{"Collect", func() { th.Collect() }},
				{"Audit", func() { must0(t, th.Audit(x)) }},
				{"Immortals", func() { th.Immortals(func(Ref, [4]uint32) {}) }},
				{"HeapSnapshot", func() { must(th.HeapSnapshot()) }},
				{"WriteHeapSnapshot", func() { must0(t, th.WriteHeapSnapshot(io.Discard)) }},
				{"Paths", func() { must(th.Paths(x)) }},
				{"Immortalize", func() { must0(t, th.Immortalize(None)) }},
				{"Freeze", func() { must0(t, th.Unload(must(th.Freeze(x)))) }},
				{"Unload", func() { must0(t, th.Unload(f)) }},
				{"UnloadContext", func() { must0(t, th.UnloadContext(t.Context(), must(th.Freeze(x)))) }},
				{"Swap", func() { must0(t, current.Swap(th, x)) }},
				{"StopTheWorldContext", func() { must0(t, th.StopTheWorldContext(t.Context(), func() {})) }},
				{"CollectContext", func() { must(th.CollectContext(t.Context())) }},
			}
			for _, c := range calls {
				ran := false
				th.Later(func(*Thread) { ran = true })
				if c.call(); !ran {
					t.Errorf("%s: the due call was not made", c.name)
				}
			}
			th.DecRef(x)
		})
		ran := false
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			th.Later(func(*Thread) { ran = true })
			return nil
		}))
		if !ran {
			t.Error("Detach: the due call was not made")
		}
		must0(t, r.Close())
	})
}

// TestAccountsAtACheckpoint checks that the objects of a thread are in the accounts when its
// checkpoint gives way to another thread, under the GIL and at a stop of the world.
func TestAccountsAtACheckpoint(t *testing.T) {
	needsThreads(t)
	for _, o := range []Options{{Mode: GIL, SwitchInterval: time.Microsecond}, {Mode: LockFree}} {
		r := newRuntime(t, o)
		made, seen, ended := make(chan bool), make(chan int64, 1), make(chan bool)
		go func() {
			defer close(ended)
			<-made
			_ = r.Do(func(th *Thread) error {
				if o.Mode == GIL {
					seen <- r.Memory().Objects // a stop would publish the accounts of all threads
					return nil
				}
				th.StopTheWorld(func() { seen <- r.Memory().Objects })
				return nil
			})
		}()
		must0(t, r.Do(func(th *Thread) error {
			var all []Ref
			for range 5 {
				all = append(all, newLeaf(th))
			}
			close(made)
			for len(seen) == 0 {
				th.Checkpoint()
			}
			th.DecRefs(all)
			return nil
		}))
		if n := <-seen; n != 5 {
			t.Errorf("%s: %d objects, want 5", o.Mode, n)
		}
		<-ended
		must0(t, r.Close())
	}
}

// isOutside reports whether a thread is outside the world.
func isOutside(t *Thread) bool {
	return !slices.Contains(t.rt.world.Members(), t.member.Name())
}

// whileOutside runs f, and calls do on another goroutine, again and again, from when t is
// outside the world until f has returned. f returns even if t is never outside.
func whileOutside(t *Thread, f, do func()) {
	over, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		for was := false; ; {
			select {
			case <-over:
				return
			default:
			}
			if was = was || isOutside(t); was {
				do()
			}
		}
	}()
	f()
	close(over)
	<-ended
}

// TestStallWaits has a thread reach a safe point with more than its budget, which another one
// keeps from being released. It waits outside until that one has been at a safe point, and is
// within its budget then.
func TestStallWaits(t *testing.T) {
	needsThreads(t)
	defer func(d time.Duration) { stallLimit = d }(stallLimit)
	stallLimit = time.Hour
	retire := map[string]func(th *Thread){
		"counts": func(th *Thread) {
			node := newNode(th, newLeaf(th))
			for range 200 {
				x := newLeaf(th)
				setSlot(th, node, 0, x)
				th.DecRef(x)
			}
			th.DecRef(node)
		},
		"blocks": func(th *Thread) {
			for range 100 {
				b, _, err := th.NewBlock(Nil, 64)
				if err != nil {
					panic(err)
				}
				th.retire(b, aBlock)
			}
		},
	}
	for name, retire := range retire {
		r := newRuntime(t, Options{Mode: LockFree, DeferredBytes: 1 << 10, CollectAfter: -1})
		reader, writer := must(r.Attach()), must(r.Attach())
		retire(writer)
		if !writer.over() {
			t.Fatalf("%s: within the budget", name)
		}
		whileOutside(writer, writer.Checkpoint, reader.Checkpoint)
		if writer.over() {
			t.Errorf("%s: it has gone on beyond its budget", name)
		}
		if d := r.deferred(); d > 1<<10 {
			t.Errorf("%s: the statistics say that %d bytes are deferred", name, d)
		}
		reader.Detach()
		writer.Detach()
		must0(t, r.Close())
	}
}

// TestWaitForOwner has a thread drop more than the budget of another one's objects: it waits
// for the owner, once.
func TestWaitForOwner(t *testing.T) {
	needsThreads(t)
	defer func(d time.Duration) { stallLimit = d }(stallLimit)
	stallLimit = time.Hour
	r, owner, other := biasedPair(t, Options{DeferredBytes: 1 << 10})
	for range 500 {
		other.DecRef(newLeaf(owner))
	}
	whileOutside(other, other.Checkpoint, owner.Checkpoint)
	if n := owner.queue.bytes.Load(); n > 1<<10 {
		t.Errorf("it has gone on, and %d bytes are queued", n)
	}
	if other.behind != nil {
		t.Error("it is to wait again, and nothing is queued")
	}
	closePair(t, r, owner, other)
}
