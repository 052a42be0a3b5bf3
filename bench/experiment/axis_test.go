package experiment

import (
	"errors"
	"testing"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// attached runs f on a thread of a new runtime, which must not be left with an object.
func attached(t *testing.T, f func(th *rt.Thread)) {
	t.Helper()
	r, err := NewRuntime(ModeGIL)
	if err == nil {
		err = errors.Join(r.Do(func(th *rt.Thread) error { f(th); return nil }), r.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// What is born is mortal, or immortal in the way that is asked for.
func TestBear(t *testing.T) {
	const text = "of more than a few letters"
	for kind, want := range map[string]struct{ immortal, address, frozen bool }{
		ImmortalNone: {}, ImmortalInPlace: {immortal: true}, ImmortalAddress: {immortal: true, address: true}, ImmortalFrozen: {immortal: true, address: true, frozen: true},
	} {
		attached(t, func(th *rt.Thread) {
			r, err := Bear(th, kind, func() (rt.Ref, error) { return objects.NewString(th, text) })
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			if got := th.IsImmortal(r); got != want.immortal || (r.Handle >= rt.Limit) != want.address || (len(th.Runtime().Frozen()) > 0) != want.frozen {
				t.Errorf("%s: immortal: %t, at %#x, %d frozen graphs", kind, got, r.Handle, len(th.Runtime().Frozen()))
			}
			if s, ok := objects.String(r).Text(th); !ok || s != text {
				t.Errorf("%s: another object", kind)
			}
			th.DecRef(r)
		})
	}
}

// Without an object there is an error and no reference, and nothing is left behind.
func TestBearFails(t *testing.T) {
	broken := errors.New("broken")
	for _, kind := range []string{ImmortalNone, ImmortalInPlace, ImmortalAddress, ImmortalFrozen} {
		attached(t, func(th *rt.Thread) {
			if r, err := Bear(th, kind, func() (rt.Ref, error) { return rt.Nil, broken }); !errors.Is(err, broken) || r != rt.Nil {
				t.Errorf("%s: %v, %v", kind, r, err)
			}
		})
	}
	for _, kind := range []string{ImmortalInPlace, ImmortalFrozen} {
		attached(t, func(th *rt.Thread) {
			if r, err := Bear(th, kind, func() (rt.Ref, error) { return rt.Nil, nil }); !errors.Is(err, rt.ErrNilRef) || r != rt.Nil {
				t.Errorf("%s, of nothing: %v, %v", kind, r, err)
			}
		})
	}
	attached(t, func(th *rt.Thread) {
		if r, err := Bear(th, ImmortalFrozen, func() (rt.Ref, error) { return objects.NewCell(th, rt.None) }); !errors.Is(err, rt.ErrNotFreezable) || r != rt.Nil {
			t.Errorf("what cannot be frozen: %v, %v", r, err)
		}
		if r, err := Bear(th, "forever", func() (rt.Ref, error) { return objects.NewCell(th, rt.None) }); err == nil || r != rt.Nil {
			t.Errorf("an unknown kind: %v, %v", r, err)
		}
	})
}

// A mode has its options, and functions change them in turn.
func TestModeOptions(t *testing.T) {
	for mode, want := range map[string]rt.Options{
		ModeGIL: {Mode: rt.GIL}, ModeAtomic: {Mode: rt.LockFree, Counting: rt.Atomic}, ModeBiased: {Mode: rt.LockFree, Counting: rt.Biased},
	} {
		if o, err := ModeOptions(mode); err != nil || o.Mode != want.Mode || o.Counting != want.Counting {
			t.Errorf("%s: %+v, %v", mode, o, err)
		}
	}
	r, err := NewRuntime(ModeGIL, func(o *rt.Options) { o.MemoryLimit = -1 }, func(o *rt.Options) { o.Mode, o.MemoryLimit = rt.LockFree, 0 })
	if err != nil {
		t.Fatal(err)
	}
	if r.Mode() != rt.LockFree {
		t.Errorf("the mode is %v", r.Mode())
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if r, err := NewRuntime(ModeGIL, func(o *rt.Options) { o.MemoryLimit = -1 }); err == nil || r != nil {
		t.Errorf("of options that are wrong: %v, %v", r, err)
	}
	if r, err := NewRuntime("none"); err == nil || r != nil {
		t.Errorf("of no mode: %v, %v", r, err)
	}
}
