package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// A twin is two slots behind a mark, which is its hash: twins are equal if their slots lead to
// equal objects.
var (
	twinHashes int // calls of its Hash, which are most of the work of a comparison
	twin       = must(DefineType(Type{
		Name:  "twin",
		Slots: func(_ Heap, o Body) (Body, int, int) { return o, 1, 2 },
		Freezing: &Freezing{
			Layout: "mark, two slots",
			Copy:   CopySlots,
			Check:  CheckSlots(1),
			Hash: func(o Body) uint32 {
				if twinHashes++; twinHashes > 1<<20 {
					panic("a million hashes: it takes all ways to each object")
				}
				return o.Word(0)
			},
		},
	}))
)

// newTwin returns a new reference to a twin, and steals the slots.
func newTwin(t *Thread, mark uint32, x, y Ref) Ref {
	r, o, err := t.New(twin, 12)
	if err != nil {
		panic(err)
	}
	o.SetWord(0, mark)
	o.SetRef(1, x)
	o.SetRef(2, y)
	return r
}

// newChain returns a new reference to the topmost of depth twins. Each leads to the one below,
// twice if shared.
func newChain(t *Thread, depth int, shared bool, bottom Ref) Ref {
	x := newTwin(t, 1, bottom, None)
	for i := range depth - 1 {
		y := None
		if shared {
			y = x
			t.IncRef(x)
		}
		x = newTwin(t, uint32(i+2), x, y)
	}
	return x
}

// TestShareEqualTakesTimeInObjects compares graphs with many paths to each object: equal ones,
// and some that differ only at the end of all paths, with equal hashes.
func TestShareEqualTakesTimeInObjects(t *testing.T) {
	const depth = 200
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			for _, c := range []struct {
				what    string
				shared  bool
				second  float64
				objects int64
			}{
				{"equal, shared parts", true, 1, 1 + depth + 1},
				{"equal, a chain", false, 1, 1 + depth + 1},
				{"different, shared parts", true, 2, 1 + 2*(depth+1)},
				{"different, a chain", false, 2, 1 + 2*(depth+1)},
			} {
				root := newTwin(th, 0, newChain(th, depth, c.shared, must(th.newFloat(1, 0))), newChain(th, depth, c.shared, must(th.newFloat(c.second, 0))))
				twinHashes = 0
				f, err := th.Freeze(root, FreezeOptions{ShareEqual: true})
				must0(t, err)
				if f.Objects() != c.objects {
					t.Errorf("%s: %d objects, want %d", c.what, f.Objects(), c.objects)
				}
				if twinHashes > 8*depth {
					t.Errorf("%s: %d hashes were asked for, of %d objects", c.what, twinHashes, 2*depth)
				}
				th.DecRef(root)
				must0(t, th.Unload(f))
			}
		})
	})
}

// TestShareEqualWhatIsShared freezes objects that say they equal nothing, inside others.
func TestShareEqualWhatIsShared(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		pairOf := func(mark uint32) Ref {
			return newTwin(th, 7, newTwin(th, mark, None, None), None)
		}
		for mark, want := range map[uint32]int64{0: 5, 1: 3} {
			root := newTwin(th, 0, pairOf(mark), pairOf(mark))
			f, err := th.Freeze(root, FreezeOptions{ShareEqual: true})
			must0(t, err)
			if f.Objects() != want {
				t.Errorf("mark %d: %d objects, want %d", mark, f.Objects(), want)
			}
			th.DecRef(root)
			must0(t, th.Unload(f))
		}
	})
}

// An unrest is an object that, by its Version, changes whenever it is copied beside other
// threads. Its copy is larger then, so that the objects behind it lie elsewhere in the last
// try.
var (
	unrestCopies []bool // for each copy, whether the world was stopped
	unrestCalm   bool   // it does not change
	unrest       = must(DefineType(Type{
		Name:    "unrest",
		Mutable: true,
		Freezing: &Freezing{
			Layout: "some bytes",
			Copy: func(c *Copy) error {
				unrestCopies = append(unrestCopies, c.Thread().stopped)
				bytes := 8
				if !unrestCalm && !c.Thread().stopped {
					bytes = 64 // three granules more: the size of a twin and its float
				}
				o, err := c.Alloc(bytes)
				if err == nil {
					o.SetWord(0, 1)
				}
				return err
			},
			Version: func(Heap, Body) uint64 {
				if unrestCalm {
					return 0
				}
				return uint64(len(unrestCopies))
			},
			Check: func(*Check) error { return nil },
		},
	}))
)

// TestFreezeHoldsWritersOff freezes an object that changes each time it is copied: the number
// of tries is as the options say, and the copy is byte for byte that of a graph that does not
// change.
func TestFreezeHoldsWritersOff(t *testing.T) {
	defer func(n int) { restEvery = n }(restEvery)
	restEvery = 2
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			x, _, err := th.New(unrest, 8)
			must0(t, err)
			// Behind it: twins that differ and have the same hash, then one that equals the
			// second.
			of := func(v float64) Ref { return newTwin(th, 5, must(th.newFloat(v, 0)), None) }
			rest := newTwin(th, 0, newTwin(th, 0, of(1), of(2)), newTwin(th, 0, of(2), must(th.newFloat(3, 0))))
			root := newTwin(th, 0, x, rest)
			image := func(o FreezeOptions) []byte {
				o.ShareEqual = true
				unrestCopies = nil
				f, err := th.Freeze(root, o)
				must0(t, err)
				var b bytes.Buffer
				_, err = f.WriteTo(&b)
				must0(t, err)
				if f.Objects() != 10 || len(f.types) != 2 {
					t.Errorf("%d objects, %d types", f.Objects(), len(f.types))
				}
				must0(t, th.Unload(f))
				return b.Bytes()
			}
			unrestCalm = true
			want := image(FreezeOptions{})
			if n := len(unrestCopies); n != 1 {
				t.Errorf("copied %d times, and nothing changed", n)
			}
			unrestCalm = false
			for tries, copies := range map[int]int{0: 4, 1: 2, 5: 6, -1: 1} {
				if got := image(FreezeOptions{Tries: tries}); !bytes.Equal(got, want) {
					t.Errorf("%d tries: the copy is another one", tries)
				}
				for i, stopped := range unrestCopies {
					if len(unrestCopies) != copies || stopped != (i == copies-1) {
						t.Errorf("%d tries: copied with the world stopped: %v", tries, unrestCopies)
						break
					}
				}
			}
			for tries, copies := range map[int]int{0: 3, 2: 2, -1: 1} {
				unrestCopies = nil
				f, err := th.Freeze(root, FreezeOptions{Tries: tries, NoStop: true})
				var e *FreezeError
				if f != nil || !errors.Is(err, ErrChanged) || !errors.As(err, &e) || e.Type != "unrest" || e.Path != "root<0>" || len(unrestCopies) != copies {
					t.Errorf("%d tries without a stop: %v after %d copies", tries, err, len(unrestCopies))
				}
			}
			th.DecRef(root)
		})
	})
}

// TestCopyAllocatesOnce has a type's Copy allocate twice.
func TestCopyAllocatesOnce(t *testing.T) {
	var second error
	twice := must(DefineType(Type{Name: "twice", Freezing: &Freezing{Copy: func(c *Copy) error {
		if _, err := c.Alloc(8); err != nil {
			return err
		}
		_, second = c.Alloc(8)
		return second
	}}}))
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		x, _, err := th.New(twice, 8)
		must0(t, err)
		if _, err := th.Freeze(x); second == nil || !errors.Is(err, second) {
			t.Errorf("freeze: %v", err)
		}
		th.DecRef(x)
	})
}

// bulk is a leaf of 60,000 bytes: about a span.
var bulk = must(DefineType(Type{Name: "bulk", Freezing: &Freezing{Copy: func(c *Copy) error {
	_, from := c.Source()
	to, err := c.Alloc(60_000)
	if err == nil {
		to.SetWord(1000, from.Word(1000))
	}
	return err
}}}))

// newBulk returns a new reference to a chain of n bulks.
func newBulk(t *Thread, n int) Ref {
	x := None
	for i := range n {
		r, o, err := t.New(bulk, 60_000)
		if err != nil {
			panic(err)
		}
		o.SetWord(1000, uint32(i))
		x = newTwin(t, 0, r, x)
	}
	return x
}

// TestFreezeAgainAndAgain freezes and unloads graphs of several sizes in a small address space
// that nothing else uses: there is always room, up to all 127 spans for frozen objects.
func TestFreezeAgainAndAgain(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		o.AddressSpace = 32 << 20
		clean(t, o, func(t *testing.T, th *Thread) {
			for _, n := range []int{1, 5, 40, 75, 137} {
				root := newBulk(th, n)
				times := 150
				if raceEnabled {
					times = 40
				}
				for i := range times/n + 2 {
					f, err := th.Freeze(root)
					if err != nil {
						t.Fatalf("%d spans, time %d: %v", n, i, err)
					}
					must0(t, th.Unload(f))
				}
				th.DecRef(root)
			}
			root := newBulk(th, 141)
			if _, err := th.Freeze(root); err == nil {
				t.Error("more objects were frozen than there are addresses for")
			}
			th.DecRef(root)
		})
	})
}

// TestFreezeAllThereIs freezes as much as there are addresses for, wherever the graph before it
// has lain.
func TestFreezeAllThereIs(t *testing.T) {
	step := 20
	if racesOnly() {
		step = 60
	}
	for n := 10; n <= 130; n += step {
		for _, o := range []FreezeOptions{{}, {Tries: -1}, {Tries: 1, NoStop: true}} {
			clean(t, Options{AddressSpace: 32 << 20}, func(t *testing.T, th *Thread) {
				for _, n := range []int{n, 137} {
					root := newBulk(th, n)
					f, err := th.Freeze(root, o)
					if err != nil {
						t.Fatalf("%d bytes of 127 spans: %v", n*60_000, err)
					}
					th.DecRef(root)
					must0(t, th.Unload(f))
				}
			})
		}
	}
}

// TestFreezeBesideOthers has eight threads freeze graphs of different sizes at the same time,
// again and again. Together they take half of the addresses.
func TestFreezeBesideOthers(t *testing.T) {
	needsThreads(t)
	forModes(t, func(t *testing.T, o Options) {
		if o.Checked {
			return // checked mode keeps freed memory, of which there is much
		}
		o.AddressSpace = 64 << 20 // 255 spans for frozen objects
		r := newRuntime(t, o)
		err := r.Run(context.Background(), 8, func(_ context.Context, th *Thread, worker int) error {
			root := newBulk(th, 5+3*worker)
			defer func() { th.DecRef(root) }()
			times := 10
			if raceEnabled {
				times = 2
			}
			for range times {
				f, err := th.Freeze(root)
				if err != nil {
					return fmt.Errorf("worker %d: %w", worker, err)
				}
				n := 0
				for x := f.Root(); x != None; x = th.Slot(x, th.Body(x), 2) {
					n++
					if got := th.Body(th.Slot(x, th.Body(x), 1)).Word(1000); got != uint32(5+3*worker-n) {
						return fmt.Errorf("worker %d: item %d holds %d", worker, n, got)
					}
				}
				th.Checkpoint()
				if err := th.Unload(f); err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(err, r.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestShareEqualLooksAtAllSlots checks that twins are equal only if all of their slots lead to
// equal objects, not just the first ones.
func TestShareEqualLooksAtAllSlots(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		float := func(v float64) Ref { return must(th.newFloat(v, 0)) }
		for _, c := range []struct {
			a, b    [2]func() Ref
			objects int64
		}{
			{[2]func() Ref{func() Ref { return None }, func() Ref { return float(1) }}, [2]func() Ref{func() Ref { return None }, func() Ref { return float(2) }}, 5},
			{[2]func() Ref{func() Ref { return None }, func() Ref { return True }}, [2]func() Ref{func() Ref { return None }, func() Ref { return False }}, 3},
			{[2]func() Ref{func() Ref { return float(1) }, func() Ref { return None }}, [2]func() Ref{func() Ref { return float(1) }, func() Ref { return True }}, 4},
			{[2]func() Ref{func() Ref { return float(1) }, func() Ref { return None }}, [2]func() Ref{func() Ref { return float(1) }, func() Ref { return None }}, 3},
			{[2]func() Ref{func() Ref { return None }, func() Ref { return newTwin(th, 3, None, None) }}, [2]func() Ref{func() Ref { return None }, func() Ref { return newTwin(th, 3, None, True) }}, 5},
		} {
			root := newTwin(th, 0, newTwin(th, 5, c.a[0](), c.a[1]()), newTwin(th, 5, c.b[0](), c.b[1]()))
			f, err := th.Freeze(root, FreezeOptions{ShareEqual: true})
			must0(t, err)
			if f.Objects() != c.objects {
				t.Errorf("%d objects, want %d", f.Objects(), c.objects)
			}
			th.DecRef(root)
			must0(t, th.Unload(f))
		}
	})
}

// TestTypesOfAFrozenGraph checks that types are in descending order of bytes, and then by name.
func TestTypesOfAFrozenGraph(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		root := newTwin(th, 0, newTwin(th, 1, newOf(th, blobType), newOf(th, blobType)), newWide(th, newWide(th), newOf(th, vagueType)))
		f, err := th.Freeze(root)
		must0(t, err)
		want := []FrozenType{{"blob", 2, 160}, {"vague", 1, 80}, {"twin", 2, 64}, {"wide", 2, 64}}
		if got := f.Types(); !slices.Equal(got, want) {
			t.Errorf("the types are %+v, want %+v", got, want)
		}
		if f.Objects() != 7 || f.Bytes() != 368 || f.Sealed() != f.ext.Sealed() || f.Mapped() {
			t.Errorf("%d objects, %d bytes, sealed %t, mapped %t", f.Objects(), f.Bytes(), f.Sealed(), f.Mapped())
		}
		th.DecRef(root)
		must0(t, th.Unload(f))
	})
}

// A single has one slot, and the same hash as all others.
var singleType = must(DefineType(Type{
	Name:     "single",
	Slots:    func(_ Heap, o Body) (Body, int, int) { return o, 0, 1 },
	Freezing: &Freezing{Copy: CopySlots, Hash: func(Body) uint32 { return 1 }},
}))

// TestShareEqualSingles checks that objects with one slot are compared by it, and that objects
// with another type or hash are not equal. Equal leaves of user-defined types are stored once,
// but do not make the objects equal that lead to them.
func TestShareEqualSingles(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		single := func(x Ref) Ref {
			r, o, err := th.New(singleType, 4)
			must0(t, err)
			o.SetRef(0, x)
			return r
		}
		float := func(v float64) Ref { return must(th.newFloat(v, 0)) }
		for what, c := range map[string]struct {
			a, b    Ref
			objects int64
		}{
			"the same float":     {single(float(1)), single(float(1)), 3},
			"different floats":   {single(float(1)), single(float(2)), 5},
			"singletons":         {single(None), single(None), 2},
			"other singletons":   {single(None), single(True), 3},
			"other types":        {newTwin(th, 5, newTwin(th, 6, None, None), None), newTwin(th, 5, newWide(th), None), 5},
			"other hashes":       {newTwin(th, 5, newTwin(th, 6, None, None), None), newTwin(th, 5, newTwin(th, 7, None, None), None), 5},
			"no hash":            {newTwin(th, 5, newWide(th), None), newTwin(th, 5, newWide(th), None), 5},
			"leaves of a user's": {newTwin(th, 5, newOf(th, blobType), None), newTwin(th, 5, newOf(th, blobType), None), 4},
		} {
			root := newTwin(th, 0, c.a, c.b)
			f, err := th.Freeze(root, FreezeOptions{ShareEqual: true})
			must0(t, err)
			if f.Objects() != c.objects {
				t.Errorf("%s: %d objects, want %d", what, f.Objects(), c.objects)
			}
			th.DecRef(root)
			must0(t, th.Unload(f))
		}
	})
}

// TestReadFrozen checks what is told of frozen graphs and their readers.
func TestReadFrozen(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			pair := newTwin(th, 1, None, None)
			f := must(th.Freeze(pair))
			th.DecRef(pair)
			want := FrozenState{Objects: 1, Bytes: f.Bytes()}
			check := func(when string) {
				t.Helper()
				if all := th.ReadFrozen(); len(all) != 1 || all[0] != want {
					t.Errorf("%s: %+v, want %+v", when, all, want)
				}
			}
			check("frozen")
			must0(t, f.Use(th, func(Ref) error {
				want.Leases = 1
				check("in use")
				return nil
			}))
			want.Leases = 0
			f.use()
			want.Readers = 1
			check("being read")
			f.unuse()
			want.Readers = 0
			c := must(NewCurrent(f))
			want.Current = true
			check("current")
			th.Blocking(func() { must0(t, c.Close(context.Background())) })
			if all := th.ReadFrozen(); len(all) != 0 {
				t.Errorf("unloaded: %+v", all)
			}
		})
	})
}
