package runtime

import (
	"testing"

	"github.com/ichor-go/ichor/internal/header"
)

// TestBandsAskOnce checks that each operation that finds a sticky count asks for the object to
// be made immortal.
func TestBandsAskOnce(t *testing.T) {
	const shared = 1<<28 - 1<<26 // the first count in the band
	forModes(t, func(t *testing.T, o Options) {
		for name, meet := range map[string]func(th *Thread, x Ref){
			"IncRef":  func(th *Thread, x Ref) { th.IncRef(x) },
			"DecRef":  func(th *Thread, x Ref) { th.DecRef(x) },
			"IncRefs": func(th *Thread, x Ref) { th.IncRefs([]Ref{x}) },
			"DecRefs": func(th *Thread, x Ref) { th.DecRefs([]Ref{x}) },
			"a death": func(th *Thread, x Ref) { th.DecRef(newNode(th, x)) },
		} {
			t.Run(name, func(t *testing.T) {
				for what, make := range map[string]func(th *Thread) Ref{
					"leaf":  newLeaf,
					"float": func(th *Thread) Ref { return newFloat(th, 1, 0) },
				} {
					clean(t, o, func(t *testing.T, th *Thread) {
						x := make(th)
						if th.stamp > 0 && what == "leaf" {
							th.header(x).SetCounts(header.StickyLocal, 0)
						} else {
							th.header(x).SetCounts(0, shared)
						}
						if meet(th, x); th.IsImmortal(x) {
							t.Errorf("the %s is immortal before a checkpoint", what)
						}
						if th.Checkpoint(); !th.IsImmortal(x) {
							t.Errorf("the %s is not immortal after a checkpoint", what)
						}
					})
				}
			})
		}
	})
}

// TestMergedMeanwhile checks an object that was to be queued, and that another thread has
// merged or made immortal meanwhile: its reference is given up here, or not at all.
func TestMergedMeanwhile(t *testing.T) {
	clean(t, Options{Counting: Atomic}, func(t *testing.T, th *Thread) {
		x, y, z := newLeaf(th), newLeaf(th), newLeaf(th)
		th.afterDec(x, header.Queue)
		if th.diesOf(y, header.Queue) != true {
			t.Error("the last reference was given up, and the object lives")
		}
		th.free(y)
		th.IncRef(z)
		if th.diesOf(z, header.Queue) || count(th, z) != 1 {
			t.Error("one of two references was given up, and the object is dead")
		}
		must0(t, th.Immortalize(z))
		before := th.header(z).Bytes()
		th.afterDec(z, header.Queue)
		if th.TypeOf(z) != leafType || th.header(z).Bytes() != before {
			t.Error("an immortal was counted, or freed")
		}
		th.rt.mustHold(t, th, 1)
	})
}

// TestDeathAmongImmortals checks that a dying object with references to immortals gives up the
// others, and touches no other memory, not even at the address that an integer would have.
func TestDeathAmongImmortals(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.AddressSpace = 32 << 20
		clean(t, o, func(t *testing.T, th *Thread) {
			x, dies := newLeaf(th), newLeaf(th)
			alias := Ref{intBase | x.Handle} // the integer with the same lower bits as x
			if !alias.IsInt() || th.header(alias) != th.header(x) {
				t.Fatalf("%s does not refer to %s", alias, x)
			}
			var born Ref
			must0(t, th.Immortally(func() error { born = newLeaf(th); return nil }))
			before := th.header(x).Bytes()
			th.DecRef(newNode(th, alias, Nil, born, dies, None, must1(Int(MinInt)), must1(Int(MaxInt)), must1(Int(0))))
			if th.header(x).Bytes() != before {
				t.Errorf("the header was %x, and is %x", before, th.header(x).Bytes())
			}
			th.rt.mustHold(t, th, 2)
			th.DecRef(x)
		})
	})
}

// TestMendOnce checks that an object whose death has ended in a panic is freed once, even if a
// dead object behind it ends in another panic.
func TestMendOnce(t *testing.T) {
	for _, m := range []Mode{GIL, LockFree} {
		clean(t, Options{Mode: m}, func(t *testing.T, th *Thread) {
			x, y := newNode(th), newLeaf(th)
			th.header(y).SetLink(uint32(Nil.Handle))
			th.cache.Free(uint32(y.Handle)) // so freeing it again panics
			th.dying, th.deadTop = x, y
			wantIn(t, panics(t, th.Checkpoint), "freed twice")
			th.Checkpoint()
			if th.dying != Nil || th.deadTop != Nil {
				t.Errorf("in the middle of freeing %s, and %s is to be freed", th.dying, th.deadTop)
			}
			th.rt.mustHold(t, th, 0)
		})
	}
}

// TestMendReleasesAll checks an object whose death has ended in a panic: its memory and its
// block are freed at once. The memory stays if the object is in a table, and waits for a grace
// period if a table may still lead to it.
func TestMendReleasesAll(t *testing.T) {
	defer func() { trap = trapdoor{} }()
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			for _, c := range []struct {
				y     *Type
				weak  bool
				stays int64
				waits bool
			}{
				{faultyType, false, 0, false},
				{faultyType, true, 0, true},
				{tableType, false, 0, false},
				{tableType, true, 1, false},
			} {
				before := r.Memory()
				x := newFaultyOf(th, c.y, None, None)
				if c.weak {
					th.SetWeak(x)
				}
				trap = trapdoor{"Traverse", 1, func() { panic("mine") }}
				panics(t, func() { th.DecRef(x) })
				th.mend()
				if waits := th.LockFree() && th.memory.Len() > 0; waits != (c.waits && th.LockFree()) {
					t.Errorf("%s, weak %t: its memory waits: %t", c.y, c.weak, waits)
				}
				th.StopTheWorld(func() { th.settle() })
				th.cache.Publish()
				if now := r.Memory(); !o.Checked && (now.Objects-before.Objects != c.stays || now.Blocks != before.Blocks) {
					t.Errorf("%s, weak %t: %d objects and %d blocks are left, want %d and none", c.y, c.weak, now.Objects-before.Objects, now.Blocks-before.Blocks, c.stays)
				}
			}
			return nil
		}))
		must0(t, r.Close())
	})
}

// TestMendForAnother checks that another thread frees the objects that one thread has left half
// dead, at once.
func TestMendForAnother(t *testing.T) {
	r, a, b := biasedPair(t, Options{})
	b.dying, b.deadTop = newNode(b), newLeaf(b)
	b.header(b.deadTop).SetLink(uint32(Nil.Handle))
	a.mendFor(b)
	r.mustHold(t, a, 0)
	for _, x := range []*Thread{a, b} {
		if x.dying != Nil || x.deadTop != Nil {
			t.Errorf("thread %d is in the middle of freeing %s, and %s is to be freed", x.owner, x.dying, x.deadTop)
		}
	}
	closePair(t, r, a, b)
}
