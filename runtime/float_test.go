package runtime

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/ichor-go/ichor/internal/header"
)

// oddFloats are numbers whose halves would be odd counts, types or references.
var oddFloats = []uint64{
	0, 1, 1 << 63, math.Float64bits(1), math.Float64bits(math.NaN()), 0xfff8_0000_0000_0001, math.Float64bits(math.Inf(-1)),
	header.StickyLocal, header.StickyLocal - 1, 1<<64 - 1, 0x8000_0000_8000_0000, 7<<32 | 1, metaRefs<<32 | 1, metaDeath << 32,
}

func newFloat(t *Thread, bits uint64, note uint32) Ref {
	return must(t.newFloat(math.Float64frombits(bits), note))
}

// mustBeFloat fails unless r is the float with these bits and this note.
func mustBeFloat(t *testing.T, th *Thread, r Ref, bits uint64, note uint32) {
	t.Helper()
	v, n, ok := th.Float(r)
	if math.Float64bits(v) != bits || n != note || !ok || th.Kind(r) != TypeFloat || th.TypeOf(r).Name != "float" {
		t.Errorf("the float %#x with note %#x is %#x, %#x, %t, of type %d", bits, note, math.Float64bits(v), n, ok, th.Kind(r))
	}
	if _, ok := th.Object(r, TypeFloat); !ok {
		t.Error("a float is not an object of its type")
	}
}

func TestFloat(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			var rs []Ref
			for i, bits := range oddFloats {
				rs = append(rs, newFloat(th, bits, uint32(i)), newFloat(th, bits, header.Notes-1), newLeaf(th))
			}
			all := func() {
				t.Helper()
				for i, bits := range oddFloats {
					mustBeFloat(t, th, rs[3*i], bits, uint32(i))
					mustBeFloat(t, th, rs[3*i+1], bits, header.Notes-1)
				}
			}
			all()
			if n := th.sizeOf(rs[0]); n != header.Size {
				t.Errorf("a float takes %d bytes", n)
			}
			if _, err := th.newFloat(1, header.Notes); err == nil {
				t.Error("a note of 31 bits was accepted")
			}
			for _, r := range []Ref{Nil, None, must1(Int(1)), rs[2]} {
				if _, _, ok := th.Float(r); ok {
					t.Errorf("%s is a float", r)
				}
			}
			for range 3 {
				th.IncRefs(rs)
				for _, r := range rs {
					th.IncRef(r)
					th.IncRef(r)
					th.DecRef(r)
				}
			}
			for _, r := range rs {
				if n := count(th, r); n != 7 || th.IsImmortal(r) || th.header(r).IsSticky() {
					t.Errorf("%d references, want 7", n)
				}
			}
			if err := th.Audit(append(append(append(append(append(append(rs, rs...), rs...), rs...), rs...), rs...), rs...)...); err != nil {
				t.Error(err)
			}
			all()
			for range 3 {
				th.DecRefs(rs)
				th.IncRefs(rs)
				for _, r := range rs {
					th.Retire(r)
				}
				th.DecRefs(rs)
				th.Checkpoint()
				th.Checkpoint()
			}
			all()
			if th.Collect().Garbage != 0 {
				t.Error("a leaf is garbage")
			}
			th.DecRef(newNode(th, rs...)) // steals rs, and dies with everything that it holds
			th.Runtime().mustHold(t, th, 0)
		})
	})
}

// TestFloatImmortal makes floats immortal in both ways.
func TestFloatImmortal(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			var inPlace, born []Ref
			for i, bits := range oddFloats {
				inPlace = append(inPlace, newFloat(th, bits, uint32(i)))
			}
			must0(t, th.Immortalize(newNode(th, inPlace...)))
			must0(t, th.Immortally(func() error {
				for i, bits := range oddFloats {
					born = append(born, newFloat(th, bits, uint32(i)))
				}
				newNode(th, born...)
				return nil
			}))
			before := headers(th)
			for range 100 {
				for _, rs := range [][]Ref{inPlace, born} {
					th.IncRefs(rs)
					th.DecRefs(rs)
					th.DecRefs(rs)
					for _, r := range rs {
						th.Retire(r)
						th.SetWeak(r)
						th.TryIncRef(r)
					}
				}
			}
			must0(t, th.Immortalize(inPlace...))
			th.Checkpoint()
			for r, h := range headers(th) {
				if before[r] != h {
					t.Errorf("header of %s changed from %x to %x", r, before[r], h)
				}
			}
			for i, bits := range oddFloats {
				for _, r := range []Ref{inPlace[i], born[i]} {
					mustBeFloat(t, th, r, bits, uint32(i))
					if !th.IsImmortal(r) || r.ImmortalByAddress() != (r == born[i]) {
						t.Errorf("%s is not immortal, or in the wrong way", r)
					}
				}
			}
		})
	})
}

// TestFloatBand puts a float's count at the edge of its word.
func TestFloatBand(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			r := newFloat(th, header.StickyLocal, 9)
			th.header(r).SetCounts(0, 1<<28-1<<26-1)
			for range 100 {
				th.IncRef(r)
				th.IncRef(r)
				th.DecRefs([]Ref{r, r, r})
			}
			th.Checkpoint()
			if !th.IsImmortal(r) {
				t.Error("a count has reached its band, but the float is not immortal after a checkpoint")
			}
			mustBeFloat(t, th, r, header.StickyLocal, 9)
		})
	})
}

// TestFloatWeak checks that weak references to floats work as those to other objects.
func TestFloatWeak(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			called := 0
			target := newFloat(th, 1<<31, 1)
			w := newLeaf(th)
			th.linkWeak(w, target, func(*Thread) { called++ })
			if got := th.followWeak(w); got != target {
				t.Errorf("the weak reference refers to %s", got)
			} else {
				mustBeFloat(t, th, got, 1<<31, 1)
				th.DecRef(got)
			}
			th.DecRef(target)
			if got := th.followWeak(w); got != Nil {
				t.Errorf("the weak reference refers to %s, which is dead", got)
			}
			th.Checkpoint()
			if called != 1 {
				t.Errorf("the callback was called %d times", called)
			}
			th.DecRef(w)
		})
	})
}

// TestFloatThreads has threads read and count shared floats, hand others over, and make one
// immortal meanwhile.
func TestFloatThreads(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		rounds := 20_000
		if o.Checked || raceEnabled {
			rounds = 500
		}
		var shared, frozen Ref
		must0(t, r.Do(func(th *Thread) error {
			shared, frozen = newFloat(th, 1<<31, 1), newFloat(th, 1<<31, 2)
			return nil
		}))
		const n = 4
		ring := make([]chan Ref, n)
		for i := range ring {
			ring[i] = make(chan Ref, 8)
		}
		must0(t, r.Run(context.Background(), n, func(_ context.Context, th *Thread, w int) error {
			for i := range rounds {
				both := []Ref{shared, frozen}
				th.IncRefs(both)
				mustBeFloat(t, th, shared, 1<<31, 1)
				mustBeFloat(t, th, frozen, 1<<31, 2)
				if w == 0 && i == rounds/2 {
					if err := th.Immortalize(frozen); err != nil {
						return err
					}
				}
				_ = SendContext(t.Context(), th, ring[(w+1)%n], newFloat(th, uint64(i), 3))
				y, _, _ := RecvContext(t.Context(), th, ring[w])
				mustBeFloat(t, th, y, uint64(i), 3)
				th.DecRef(y)
				th.DecRefs(both)
			}
			return nil
		}))
		err := r.Do(func(th *Thread) error {
			if got := count(th, shared); got != 1 || !th.IsImmortal(frozen) {
				t.Errorf("%d references after as many increments as decrements", got)
			}
			th.DecRef(shared)
			return th.Audit()
		})
		if err := errors.Join(err, r.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestFloatMisuse(t *testing.T) {
	for _, o := range []Options{{Mode: GIL, Checked: true}, {Mode: LockFree, Checked: true}} {
		r := newRuntime(t, o)
		th := must(r.Attach())
		x := newFloat(th, 1<<31, 0)
		th.DecRef(x)
		for _, f := range []func(){func() { th.Float(x) }, func() { th.IncRef(x) }, func() { th.DecRef(x) }, func() { th.Kind(x) }} {
			wantIn(t, panics(t, f), "use after free", "float", "born at")
		}
		th.Detach()
		must0(t, r.Close())
	}
}

// TestFloatsAmongImmortals checks that consecutive floats are counted, whatever immortals are
// between them.
func TestFloatsAmongImmortals(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			a, b, x := newFloat(th, 1, 0), newFloat(th, 2, 0), newLeaf(th)
			var born Ref
			must0(t, th.Immortally(func() error { born = newFloat(th, 3, 0); return nil }))
			row := []Ref{a, None, born, a, must1(Int(1)), b, x, b, Nil, None, a}
			for range 3 {
				th.IncRefs(row)
			}
			if count(th, a) != 10 || count(th, b) != 7 || count(th, x) != 4 {
				t.Errorf("counts are %d, %d and %d, want 10, 7 and 4", count(th, a), count(th, b), count(th, x))
			}
			for range 3 {
				th.DecRefs(row)
			}
			if count(th, a) != 1 || count(th, b) != 1 || count(th, x) != 1 {
				t.Errorf("counts are %d, %d and %d, want 1 of each", count(th, a), count(th, b), count(th, x))
			}
			th.DecRefs([]Ref{a, b, x})
		})
	})
}
