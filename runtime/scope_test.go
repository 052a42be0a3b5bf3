package runtime

import (
	"errors"
	"strings"
	"testing"
)

func TestScope(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			var kept Ref
			err := th.Scope(func(s *Scope) {
				a := s.Own(newLeaf(th), nil)
				s.Own(None, nil)
				if s.Len() != 1 {
					t.Errorf("the scope owns %d counted references, want 1", s.Len())
				}
				inner := th.Scope(func(in *Scope) {
					b := in.Own(newNode(th, newLeaf(th)), nil)
					kept = in.Keep(b)
					wantIn(t, panics(t, func() { s.Own(None, nil) }), "not the innermost")
				})
				if inner != nil {
					t.Error(inner)
				}
				if count(th, a) != 1 || count(th, kept) != 1 {
					t.Error("the inner scope gave up a reference of the outer one")
				}
			})
			if err != nil {
				t.Error(err)
			}
			th.Runtime().mustHold(t, th, 2)
			th.DecRef(kept)
		})
	})
}

func TestScopeEndsByErrorAndPanic(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			broken := errors.New("broken")
			after := false
			err := th.Scope(func(s *Scope) {
				s.Own(newLeaf(th), nil)
				s.Own(Nil, broken)
				after = true
			})
			if err != broken || after {
				t.Errorf("Own with an error: the scope returned %v, went on: %t", err, after)
			}
			err = th.Scope(func(s *Scope) {
				s.Own(newLeaf(th), nil)
				s.Check(nil)
				s.Check(broken)
			})
			if err != broken {
				t.Errorf("Check with an error: %v", err)
			}
			msg := panics(t, func() {
				_ = th.Scope(func(s *Scope) {
					s.Own(newLeaf(th), nil)
					_ = th.Scope(func(s *Scope) {
						s.Own(newLeaf(th), nil)
						panic("mine")
					})
				})
			})
			if msg != "mine" {
				t.Errorf("a panic came out of two scopes as %q", msg)
			}
			th.Runtime().mustHold(t, th, 0)
		})
	})
}

// TestOwnKeepsTheKind checks that Own and In do what Scope.Own does, and keep the kind of the
// reference.
func TestOwnKeepsTheKind(t *testing.T) {
	type leaf Ref
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			broken := errors.New("broken")
			after := false
			err := th.Scope(func(s *Scope) {
				a := Own(leaf(newLeaf(th)), nil).In(s)
				if s.Len() != 1 || count(th, a) != 1 {
					t.Errorf("the scope owns %d references, the leaf counts %d", s.Len(), count(th, a))
				}
				Own(leaf{}, broken).In(s)
				after = true
			})
			if err != broken || after {
				t.Errorf("the scope returned %v, went on: %t", err, after)
			}
		})
	})
}

// TestScopeIsTheInnermost checks that a scope that is not the innermost open one of its thread,
// or that has ended, refuses every call.
func TestScopeIsTheInnermost(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		broken := errors.New("broken")
		var old *Scope
		refuses := func(s *Scope, why string) {
			t.Helper()
			for name, use := range map[string]func(){
				"Own":               func() { s.Own(None, nil) },
				"Own with an error": func() { s.Own(None, broken) },
				"Check":             func() { s.Check(broken) },
				"Keep":              func() { s.Keep(None) },
				"Len":               func() { s.Len() },
			} {
				call, _, _ := strings.Cut(name, " ")
				wantIn(t, panics(t, use), why+": Scope."+call+" of scope 1 of thread")
			}
		}
		must0(t, th.Scope(func(s *Scope) {
			must0(t, th.Scope(func(*Scope) { refuses(s, "ichor: the scope is not the innermost one") }))
			old = s
		}))
		refuses(old, "ichor: the scope has ended")
	})
}

// TestScopesOfTwoThreads checks that an error that ends a scope of one thread does not end
// those of others.
func TestScopesOfTwoThreads(t *testing.T) {
	r, a, b := biasedPair(t, Options{})
	broken := errors.New("broken")
	err := a.Scope(func(s *Scope) {
		err := b.Scope(func(*Scope) { s.Own(Nil, broken) })
		t.Errorf("the other scope has ended with %v", err)
	})
	if err != broken || a.depth != 0 || b.depth != 0 {
		t.Errorf("the scope has ended with %v, and %d and %d are open", err, a.depth, b.depth)
	}
	closePair(t, r, a, b)
}

// TestOwnIsChecked checks that checked mode refuses to own an invalid reference.
func TestOwnIsChecked(t *testing.T) {
	for _, m := range []Mode{GIL, LockFree} {
		clean(t, Options{Mode: m, Checked: true}, func(t *testing.T, th *Thread) {
			x := newLeaf(th)
			th.DecRef(x)
			must0(t, th.Scope(func(s *Scope) {
				wantIn(t, panics(t, func() { s.Own(x, nil) }), "use after free: Scope.Own of leaf ")
				if n := s.Len(); n != 0 {
					t.Errorf("the scope owns %d references", n)
				}
			}))
		})
	}
}
