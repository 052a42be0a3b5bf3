package runtime

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/traces"
)

// checkedThread returns an attached thread of a checked runtime, which the test may leave in
// any state: after a panic there is no order to check.
func checkedThread(t *testing.T, m Mode) (*Runtime, *Thread) {
	r := newRuntime(t, Options{Mode: m, Checked: true})
	t.Cleanup(func() {
		if !r.mu.closing {
			must0(t, r.space.Close()) // a 32-bit machine has address space for six
		}
	})
	return r, must(r.Attach())
}

func TestMisuseIsReported(t *testing.T) {
	for _, m := range []Mode{GIL, LockFree} {
		t.Run(m.String(), func(t *testing.T) {
			t.Run("use after free", func(t *testing.T) {
				_, th := checkedThread(t, m)
				x := newLeaf(th)
				th.IncRef(x)
				th.DecRef(x)
				th.DecRef(x)
				for name, f := range map[string]func(){
					"IncRef":  func() { th.IncRef(x) },
					"IncRefs": func() { th.IncRefs([]Ref{x}) },
					"Object":  func() { th.Object(x, TypeString) },
					"TypeOf":  func() { th.TypeOf(x) },
				} {
					wantIn(t, panics(t, f), "ichor: use after free: Thread."+name+" of leaf "+x.String(), "born at", "incref at", "decref at", "freed at",
						"checked_test.go", "TestMisuseIsReported")
				}
			})
			t.Run("double release", func(t *testing.T) {
				_, th := checkedThread(t, m)
				x := newLeaf(th)
				th.DecRef(x)
				wantIn(t, panics(t, func() { th.DecRef(x) }), "use after free: Thread.DecRef of leaf", "decref at", "freed at")
				y := newNode(th, newLeaf(th))
				z := th.Body(y).LoadRef(1)
				th.DecRef(y)
				wantIn(t, panics(t, func() { th.DecRefs([]Ref{z}) }), "use after free: Thread.DecRefs of leaf", "its container's death")
			})
			t.Run("foreign", func(t *testing.T) {
				_, th := checkedThread(t, m)
				_, other := checkedThread(t, m)
				x := newLeaf(other)
				wantIn(t, panics(t, func() { th.IncRef(x) }), "foreign reference")
				wantIn(t, panics(t, func() { th.TypeOf(x) }), "foreign reference")
				var born Ref
				if err := other.Immortally(func() error { born = newLeaf(other); return nil }); err != nil {
					t.Fatal(err)
				}
				wantIn(t, panics(t, func() { th.TypeOf(born) }), "foreign reference")
			})
			t.Run("detached", func(t *testing.T) {
				r, th := checkedThread(t, m)
				x := newLeaf(th)
				th.Detach()
				for _, f := range []func(){
					func() { th.IncRef(x) },
					func() { th.TypeOf(x) },
					func() { newLeaf(th) },
					func() { th.Checkpoint() },
					func() { th.Detach() },
				} {
					wantIn(t, panics(t, f), "ichor:", "not attached")
				}
				again := must(r.Attach())
				wantIn(t, panics(t, func() { th.IncRef(x) }), "not attached") // a stale *Thread stays dead
				again.DecRef(x)
				again.Blocking(func() {
					wantIn(t, panics(t, func() { again.TypeOf(x) }), "not attached")
				})
				again.Detach()
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
			t.Run("nested", func(t *testing.T) {
				r := newRuntime(t, Options{Mode: m, Checked: true})
				err := r.Do(func(th *Thread) error {
					wantIn(t, panics(t, func() { _ = r.Do(func(*Thread) error { return nil }) }), "the goroutine is already attached", "Runtime.Do of thread")
					wantIn(t, panics(t, func() { _ = r.Immortalize(None) }), "already attached")
					wantIn(t, panics(t, func() {
						_ = r.Run(context.Background(), 1, func(context.Context, *Thread, int) error { return nil })
					}), "the goroutine is already attached", "Runtime.Run of thread")
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestQuarantine frees more than the quarantine keeps: memory is reused all the same.
func TestQuarantine(t *testing.T) {
	clean(t, Options{Checked: true, MemoryLimit: 16 << 20}, func(t *testing.T, th *Thread) {
		for range 40 {
			x, _, err := th.New(leafType, 1<<20-16)
			if err != nil {
				t.Fatal(err)
			}
			th.DecRef(x)
		}
	})
}

func TestAudit(t *testing.T) {
	for _, m := range []Mode{GIL, LockFree} {
		r := newRuntime(t, Options{Mode: m})
		th := must(r.Attach())
		x := newLeaf(th)
		node := newNode(th, x, None)
		if err := th.Audit(node); err != nil {
			t.Error(err)
		}
		if err := th.Audit(); err == nil {
			t.Error("a reference that nobody holds was not found")
		}
		if err := th.Audit(node, x); err == nil {
			t.Error("a reference that is not counted was not found")
		}
		th.IncRef(x)
		if err := th.Audit(node); err == nil {
			t.Error("a count without a reference was not found")
		}
		th.DecRef(x)
		th.Body(node).SetRef(2, Ref{x.Handle + 1}) // to where there is no object
		if err := th.Audit(node); err == nil {
			t.Error("a reference to nothing was not found")
		} else {
			wantIn(t, err.Error(), "ichor: audit:", "is not a live object")
		}
		th.Body(node).SetRef(2, None)
		block, _, err := th.NewBlock(Nil, 16)
		if err != nil {
			t.Fatal(err)
		}
		if err := th.Audit(node); err == nil {
			t.Error("a block without a container was not found")
		} else {
			wantIn(t, err.Error(), "belongs to no object")
		}
		box := newBox(th, None)
		own := th.Body(box).Ref(0)
		th.Body(box).SetRef(0, block)
		twin := newBox(th, None)
		th.FreeBlock(th.Body(twin).Ref(0))
		th.Body(twin).SetRef(0, block)
		if err := th.Audit(node, box, twin); err == nil {
			t.Error("a block of two containers was not found")
		} else {
			wantIn(t, err.Error(), "belongs to", "and to")
		}
		th.Body(box).SetRef(0, own)
		th.DecRef(twin)
		th.DecRef(box)
		if err := th.Scope(func(s *Scope) {
			s.Own(newLeaf(th), nil)
			if err := th.Audit(node); err != nil {
				t.Errorf("a reference that a scope owns: %v", err)
			}
		}); err != nil {
			t.Error(err)
		}
		th.DecRef(node)
		th.Detach()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestHistoriesAreTheUsers checks that a history has only the user's lines, however many
// functions of the library are in between.
func TestHistoriesAreTheUsers(t *testing.T) {
	for _, m := range []Mode{GIL, LockFree} {
		_, th := checkedThread(t, m)
		x := newLeaf(th)
		y := newNode(th, newNode(th, x))
		th.DecRef(y)
		misuse := misuseIn(t, func() { th.IncRef(x) })
		wantIn(t, misuse.History, "born at\n      github.com/ichor-go/ichor/runtime.newLeaf ", "checked_test.go:", "freed at")
		for line := range strings.SplitSeq(misuse.History, "\n") {
			if strings.Contains(line, "/runtime.(*Thread)") || strings.Contains(line, "checked.go:") {
				t.Errorf("a line of the library: %s", line)
			}
		}
		if misuse.What != "use after free" || misuse.Call != "Thread.IncRef" || misuse.On != "leaf "+x.String() || misuse.Type != "leaf" || misuse.Want != wantAlive {
			t.Errorf("%+v", misuse)
		}
	}
}

// TestLeaksAreGrouped checks that leaks are grouped by where the objects were made, in
// descending order of count.
func TestLeaksAreGrouped(t *testing.T) {
	r := newRuntime(t, Options{Checked: true})
	must0(t, r.Do(func(th *Thread) error {
		one, _, err := th.New(leafType, 8)
		must0(t, err)
		for range 3 {
			newLeaf(th)
		}
		newNode(th)
		th.IncRef(one)
		return nil
	}))
	var e *LeakError
	if err := r.Close(); !errors.As(err, &e) || len(e.Born) != 3 {
		t.Fatalf("close: %v", err)
	}
	for i, want := range []struct {
		typ, site string
		count     int
	}{{"leaf", "runtime.newLeaf ", 3}, {"leaf", "runtime.TestLeaksAreGrouped.func1 ", 1}, {"node", "runtime.newNode ", 1}} {
		if b := e.Born[i]; b.Type != want.typ || b.Count != want.count || !strings.Contains(b.Site, want.site) || !strings.Contains(b.History, "born at") {
			t.Errorf("%d: %+v, want %+v", i, b, want)
		}
	}
	wantIn(t, e.Born[1].History, "incref at")
	wantIn(t, e.Error(), "\n  3 leaf made at github.com/ichor-go/ichor/runtime.newLeaf ", "; one of them:\n    born at")
	many := &LeakError{Types: []Leak{{"a", 30}}, Born: make([]Birth, maxBornReports+2)}
	if text := many.Error(); strings.Count(text, " made at ") != maxBornReports || !strings.HasSuffix(text, "\n  and from 2 other places") {
		t.Errorf("many places: %s", text)
	}
	c := newChecker(r)
	if site, history := c.birth(None); site != "an unknown place" || history != "" {
		t.Errorf("%s, %s", site, history)
	}
	c.records[None] = &record{}
	if site, history := c.birth(None); site != "a place in the process that shared the heap" || history != "" {
		t.Errorf("%s, %s", site, history)
	}
}

// TestTwoGoroutinesOnAThread checks that two goroutines on one thread are found when their
// calls overlap, and that both are named.
func TestTwoGoroutinesOnAThread(t *testing.T) {
	needsThreads(t)
	for _, m := range []Mode{GIL, LockFree} {
		r, th := checkedThread(t, m)
		th.SetName("shared")
		x := newLeaf(th)
		r.check.mu.Lock() // the other goroutine's call waits for it
		done := make(chan bool)
		go func() {
			defer close(done)
			usesToo(th, x)
		}()
		for !th.looking.Load() {
			goruntime.Gosched()
		}
		misuse := misuseIn(t, func() { th.TypeOf(x) })
		r.check.mu.Unlock()
		<-done
		wantIn(t, misuse.Error(), "ichor: two goroutines use one thread at the same time: Thread.TypeOf of thread ", `"shared"; want one goroutine at a time`)
		wantIn(t, misuse.History, fmt.Sprintf("goroutine %d is at", traces.GoroutineID()), "TestTwoGoroutinesOnAThread", "usesToo")
		// Calls that do not overlap are allowed.
		done = make(chan bool)
		go func() { defer close(done); usesToo(th, x) }()
		<-done
		th.TypeOf(x)
		th.looking.Store(true) // by a goroutine that has ended
		wantIn(t, misuseIn(t, func() { th.TypeOf(x) }).History, "whose call has ended by now")
		th.looking.Store(false)
		th.DecRef(x)
		th.Detach()
		must0(t, r.Close())
	}
}

//go:noinline
func usesToo(t *Thread, x Ref) { t.TypeOf(x) }
