package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/traces"
)

// misuseIn returns the Misuse that f panics with, and fails if there is none.
func misuseIn(t *testing.T, f func()) (m *Misuse) {
	t.Helper()
	defer func() {
		t.Helper()
		if m, _ = recover().(*Misuse); m == nil {
			t.Error("no misuse is found")
			m = &Misuse{}
		}
	}()
	f()
	return nil
}

const attachedAlready = "the goroutine is already attached"

// The methods of Runtime that wait only if other threads stop the world, and those that never wait
// for a safe point.
var (
	waitSeldom = []string{"Attach", "AttachContext", "Do", "DoContext"}
	waitNever  = []string{
		"CollectorStats", "ContentionProfile", "ContentionProfileRate", "Frozen", "GILStats", "HeapProfile", "HeapProfileRate", "Memory", "Mode",
		"Name", "OpenImage", "OpenImageAt", "QuickStats", "SharedRanges", "String", "Threads", "WorldStats",
	}
)

// TestWaitForItself checks that a call on an attached goroutine that would wait for itself
// panics, and that the runtime goes on.
func TestWaitForItself(t *testing.T) {
	nothing := func(*Thread) error { return nil }
	forModes(t, func(t *testing.T, o Options) {
		o.Name = "nested"
		r := newRuntime(t, o)
		var f *Frozen
		calls := map[string]func(){
			"Run":         func() { _ = r.Run(context.Background(), 1, func(context.Context, *Thread, int) error { return nil }) },
			"Immortalize": func() { _ = r.Immortalize(None) },
			"Freeze":      func() { _, _ = r.Freeze(None) },
			"Unload":      func() { _ = r.Unload(f) },
			"Collect":     func() { _, _ = r.Collect() },
			"Share":       func() { _, _ = r.Share() },
			"Close":       func() { _ = r.Close() },

			"CollectContext":    func() { _, _ = r.CollectContext(t.Context()) },
			"FreezeContext":     func() { _, _ = r.FreezeContext(t.Context(), None) },
			"HeapSnapshot":      func() { _, _ = r.HeapSnapshot() },
			"WriteHeapSnapshot": func() { _ = r.WriteHeapSnapshot(io.Discard) },
			"Paths":             func() { _, _ = r.Paths(None) },
			"ReadStats":         func() { _, _ = r.ReadStats() },

			"UnloadContext":   func() { _ = r.UnloadContext(t.Context(), f) },
			"CloseContext":    func() { _ = r.CloseContext(t.Context()) },
			"Current.Replace": func() { _ = (&Current{rt: r}).Replace(t.Context(), f) },
			"Current.Close":   func() { _ = (&Current{rt: r}).Close(t.Context()) },
		}
		for m := range reflect.TypeFor[*Runtime]().Methods() {
			_, embedded := reflect.TypeFor[Heap]().MethodByName(m.Name)
			if calls[m.Name] == nil && !embedded && !slices.Contains(waitSeldom, m.Name) && !slices.Contains(waitNever, m.Name) {
				t.Errorf("nobody has tried what Runtime.%s does on an attached goroutine", m.Name)
			}
		}
		if o.Mode == GIL || o.Checked {
			calls["Do"] = func() { _ = r.Do(nothing) }
		}
		if o.Mode == GIL {
			calls["Attach"] = func() { _, _ = r.Attach() }
		}
		attempt := func(th *Thread) {
			t.Helper()
			th.SetName("outer")
			for name, call := range calls {
				m := misuseIn(t, call)
				if !strings.Contains(name, ".") {
					name = "Runtime." + name
				}
				wantIn(t, m.Error(), attachedAlready, name+" of thread ", `"outer"; want a goroutine that is not attached`)
				wantIn(t, m.History, "called at", "TestWaitForItself")
				if n := r.Memory().Attached; n != 1 {
					t.Errorf("after %s %d threads are attached", name, n)
				}
			}
		}
		must0(t, r.Do(func(th *Thread) error { attempt(th); return nil }))
		must0(t, r.Run(context.Background(), 1, func(_ context.Context, th *Thread, _ int) error { attempt(th); return nil }))
		// Misuse comes first, even if the call would fail for another reason.
		delete(calls, "Do")
		delete(calls, "Attach")
		setClosing := func(to bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.mu.closing = to
		}
		must0(t, r.Do(func(th *Thread) error {
			setClosing(true)
			defer setClosing(false)
			attempt(th)
			return nil
		}))
		// Outside the world it is allowed.
		must0(t, r.Do(func(th *Thread) error {
			var err error
			th.Blocking(func() {
				_, collected := r.Collect()
				err = errors.Join(r.Do(nothing), collected, r.Immortalize(None))
			})
			return err
		}))
		must0(t, r.Close())
	})
}

// TestDeepCallWaitsForItself checks that checked mode finds a call far above Do, where other
// modes do not look.
func TestDeepCallWaitsForItself(t *testing.T) {
	r := newRuntime(t, Options{Checked: true})
	var deep func(n int, call func())
	deep = func(n int, call func()) {
		if n == 0 {
			call()
			return
		}
		deep(n-1, call)
	}
	must0(t, r.Do(func(*Thread) error {
		for _, call := range []func(){
			func() { _ = r.Do(func(*Thread) error { return nil }) },
			func() { _ = r.Run(t.Context(), 1, func(context.Context, *Thread, int) error { return nil }) },
		} {
			m := misuseIn(t, func() { deep(traces.MaxFrames, call) })
			wantIn(t, m.Error(), attachedAlready)
		}
		return nil
	}))
	must0(t, r.Close())
}

// TestDoWaitsForItself checks that Do inside Do panics in lock-free mode where it waits: for
// its own stop of the world, or when another thread stops the world.
func TestDoWaitsForItself(t *testing.T) {
	needsThreads(t)
	for _, o := range []Options{{Counting: Atomic}, {Counting: Biased}} {
		r := newRuntime(t, o)
		must0(t, r.Do(func(outer *Thread) error {
			m := misuseIn(t, func() {
				_ = r.Do(func(inner *Thread) error {
					inner.StopTheWorld(func() { t.Error("the world stands still") })
					return nil
				})
			})
			wantIn(t, m.Error(), attachedAlready, "Thread.StopTheWorld of thread "+numberOf(outer)+";")

			stopped := make(chan error)
			stop := func() {
				stopped <- r.Do(func(th *Thread) error { th.StopTheWorld(func() {}); return nil })
			}
			m = misuseIn(t, func() {
				_ = r.Do(func(inner *Thread) error {
					go stop()
					for !inner.member.Stopping() {
						goruntime.Gosched()
					}
					inner.Checkpoint()
					return nil
				})
			})
			wantIn(t, m.Error(), attachedAlready, "of thread "+numberOf(outer)+";")
			m = misuseIn(t, func() { _, _ = r.Attach() })
			wantIn(t, m.Error(), attachedAlready, "Runtime.Attach of thread "+numberOf(outer)+";")
			if n := r.Memory().Attached; n != 2 {
				t.Errorf("%d threads are attached", n)
			}
			outer.Checkpoint()
			return <-stopped
		}))
		must0(t, r.Close())
	}
}

// TestOthersDoNotWait checks that knowing another goroutine's thread does not count as being
// attached, and neither does a thread of another runtime.
func TestOthersDoNotWait(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r, other := newRuntime(t, o), newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			_, err := other.Collect()
			must0(t, err)
			done := make(chan error)
			go knows(th, done)
			th.Blocking(func() { err = <-done })
			return err
		}))
		must0(t, r.Close())
		must0(t, other.Close())
	})
}

//go:noinline
func knows(t *Thread, done chan<- error) {
	_, err := t.Runtime().Collect()
	done <- err
	goruntime.KeepAlive(t)
}

// TestDoInDoOfAnother checks that a thread may wait for others if an outer Do of the same goroutine is
// that of another runtime.
func TestDoInDoOfAnother(t *testing.T) {
	outer, inner := newRuntime(t, Options{}), newRuntime(t, Options{})
	other := must(inner.Attach()) // not by Do
	must0(t, outer.Do(func(*Thread) error {
		return inner.Do(func(th *Thread) error {
			inner.mustNotWait(th)
			return nil
		})
	}))
	other.Detach()
	must0(t, inner.Close())
	must0(t, outer.Close())
}

// TestFrameOfDo checks that the frames that name a thread are found, and no others.
func TestFrameOfDo(t *testing.T) {
	th := &Thread{}
	at := fmt.Sprintf("%p", th)
	for trace, want := range map[string]bool{
		module + "runtime.(*Thread).do(" + at + ", 0x1)":     true,
		module + "runtime.(*Thread).work(" + at + ", {0x1})": true,
		module + "runtime.(*Thread).do(" + at + "0, 0x1)":    false,
		module + "runtime.(*Thread).do(0x1, " + at + ")":     false,
		module + "runtime.(*Thread).Scope(" + at + ", 0x1)":  false,
		module + "objects.List.Append(0x1, " + at + ", 0x1)": false,
		"main.knows(" + at + ", 0x1)":                        false,
	} {
		if got := th.doneIn([]byte(trace)); got != want {
			t.Errorf("%s: %t", trace, got)
		}
	}
	if n := traces.Count(framesOfDo[:]...); n != 0 {
		t.Errorf("%d frames of Do", n)
	}
	r := newRuntime(t, Options{})
	must0(t, r.Do(func(*Thread) error {
		if n := traces.Count(framesOfDo[:]...); n != 1 {
			t.Errorf("%d frames of Do", n)
		}
		return nil
	}))
	must0(t, r.Close())
}

const module = "github.com/ichor-go/ichor/"
