package runtime

import (
	"context"
	"errors"
	"testing"

	"github.com/ichor-go/ichor/internal/header"
)

// headers returns the header of every immortal.
func headers(th *Thread) map[Ref][4]uint32 {
	m := map[Ref][4]uint32{}
	th.Immortals(func(r Ref, h [4]uint32) { m[r] = h })
	return m
}

func TestImmortalInPlace(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			leaf := newLeaf(th)
			th.IncRef(leaf)
			loop := newNode(th, leaf, Nil)
			setSlot(th, loop, 1, loop) // cycles are no obstacle
			root := newBox(th, newNode(th, loop, None))
			other := newLeaf(th)

			if err := th.Immortalize(root, must1(Int(3)), None); err != nil {
				t.Fatal(err)
			}
			if err := th.Immortalize(Nil); err == nil {
				t.Error("Immortalize(Nil) was accepted")
			}
			for _, r := range []Ref{leaf, loop, root} {
				if !th.IsImmortal(r) {
					t.Errorf("%s is not immortal", r)
				}
			}
			if th.IsImmortal(other) {
				t.Error("an object that is not reachable became immortal")
			}
			if n := th.rt.Memory().InPlace; n != 4 {
				t.Errorf("%d immortals in place, want 4", n)
			}
			before := headers(th)
			for _, r := range []Ref{leaf, loop, root, None, EmptyString, EmptyTuple} {
				if _, ok := before[r]; !ok {
					t.Errorf("%s is missing among the immortals", r)
				}
			}
			for _, r := range []Ref{{endSingletons}, {none - 2}, Nil} {
				if _, ok := before[r]; ok {
					t.Errorf("%s is among the immortals", r)
				}
			}
			if _, ok := before[other]; ok {
				t.Error("a mortal is among the immortals")
			}
			for range 1000 {
				th.IncRef(leaf)
				th.DecRef(root)
				th.DecRefs([]Ref{leaf, loop, root})
				th.Retire(leaf)
				th.SetWeak(leaf)
				th.TryIncRef(leaf)
			}
			if err := th.Immortalize(root); err != nil {
				t.Fatal(err)
			}
			th.Checkpoint()
			for r, h := range headers(th) {
				if before[r] != h {
					t.Errorf("header of %s changed from %x to %x", r, before[r], h)
				}
			}
			th.DecRef(other)
		})
	})
}

// TestImmortalContent changes the contents of an immortal container: dropped references are
// released as usual, and those that it holds at Close are no leak.
func TestImmortalContent(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			inPlace := newNode(th, Nil)
			if err := th.Immortalize(inPlace); err != nil {
				t.Fatal(err)
			}
			var born Ref
			if err := th.Immortally(func() error { born = newNode(th, newLeaf(th)); return nil }); err != nil {
				t.Fatal(err)
			}
			for _, node := range []Ref{inPlace, born} {
				x := newLeaf(th)
				setSlot(th, node, 0, x)
				if count(th, x) != 2 {
					t.Error("the slot's reference is not counted")
				}
				setSlot(th, node, 0, None)
				th.Checkpoint()
				th.Checkpoint()
				if count(th, x) != 1 {
					t.Error("an immortal container kept an object that it dropped")
				}
				setSlot(th, node, 0, x)
				th.DecRef(x) // only the immortal holds it now
			}
		})
	})
}

func TestBornImmortal(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			var root, box Ref
			err := th.Immortally(func() error {
				leaf := newLeaf(th)
				root = newNode(th, leaf, leaf)
				box = newBox(th, leaf)
				th.DecRef(leaf) // it is not counted
				if err := th.Immortally(func() error { return nil }); err == nil {
					t.Error("Immortally inside Immortally was accepted")
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []Ref{root, box} {
				if !r.ImmortalByAddress() || !th.IsImmortal(r) {
					t.Errorf("%s is not immortal by address", r)
				}
			}
			if th.Body(root).LoadRef(1) != th.Body(root).LoadRef(2) {
				t.Error("the slots differ")
			}
			m := th.rt.Memory()
			if m.Immortals != 3 || m.RegionBytes == 0 {
				t.Errorf("three objects born immortal are accounted as %+v", m)
			}

			// A region that fails gives up everything, including mortal references.
			mortal := newLeaf(th)
			broken := errors.New("broken")
			if err := th.Immortally(func() error {
				th.IncRef(mortal)
				newNode(th, mortal, newLeaf(th))
				return broken
			}); err != broken {
				t.Errorf("got %v", err)
			}
			panics(t, func() {
				_ = th.Immortally(func() error {
					th.IncRef(mortal)
					newNode(th, mortal)
					panic("mine")
				})
			})
			if n := count(th, mortal); n != 1 {
				t.Errorf("regions that failed have kept %d references", n-1)
			}
			if now := th.rt.Memory(); now.Immortals != 3 || now.RegionBytes != m.RegionBytes {
				t.Errorf("regions that failed have kept memory: %+v", now)
			}
			th.DecRef(mortal)
		})
	})
}

// TestImmortalizeWhileCounting makes an object immortal that other threads count at the same
// time: from the moment the call returns, its header is constant.
func TestImmortalizeWhileCounting(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		rounds := 50
		var shared Ref
		var want [4]uint32
		done := make(chan struct{})
		for range rounds {
			if err := r.Do(func(th *Thread) error { shared = newNode(th, newLeaf(th)); return nil }); err != nil {
				t.Fatal(err)
			}
			done = make(chan struct{})
			err := r.Run(context.Background(), 3, func(_ context.Context, th *Thread, w int) error {
				if w == 0 {
					defer close(done)
					if err := th.Immortalize(shared); err != nil {
						return err
					}
					want = th.header(shared).Bytes()
					return nil
				}
				for {
					th.IncRef(shared)
					th.DecRef(shared)
					th.Checkpoint()
					select {
					case <-done:
						for range 100 {
							th.IncRef(shared)
							th.DecRefs([]Ref{shared, shared})
						}
						if th.header(shared).Bytes() != want {
							t.Error("the header of an immortal has changed")
						}
						return nil
					default:
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRef(t *testing.T) {
	for _, v := range []int64{0, 1, -1, MinInt, MaxInt} {
		r, ok := Int(v)
		if !ok || !r.IsInt() || r.Int() != v || !r.ImmortalByAddress() {
			t.Errorf("Int(%d) is %s", v, r)
		}
	}
	for _, v := range []int64{MinInt - 1, MaxInt + 1} {
		if _, ok := Int(v); ok {
			t.Errorf("%d fits into a reference", v)
		}
	}
	for r, want := range map[Ref]bool{
		{frozenBase - 1}: false, {frozenBase}: true, {frozenBase + frozenCount - 1}: true, {frozenBase + frozenCount}: false,
		Nil: false, None: false, {intBase}: false,
	} {
		if r.IsFrozen() != want {
			t.Errorf("%s is frozen: %t", r, !want)
		}
	}
	for want, r := range map[string]Ref{
		"nil": Nil, "None": None, "True": True, "False": False, "int -7": must1(Int(-7)), "0x00000012": {18}, `""`: EmptyString, "0xa0000001": {frozenBase + 1},
	} {
		if got := r.String(); got != want {
			t.Errorf("%#x is %s, want %s", uint32(r.Handle), got, want)
		}
	}
	for _, r := range []Ref{Nil, None, True, False, EmptyString, EmptyBytes, EmptyTuple} {
		if r.IsInt() || r.ImmortalByAddress() != (r != Nil) {
			t.Errorf("%s is taken for something else", r)
		}
	}
}

// TestMortalContainerGrowsInRegion has a mortal container take a block while births are
// immortal, and then the region fails: the block does not belong to it.
func TestMortalContainerGrowsInRegion(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			box := newBox(th, newLeaf(th))
			broken := errors.New("broken")
			if err := th.Immortally(func() error {
				b, blk, err := th.NewBlock(box, 16)
				if err != nil {
					return err
				}
				old := th.Body(box).LoadRef(0)
				blk.StoreRef(0, th.Block(old).LoadRef(0))
				th.Body(box).StoreRef(0, b)
				th.RetireBlock(old)
				inner := newBox(th, newLeaf(th))
				if in := th.Body(inner).LoadRef(0); !in.ImmortalByAddress() || b.ImmortalByAddress() {
					t.Errorf("blocks lie at %s, of a mortal, and %s, of an immortal", b, in)
				}
				return broken
			}); err != broken {
				t.Fatal(err)
			}
			if leaf := th.Block(th.Body(box).LoadRef(0)).LoadRef(0); th.Body(leaf).Word(0) != 42 {
				t.Error("the box has lost its contents with the region")
			}
			th.DecRef(box)
		})
	})
}

// TestImmortalizeNamed stores mortals in immortal containers, which are immortal in place or by
// address. The mortals become immortal when a call names the container, but not when it only
// leads to the container.
func TestImmortalizeNamed(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			var born Ref
			if err := th.Immortally(func() error { born = newNode(th, Nil); return nil }); err != nil {
				t.Fatal(err)
			}
			inner := newNode(th, Nil)
			must0(t, th.Immortalize(inner))
			for _, holder := range []Ref{inner, born} {
				deep := newLeaf(th)
				x := newNode(th, deep)
				setSlot(th, holder, 0, x)
				th.DecRef(x)
				above := newNode(th, holder)
				must0(t, th.Immortalize(above, None))
				if th.IsImmortal(x) || th.IsImmortal(deep) {
					t.Error("an object stored in an immortal container became immortal, although the call did not name the container")
				}
				must0(t, th.Immortalize(holder, holder))
				if !th.IsImmortal(x) || !th.IsImmortal(deep) {
					t.Error("an object stored in an immortal container stayed mortal, although the call named the container")
				}
			}
			if n := th.rt.Memory().InPlace; n != 7 {
				t.Errorf("%d immortals in place, want 7", n)
			}
		})
	})
}

var looked int // calls of looking's Traverse

// looking is a node that counts how often it is traversed.
var looking = must(DefineType(Type{
	Name: "looking",
	Traverse: func(_ Heap, o Body, visit func(Ref)) {
		looked++
		visit(o.LoadRef(0))
		visit(o.LoadRef(1))
	},
}))

// TestImmortalizeLooksAtWhatIsNew makes one new object after the other immortal. Each leads to
// all objects before it, twice.
func TestImmortalizeLooksAtWhatIsNew(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			last := newLeaf(th)
			must0(t, th.Immortalize(last))
			for range 100 {
				r, body, err := th.New(looking, 8)
				must0(t, err)
				body.SetRef(0, last)
				body.SetRef(1, last)
				looked = 0
				must0(t, th.Immortalize(r))
				if looked != 1 {
					t.Fatalf("it looked into %d objects, and one was new", looked)
				}
				last = r
			}
		})
	})
}

// TestStoppedIsNoSafePoint makes calls in a stop that are not allowed there.
func TestStoppedIsNoSafePoint(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			th.StopTheWorld(func() {
				wantIn(t, panics(t, th.Checkpoint), "safe point inside StopTheWorld")
				wantIn(t, panics(t, func() { th.Blocking(func() {}) }), "safe point inside StopTheWorld")
				wantIn(t, panics(t, th.Detach), "inside")
			})
			if err := th.Immortally(func() error {
				wantIn(t, panics(t, th.Detach), "inside")
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	})
}

// TestImmortalsEnd checks that what an immortal has outside its memory goes when the runtime is
// closed, or when its region is discarded: its block, and what its type's Drop gives up. An
// object of an unknown type has neither.
func TestImmortalsEnd(t *testing.T) {
	drops := 0
	y := must(DefineType(Type{Name: "dropped at the end", Drop: func(*Thread, Ref, Body) { drops++ }}))
	aloneInModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		drops = 0
		must0(t, r.Do(func(th *Thread) error {
			x, _, err := th.New(y, 4)
			must0(t, err)
			must0(t, th.Immortalize(x))
			broken := errors.New("broken")
			before := r.Memory()
			for range 20 {
				// A container that was born immortal, with a block that was not.
				err = th.Immortally(func() error {
					box := newBox(th, None)
					must(newBorn(th, y))
					large := 0
					for range 5 {
						if _, _, err := th.New(leafType, 1<<20); err == nil {
							large++
						}
					}
					if large != 5 {
						t.Error("there is no memory left")
					}
					th.Later(func(th *Thread) {
						b, blk, err := th.NewBlock(box, 16)
						must0(t, err)
						blk.StoreRef(0, None)
						if b.ImmortalByAddress() {
							t.Errorf("the block is at %s", b)
						}
						th.Body(box).StoreRef(0, b)
					})
					th.Checkpoint()
					return broken
				})
				if err != broken {
					t.Errorf("got %v", err)
				}
			}
			must0(t, th.Audit())
			if now := r.Memory(); !o.Checked && (now.Blocks != before.Blocks || now.Committed > before.Committed+1<<20) {
				t.Errorf("regions that were given up have kept %d blocks, and %d bytes", now.Blocks-before.Blocks, now.Committed-before.Committed)
			}
			if drops != 20 {
				t.Errorf("%d objects have given up what they had, want 20", drops)
			}
			return th.Immortally(func() error {
				must(newBorn(th, y))
				th.header(newLeaf(th)).Birth(header.Immortal, 12345)
				return nil
			})
		}))
		must0(t, r.Close())
		if drops != 22 {
			t.Errorf("%d objects have given up what they had, want 22", drops)
		}
	})
}

func newBorn(th *Thread, y *Type) (Ref, error) {
	r, _, err := th.New(y, 4)
	return r, err
}

// TestNilIsImmortal checks that counting Nil changes nothing.
func TestNilIsImmortal(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			before := th.header(Nil).Bytes()
			if !th.IsImmortal(Nil) {
				t.Error("Nil is not immortal")
			}
			for range 3 {
				th.IncRefs([]Ref{Nil, None, Nil})
				th.DecRefs([]Ref{Nil, None, Nil})
				th.IncRef(Nil)
				th.DecRef(Nil)
				th.Retire(Nil)
				th.DecRef(newNode(th, Nil, Nil))
			}
			if after := th.header(Nil).Bytes(); after != before {
				t.Errorf("its header was %x, and is %x", before, after)
			}
			must0(t, th.Immortalize(newNode(th, Nil)))
			if n := th.rt.Memory().InPlace; n != 1 {
				t.Errorf("%d immortals in place, want 1", n)
			}
		})
	})
}
