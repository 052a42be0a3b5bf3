package runtime

import (
	"errors"
	goruntime "runtime"
	"slices"
	"testing"

	"github.com/ichor-go/ichor/sched"
)

// TestPendingIsBounded checks that the safe point, a collection, Detach and Close return even
// if pending code keeps making more of it due; Close returns an error.
func TestPendingIsBounded(t *testing.T) {
	defer func(n int) { closeRounds = n }(closeRounds)
	closeRounds = 1000
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		calls, stop := 0, false
		var again func(th *Thread)
		again = func(th *Thread) {
			if calls++; stop {
				return
			}
			x := newLeaf(th)
			w := newWatch(th, x, again)
			th.DecRef(x)
			th.LaterBlocking(func() { calls++ })
			th.DecRef(w)
		}
		count := func(what string, want int, f func()) {
			t.Helper()
			calls = 0
			if f(); calls != want {
				t.Errorf("%s: %d calls, want %d", what, calls, want)
			}
		}
		must0(t, r.Do(func(th *Thread) error {
			th.Later(again)
			count("the first safe point", 1, th.Checkpoint)
			count("the second one", 2, th.Checkpoint)
			count("Blocking", 2, func() { th.Blocking(func() {}) })
			calls = 0
			if th.Collect(); calls < 2 || calls > 100 {
				t.Errorf("Collect: %d calls", calls)
			}
			return nil
		}))
		if calls == 0 {
			t.Error("nothing was due at Detach")
		}
		calls = 0
		var pending *PendingError
		if err := r.Close(); !errors.As(err, &pending) || pending.Calls != 2 {
			t.Errorf("Close: %v", err)
		}
		if calls < closeRounds || calls > 3*closeRounds {
			t.Errorf("Close: %d calls", calls)
		}
	})
}

// TestCloseWithLeaksAndPending checks that Close returns both errors.
func TestCloseWithLeaksAndPending(t *testing.T) {
	defer func(n int) { closeRounds = n }(closeRounds)
	closeRounds = 10
	r := newRuntime(t, Options{})
	must0(t, r.Do(func(th *Thread) error {
		newLeaf(th)
		var again func(th *Thread)
		again = func(th *Thread) { th.Later(again) }
		th.Later(again)
		return nil
	}))
	err := r.Close()
	var leak *LeakError
	var pending *PendingError
	if !errors.As(err, &leak) || !errors.As(err, &pending) {
		t.Errorf("close: %v", err)
	}
	wantIn(t, err.Error(), "1 leaf", "1 finalizers, callbacks and releases")
}

// TestCloseCounts checks that Close counts the calls that it has not made, whatever would make
// them due.
func TestCloseCounts(t *testing.T) {
	defer func(n int) { closeRounds = n }(closeRounds)
	closeRounds = 0
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		call := func(*Thread) { t.Error("it was called") }
		must0(t, r.Do(func(th *Thread) error {
			newWatch(th, newLeaf(th), call) // both leak
			th.Later(func(th *Thread) { th.Later(func(th *Thread) { th.Later(call) }) })
			return nil
		}))
		var pending *PendingError
		if err := r.Close(); !errors.As(err, &pending) || pending.Calls != 2 {
			t.Errorf("close: %v", err)
		}
	})
}

// TestCloseOrder checks that user code called by Close finds everything in place, and that
// objects it has made are counted or freed.
func TestCloseOrder(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.OnError = func(err error) { t.Error(err) }
		r := newRuntime(t, o)
		calls := map[string]int{}
		finalized = func(*Thread, Ref) { calls["finalizer"]++ }
		must0(t, r.Do(func(th *Thread) error {
			log := newNode(th, newLeaf(th), newLeaf(th))
			must0(t, th.Immortalize(log))
			var born Ref
			must0(t, th.Immortally(func() error { born = newNode(th, Nil, Nil); return nil }))
			note := func(name string, n int) func(*Thread) {
				return func(th *Thread) {
					calls[name]++
					for _, holder := range []Ref{log, born} {
						if th.TypeOf(holder) != nodeType {
							t.Errorf("%s: %s is a %s", name, holder, th.TypeOf(holder))
						}
					}
					if x := newLeaf(th); x == log {
						t.Errorf("%s: a leaf is where the log was", name)
					} else {
						setSlot(th, log, 0, x)
						th.DecRef(x)
					}
					if n > 0 { // a weak reference made by a callback
						x := newLeaf(th)
						must0(t, th.Immortalize(newWatch(th, x, func(*Thread) { calls["of a callback's"]++ })))
						setSlot(th, log, 1, x)
						th.DecRef(x)
					}
				}
			}
			for i, holder := range []Ref{log, born} {
				x := newFinal(th, Nil)
				must0(t, th.Immortalize(newWatch(th, x, note("held by an immortal", i))))
				setSlot(th, holder, i, x)
				th.DecRef(x)
			}
			loop := newNode(th, Nil) // kept by an immortal
			setSlot(th, loop, 0, loop)
			must0(t, th.Immortalize(newWatch(th, loop, note("in a cycle", 0))))
			setSlot(th, born, 0, loop)
			th.DecRef(loop)
			leaked := newLeaf(th)
			must0(t, th.Immortalize(newWatch(th, leaked, note("leaked", 0))))
			gone := newWatch(th, leaked, func(*Thread) { t.Error("the callback of a dead weak reference was called") })
			th.DecRef(gone)
			immortal := newLeaf(th)
			must0(t, th.Immortalize(newWatch(th, immortal, func(*Thread) { t.Error("the callback of an immortal's was called") })))
			must0(t, th.Immortalize(immortal))
			return nil
		}))
		var leak *LeakError
		if err := r.Close(); !errors.As(err, &leak) || len(leak.Types) != 1 || leak.Types[0] != (Leak{"leaf", 1}) {
			t.Errorf("close: %v; want one leaf leaked", err)
		}
		want := map[string]int{"held by an immortal": 2, "in a cycle": 1, "leaked": 1, "of a callback's": 1, "finalizer": 1}
		for name := range want {
			if name != "finalizer" && calls[name] != want[name] {
				t.Errorf("%s: %d calls, want %d", name, calls[name], want[name])
			}
		}
	})
}

// TestDepth has long chains of objects die, in each way in which one death can lead to the
// next: none uses the stack, of which there is little.
func TestDepth(t *testing.T) {
	littleStack(t)
	const n = levels
	aloneInModes(t, func(t *testing.T, o Options) {
		ways := map[string]func(r *Runtime, th *Thread) (more bool){
			"slots": func(r *Runtime, th *Thread) bool {
				x := newLeaf(th)
				for range n {
					x = newNode(th, x)
				}
				th.DecRef(x)
				return false
			},
			"slots, each with an owner of its own that is away": func(r *Runtime, th *Thread) bool {
				if o.Mode == GIL {
					return false
				}
				x, owners := newLeaf(th), []*Thread(nil)
				for range 500 { // with 262 bytes of stack for each
					owner := must(r.Attach())
					owners, x = append(owners, owner), newNode(owner, x)
				}
				for _, owner := range owners {
					owner.Detach()
				}
				th.DecRef(x)
				return false
			},
			"finalizers": func(r *Runtime, th *Thread) bool {
				finalized = func(th *Thread, r Ref) { th.DecRef(th.Body(r).SwapRef(0, Nil)) }
				x := newLeaf(th)
				for range n {
					x = newFinal(th, x)
				}
				th.DecRef(x)
				return true
			},
			"callbacks": func(r *Runtime, th *Thread) bool {
				x, watches := newLeaf(th), []Ref(nil)
				for range n {
					next, y := x, newLeaf(th)
					watches = append(watches, newWatch(th, y, func(th *Thread) { th.DecRef(next) }))
					x = y
				}
				th.DecRef(x)
				th.Later(func(th *Thread) { // after all of them were called
					var last func(*Thread)
					last = func(th *Thread) {
						if len(th.pending) > 0 {
							th.Later(last)
							return
						}
						th.DecRefs(watches)
					}
					th.Later(last)
				})
				return true
			},
			"callbacks of one weak reference": func(r *Runtime, th *Thread) bool {
				calls, x := 0, newLeaf(th)
				w, _, err := th.New(watchType, 8)
				must0(t, err)
				fns := make([]func(*Thread), n)
				for i := range fns {
					fns[i] = func(*Thread) { calls++ }
				}
				th.linkWeak(w, x, fns...)
				th.DecRef(x)
				th.Checkpoint()
				if th.DecRef(w); calls != n {
					t.Errorf("%d calls, want %d", calls, n)
				}
				return false
			},
			"calls outside the world": func(r *Runtime, th *Thread) bool {
				var next func()
				calls := 0
				next = func() { calls++ }
				for range n {
					th.LaterBlocking(next)
				}
				if th.Checkpoint(); calls != n {
					t.Errorf("%d calls, want %d", calls, n)
				}
				return false
			},
			"a cycle": func(r *Runtime, th *Thread) bool {
				first := newNode(th, Nil)
				x := first
				for range n {
					x = newNode(th, x)
				}
				setSlot(th, first, 0, x)
				th.DecRef(x)
				th.Collect()
				return false
			},
			"Audit, Immortalize, Close": func(r *Runtime, th *Thread) bool {
				x := newLeaf(th)
				for range n {
					x = newNode(th, x)
				}
				must0(t, th.Audit(x))
				must0(t, th.Immortalize(x))
				return false
			},
		}
		for name, way := range ways {
			t.Run(name, func(t *testing.T) {
				o := o
				o.CollectAfter = -1
				r := newRuntime(t, o)
				more := false
				must0(t, r.Do(func(th *Thread) error { more = way(r, th); return nil }))
				if !more && r.Memory().Objects != r.Memory().InPlace && !o.Checked {
					t.Errorf("%d objects are left", r.Memory().Objects)
				}
				must0(t, r.Close()) // this runs what is due
			})
		}
	})
}

// TestFinalizersAreBounded checks that calls that finalizers make due wait for the next safe
// point, as those by callbacks do.
func TestFinalizersAreBounded(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			calls, left := 0, 5
			finalized = func(th *Thread, _ Ref) {
				if calls++; left > 0 {
					left--
					th.DecRef(newFinal(th, Nil))
				}
			}
			th.DecRefs([]Ref{newFinal(th, Nil), newFinal(th, Nil)})
			for _, want := range []int{2, 4, 6, 7, 7} {
				if th.Checkpoint(); calls != want {
					t.Errorf("%d finalizers were called, want %d", calls, want)
				}
			}
		})
	})
}

// TestPendingInOrder checks that pending calls are made in order, inside the world and outside.
// Those behind a call outside wait for the next safe point of any thread.
func TestPendingInOrder(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.OnError = func(err error) { t.Error(err) }
		clean(t, o, func(t *testing.T, th *Thread) {
			var order []int
			note := func(n int, in bool) {
				if th.attached != in {
					t.Errorf("call %d: the thread is attached: %t", n, th.attached)
				}
				order = append(order, n)
			}
			th.LaterBlocking(func() { note(0, false) })
			th.Later(func(*Thread) { note(1, true) })
			th.LaterBlocking(func() { note(2, false) })
			th.LaterBlocking(func() { note(3, false) })
			th.Later(func(*Thread) { note(4, true) })
			th.Later(func(*Thread) { note(5, true) })
			for _, want := range []int{1, 4, 6} {
				if th.Checkpoint(); len(order) != want {
					t.Errorf("called %d, want %d of them", order, want)
				}
			}
			if !slices.Equal(order, []int{0, 1, 2, 3, 4, 5}) {
				t.Errorf("the order is %d", order)
			}
		})
	})
}

// TestPanicErrors checks that the end of user code by a panic or Goexit is reported to OnError,
// or else to the log.
func TestPanicErrors(t *testing.T) {
	var errs []error
	broken := errors.New("broken")
	o := Options{OnError: func(err error) { errs = append(errs, err) }}
	run := func(fn func()) {
		r := newRuntime(t, o)
		ended := make(chan bool)
		go func() {
			defer close(ended)
			_ = r.Do(func(th *Thread) error {
				th.Later(func(*Thread) { fn() })
				th.Checkpoint()
				return nil
			})
		}()
		<-ended
		must0(t, r.Close())
	}
	run(goruntime.Goexit)
	run(func() { panic(broken) })
	run(func() { panic("mine") })
	wants := []string{
		"ichor: callback: runtime.Goexit was called",
		"ichor: callback: panic: broken",
		"ichor: callback: panic: mine",
	}
	if len(errs) != len(wants) || !errors.Is(errs[0], sched.ErrGoexit) || !errors.Is(errs[1], broken) || errors.Unwrap(errs[2]) != nil {
		t.Fatalf("got %q", errs)
	}
	for i, want := range wants {
		var e *PanicError
		if errs[i].Error() != want || !errors.As(errs[i], &e) || len(e.Stack) == 0 {
			t.Errorf("%q, want %q", errs[i], want)
		}
	}
	o.OnError = nil
	text := ""
	restore := captureLog(func(line []byte) { text += string(line) })
	defer restore()
	run(func() { panic("mine") })
	wantIn(t, text, "level=ERROR", "user code panicked at a safe point", "where=callback", "panic=mine", "stack=")
}

// TestNothingIsLeft checks that a thread that leaves with nothing due leaves nothing to look
// for.
func TestNothingIsLeft(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			th.Blocking(func() {})
			return nil
		}))
		if r.left.some.Load() {
			t.Error("the runtime reports calls that are left")
		}
		must0(t, r.Close())
	})
}
