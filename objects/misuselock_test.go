package objects

import (
	"fmt"
	"testing"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestMisuseLeavesNoLock: a reference that was given up once too often is detected in a
// write, under the container's lock. Afterwards other threads can write to the container,
// and so can the same one.
func TestMisuseLeavesNoLock(t *testing.T) {
	// dead returns an object that has died, of which a container still has a reference.
	dead := func(th *rt.Thread, put func(x rt.Ref)) rt.Ref {
		x := must(NewInt(th, 1<<50))
		put(x)
		th.DecRef(x)
		th.DecRef(x) // the container's own reference
		return x
	}
	table := func(th *rt.Thread, n int) Dict {
		d := must(NewDict(th))
		for i := range n {
			ok(d.Set(th, smallInt(i), rt.None))
		}
		return d
	}
	for what, c := range map[string]func(th *rt.Thread) (written rt.Ref, write func()){
		"Extend": func(th *rt.Thread) (rt.Ref, func()) {
			l, m := must(NewList(th)), must(NewList(th))
			dead(th, func(x rt.Ref) { ok(m.Append(th, x)) })
			return m, func() { _ = l.Extend(th, m) }
		},
		"Extend of itself": func(th *rt.Thread) (rt.Ref, func()) {
			l := must(NewList(th))
			dead(th, func(x rt.Ref) { ok(l.Append(th, x)) })
			return l, func() { _ = l.Extend(th, l) }
		},
		"Set": func(th *rt.Thread) (rt.Ref, func()) {
			d := table(th, 0)
			x := dead(th, func(x rt.Ref) { ok(must(NewList(th)).Append(th, x)) })
			return d, func() { _ = d.Set(th, x, rt.None) }
		},
		"Update by one value": func(th *rt.Thread) (rt.Ref, func()) {
			d, e := table(th, 1), table(th, 0)
			dead(th, func(x rt.Ref) { ok(e.Set(th, smallInt(0), x)) })
			return e, func() { _ = d.Update(th, e) }
		},
		"Update of a table with gates": func(th *rt.Thread) (rt.Ref, func()) {
			d, e := table(th, gatesFrom), table(th, gatesFrom)
			dead(th, func(x rt.Ref) { ok(e.Set(th, smallInt(5), x)) })
			return e, func() { _ = d.Update(th, e) }
		},
		"Update that adds": func(th *rt.Thread) (rt.Ref, func()) {
			d, e := table(th, 5), table(th, 0)
			dead(th, func(x rt.Ref) { ok(e.Set(th, smallInt(1000), x)) })
			return d, func() { _ = d.Update(th, e) }
		},
	} {
		for _, o := range []rt.Options{
			{Mode: rt.GIL}, {Mode: rt.LockFree, Counting: rt.Biased},
			{Mode: rt.GIL, Checked: true}, {Mode: rt.LockFree, Checked: true}, {Mode: rt.LockFree, Counting: rt.Biased, Checked: true},
		} {
			t.Run(fmt.Sprintf("%s/%s/%s/checked=%v", what, o.Mode, o.Counting, o.Checked), func(t *testing.T) {
				o.AddressSpace = 4 << 20
				r := must(rt.New(o)) // no Close: after a double free it has nothing reliable to report
				var written rt.Ref
				panics := func(write func()) (p any) {
					defer func() { p = recover() }()
					write()
					return nil
				}
				put := func(th *rt.Thread) error {
					if th.Kind(written) == rt.TypeList {
						return List(written).Append(th, rt.None)
					}
					return Dict(written).Set(th, rt.None, rt.None)
				}
				must0(t, r.Do(func(th *rt.Thread) error {
					var write func()
					written, write = c(th)
					if panics(write) == nil {
						t.Fatal("the misuse does not show")
					}
					if panics(write) == nil { // before a safe point
						t.Fatal("the misuse shows once")
					}
					th.Checkpoint()
					other(t, r, put) // after one
					panics(write)
					must0(t, put(th))
					panics(write)
					return nil
				}))
				other(t, r, put)
			})
		}
	}
}

// other has another thread call fn, and fails the test if that does not return.
func other(t *testing.T, r *rt.Runtime, fn func(th *rt.Thread) error) {
	t.Helper()
	if r.Mode() == rt.GIL {
		return // there is no lock
	}
	done := make(chan error)
	go func() { done <- r.Do(fn) }()
	select {
	case err := <-done:
		must0(t, err)
	case <-time.After(30 * time.Second):
		t.Fatal("another thread waits forever")
	}
}
