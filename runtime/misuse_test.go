package runtime

import (
	"testing"
)

// TestMisuseIsAlwaysReported passes invalid references to each call that takes one, in checked
// mode: a dead object, and one of another runtime. The call panics with a *Misuse, or returns
// an error.
func TestMisuseIsAlwaysReported(t *testing.T) {
	for _, o := range []Options{{Mode: GIL}, {Counting: Atomic}, {Counting: Biased}} {
		o.Checked = true
		r, other := newRuntime(t, o), newRuntime(t, o)
		var foreign Ref
		must0(t, other.Do(func(th *Thread) error { foreign = newNode(th, Nil); return nil }))
		must0(t, r.Do(func(th *Thread) error {
			dead, watch := newNode(th, Nil), newWatch(th, None, nil)
			th.DecRef(dead)
			calls := map[string]func(r Ref) error{
				"IncRef":      func(r Ref) error { th.IncRef(r); return nil },
				"DecRef":      func(r Ref) error { th.DecRef(r); return nil },
				"IncRefs":     func(r Ref) error { th.IncRefs([]Ref{r}); return nil },
				"DecRefs":     func(r Ref) error { th.DecRefs([]Ref{r}); return nil },
				"Retire":      func(r Ref) error { th.Retire(r); return nil },
				"SetWeak":     func(r Ref) error { th.SetWeak(r); return nil },
				"LinkWeak":    func(r Ref) error { th.linkWeak(watch, r, nil); return nil },
				"LinkWeak of": func(r Ref) error { th.linkWeak(r, None, nil); return nil },
				"FollowWeak":  func(r Ref) error { th.followWeak(r); return nil },
				"IsImmortal":  func(r Ref) error { th.IsImmortal(r); return nil },
				"TypeOf":      func(r Ref) error { th.TypeOf(r); return nil },
				"Kind":        func(r Ref) error { th.Kind(r); return nil },
				"Object":      func(r Ref) error { th.Object(r, TypeList); return nil },
				"Float":       func(r Ref) error { th.Float(r); return nil },
				"NewBlock":    func(r Ref) error { _, _, err := th.NewBlock(r, 16); return err },
				"Immortalize": func(r Ref) error { return th.Immortalize(r) },
				"Freeze":      func(r Ref) error { _, err := th.Freeze(r); return err },
				"Audit":       func(r Ref) error { return th.Audit(watch, r) },
				"Paths":       func(r Ref) error { _, err := th.Paths(r); return err },
				"WantType":    func(r Ref) error { th.WantType(r, TypeList); return nil },
				"MustUse":     func(r Ref) error { th.MustUse(r); return nil },
				"Own":         func(r Ref) error { return th.Scope(func(s *Scope) { s.Own(r, nil) }) },
				"Keep":        func(r Ref) error { return th.Scope(func(s *Scope) { s.Keep(r) }) },
			}
			for name, call := range calls {
				for what, x := range map[string]Ref{"a dead object": dead, "another runtime's": foreign} {
					if err := misuseOf(func() error { return call(x) }); err == nil {
						t.Errorf("%s of %s was accepted", name, what)
					}
				}
			}
			// A table may lead to a dead object, so that is no misuse here.
			if err := misuseOf(func() error { th.TryIncRef(foreign); return nil }); err == nil {
				t.Error("TryIncRef of another runtime's was accepted")
			}
			if err := misuseOf(func() error { th.TryIncRef(Ref{frozenBase + frozenCount/2}); return nil }); err == nil {
				t.Error("TryIncRef of a frozen reference without an object was accepted")
			}
			if th.TryIncRef(dead) {
				t.Error("TryIncRef of a dead object has succeeded")
			}
			if err := misuseOf(func() error { th.linkWeak(watch, Nil, nil); return nil }); err == nil {
				t.Error("a weak reference to nil was accepted")
			}
			for name, call := range map[string]func() error{
				"Immortalize": func() error { return th.Immortalize(Nil) },
				"Freeze":      func() error { _, err := th.Freeze(Nil); return err },
			} {
				if misuseOf(call) == nil {
					t.Errorf("%s of nil was accepted", name)
				}
			}
			th.DecRef(watch)
			return th.Audit()
		}))
		must0(t, r.Close())
		must0(t, other.Do(func(th *Thread) error { th.DecRef(foreign); return nil }))
		must0(t, other.Close())
	}
}

// misuseOf returns the error of f, or the *Misuse that it panics with.
func misuseOf(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = p.(*Misuse)
		}
	}()
	return f()
}

// TestFinalizerThatImmortalizes checks that garbage that a finalizer has made immortal is
// neither finalized afterwards nor freed.
func TestFinalizerThatImmortalizes(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			calls := 0
			finalized = func(th *Thread, r Ref) {
				calls++
				must0(t, th.Immortalize(th.Body(r).LoadRef(0)))
			}
			first := newFinal(th, Nil)
			second := newFinal(th, newLeaf(th))
			loop := newFinal(th, newNode(th, first, second))
			th.Body(first).StoreRef(0, loop) // first -> loop -> node -> first, second
			c := th.Collect()
			if calls != 1 || c.Finalized != 1 || c.Freed != 0 {
				t.Errorf("%d calls, %+v", calls, c)
			}
			for _, x := range []Ref{first, second, loop} {
				if !th.IsImmortal(x) {
					t.Errorf("%s is not immortal", x)
				}
			}
			// One whose finalizer waits, and which a table finds meanwhile.
			a, b := newFinal(th, Nil), newFinal(th, Nil)
			th.SetWeak(b)
			calls = 0
			finalized = func(th *Thread, r Ref) {
				if calls++; th.TryIncRef(b) {
					must0(t, th.Immortalize(b))
					th.DecRef(b)
				}
			}
			th.DecRefs([]Ref{a, b})
			th.Checkpoint()
			if calls != 1 || !th.IsImmortal(b) {
				t.Errorf("%d calls, immortal %t", calls, th.IsImmortal(b))
			}
			return th.Audit()
		}))
		must0(t, r.Close())
	})
}
