package objects

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/ichor-go/ichor/internal/aligned"
	rt "github.com/ichor-go/ichor/runtime"
)

func TestForeign(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			table := core.Foreign(th.Runtime())
			released := []any{}
			release := func(v any) { released = append(released, v) }
			a, b, c := must(NewForeign(th, "a", release)), must(NewForeign(th, nil, release)), must(NewForeign(th, 3, nil))
			for _, x := range []struct {
				r    rt.Ref
				want any
			}{{a, "a"}, {b, nil}, {c, 3}} {
				if v, found := Foreign(x.r).Value(th); !found || v != x.want {
					t.Errorf("value %v, %v; want %v", v, found, x.want)
				}
			}
			if v, found := Foreign(rt.None).Value(th); found || v != nil {
				t.Errorf("None has the Go value %v", v)
			}
			l := must(NewListSteal(th, a, b))
			th.DecRefs([]rt.Ref{l, c})
			if n := table.Size(); n != 0 || len(released) > 0 {
				t.Errorf("%d values are left, released inside DecRef: %v", n, released)
			}
			th.Checkpoint()
			slices.SortFunc(released, func(a, _ any) int { // nil last
				if a == nil {
					return 1
				}
				return -1
			})
			if !slices.Equal(released, []any{"a", nil}) {
				t.Errorf("released %v", released)
			}
		})
		if o.Checked {
			return
		}
		o.MemoryLimit = 1 << 20
		clean(t, o, func(th *rt.Thread) {
			held := hog(t, th)
			_, err := NewForeign(th, 1, func(any) { t.Error("released, although it is the caller's") })
			if !errors.Is(err, rt.ErrMemoryLimit) || core.Foreign(th.Runtime()).Size() != 0 {
				t.Errorf("got %v, want the memory limit; %d values", err, core.Foreign(th.Runtime()).Size())
			}
			th.DecRefs(held)
		})
	})
}

// TestForeignReleasedOnce has objects die in every possible way. Each value is released
// once, and a panic of one release is reported.
func TestForeignReleasedOnce(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		var errs []error
		o.OnError = func(err error) { errs = append(errs, err) }
		r, err := rt.New(o)
		must0(t, err)
		released := map[string]int{}
		newForeign := func(th *rt.Thread, name string) rt.Ref {
			return must(NewForeign(th, name, func(v any) {
				if v != name {
					t.Errorf("released %v as %s", v, name)
				}
				released[name]++
			}))
		}
		wantReleased := func(names ...string) {
			t.Helper()
			want := map[string]int{}
			for _, n := range names {
				want[n] = 1
			}
			if !maps.Equal(released, want) {
				t.Errorf("released %v, want each of %v once", released, names)
			}
		}
		must0(t, r.Do(func(th *rt.Thread) error {
			th.DecRef(newForeign(th, "dropped"))
			th.DecRef(must(NewForeign(th, 0, func(any) { panic("broken") })))

			// As a leaf of garbage.
			loop := must(NewList(th))
			ok(loop.Append(th, loop))
			ok(loop.AppendSteal(th, newForeign(th, "collected")))
			th.DecRef(loop)
			th.Collect()

			// In a region that is discarded, by an error and by a panic.
			failed := errors.New("failed")
			if err := th.Immortally(func() error {
				newForeign(th, "discarded")
				return failed
			}); err != failed {
				t.Errorf("got %v", err)
			}
			func() {
				defer func() { _ = recover() }()
				_ = th.Immortally(func() error {
					newForeign(th, "discarded by a panic")
					panic("in the region")
				})
			}()
			th.Checkpoint()
			if n := core.Foreign(th.Runtime()).Size(); n != 0 {
				t.Errorf("%d values are left", n)
			}
			wantReleased("dropped", "collected", "discarded", "discarded by a panic")

			// Objects that are left for Close.
			must0(t, th.Immortally(func() error {
				newForeign(th, "born immortal")
				return nil
			}))
			inPlace := newForeign(th, "in place")
			holder := must(NewListSteal(th, inPlace))
			ok(th.Immortalize(holder))
			th.DecRef(holder)
			ok(holder.AppendSteal(th, newForeign(th, "mortal, of an immortal")))
			newForeign(th, "leaked")
			return nil
		}))
		wantReleased("dropped", "collected", "discarded", "discarded by a panic")
		var leak *rt.LeakError
		if err := r.Close(); !errors.As(err, &leak) || len(leak.Types) != 1 || leak.Types[0] != (rt.Leak{Type: "foreign", Count: 1}) {
			t.Errorf("close: %v; want one foreign leaked", err)
		}
		wantReleased("dropped", "collected", "discarded", "discarded by a panic",
			"born immortal", "in place", "mortal, of an immortal", "leaked")
		if len(errs) != 1 {
			t.Errorf("errors: %v", errs)
		}
		for _, err := range errs {
			wantError[*rt.PanicError](t, err)
		}
		if n := core.Foreign(r).Size(); n != 0 {
			t.Errorf("%d values are left", n)
		}
	})
}

// TestForeignAtClose: callbacks that Close calls still find the Go values, also those of
// immortals, which are released after the callbacks.
func TestForeignAtClose(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		r, err := rt.New(o)
		must0(t, err)
		var log []any
		must0(t, r.Do(func(th *rt.Thread) error {
			f := must(NewForeign(th, "a", func(v any) { log = append(log, "released") }))
			l := must(NewList(th, f))
			ok(th.Immortalize(l))
			x := must(NewList(th))
			w := must(NewWeak(th, x, func(th *rt.Thread) {
				v, _ := f.Value(th)
				log = append(log, v)
			}))
			ok(th.Immortalize(w))
			ok(l.AppendSteal(th, x))
			return nil
		}))
		must0(t, r.Close())
		if !slices.Equal(log, []any{"a", "released"}) {
			t.Errorf("Close: %v", log)
		}
	})
}

// TestOtherKinds: Weak, Cell and Foreign have type names, and cannot be keys.
func TestOtherKinds(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			must0(t, th.Scope(func(s *rt.Scope) {
				d := Dict(s.Own(NewDict(th)))
				for name, r := range map[string]rt.Ref{
					"weak":    s.Own(NewWeak(th, d)),
					"cell":    s.Own(NewCell(th, rt.None)),
					"foreign": s.Own(NewForeign(th, 1, nil)),
				} {
					if got := th.TypeOf(r).Name; got != name {
						t.Errorf("%s is called %s", name, got)
					}
					if got, want := Format(th, r), name+" "+r.String(); got != want {
						t.Errorf("formatted as %s, want %s", got, want)
					}
					_, err := Hash(th, r)
					wantError[*UnhashableError](t, err)
					wantError[*UnhashableError](t, d.Set(th, r, rt.None))
					tuple := s.Own(NewTuple(th, r))
					_, err = Hash(th, tuple)
					wantError[*UnhashableError](t, err)
				}
			}))
		})
	})
}

// TestForeignHolds: a Go value may hold objects; its release gives them up.
func TestForeignHolds(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			must0(t, r.Do(func(th *rt.Thread) error {
				v := newBig(th, 1)
				th.DecRef(must(NewForeignOwner(th, v, func(th *rt.Thread, v any) { th.DecRef(v.(rt.Ref)) })))
				audit(t, th)
				return nil
			}))
		})
	})
}

// TestForeignChaos has threads pass objects around while their memory is reused. Each
// object keeps the value that it was born with, and each value is released once.
func TestForeignChaos(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			type value struct {
				self     rt.Ref
				released aligned.Int64
			}
			var c Cell
			must0(t, r.Do(func(th *rt.Thread) error {
				c = must(NewCell(th, rt.None))
				return nil
			}))
			const workers = 4
			values := make([][]*value, workers)
			run(t, r, workers, func(th *rt.Thread, w int) error {
				for i := range scaled(40_000) {
					v := &value{}
					f := must(NewForeign(th, v, func(x any) { x.(*value).released.Inc() }))
					v.self = f
					values[w] = append(values[w], v)
					old := must(c.Swap(th, f))
					th.DecRef(f)
					if got, found := Foreign(old).Value(th); old != rt.None && (!found || got.(*value).self != old || got.(*value).released.Load() != 0) {
						return errors.New("an object has the Go value of another one, or one that was released")
					}
					th.DecRef(old)
					if now, _ := c.At(th); now != rt.None { // borrowed
						if _, found := Foreign(now).Value(th); !found {
							return errors.New("a borrowed object has lost its Go value")
						}
					}
					if i%32 == 0 {
						th.Checkpoint()
					}
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				audit(t, th, c)
				th.DecRef(c)
				return nil
			}))
			for _, v := range slices.Concat(values...) {
				if n := v.released.Load(); n != 1 {
					t.Fatalf("a value was released %d times", n)
				}
			}
			if n := core.Foreign(r).Size(); n != 0 {
				t.Errorf("%d values are left", n)
			}
		})
	})
}
