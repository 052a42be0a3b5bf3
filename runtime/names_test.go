package runtime

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestStrings checks that values that users print describe themselves in one line, with any
// verb.
func TestStrings(t *testing.T) {
	for _, c := range []struct {
		o    Options
		mode string
	}{{Options{Mode: GIL, Name: "orders"}, "gil"}, {Options{Counting: Biased, Name: "orders"}, "lockfree, biased"}} {
		r := newRuntime(t, c.o)
		if r.Name() != "orders" {
			t.Errorf("the name is %s", r.Name())
		}
		var f *Frozen
		must0(t, r.Do(func(th *Thread) (err error) {
			wantLine(t, r, `runtime "orders" (`+c.mode+`, 1 threads attached)`)
			number := fmt.Sprint(th.number)
			wantLine(t, th, `thread `+number+` of runtime "orders"`)
			th.SetName("loader")
			wantLine(t, th, `thread `+number+` "loader" of runtime "orders"`)
			must0(t, th.Scope(func(s *Scope) {
				wantLine(t, s, `scope 1 of thread `+number+` "loader"`)
				must0(t, th.Scope(func(inner *Scope) {
					wantLine(t, s, `scope 1 of thread `+number+` "loader"`)
					wantLine(t, inner, `scope 2 of thread `+number+` "loader"`)
				}))
			}))
			f, err = th.Freeze(None)
			return err
		}))
		wantLine(t, f, `frozen graph of 0 objects, 0 bytes, of runtime "orders"`)
		must0(t, r.Unload(f))
		wantLine(t, f, `frozen graph of 0 objects, 0 bytes, of runtime "orders", unloaded`)
		must0(t, r.Do(func(th *Thread) error { // a name lasts until the thread is detached
			wantLine(t, th, fmt.Sprintf(`thread %d of runtime "orders"`, th.number))
			return nil
		}))
		th := must(r.Attach())
		th.Detach()
		th.SetName("late")
		wantLine(t, th, fmt.Sprintf(`thread %d of runtime "orders"`, th.number))
		must0(t, r.Close())
		wantLine(t, r, `runtime "orders" (`+c.mode+`, closed)`)
	}
	a, b := newRuntime(t, Options{}), newRuntime(t, Options{})
	if a.Name() == b.Name() {
		t.Errorf("two runtimes have the name %s", a.Name())
	}
	must0(t, errors.Join(a.Close(), b.Close()))
	for x, want := range map[Ref]string{
		Nil: "nil", None: "None", True: "True", False: "False", EmptyString: `""`, EmptyBytes: `bytes ""`, EmptyTuple: "()",
	} {
		wantLine(t, x, want)
	}
	wantLine(t, leafType, "leaf")
	wantLine(t, (*Type)(nil), "no type")
	wantLine(t, Options{}, "Options{}")
	wantLine(t, Options{Mode: GIL, MemoryLimit: 1 << 20, OnError: func(error) {}, Checked: true, Name: "x"},
		"Options{Mode: gil, MemoryLimit: 1048576, Name: x, OnError: set, Checked: true}")
}

func wantLine(t *testing.T, v any, want string) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%s"} {
		if got := fmt.Sprintf(verb, v); got != want {
			t.Errorf("%s: got %s, want %s", verb, got, want)
		}
	}
}

// TestThreadNumbers checks that reports distinguish threads under the GIL, where all have one
// id.
func TestThreadNumbers(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		a := must(r.Attach())
		var names []string
		a.Blocking(func() {
			b := must(r.Attach())
			names = append(names, a.name(), b.name())
			b.SetName("b")
			var e *AttachedError
			if !errors.As(r.Close(), &e) || len(e.Threads) != 2 || !strings.Contains(e.Error(), `thread `+fmt.Sprint(b.number)+` "b"`) {
				t.Errorf("close: %v", e)
			}
			b.Detach()
		})
		a.Detach()
		if names[0] == names[1] {
			t.Errorf("two threads are %s", names[0])
		}
		must0(t, r.Close())
	})
}

// TestTypesOfOneName checks that reports distinguish types with the same name.
func TestTypesOfOneName(t *testing.T) {
	name := fmt.Sprintf("twin %d", must(DefineType(Type{Name: "any"})).ID()) // new, even if the test runs again
	first, second := must(DefineType(Type{Name: name})), must(DefineType(Type{Name: name}))
	if first.String() != name || second.String() != name+"#2" || second.Name != name {
		t.Errorf("%s, %s of name %s", first, second, second.Name)
	}
	forModes(t, func(t *testing.T, o Options) {
		o.Name = "twins"
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			for range 2 {
				_, _, err := th.New(first, 8)
				must0(t, err)
			}
			x, _, err := th.New(second, 8)
			must0(t, err)
			want := "ichor: want string, got " + name + "#2"
			if got := th.WantType(x, TypeString).Error(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			for _, s := range th.ReadStats().Types {
				if s.Type == name && s.Objects != 2 || s.Type == name+"#2" && s.Objects != 1 {
					t.Errorf("%+v", s)
				}
			}
			return nil
		}))
		var e *LeakError
		if err := r.Close(); !errors.As(err, &e) || len(e.Types) != 2 || e.Types[0] != (Leak{name, 2}) || e.Types[1] != (Leak{name + "#2", 1}) {
			t.Fatalf("close: %v", err)
		}
		wantIn(t, e.Error(), `ichor: close of runtime "twins": leaked 2 `+name+`, 1 `+name+`#2`)
	})
}

// TestScopeMisuse checks that reports distinguish a scope that has ended from one that is not
// the innermost, also by number, and that Detach names the call it is inside of.
func TestScopeMisuse(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		th := must(r.Attach())
		name := th.name()
		var ended *Scope
		must0(t, th.Scope(func(outer *Scope) {
			must0(t, th.Scope(func(inner *Scope) {
				ended = inner
				want := "ichor: the scope is not the innermost one: Scope.Own of scope 1 of " + name + "; want the innermost one, which is scope 2"
				if got := misuseIn(t, func() { outer.Own(None, nil) }).Error(); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}))
			want := "ichor: the scope has ended: Scope.Keep of scope 2 of " + name + "; want a scope whose function is running"
			if got := misuseIn(t, func() { ended.Keep(None) }).Error(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			wantIn(t, misuseIn(t, th.Detach).Error(), "ichor: detach inside a scope: Thread.Detach of "+name+";")
			th.StopTheWorld(func() {
				wantIn(t, misuseIn(t, th.Detach).Error(), "ichor: detach inside StopTheWorld: ")
			})
		}))
		must0(t, th.Immortally(func() error {
			wantIn(t, misuseIn(t, th.Detach).Error(), "ichor: detach inside Immortally: ")
			return nil
		}))
		called := false
		th.Later(func(th *Thread) {
			called = true
			wantIn(t, misuseIn(t, th.Detach).Error(), "ichor: detach inside a finalizer or a callback: ")
		})
		th.Checkpoint()
		if !called {
			t.Error("the callback was not called")
		}
		th.Detach()
		must0(t, r.Close())
	})
}

// TestFrozenSlotMisuse checks that misuse by a type's Copy names the object: copying a nil
// slot, or a slot that was not allocated.
func TestFrozenSlotMisuse(t *testing.T) {
	slot := 0
	odd := must(DefineType(Type{Name: "odd", Traverse: func(Heap, Body, func(Ref)) {}, Freezing: &Freezing{Copy: func(c *Copy) error {
		if _, err := c.Alloc(8); err != nil {
			return err
		}
		c.Slot(slot, Nil)
		return nil
	}}}))
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		x, _, err := th.New(odd, 8)
		must0(t, err)
		wantIn(t, misuseIn(t, func() { _, _ = th.Freeze(x) }).Error(), "ichor: frozen slot with a nil reference: ", " of "+odd.String()+" "+x.String()+";")
		slot = 2
		wantIn(t, misuseIn(t, func() { _, _ = th.Freeze(x) }).Error(), "ichor: slot outside the frozen body: Copy.Slot of word 2; want 0 to 1")
		th.DecRef(x)
	})
}
