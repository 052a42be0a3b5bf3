package runtime

import (
	"errors"
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
					t.Error("the inner scope gave up what is not its own")
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

// TestOwnKeepsTheKind: Own and In are Scope.Own for a kind of reference.
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
