package runtime

import (
	"fmt"
	"testing"
)

// TestCallsOfADetachedThread checks that each call that needs an attached thread names itself
// and the thread.
func TestCallsOfADetachedThread(t *testing.T) {
	for _, o := range []Options{{Mode: GIL}, {Mode: LockFree}, {Mode: LockFree, Checked: true}} {
		r := newRuntime(t, o)
		th := must(r.Attach())
		th.Detach()
		calls := map[string]func(){
			"Checkpoint":  th.Checkpoint,
			"Audit":       func() { _ = th.Audit() },
			"Collect":     func() { th.Collect() },
			"ReadStats":   func() { th.ReadStats() },
			"Freeze":      func() { _, _ = th.Freeze(Nil) },
			"Unload":      func() { _ = th.Unload(nil) },
			"Immortalize": func() { _ = th.Immortalize(Nil) },
			"Immortally":  func() { _ = th.Immortally(func() error { return nil }) },
			"Detach":      th.Detach,
		}
		if o.Checked {
			calls["New"] = func() { newLeaf(th) }
			wantIn(t, panics(t, func() { _, _ = th.newFloat(1, 0) }), "ichor: the thread is not attached: ")
		}
		for what, call := range calls {
			wantIn(t, panics(t, call), "ichor: the thread is not attached: Thread."+what+" of thread")
		}
		must0(t, r.Close())
	}
}

// TestCallsWithoutAThread makes the calls for goroutines that are not attached.
func TestCallsWithoutAThread(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		var x, y Ref
		must0(t, r.Do(func(th *Thread) error {
			x, y = newWide(th, newWide(th)), newNode(th, newLeaf(th))
			ring(th, 3)
			return nil
		}))
		f, err := r.Freeze(x)
		must0(t, err)
		if f.Objects() != 2 {
			t.Errorf("%d objects are frozen", f.Objects())
		}
		if _, err := r.Freeze(Nil); err == nil {
			t.Error("nil was frozen")
		}
		must0(t, r.Unload(f))
		wantIn(t, r.Unload(f).Error(), "not loaded")
		must0(t, r.Immortalize(y))
		if err := r.Immortalize(Nil); err == nil {
			t.Error("nil was made immortal")
		}
		if n := r.Memory().InPlace; n != 2 {
			t.Errorf("%d objects are immortal, want 2", n)
		}
		c, err := r.Collect()
		must0(t, err)
		wantCollected(t, c, Collected{Candidates: 5, Garbage: 3, Freed: 3})
		must0(t, r.Do(func(th *Thread) error { th.DecRef(x); return nil }))
		must0(t, r.Close())
		if _, err := r.Freeze(None); err != ErrClosed {
			t.Errorf("frozen after Close: %v", err)
		}
	})
}

// TestDoInBlocking checks that an attached goroutine may attach again while it is outside the
// world, and is attached as before afterwards. Checked mode knows both threads.
func TestDoInBlocking(t *testing.T) {
	r := newRuntime(t, Options{Mode: LockFree, Checked: true})
	nothing := func(*Thread) error { return nil }
	again := func() { _ = r.Do(nothing) }
	must0(t, r.Do(func(a *Thread) error {
		a.Blocking(func() {
			must0(t, r.Do(func(b *Thread) error {
				b.Blocking(func() { must0(t, r.Do(nothing)) })
				wantIn(t, panics(t, again), "already attached", "of thread "+numberOf(b)+";")
				return nil
			}))
			must0(t, r.Do(nothing))
		})
		wantIn(t, panics(t, again), "already attached", "of thread "+numberOf(a)+";")
		return nil
	}))
	must0(t, r.Do(nothing))
	if n := len(r.check.inside); n != 0 {
		t.Errorf("%d goroutines are attached", n)
	}
	for _, x := range r.mu.idle {
		if x.outer != nil {
			t.Errorf("thread %d, which is in the pool, has an outer one", x.owner)
		}
	}
	must0(t, r.Close())
}

func numberOf(t *Thread) string { return fmt.Sprint(t.ID()) }
