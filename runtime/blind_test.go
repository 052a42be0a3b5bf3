package runtime

import "testing"

// TestBlind: threads count without a look at the owner until an object becomes immortal in
// place, and only where all mortals are counted in shared.
func TestBlind(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want bool
	}{
		{Options{Mode: GIL}, false},
		{Options{Mode: LockFree, Counting: Biased}, false},
		{Options{Mode: LockFree, Counting: Atomic, Checked: true}, false},
		{Options{Mode: LockFree, Counting: Atomic}, true},
		{Options{Mode: LockFree}, true},
	} {
		r := newRuntime(t, c.o)
		x := must(r.Attach())
		leaf, other := newLeaf(x), newLeaf(x)
		if x.blind != c.want {
			t.Errorf("%+v: blind is %t", c.o, x.blind)
		}
		if !c.o.Checked {
			x.IncRef(Nil) // which has the header of an immortal
			x.DecRef(Nil)
			x.DecRef(Nil)
		}
		for range 3 {
			x.IncRef(leaf)
		}
		for range 2 {
			x.DecRef(leaf)
		}
		if n, ok := x.header(leaf).Count(); n != 2 || !ok {
			t.Errorf("%+v: count %d, %t; want 2", c.o, n, ok)
		}
		if hot := x.hot == leaf.Handle; hot != c.want && hot != (c.o.Mode == LockFree && !c.o.Checked && c.o.Counting != Biased) {
			t.Errorf("%+v: hot is %s", c.o, x.hot)
		}
		if x.DecRef(leaf); countOf(x, leaf) != 1 {
			t.Errorf("%+v: count %d; want 1", c.o, countOf(x, leaf))
		}
		if x.DecRef(leaf); x.hot == leaf.Handle {
			t.Errorf("%+v: a dead object is hot", c.o)
		}
		single := newLeaf(x)
		if x.DecRef(single); x.hot == single.Handle {
			t.Errorf("%+v: an object that had no other references is hot", c.o)
		}
		x.Detach()
		if c.o.Mode == LockFree {
			x, y := must(r.Attach()), must(r.Attach())
			x.Detach() // one is idle, one attached
			if err := y.Immortalize(other); err != nil {
				t.Fatal(err)
			}
			z := must(r.Attach())
			third := must(r.Attach())
			for _, th := range []*Thread{x, y, z, third} {
				if th.blind {
					t.Errorf("%+v: %s is blind after Immortalize", c.o, th)
				}
			}
			before := *y.header(other)
			for _, th := range []*Thread{y, z, third} {
				th.IncRef(other)
				th.DecRef(other)
				th.DecRef(other)
			}
			if now := *y.header(other); now != before {
				t.Errorf("%+v: the header of an immortal was %v, and is %v", c.o, before, now)
			}
			y.Detach()
			z.Detach()
			third.Detach()
		} else if err := r.Do(func(th *Thread) error { th.DecRef(other); return nil }); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestBlindSeesMisuse: a count of a dead object is found, and the memory stays as it was.
func TestBlindSeesMisuse(t *testing.T) {
	r := newRuntime(t, Options{Mode: LockFree})
	x := must(r.Attach())
	leaf, child := newLeaf(x), newLeaf(x)
	x.DecRef(newNode(x, child))
	x.DecRef(leaf)
	for _, dead := range []Ref{leaf, child} {
		before := *x.header(dead)
		wantIn(t, panics(t, func() { x.IncRef(dead) }), "incref of a dead object")
		wantIn(t, panics(t, func() { x.DecRef(dead) }), "more references released than there were")
		if now := *x.header(dead); now != before {
			t.Errorf("the header was %v, and is %v", before, now)
		}
	}
	x.Detach()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// countOf returns the count of an object.
func countOf(x *Thread, r Ref) int64 {
	n, _ := x.header(r).Count()
	return n
}
