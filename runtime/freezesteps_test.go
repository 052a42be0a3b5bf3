package runtime

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// A blob's copy is 60 bytes that are all ones. A vague's copy has the same size and nothing is
// written to it, so it must be zero, whatever the memory held before.
var (
	blobType  = must(DefineType(Type{Name: "blob", Freezing: &Freezing{Copy: func(c *Copy) error { return copyOnes(c, 15) }}}))
	vagueType = must(DefineType(Type{Name: "vague", Freezing: &Freezing{Copy: func(c *Copy) error { return copyOnes(c, 0) }}}))
)

func copyOnes(c *Copy, n int) error {
	o, err := c.Alloc(60)
	for i := range n {
		o.SetWord(i, ^uint32(0))
	}
	return err
}

func newOf(t *Thread, y *Type) Ref {
	r, _, err := t.New(y, 60)
	if err != nil {
		panic(err)
	}
	return r
}

// wantVague fails unless there is a vague in f, and it is zero.
func wantVague(t *testing.T, th *Thread, f *Frozen) {
	t.Helper()
	found := 0
	f.each(func(r Ref, _ uint32) {
		if th.TypeOf(r) != vagueType {
			return
		}
		found++
		for i := range 15 {
			if w := th.Body(r).Word(i); w != 0 {
				t.Errorf("word %d is %#x, although no call wrote it", i, w)
			}
		}
	})
	if found != 1 {
		t.Errorf("there are %d of them", found)
	}
}

// TestFrozenMemoryIsZero has copies lie where discarded ones were: those that equal another
// one, and those of a failed try.
func TestFrozenMemoryIsZero(t *testing.T) {
	defer func() { unrestCalm = false }()
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		x, _, err := th.New(unrest, 8)
		must0(t, err)
		root := newWide(th, newOf(th, blobType), newOf(th, blobType), newOf(th, vagueType), x)
		unrestCalm = true
		f, err := th.Freeze(root, FreezeOptions{ShareEqual: true})
		must0(t, err)
		wantVague(t, th, f)
		th.DecRef(root)
		must0(t, th.Unload(f))

		x, _, err = th.New(unrest, 8)
		must0(t, err)
		root = newWide(th, x, newOf(th, vagueType), newOf(th, blobType), newOf(th, blobType))
		unrestCalm = false
		f, err = th.Freeze(root, FreezeOptions{Tries: 1})
		must0(t, err)
		wantVague(t, th, f)
		th.DecRef(root)
		must0(t, th.Unload(f))
	})
}

// TestFreezeOrder checks that copies lie in the order of a depth-first walk.
func TestFreezeOrder(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		root := newTwin(th, 0, newTwin(th, 1, newTwin(th, 2, None, None), newTwin(th, 3, None, None)), newTwin(th, 4, None, None))
		f, err := th.Freeze(root)
		must0(t, err)
		var marks []uint32
		f.each(func(r Ref, _ uint32) { marks = append(marks, th.Body(r).Word(0)) })
		if want := []uint32{0, 1, 2, 3, 4}; !slices.Equal(marks, want) {
			t.Errorf("the order is %d", marks)
		}
		th.DecRef(root)
		must0(t, th.Unload(f))
	})
}

// TestFreezeGivesUp checks that a Freeze that fails gives up all that it has held, and frees
// its memory.
func TestFreezeGivesUp(t *testing.T) {
	defer func(n int) { restEvery = n }(restEvery)
	restEvery = 2
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			var refs []Ref
			for range 5 {
				refs = append(refs, newWide(th, newLeaf(th), newWide(th)))
			}
			root := newWide(th, refs...)
			must0(t, th.Audit(root)) // now the accounts are exact
			before := th.rt.Memory()
			for range 3 {
				f, err := th.Freeze(root)
				var e *FreezeError
				if f != nil || !errors.As(err, &e) || e.Err != ErrNotFreezable || e.Path != "root<0><0>" || e.Type != "leaf" {
					t.Errorf("frozen: %v", err)
				}
				if len(th.holds) != 0 {
					t.Error("the call is over, and holds something")
				}
				if now := th.rt.Memory(); now != before {
					t.Errorf("memory was %+v, is %+v", before, now)
				}
				if th.rt.freezing.Load() != 0 {
					t.Error("it is still being frozen")
				}
				must0(t, th.Audit(root))
			}
			th.DecRef(root)
		})
	})
}

// TestFreezeIsASafePoint checks that pending code runs at the beginning of a Freeze, and
// between two tries.
func TestFreezeIsASafePoint(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			x, _, err := th.New(unrest, 8)
			must0(t, err)
			y, _, err := th.New(unrest, 8)
			must0(t, err)
			root := newWide(th, x, y)
			unrestCopies = nil
			var log []int
			var again func(th *Thread)
			again = func(th *Thread) {
				log = append(log, len(unrestCopies))
				th.Later(again)
			}
			th.Later(again)
			_, err = th.Freeze(root, FreezeOptions{NoStop: true})
			th.pending = nil
			if want := []int{0, 2, 4}; !slices.Equal(log, want) {
				t.Errorf("called after %d copies, want %d", log, want)
			}
			// The error names the first object that has changed. Those behind it are not read,
			// as the path to them may be gone.
			var e *FreezeError
			if !errors.As(err, &e) || !errors.Is(err, ErrChanged) || e.Path != "root<0>" {
				t.Errorf("frozen: %v", err)
			}
			th.DecRef(root)
		})
	})
}

// Calls of Version, and whether the world was stopped.
var (
	versionThread *Thread
	versionStops  []bool
	lockedType    = must(DefineType(versioned("locked", false)))
	locklessType  = must(DefineType(versioned("lockless", true)))
)

func versioned(name string, lockless bool) Type {
	return Type{
		Name:    name,
		Mutable: true,
		Slots:   func(_ Heap, o Body) (Body, int, int) { return o, 1, int(o.Word(0)) },
		Freezing: &Freezing{
			Copy:     CopySlots,
			Lockless: lockless,
			Version: func(Heap, Body) uint64 {
				versionStops = append(versionStops, versionThread.stopped)
				return 7
			},
		},
	}
}

// TestFreezeStopsForLockless checks that versions of objects whose writers take no lock are
// read with the world stopped, and others are not. This is a safe point, at which an audit
// knows all held references.
func TestFreezeStopsForLockless(t *testing.T) {
	defer func(n int) { restEvery = n }(restEvery)
	restEvery = 3
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			versionThread = th
			for _, y := range []*Type{lockedType, locklessType} {
				for n := range 7 {
					var refs []Ref
					for range n {
						refs = append(refs, newWide(th, newWide(th)))
					}
					x := newOf(th, y)
					root := newWide(th, append(refs, x)...)
					audits := 0
					var again func(th *Thread)
					again = func(th *Thread) {
						audits++
						must0(t, th.Audit(root))
						th.Later(again)
					}
					th.Later(again)
					versionStops = nil
					f, err := th.Freeze(root)
					th.pending = nil
					must0(t, err)
					if want := []bool{false, y == locklessType}; !slices.Equal(versionStops, want) {
						t.Errorf("%s: the world is stopped at the looks: %t, want %t", y.Name, versionStops, want)
					}
					th.DecRef(root)
					must0(t, th.Audit())
					must0(t, th.Unload(f))
				}
			}
		})
	})
}

// TestUnloadThatFails checks that after an error the Frozen is loaded as before, and can be
// unloaded later.
func TestUnloadThatFails(t *testing.T) {
	broken, fail := errors.New("broken"), false
	o := Options{Checked: true, Inject: func(c Injection) error {
		if fail && c == MapMemory {
			return broken
		}
		return nil
	}}
	clean(t, o, func(t *testing.T, th *Thread) {
		const n = 5000 // more than a span
		root := newChain(th, n, false, None)
		frozen, err := th.Freeze(root)
		must0(t, err)
		th.DecRef(root)
		path := filepath.Join(t.TempDir(), "chain")
		must0(t, frozen.WriteFile(path))
		must0(t, th.Unload(frozen))
		f, err := th.rt.OpenImage(path)
		must0(t, err)
		if !f.Mapped() {
			t.Skip("SKIPPED: files are not mapped here, and the system takes back whatever else there is")
		}
		fail = true
		if err := th.Unload(f); !errors.Is(err, broken) {
			t.Errorf("unloaded: %v", err)
		}
		fail = false
		if got := f.Types(); len(got) != 1 || got[0].Objects != n || got[0].Type != "twin" {
			t.Errorf("it holds %+v", got)
		}
		must0(t, th.Unload(f))
		if f.Types() != nil {
			t.Error("an unloaded graph has types")
		}
	})
}

// TestUnloadReleasesWhatIsRetired checks that retired objects that refer to a Frozen do not
// keep it loaded.
func TestUnloadReleasesWhatIsRetired(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			x := newWide(th)
			f, err := th.Freeze(x)
			must0(t, err)
			th.DecRef(x)
			holder := newNode(th, newNode(th, newNode(th, f.Root())))
			setSlot(th, holder, 0, None)
			must0(t, th.Unload(f))
			wantIn(t, th.Unload(f).Error(), "not loaded")
			th.DecRef(holder)
		})
	})
}

// TestFreezeMisuse checks that objects that must not be in a graph are reported as the right
// misuse, and so are the calls that a type's Copy must not make.
func TestFreezeMisuse(t *testing.T) {
	for _, o := range []Options{{Mode: GIL, Checked: true}, {Mode: LockFree, Checked: true}} {
		r := newRuntime(t, o)
		th := must(r.Attach())
		x := newWide(th)
		root := newWide(th, x)
		th.DecRef(x)
		wantIn(t, panics(t, func() { _, _ = th.Freeze(root) }), "use after free: ", " of wide ")
		if len(th.holds) != 0 || r.freezing.Load() != 0 {
			t.Error("the call is over, and holds something")
		}
		th.Body(root).SetRef(1, Nil)
		wantIn(t, panics(t, func() { _, _ = th.Freeze(root) }), "frozen slot with a nil reference")
		th.DecRef(root)
		th.Detach()
		must0(t, r.Close())
	}
	var do func(c *Copy) error
	y := must(DefineType(Type{Name: "copied", Freezing: &Freezing{Copy: func(c *Copy) error { return do(c) }}}))
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		x, _, err := th.New(y, 8)
		must0(t, err)
		for want, f := range map[string]func(c *Copy) error{
			"slot outside the frozen body: Copy.Slot of word 2; want 0 to 1":  func(c *Copy) error { must(c.Alloc(8)); c.Slot(2, None); return nil },
			"slot outside the frozen body: Copy.Slot of word -1; want 0 to 1": func(c *Copy) error { must(c.Alloc(8)); c.Slot(-1, None); return nil },
		} {
			do = f
			wantIn(t, panics(t, func() { _, _ = th.Freeze(x) }), want)
		}
		most := maxBody // one more is negative where an int has 32 bits
		for want, f := range map[string]func(c *Copy) error{
			"allocated nothing":                     func(*Copy) error { return nil },
			"allocated twice":                       func(c *Copy) error { must(c.Alloc(0)); _, err := c.Alloc(8); return err },
			"body of -1 bytes":                      func(c *Copy) error { _, err := c.Alloc(-1); return err },
			fmt.Sprintf("body of %d bytes", most+1): func(c *Copy) error { _, err := c.Alloc(most + 1); return err },
			"it is the one that is copied": func(c *Copy) error {
				if r, o := c.Source(); r != x || o != th.Body(x) || c.Thread() != th {
					return errors.New("it is another one")
				}
				return errors.New("it is the one that is copied")
			},
		} {
			do = f
			if _, err := th.Freeze(x); err == nil {
				t.Errorf("frozen, want an error with %q", want)
			} else {
				wantIn(t, err.Error(), want)
			}
		}
		th.DecRef(x)
	})
}

// TestFreezeOnce checks that an object has one copy, however many slots lead to it, before or
// after it is copied.
func TestFreezeOnce(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			x := newWide(th)
			th.IncRefs([]Ref{x, x, x})
			root := newWide(th, x, x, newWide(th, x), x)
			f, err := th.Freeze(root)
			must0(t, err)
			if f.Objects() != 3 {
				t.Errorf("%d objects, want 3", f.Objects())
			}
			r := f.Root()
			if a := th.Slot(r, th.Body(r), 1); th.Slot(r, th.Body(r), 2) != a || th.Slot(r, th.Body(r), 4) != a || th.TypeOf(a) != wideType {
				t.Error("its slots refer to different objects")
			}
			th.DecRef(root)
			must0(t, th.Unload(f))
		})
	})
}

// TestShareEqualLimits checks that mutable objects equal no other. Twins with the same mark are
// all equal, except the one that says it equals nothing.
func TestShareEqualLimits(t *testing.T) {
	defer func(calm bool) { unrestCalm = calm }(unrestCalm)
	unrestCalm = true
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		for what, c := range map[string]struct {
			make func() Ref
			want int64
		}{
			"objects that can change":         {func() Ref { return newOf(th, unrest) }, 4},
			"twins that equal nothing":        {func() Ref { return newTwin(th, 0, None, None) }, 4},
			"twins with the highest of marks": {func() Ref { return newTwin(th, ^uint32(0), None, None) }, 2},
		} {
			root := newWide(th, c.make(), c.make(), c.make())
			f, err := th.Freeze(root, FreezeOptions{ShareEqual: true})
			must0(t, err)
			if f.Objects() != c.want {
				t.Errorf("%s: %d objects, want %d", what, f.Objects(), c.want)
			}
			th.DecRef(root)
			must0(t, th.Unload(f))
		}
	})
}

// TestFrozenTypes checks that the types of a frozen graph are numbered from 0, up to a bound,
// and that other numbers have no type. Built-in types are below the first user-defined one.
func TestFrozenTypes(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		z := &freezer{t: th, copying: newCopying(th.Heap)}
		for i := range uint32(maxLocal) {
			y := &Type{id: firstUserType}
			for range 2 {
				if meta, err := z.meta(y); err != nil || meta != i<<localShift|uint32(typeLocal) {
					t.Fatalf("type %d has the meta word %#x: %v", i, meta, err)
				}
			}
		}
		if _, err := z.meta(&Type{id: firstUserType}); err == nil {
			t.Errorf("there are more than %d types", maxLocal)
		}
		if meta, err := z.meta(&Type{id: typeLocal}); err != nil || meta != uint32(typeLocal) {
			t.Errorf("a built-in type has the meta word %#x: %v", meta, err)
		}
		x := newWide(th)
		f, err := th.Freeze(x)
		must0(t, err)
		th.DecRef(x)
		for i, want := range []*Type{wideType, nil} {
			if got := th.rt.localType(f.Root(), uint32(i)<<localShift); got != want {
				t.Errorf("type %d is %v, want %v", i, got, want)
			}
		}
		for _, x := range []Ref{{f.start - 1}, {f.start + Handle(f.granules)}, {frozenBase}, {frozenBase + frozenCount - 1}} {
			if th.rt.frozenAt(x) != nil && x.Handle != f.start || th.rt.localType(x, 0) != nil && x.Handle != f.start {
				t.Errorf("%s is in the graph at %s", x, f.start)
			}
		}
		must0(t, th.Unload(f))
	})
}

// TestFreezePath checks that the path in an error is a shortest one, and the first of several.
// It may lead through other objects that cannot be frozen.
func TestFreezePath(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		path := func(want string, root Ref) {
			t.Helper()
			_, err := th.Freeze(root)
			var e *FreezeError
			if !errors.As(err, &e) || e.Path != want || e.Type != "leaf" {
				t.Errorf("freeze: %v, want the path %s", err, want)
			}
			th.DecRef(root)
		}
		path("root", newLeaf(th))
		path("root<2>", newWide(th, None, None, newLeaf(th)))
		c := newWide(th, None, newWide(th), newLeaf(th))
		th.IncRef(c)
		path("root<1><0><2>", newWide(th, newWide(th), newWide(th, c), newWide(th, None, c)))
		x := newLeaf(th)
		th.IncRef(x)
		path("root<1><0>", newWide(th, newWide(th, newWide(th, x)), newNode(th, x)))
		left := newLeaf(th)
		root := newWide(th)
		if got, want := th.pathTo(root, left), "root..."+left.String(); got != want {
			t.Errorf("the path to an object that has left the graph is %s, want %s", got, want)
		}
		th.DecRefs([]Ref{root, left})
	})
}

// TestFreezeKeepsItsRoot checks that a frozen graph whose root is being frozen again stays
// loaded meanwhile.
func TestFreezeKeepsItsRoot(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			x := newWide(th, newWide(th))
			f, err := th.Freeze(x)
			must0(t, err)
			th.DecRef(x)
			calls := 0
			th.Later(func(th *Thread) {
				calls++
				if err := th.Unload(f); !errors.Is(err, ErrInUse) {
					t.Errorf("unloaded: %v", err)
				}
			})
			g, err := th.Freeze(f.Root())
			must0(t, err)
			if calls != 1 || g.Objects() != 2 {
				t.Errorf("%d calls; %d objects, want 2", calls, g.Objects())
			}
			must0(t, th.Unload(f))
			must0(t, th.Unload(g))
		})
	})
}
