package sched

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestDeferredWaits(t *testing.T) {
	g := NewGrace()
	r := g.Register()
	r.Online()
	d := NewDeferred[int](g, 1000)
	var got []int
	give := func(x int) { got = append(got, x) }
	d.Defer(1, 10)
	d.Defer(2, 20)
	d.Due(give)
	d.Defer(3, 30)
	if got != nil || d.Len() != 3 || d.Bytes() != 60 {
		t.Fatalf("given %v, waiting %d, %d bytes", got, d.Len(), d.Bytes())
	}
	r.Quiescent() // releases 1 and 2, which have had their goal already
	d.Due(give)
	if !slices.Equal(got, []int{1, 2}) || d.Bytes() != 30 {
		t.Fatalf("given %v, %d bytes", got, d.Bytes())
	}
	r.Offline()
	d.Due(give)
	if !slices.Equal(got, []int{1, 2, 3}) || d.Bytes() != 0 || d.Len() != 0 {
		t.Fatalf("given %v, %d bytes", got, d.Bytes())
	}
}

// TestDeferredBatches: a batch ends at 128 items or a quarter of the budget. Due closes
// an open batch, but makes no empty one.
func TestDeferredBatches(t *testing.T) {
	none := func(int) { t.Error("given while a reader is online") }
	for _, c := range []struct {
		budget, bytes int64
		n             int
		batches       uint64
	}{
		{1 << 30, 1, 127, 0},
		{1 << 30, 1, 128, 1},
		{1 << 30, 1, 300, 2},
		{1000, 249, 1, 0},
		{1000, 250, 1, 1},
		{1000, 125, 8, 4},
		{1, 0, 127, 0},
		{1, 1, 5, 5},
		{0, DefaultBudget/4 - 1, 1, 0},
		{-1, DefaultBudget / 4, 3, 3},
	} {
		g := NewGrace()
		r := g.Register()
		r.Online()
		d := NewDeferred[int](g, c.budget)
		for i := range c.n {
			d.Defer(i, c.bytes)
		}
		if made := g.period.Load() - 1; made != c.batches {
			t.Errorf("%+v: %d batches", c, made)
		}
		d.Due(none)
		before := g.period.Load()
		d.Due(none)
		if g.period.Load() != before {
			t.Errorf("%+v: a batch of nothing", c)
		}
		if d.Len() != c.n || d.Bytes() != int64(c.n)*c.bytes {
			t.Errorf("%+v: %d things, %d bytes", c, d.Len(), d.Bytes())
		}
	}
}

func TestDeferredOver(t *testing.T) {
	d := NewDeferred[int](NewGrace(), 100)
	d.Defer(1, 100)
	if d.Over() {
		t.Error("Over with exactly the budget")
	}
	d.Defer(2, 1)
	if !d.Over() {
		t.Error("not Over beyond the budget")
	}
	d.Due(func(int) {})
	if d.Over() {
		t.Error("Over with an empty queue")
	}
}

// TestDueCalledBack: fn may do everything that the owner may do.
func TestDueCalledBack(t *testing.T) {
	g := NewGrace()
	d := NewDeferred[int](g, 1<<20)
	for i := range 500 {
		d.Defer(i, 1)
	}
	next := 0
	d.Due(func(x int) {
		if x != next {
			t.Fatalf("given %d, want %d", x, next)
		}
		next++
		d.Defer(1000+x, 1)
		d.Due(func(int) { t.Fatal("Due inside Due") })
	})
	if next != 500 || d.Len() != 500 || d.Bytes() != 500 {
		t.Fatalf("given %d, waiting %d, %d bytes", next, d.Len(), d.Bytes())
	}
	var taken *Parcel[int]
	d.Due(func(x int) {
		if taken == nil {
			taken = d.Take()
		}
	})
	if taken.Len() != 499 || d.Len() != 0 || d.Bytes() != 0 {
		t.Fatalf("taken %d, waiting %d", taken.Len(), d.Len())
	}
	d.Adopt(taken)
	given := 0
	d.Due(func(x int) {
		given++
		d.Drain(func(int) { given++ })
		d.Defer(-1, 5)
	})
	if given != 499 || d.Len() != 1 || d.Bytes() != 5 {
		t.Fatalf("given %d, waiting %d, %d bytes", given, d.Len(), d.Bytes())
	}
}

// TestDueTaken: items that fn defers wait for a later call, even if fn has taken all
// others.
func TestDueTaken(t *testing.T) {
	d := NewDeferred[int](NewGrace(), 100)
	d.Defer(1, 1)
	d.Defer(2, 1)
	given := 0
	give := func(int) {
		if given++; given == 1 {
			if n := d.Take().Len(); n != 1 {
				t.Errorf("taken %d", n)
			}
			d.Defer(3, 100) // a separate batch
		}
	}
	d.Due(give)
	if given != 1 || d.Len() != 1 {
		t.Errorf("given %d, waiting %d", given, d.Len())
	}
	if d.Due(give); given != 2 || d.Len() != 0 {
		t.Errorf("given %d, waiting %d", given, d.Len())
	}
}

func TestDuePanics(t *testing.T) {
	d := NewDeferred[int](NewGrace(), 0)
	d.Defer(1, 1)
	d.Defer(2, 2)
	mustPanic(t, "boom", func() { d.Due(func(int) { panic("ichor: boom") }) })
	if d.Len() != 1 || d.Bytes() != 2 {
		t.Errorf("waiting %d, %d bytes", d.Len(), d.Bytes())
	}
	d.Due(func(x int) {
		if x != 2 {
			t.Errorf("given %d", x)
		}
	})
	if d.Len() != 0 {
		t.Error("Due does nothing after a panic in it")
	}
}

// TestDrain: a cascade runs to its end, even if readers are online.
func TestDrain(t *testing.T) {
	g := NewGrace()
	r := g.Register()
	r.Online()
	d := NewDeferred[int](g, 100)
	d.Defer(10, 7)
	d.Due(nil)
	d.Defer(1000, 3)
	sum := 0
	d.Drain(func(x int) {
		sum++
		if x > 0 && x < 1000 {
			d.Defer(x-1, int64(x))
			d.Defer(0, 0)
		}
	})
	if sum != 22 || d.Len() != 0 || d.Bytes() != 0 || d.open != 0 || d.openSize != 0 || d.parcel.batches.n != 0 {
		t.Errorf("given %d, left %+v", sum, d)
	}
}

// TestAdopt: items keep their goals when they are passed on.
func TestAdopt(t *testing.T) {
	g := NewGrace()
	r := g.Register()
	a, b := NewDeferred[int](g, 100), NewDeferred[int](g, 100)
	a.Defer(1, 10)
	a.Defer(2, 20)
	r.Online()
	b.Defer(3, 30)
	p := a.Take()
	if a.Len() != 0 || a.Bytes() != 0 || p.Len() != 2 {
		t.Fatalf("left %d, taken %d", a.Len(), p.Len())
	}
	b.Adopt(p)
	b.Adopt(p) // empty by now
	b.Adopt(a.Take())
	b.Defer(4, 40)
	if b.Len() != 4 || b.Bytes() != 100 || p.Len() != 0 {
		t.Fatalf("waiting %d, %d bytes", b.Len(), b.Bytes())
	}
	var got []int
	give := func(x int) { got = append(got, x) }
	b.Due(give)
	if got != nil {
		t.Fatalf("given %v despite an online reader", got)
	}
	r.Quiescent()
	b.Due(give)
	if !slices.Equal(got, []int{3, 1, 2, 4}) {
		t.Fatalf("given %v", got)
	}
	b.Defer(5, 0)
	mustPanic(t, "another Grace", func() { NewDeferred[int](NewGrace(), 0).Adopt(b.Take()) })
	mustPanic(t, "-1 bytes to defer: Deferred.Defer", func() { b.Defer(1, -1) })
}

// TestDeferredAllocates: a ring that is long enough does not allocate.
func TestDeferredAllocates(t *testing.T) {
	d := NewDeferred[int](NewGrace(), 1<<20)
	none := func(int) {}
	if n := testing.AllocsPerRun(20, func() {
		for i := range 1000 {
			d.Defer(i, 8)
		}
		d.Due(none)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestDeferredModel compares two queues, which pass parcels to each other, with slices.
func TestDeferredModel(t *testing.T) {
	type thing struct {
		x     int
		bytes int64
		goal  uint64 // 0: open
	}
	rapid.Check(t, func(t *rapid.T) {
		const budget = 400
		g := NewGrace()
		readers := []*Reader{g.Register(), g.Register()}
		gm := newGraceModel(len(readers))
		ds := [2]*Deferred[int]{NewDeferred[int](g, budget), NewDeferred[int](g, budget)}
		var model [2][]thing
		next, period := 0, uint64(1)
		pick := rapid.IntRange(0, 1)
		closeBatch := func(i int) {
			open := 0
			for k := range model[i] {
				if model[i][k].goal == 0 {
					model[i][k].goal = period + 1
					open++
				}
			}
			if open > 0 {
				period++
				gm.advance(period)
			}
		}
		push := func(i int, bytes int64) {
			ds[i].Defer(next, bytes)
			model[i] = append(model[i], thing{next, bytes, 0})
			next++
			n, size := 0, int64(0)
			for _, th := range model[i] {
				if th.goal == 0 {
					n++
					size += th.bytes
				}
			}
			if n == 128 || size >= budget/4 {
				closeBatch(i)
			}
		}
		check := func(t *rapid.T, i int, x int) {
			if len(model[i]) == 0 || model[i][0].x != x {
				t.Fatalf("given %d, want the first of %v", x, model[i])
			}
			model[i] = model[i][1:]
		}
		actions := gm.actions(readers)
		actions["defer"] = func(t *rapid.T) {
			i, n := pick.Draw(t, "i"), rapid.IntRange(1, 200).Draw(t, "n")
			bytes := rapid.Int64Range(0, 120).Draw(t, "bytes") / int64(n)
			for range n {
				push(i, bytes)
			}
		}
		actions["due"] = func(t *rapid.T) {
			i, again := pick.Draw(t, "i"), rapid.IntRange(0, 3).Draw(t, "again")
			closeBatch(i)
			due := 0
			for due < len(model[i]) && gm.passed(model[i][due].goal) {
				due++
			}
			ds[i].Due(func(x int) {
				check(t, i, x)
				if due--; again > 0 {
					again--
					push(i, 1)
				}
			})
			if due != 0 {
				t.Fatalf("%d more were due", due)
			}
		}
		actions["drain"] = func(t *rapid.T) {
			i, again := pick.Draw(t, "i"), rapid.IntRange(0, 3).Draw(t, "again")
			ds[i].Drain(func(x int) {
				check(t, i, x)
				if again > 0 {
					again--
					push(i, 1)
				}
			})
		}
		actions["adopt"] = func(t *rapid.T) {
			from := pick.Draw(t, "from")
			to := pick.Draw(t, "to")
			closeBatch(from)
			all := model[from]
			model[from] = nil
			p := ds[from].Take()
			if len(all) > 0 {
				closeBatch(to)
			}
			ds[to].Adopt(p)
			model[to] = append(model[to], all...)
		}
		actions[""] = func(t *rapid.T) {
			for i, d := range ds {
				bytes := int64(0)
				for _, th := range model[i] {
					bytes += th.bytes
				}
				if d.Len() != len(model[i]) || d.Bytes() != bytes || d.Over() != (bytes > budget) {
					t.Fatalf("queue %d: %d things, %d bytes; model %d, %d", i, d.Len(), d.Bytes(), len(model[i]), bytes)
				}
			}
			if g.period.Load() != period {
				t.Fatalf("period %d, model %d", g.period.Load(), period)
			}
		}
		t.Repeat(actions)
	})
}

func TestRingGivesBack(t *testing.T) {
	var r ring[*int]
	for range 2 * ringKeep {
		r.push(new(int))
	}
	for r.n > 0 {
		if r.pop() == nil {
			t.Fatal("items are lost")
		}
	}
	if r.buf != nil {
		t.Error("an empty ring keeps a long slice")
	}
	for range ringKeep {
		r.push(new(int))
	}
	for r.n > 0 {
		r.pop()
	}
	if len(r.buf) != ringKeep {
		t.Errorf("an empty ring has a slice of %d, want %d", len(r.buf), ringKeep)
	}
	for range 5 {
		r.push(new(int))
	}
	for r.n > 0 {
		r.pop()
	}
	for _, p := range r.buf {
		if p != nil {
			t.Error("an empty ring holds on to things")
		}
	}
}

func BenchmarkDeferred(b *testing.B) {
	d := NewDeferred[uint32](NewGrace(), 0)
	none := func(uint32) {}
	i := 0
	for b.Loop() {
		d.Defer(1, 16)
		if i++; i%256 == 0 {
			d.Due(none)
		}
	}
}

// TestDeferredEach: Each sees all items in order, those of closed batches and of the open one,
// and leaves them.
func TestDeferredEach(t *testing.T) {
	g := NewGrace()
	r := g.Register()
	r.Online()
	d := NewDeferred[int](g, 1<<20)
	var got, want []int
	for i := range 300 {
		d.Defer(i, 1)
		if i%3 == 0 {
			d.pop() // so that the ring goes round
		}
	}
	for i := 100; i < 300; i++ {
		want = append(want, i)
	}
	for range 2 {
		got = nil
		d.Each(func(x int) { got = append(got, x) })
		if !slices.Equal(got, want) || d.Len() != 200 {
			t.Fatalf("each of %v, %d are left", got, d.Len())
		}
	}
	r.Offline()
}
