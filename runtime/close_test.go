package runtime

import (
	"errors"
	"testing"
	"testing/synctest"
)

// TestLeakErrorText compares the whole text of a *LeakError.
func TestLeakErrorText(t *testing.T) {
	e := &LeakError{Types: []Leak{{"a", 2}, {"b", 1}}, Frozen: 3, Born: []Birth{{"a", "f x.go:1", 2, "   x"}, {Type: "b", Site: "g y.go:1", Count: 1}}}
	if got, want := e.Error(), "ichor: close: leaked 2 a, 1 b; besides, 3 frozen objects were still loaded\n  2 a made at f x.go:1; one of them:\n   x\n  1 b made at g y.go:1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (&LeakError{Types: []Leak{{"a", 2}}}).Error(), "ichor: close: leaked 2 a"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCloseLeaks checks that Close counts leaks in order, and frozen objects apart.
func TestCloseLeaks(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			for range 3 {
				newLeaf(th)
			}
			newBox(th, newFinal(th, Nil))
			for range 2 {
				newNode(th, None)
			}
			x := newWide(th, newWide(th))
			_, err := th.Freeze(x)
			th.DecRef(x)
			return err
		}))
		err := r.Close()
		var e *LeakError
		if !errors.As(err, &e) || e.Frozen != 2 || len(e.Types) != 4 {
			t.Fatalf("close: %v", err)
		}
		for i, want := range []Leak{{"leaf", 3}, {"node", 2}, {"box", 1}, {"final", 1}} {
			if e.Types[i] != want {
				t.Errorf("leak %d is %+v, want %+v", i, e.Types[i], want)
			}
		}
		if (len(e.Born) > 0) != o.Checked {
			t.Errorf("born: %v", e.Born)
		}
	})
}

// TestCloseCollectsOnce checks that Close collects once if no user code is due, and once more
// in the end. If user code goes on without end, the latter collection is the only one.
func TestCloseCollectsOnce(t *testing.T) {
	defer func(n int) { closeRounds = n }(closeRounds)
	closeRounds = 10
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Close())
		if n := r.CollectorStats().Collections; n != 2 {
			t.Errorf("nothing was due: %d collections, want 2", n)
		}
		r = newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			var again func(*Thread)
			again = func(th *Thread) { th.Later(again) }
			th.Later(again)
			return nil
		}))
		var pending *PendingError
		if err := r.Close(); !errors.As(err, &pending) || pending.Calls != 1 {
			t.Errorf("close: %v", err)
		}
		if n := r.CollectorStats().Collections; n != 1 {
			t.Errorf("there was no end: %d collections, want 1", n)
		}
	})
}

// TestCloseContextWaitsForOne checks that CloseContext waits for the only thread.
func TestCloseContextWaitsForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuntime(t, Options{})
		th := must(r.Attach())
		closing := later(func() error { return r.CloseContext(t.Context()) })
		wantWaiting(t, closing)
		th.Detach()
		if err, over := closing(); err != nil || !over {
			t.Errorf("returned %t: %v", over, err)
		}
	})
}

// TestCloseBesideReaders checks that Close fails while an image is being opened or a frozen
// graph is being read, and leaves all Frozens as they were.
func TestCloseBesideReaders(t *testing.T) {
	r := newRuntime(t, Options{})
	must0(t, r.Do(func(th *Thread) error {
		x := newWide(th)
		for range 3 {
			must(th.Freeze(x))
		}
		th.DecRef(x)
		return nil
	}))
	var attached *AttachedError
	must0(t, r.beginOpening())
	if err := r.Close(); !errors.As(err, &attached) {
		t.Errorf("close: %v", err)
	}
	r.endOpening()
	for i, f := range r.Frozen() {
		if !f.use() {
			t.Fatalf("graph %d is not loaded", i)
		}
		if err := r.Close(); !errors.As(err, &attached) {
			t.Errorf("close: %v", err)
		}
		f.unuse()
		for i, f := range r.Frozen() {
			if n := f.using.Load(); n != 0 {
				t.Errorf("graph %d has %d readers", i, n)
			}
		}
	}
	must0(t, r.Close())
	if r.beginOpening() != ErrClosed {
		t.Error("an image can be opened after Close")
	}
	for i, f := range r.Frozen() {
		if f.use() {
			t.Errorf("graph %d is loaded after Close", i)
		}
	}
}
