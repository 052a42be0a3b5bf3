package objects

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/atomic"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestFreezeCopies: a frozen graph equals the original in every respect, and outlives it.
func TestFreezeCopies(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		for name, build := range someGraphs {
			clean(t, o, func(th *rt.Thread) {
				root := build(th)
				f := must(th.Freeze(root))
				if !f.Contains(f.Root()) && !f.Root().IsInt() && f.Root().Handle < rt.None.Handle {
					t.Errorf("%s: the copy, %s, is not in its Frozen", name, f.Root())
				}
				same(t, th, root, f.Root(), map[rt.Ref]rt.Ref{})
				again := must(th.Freeze(f.Root())) // of a frozen graph
				same(t, th, f.Root(), again.Root(), map[rt.Ref]rt.Ref{})
				if again.Objects() != f.Objects() || again.Bytes() != f.Bytes() {
					t.Errorf("%s: a copy of the copy has %d objects in %d bytes, want %d in %d", name, again.Objects(), again.Bytes(), f.Objects(), f.Bytes())
				}
				must0(t, th.Unload(again))
				th.DecRef(root)
				th.Collect()
				if m := th.Runtime().Memory(); m.Objects+m.Blocks > 0 && !o.Checked {
					t.Errorf("%s: the original is still there: %+v", name, m)
				}
				wander(th, f.Root(), map[rt.Ref]bool{})
				must0(t, th.Unload(f))
			})
		}
	})
}

// same fails unless two graphs are equal, also in the objects that they share. seen maps
// containers of the one to containers of the other.
func same(t testing.TB, th *rt.Thread, a, b rt.Ref, seen map[rt.Ref]rt.Ref) {
	t.Helper()
	if th.TypeOf(a) != th.TypeOf(b) {
		t.Fatalf("%s %s has become %s %s", th.TypeOf(a), a, th.TypeOf(b), b)
	}
	if known, ok := seen[a]; ok {
		if known != b {
			t.Fatalf("%s %s has become two: %s and %s", th.TypeOf(a), a, known, b)
		}
		return
	}
	seen[a] = b
	if h, err := Hash(th, a); err == nil && h != must(Hash(th, b)) {
		t.Fatalf("%s has another hash", Format(th, a))
	}
	children := func(r rt.Ref) (list []rt.Ref) {
		switch y := th.TypeOf(r); {
		case y == imagePoint.Type:
			for i := range imagePoint.Fields() {
				v, _ := Record(r).At(th, i)
				list = append(list, v)
			}
		case y.ID() == rt.TypeDict:
			for k, v := range Dict(r).All(th) {
				list = append(list, k, v)
			}
		case y.ID() == rt.TypeList:
			for _, v := range List(r).All(th) {
				list = append(list, v)
			}
		case y.ID() == rt.TypeTuple:
			for i := range Tuple(r).Len(th) {
				v, _ := Tuple(r).At(th, i)
				list = append(list, v)
			}
		default:
			list = nil
		}
		return list
	}
	x, y := children(a), children(b)
	if len(x) != len(y) {
		t.Fatalf("%s has %d items, its copy %d", th.TypeOf(a), len(x), len(y))
	}
	if len(x) == 0 && Format(th, a) != Format(th, b) && th.TypeOf(a).Traverse == nil {
		t.Fatalf("%s has become %s", Format(th, a), Format(th, b))
	}
	for i := range x {
		same(t, th, x[i], y[i], seen)
	}
	for i := 0; th.Kind(a) == rt.TypeDict && i < len(x); i += 2 {
		// Look up the original's key, which is another object.
		if v, ok := Dict(b).Lookup(th, x[i]); !ok || v != y[i+1] {
			t.Fatalf("the copy has no value at %s", Format(th, x[i]))
		}
	}
}

// TestFreezeSharesEqual: equal strings are copied once, and with ShareEqual other equal
// leaves and keys too.
func TestFreezeSharesEqual(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		l := must(NewList(th))
		for range 10 {
			for _, v := range []rt.Ref{
				must(NewString(th, "the same text each time")), newBig(th, 1), must(NewFloat(th, 0.5)),
				must(NewTuple(th, smallInt(1), smallInt(2))), must(NewBytes(th, []byte("some bytes, equal ones"))),
			} {
				must0(t, l.AppendSteal(th, v))
			}
		}
		plain, shared := must(th.Freeze(l)), must(th.Freeze(l, rt.FreezeOptions{ShareEqual: true}))
		if plain.Objects() != 1+1+4*10 || shared.Objects() != 1+5 {
			t.Errorf("%d and %d objects, want 42 and 6", plain.Objects(), shared.Objects())
		}
		same(t, th, plain.Root(), plain.Root(), map[rt.Ref]rt.Ref{})
		for i, v := range List(shared.Root()).All(th) {
			w, _ := l.At(th, i)
			if Format(th, v) != Format(th, w) {
				t.Errorf("item %d is %s, want %s", i, Format(th, v), Format(th, w))
			}
		}
		th.DecRef(l)
		must0(t, th.Unload(plain))
		must0(t, th.Unload(shared))
	})
}

// TestFrozenIsNotWritten: no call changes a frozen object, and the error names the object.
func TestFrozenIsNotWritten(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			inner := must(NewList(th, smallInt(1), smallInt(2)))
			d := must(NewDict(th))
			must0(t, d.Set(th, smallInt(1), inner))
			p := must(imagePoint.New(th, inner, d))
			l := must(NewList(th, inner, d, p))
			th.DecRefs([]rt.Ref{inner, d, p})
			f := must(th.Freeze(l))
			item := func(i int) rt.Ref {
				v, _ := List(f.Root()).At(th, i)
				return v
			}
			list, dict, point := List(item(0)), Dict(item(1)), item(2)
			for what, err := range map[string]error{
				"Append":      list.Append(th, rt.None),
				"AppendSteal": list.AppendSteal(th, rt.None),
				"Set":         list.Set(th, 0, rt.None),
				"Pop":         second(list.Pop(th)),
				"Insert":      list.Insert(th, 0, rt.None),
				"Remove":      list.Remove(th, 0),
				"Clear":       list.Clear(th),
				"Extend":      list.Extend(th, l),
				"dict Set":    dict.Set(th, smallInt(1), rt.None),
				"dict new":    dict.Set(th, smallInt(2), rt.None),
				"dict Delete": second(dict.Delete(th, smallInt(1))),
				"dict Pop":    second(dict.Pop(th, smallInt(1))),
				"dict Clear":  dict.Clear(th),
				"dict Update": dict.Update(th, d),
				"record Set":  Record(point).Set(th, 0, rt.None),
			} {
				var e *rt.FrozenError
				if !errors.Is(err, rt.ErrFrozen) || !errors.As(err, &e) || !f.Contains(e.Ref) || !strings.Contains(err.Error(), "is frozen") {
					t.Errorf("%s: %v", what, err)
				}
			}
			same(t, th, l, f.Root(), map[rt.Ref]rt.Ref{})
			th.DecRef(l)
			must0(t, th.Unload(f))
		})
	})
}

// TestFreezeRefuses: an object that cannot be frozen is named, and nothing is left of the
// attempt.
func TestFreezeRefuses(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for kind, bad := range map[string]rt.Ref{
				"Cell":    must(NewCell(th, rt.None)),
				"Weak":    must(NewWeak(th, rt.None)),
				"Foreign": must(NewForeign(th, 1, nil)),
			} {
				p := must(imagePoint.New(th, bad, rt.None))
				pair := must(NewTuple(th, rt.None, p))
				l := must(NewList(th, rt.None, rt.None, rt.None, pair))
				d, key := must(NewDict(th)), must(NewString(th, "a"))
				must0(t, d.Set(th, key, l))
				m := th.Runtime().Memory()
				_, err := th.Freeze(d)
				var e *rt.FreezeError
				if !errors.As(err, &e) || !errors.Is(err, rt.ErrNotFreezable) || e.Path != `root.a[3][1].x` || !strings.EqualFold(e.Type, kind) {
					t.Errorf("%s: %v", kind, err)
				}
				if got := th.Runtime().Memory(); got != m {
					t.Errorf("%s: memory was %+v, is %+v", kind, m, got)
				}
				th.DecRefs([]rt.Ref{bad, p, pair, l, d, key})
			}
			_, err := th.Freeze(rt.Nil)
			if err == nil || !strings.Contains(err.Error(), "nil") {
				t.Errorf("nil: %v", err)
			}
		})
	})
}

// TestFreezeAtTheLimit: at the memory limit Freeze returns an error, and everything else
// goes on.
func TestFreezeAtTheLimit(t *testing.T) {
	clean(t, rt.Options{MemoryLimit: 4 << 20, AddressSpace: smallSpace}, func(th *rt.Thread) {
		l := must(NewList(th))
		for range 120 {
			must0(t, l.AppendSteal(th, must(NewBytes(th, make([]byte, 20_000)))))
		}
		_, err := th.Freeze(l)
		if !errors.Is(err, rt.ErrMemoryLimit) {
			t.Errorf("error %v, want ErrMemoryLimit", err)
		}
		for l.Len(th) > 10 {
			th.DecRef(must(l.Pop(th)))
		}
		th.Collect()
		f := must(th.Freeze(l))
		same(t, th, l, f.Root(), map[rt.Ref]rt.Ref{})
		th.DecRef(l)
		must0(t, th.Unload(f))
	})
}

// TestFreezeIsNeverTorn: a copy that is made while others write shows the graph at one
// moment. Two slots that are equal between any two operations of a writer are equal in the
// copy. If Freeze may not hold off the writer, it may fail instead.
func TestFreezeIsNeverTorn(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			var root, dict, filler rt.Ref
			must0(t, r.Do(func(th *rt.Thread) error {
				dict = must(NewDict(th))
				must0(t, Dict(dict).Set(th, smallInt(0), smallInt(0)))
				filler = must(NewList(th))
				for i := range 200 {
					must0(t, List(filler).AppendSteal(th, newBig(th, i)))
				}
				root = must(NewList(th, smallInt(0), filler, dict, smallInt(0)))
				return nil
			}))
			var done atomic.Bool
			copies, changed := 0, 0
			must0(t, r.Run(context.Background(), 2, func(_ context.Context, th *rt.Thread, worker int) error {
				if worker == 1 {
					for n := 0; !done.Load(); n++ { // never more than one apart, the first one ahead
						v := smallInt(n % 1000)
						ok(List(root).Set(th, 0, v))
						ok(Dict(dict).Set(th, smallInt(0), v))
						ok(List(root).Set(th, 3, v))
						if n%64 == 0 {
							th.Checkpoint()
						}
					}
					return nil
				}
				defer done.Store(true)
				for range min(scaled(2000), 500) {
					f, err := th.Freeze(root, rt.FreezeOptions{Tries: 1, NoStop: true})
					if errors.Is(err, rt.ErrChanged) {
						var e *rt.FreezeError
						if !errors.As(err, &e) || !strings.HasPrefix(e.Path, "root") {
							return fmt.Errorf("changed: %w", err)
						}
						changed++
						th.Checkpoint()
						continue
					}
					if err != nil {
						return err
					}
					copies++
					first, _ := List(f.Root()).At(th, 0)
					d, _ := List(f.Root()).At(th, 2)
					middle, _ := Dict(d).Lookup(th, smallInt(0))
					last, _ := List(f.Root()).At(th, 3)
					a, b, c := first.Int(), middle.Int(), last.Int()
					apart := func(x, y int64) bool { return (x-y+1000)%1000 > 1 }
					if apart(a, b) || apart(b, c) || apart(a, c) {
						return fmt.Errorf("torn: %d, %d, %d", a, b, c)
					}
					if err := th.Unload(f); err != nil {
						return err
					}
				}
				return nil
			}))
			t.Logf("%d copies, %d times changed", copies, changed)
			must0(t, r.Do(func(th *rt.Thread) error {
				f := must(th.Freeze(root)) // nothing changes any more
				th.DecRefs([]rt.Ref{root, dict, filler})
				return th.Unload(f)
			}))
		})
	})
}

// TestFreezeBesideABusyWriter: Freeze succeeds each time, although a writer never rests.
// The writer counts in two dicts, first in one and then in the other, and the copy shows
// that order.
func TestFreezeBesideABusyWriter(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: needs several threads, and there is only one here")
	}
	rounds := 20
	if racesOnly() {
		rounds = 3 // of 20,000 objects each, beside thousands of writes
	}
	forModes(t, func(t *testing.T, o rt.Options) {
		o.SwitchInterval = 10 * time.Microsecond
		withRuntime(t, o, func(r *rt.Runtime) {
			var root rt.Ref
			var a, b Dict
			must0(t, r.Do(func(th *rt.Thread) error {
				a, b = must(NewDict(th)), must(NewDict(th))
				filler := must(NewList(th))
				for range 20_000 { // so that there are safe points between the two
					must0(t, filler.AppendSteal(th, must(NewFloat(th, 1))))
				}
				root = must(NewListSteal(th, a, filler, b))
				return nil
			}))
			var done atomic.Bool
			begun := make(chan bool)
			run(t, r, 2, func(th *rt.Thread, worker int) error {
				if worker == 1 {
					for n := 0; !done.Load(); n++ {
						for _, d := range []Dict{a, b} {
							ok(d.Set(th, smallInt(0), smallInt(n)))
						}
						th.Checkpoint()
						if n == 0 {
							close(begun)
						}
					}
					return nil
				}
				defer done.Store(true)
				_, _, _ = rt.RecvContext(t.Context(), th, begun)
				for range rounds {
					f, err := th.Freeze(root)
					if err != nil {
						return err
					}
					var n [3]int64
					for i := range n {
						d, _ := List(f.Root()).At(th, i)
						v, _ := Dict(d).Lookup(th, smallInt(0))
						if i != 1 {
							n[i] = v.Int()
						}
					}
					if n[0] != n[2] && n[0] != n[2]+1 {
						return fmt.Errorf("torn: %d and %d", n[0], n[2])
					}
					if err := th.Unload(f); err != nil {
						return err
					}
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error { th.DecRef(root); return nil }))
		})
	})
}

// TestUnload: a graph is not unloaded while any reference leads into it, and is afterwards.
func TestUnload(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			l := must(NewList(th, rt.None))
			f := must(th.Freeze(l))
			other := must(th.Freeze(l))
			th.DecRef(l)
			refused := func(holder rt.Ref) {
				t.Helper()
				var e *rt.ReferredError
				if err := th.Unload(f); !errors.As(err, &e) || e.Count != 1 || e.Ref != holder || e.Type != th.TypeOf(holder).Name {
					t.Errorf("unload beside %s: %v", th.TypeOf(holder), err)
				}
				if n := List(f.Root()).Len(th); n != 1 {
					t.Errorf("after an unload that failed, %d items", n)
				}
			}
			for _, hold := range []func() rt.Ref{
				func() rt.Ref { return must(NewList(th, f.Root())) },
				func() rt.Ref { return must(NewTuple(th, f.Root())) },
				func() rt.Ref { return must(NewCell(th, f.Root())) },
				func() rt.Ref { return must(imagePoint.New(th, f.Root(), rt.None)) },
				func() rt.Ref {
					d := must(NewDict(th))
					must0(t, d.Set(th, smallInt(1), f.Root()))
					return d
				},
			} {
				holder := hold()
				refused(holder)
				th.DecRef(holder)
			}
			var born rt.Ref
			must0(t, th.Immortally(func() (err error) {
				born, err = NewList(th, f.Root())
				return err
			}))
			refused(born)
			must0(t, List(born).Clear(th))
			w := must(NewWeak(th, f.Root()))
			must0(t, th.Unload(f))
			if r, ok := w.Get(th); ok {
				t.Errorf("a weak reference refers to %s, which was unloaded", r)
			}
			th.DecRef(w)
			if err := th.Unload(f); !errors.Is(err, rt.ErrUnloaded) {
				t.Errorf("unloaded twice: %v", err)
			}
			if _, err := f.WriteTo(nil); !errors.Is(err, rt.ErrUnloaded) {
				t.Errorf("written after: %v", err)
			}
			if err := th.Unload(nil); !errors.Is(err, rt.ErrUnloaded) {
				t.Errorf("nil: %v", err)
			}
			if m := th.Runtime().Memory(); m.FrozenGraphs != 1 || m.Frozen != other.Objects() {
				t.Errorf("after it: %+v", m)
			}
			must0(t, th.Unload(other))
		})
		// Close frees the graphs that are left, and counts them apart.
		r := must(rt.New(o))
		must0(t, r.Do(func(th *rt.Thread) error {
			l := must(NewList(th, rt.None))
			must(th.Freeze(l))
			return nil // l leaks
		}))
		var leak *rt.LeakError
		if err := r.Close(); !errors.As(err, &leak) || leak.Frozen != 1 || len(leak.Types) != 1 || leak.Types[0] != (rt.Leak{Type: "list", Count: 1}) {
			t.Errorf("close: %v", err)
		}
	})
}

// TestFrozenPagesAreSealed: the system rejects writes. A store is a fault, which names the
// address.
func TestFrozenPagesAreSealed(t *testing.T) {
	r, err := rt.New(rt.Options{Backing: rt.SystemBacking})
	if err != nil {
		t.Skipf("SKIPPED: no memory of the system, so nothing shows that frozen pages are sealed: %v", err)
	}
	defer func() { must0(t, r.Close()) }()
	must0(t, r.Do(func(th *rt.Thread) error {
		root := newKinds(th)
		defer th.DecRef(root)
		f := must(th.Freeze(root))
		if !f.Sealed() {
			t.Error("it is not sealed")
		}
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		for _, at := range []uintptr{0, 16, uintptr(f.Bytes()) / 2, uintptr(f.Bytes()) - 1} {
			fault := func() (addr uintptr) {
				defer func() {
					if p, ok := recover().(interface{ Addr() uintptr }); ok {
						addr = p.Addr()
					}
				}()
				*(*byte)(unsafe.Add(pointer(f.Start()), at)) = 1
				return 0
			}()
			want := f.Start() + at
			if goruntime.GOARCH == "s390x" { // the machine reports only the page
				want &^= 4095
			}
			if fault != want {
				t.Errorf("a store to byte %d faults at %#x, want %#x", at, fault, want)
			}
		}
		same(t, th, root, f.Root(), map[rt.Ref]rt.Ref{})
		th.Collect()
		return th.Unload(f)
	}))
}

// pointer makes a pointer from an address outside Go's memory.
func pointer(addr uintptr) unsafe.Pointer {
	// Safety: the address lies in memory of the system, which Go never moves or frees.
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}

// TestFreezeMseal: memory that is sealed for good is never unmapped, or the system cannot
// seal and says so.
func TestFreezeMseal(t *testing.T) {
	r := must(rt.New(rt.Options{}))
	must0(t, r.Do(func(th *rt.Thread) error {
		l := must(NewList(th, rt.None))
		defer th.DecRef(l)
		f, err := th.Freeze(l, rt.FreezeOptions{Mseal: true})
		if errors.Is(err, errors.ErrUnsupported) {
			t.Logf("this system, or this memory, has no mseal: %v", err)
			if m := th.Runtime().Memory(); m.FrozenGraphs != 0 {
				t.Errorf("left: %+v", m)
			}
			return nil
		}
		must0(t, err)
		if err := th.Unload(f); !errors.Is(err, rt.ErrSealed) {
			t.Errorf("unload: %v", err)
		}
		if n := List(f.Root()).Len(th); n != 1 {
			t.Errorf("%d items", n)
		}
		return nil
	}))
	must0(t, r.Close())
}

// TestFrozenReaders: all threads read a frozen graph at once, while its owner makes and
// unloads others.
func TestFrozenReaders(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			var f *rt.Frozen
			must0(t, r.Do(func(th *rt.Thread) error {
				root := newKinds(th)
				f = must(th.Freeze(root))
				th.DecRef(root)
				th.Collect() // there is a cycle
				return nil
			}))
			run(t, r, 4, func(th *rt.Thread, worker int) error {
				for range scaled(400) {
					wander(th, f.Root(), map[rt.Ref]bool{})
					th.IncRef(f.Root())
					th.DecRef(f.Root())
					if worker == 0 {
						own := must(NewList(th, f.Root()))
						g := must(th.Freeze(own)) // copies f too
						th.DecRef(own)
						same(t, th, f.Root(), must(List(g.Root()).Get(th, 0)), map[rt.Ref]rt.Ref{})
						if err := th.Unload(g); err != nil {
							return err
						}
					}
					th.Checkpoint()
				}
				return nil
			})
			must0(t, r.Unload(f))
		})
	})
}
