package runtime

import (
	"errors"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/fault"
)

// TestStacksLeaveOutGo checks that a stack in a history names the program's functions, and none
// of Go's own runtime.
func TestStacksLeaveOutGo(t *testing.T) {
	s := fault.Here().String()
	wantIn(t, s, "TestStacksLeaveOutGo", "checkedsteps_test.go:", "testing.tRunner")
	if strings.Contains(s, " runtime.") {
		t.Errorf("it names functions of Go's runtime:\n%s", s)
	}
}

// TestHistoryNamesCounts checks that each call that counts is in the history of the object, and
// of a float too.
func TestHistoryNamesCounts(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		if !o.Checked {
			return
		}
		clean(t, o, func(t *testing.T, th *Thread) {
			for what, make := range map[string]func() Ref{
				"leaf":  func() Ref { return newLeaf(th) },
				"float": func() Ref { return newFloat(th, 1, 0) },
			} {
				x := make()
				th.SetWeak(x)
				if !th.TryIncRef(x) {
					t.Errorf("the %s is dead", what)
				}
				th.IncRef(x)
				th.IncRefs([]Ref{None, x, None})
				th.DecRef(x)
				th.DecRefs([]Ref{None, x, None, x, x})
				msg := panics(t, func() { th.DecRef(x) })
				wantIn(t, msg, what, "tryincref at")
				if inc, dec := strings.Count(msg, "incref at"), strings.Count(msg, "decref at"); inc != 3 || dec < 4 {
					t.Errorf("%d increments and %d decrements, want 3 and 4:\n%s", inc, dec, msg)
				}
			}
		})
	})
}

// TestInjectedInCheckedMode checks that each birth calls Options.Inject, and fails with the
// error that it returns.
func TestInjectedInCheckedMode(t *testing.T) {
	broken, fail := errors.New("broken"), false
	for _, m := range []Mode{GIL, LockFree} {
		o := Options{Mode: m, Checked: true, Inject: func(c Injection) error {
			if fail && c == AllocateObject {
				return broken
			}
			return nil
		}}
		clean(t, o, func(t *testing.T, th *Thread) {
			x := newWide(th)
			births := func() {
				for what, birth := range map[string]func() error{
					"New":      func() error { _, _, err := th.New(leafType, 8); return err },
					"NewFloat": func() error { _, err := th.newFloat(1, 0); return err },
					"NewBlock": func() error { _, _, err := th.NewBlock(x, 16); return err },
					"Freeze":   func() error { _, err := th.Freeze(x); return err },
				} {
					fail = true
					if err := birth(); !errors.Is(err, broken) {
						t.Errorf("%s: %v", what, err)
					}
					fail = false
				}
			}
			births()
			must0(t, th.Immortally(func() error { births(); return nil }))
			th.DecRef(x)
		})
	}
}

// TestForeignImmortals checks which references that are immortal by address a checked runtime
// takes for its own: singletons, objects in its regions, and those in its Frozens. All others
// are misuse.
func TestForeignImmortals(t *testing.T) {
	for _, m := range []Mode{GIL, LockFree} {
		_, other := checkedThread(t, m)
		var foreign Ref
		for range 3 { // the last one lies where the other runtime has nothing
			must0(t, other.Immortally(func() error { foreign = newLeaf(other); return nil }))
		}
		clean(t, Options{Mode: m, Checked: true}, func(t *testing.T, th *Thread) {
			refuses := func(refs ...Ref) {
				t.Helper()
				for _, x := range refs {
					msg := panics(t, func() { th.TypeOf(x) })
					if want := "foreign reference: this runtime never had an object here"; !strings.Contains(msg, want) {
						t.Errorf("%s: %q, want %q", x, msg, want)
					}
				}
			}
			strange := []Ref{foreign, {endSingletons}, {none + 1}, {none - 2}, {selfBase}, {frozenBase + frozenCount/2}}
			refuses(strange...)
			var own Ref
			must0(t, th.Immortally(func() error {
				own = newLeaf(th)
				if th.TypeOf(own) != leafType {
					t.Errorf("%s is not a leaf", own)
				}
				refuses(strange...)
				called := false
				th.Later(func(th *Thread) { // its births are mortal
					called = th.region == nil && th.TypeOf(own) == leafType
					refuses(strange...)
				})
				if th.Checkpoint(); !called {
					t.Error("a callback cannot use an object that is being born immortal")
				}
				if m == GIL {
					return nil
				}
				other := must(th.rt.Attach())
				wantIn(t, panics(t, func() { other.TypeOf(own) }), "foreign reference")
				other.Detach()
				return nil
			}))
			x := newWide(th)
			f, err := th.Freeze(x)
			must0(t, err)
			th.DecRef(x)
			if th.TypeOf(own) != leafType || th.TypeOf(f.Root()) != wideType {
				t.Errorf("the runtime's own are a %s and a %s", th.TypeOf(own), th.TypeOf(f.Root()))
			}
			refuses(strange...)
			gone := f.Root()
			must0(t, th.Unload(f))
			refuses(gone)
		})
	}
}

// TestQuarantineIsFilled checks that the quarantine keeps exactly as much as it should, first
// in, first out.
func TestQuarantineIsFilled(t *testing.T) {
	clean(t, Options{Checked: true}, func(t *testing.T, th *Thread) {
		const n = 4
		var all []Ref
		for range n + 1 {
			x, _, err := th.New(leafType, quarantineBytes/n-16)
			must0(t, err)
			all = append(all, x)
		}
		c := th.check
		before := c.held
		th.DecRefs(all[:n])
		if before != 0 || c.held != quarantineBytes || len(c.quarantine) != n {
			t.Errorf("%d bytes are kept, in %d objects; want %d in %d", c.held, len(c.quarantine), quarantineBytes, n)
		}
		th.DecRef(all[n])
		if c.held != quarantineBytes || len(c.quarantine) != n || c.quarantine[0] != all[1] {
			t.Errorf("%d bytes are kept, in %s; want %s", c.held, c.quarantine, all[1:])
		}
	})
}
