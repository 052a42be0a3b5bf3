package arena

import "testing"

// TestOutbox: slots of another cache's span wait until the outbox is full, and those that lie in
// one word of the bitmap are announced together.
func TestOutbox(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c, other := s.NewCache(), s.NewCache()
	var hs []uint32
	for range 70 + outboxSize {
		hs = append(hs, mustAlloc(t, c, Leaves, 2))
	}
	sp := s.central.span(hs[0])
	remote := func() (n int) {
		for i := range sp.slots {
			if sp.remote[i>>6].Load()&(1<<(i&63)) != 0 {
				n++
			}
		}
		return n
	}
	state := func(when string, waiting uint32, sent int) {
		t.Helper()
		if n := remote(); other.out.n != waiting || n != sent || int(sp.pending.Load()) != sent {
			t.Errorf("%s: %d slots wait, %d are free, and %d were announced; want %d and %d", when, other.out.n, n, sp.pending.Load(), waiting, sent)
		}
		other.Publish()
		if u := other.published[Leaves].count.Load(); u != -int64(waiting)-int64(sent) {
			t.Errorf("%s: the account says %d", when, u)
		}
	}
	free := func(n int) {
		for range n {
			other.Free(hs[0])
			hs = hs[1:]
		}
	}
	free(outboxSize - 1)
	state("before it is full", outboxSize-1, 0)
	free(1)
	state("full", 0, outboxSize)
	free(outboxSize + 6) // over the end of the word
	state("full again", 6, 2*outboxSize)
	other.Leave()
	state("left", 0, 2*outboxSize+6)
	other.Return()
	free(3)
	seen := 0
	s.Walk(Leaves, func(uint32) bool { seen++; return true })
	state("walked", 0, 2*outboxSize+9)
	if seen != len(hs) {
		t.Errorf("a walk finds %d slots, want %d", seen, len(hs))
	}
	free(1)
	other.Trim()
	state("trimmed", 0, 2*outboxSize+10)
	c.Trim()
	if got := sp.slots - sp.nfree; int(got) != len(hs) || sp.pending.Load() != 0 {
		t.Errorf("%d slots are in use, want %d", got, len(hs))
	}
	s.wantSound(t)
}

// TestOutboxSpans: slots of several spans and words go where they belong, in any order.
func TestOutboxSpans(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c, other := s.NewCache(), s.NewCache()
	var a, b []uint32
	for range 200 {
		a, b = append(a, mustAlloc(t, c, Leaves, 2)), append(b, mustAlloc(t, c, Blocks, 3))
	}
	for i := range 200 {
		other.Free(a[i*37%200])
		if i%3 != 0 {
			other.Free(b[i*73%200])
		}
	}
	other.Trim()
	c.Trim()
	if u := s.Usage(); u.Count[Leaves] != 0 || u.Count[Blocks] != 67 {
		t.Errorf("%d leaves and %d blocks are in use, want 0 and 67", u.Count[Leaves], u.Count[Blocks])
	}
	for i := range 200 {
		h := b[i*73%200]
		if sp := s.central.span(h); sp.live(sp.slot(h)) != (i%3 == 0) {
			t.Errorf("block %d of 200 is in use: %t", i, i%3 != 0)
		}
	}
	s.wantSound(t)
}

// TestOutboxOfABorrower: a span may be lent to the cache that has slots of it in its outbox.
func TestOutboxOfABorrower(t *testing.T) {
	lendOften(t, 0)
	LendAfter = 1
	s := newSpace(t, Config{Reserve: 64 << 20})
	defer s.Close()
	a, b := s.NewCache(), s.NewCache()
	kept, x, y := mustAlloc(t, a, Leaves, 2), mustAlloc(t, a, Leaves, 2), mustAlloc(t, a, Leaves, 2)
	sp := s.central.span(kept)
	b.Free(x)
	b.Free(y)
	a.Leave()
	mustAlloc(t, b, Containers, 2) // a span is handed out
	z := mustAlloc(t, b, Leaves, 2)
	if sp.cache.Load() != b || b.out.n != 2 {
		t.Fatalf("the span was not lent, or the outbox has %d slots", b.out.n)
	}
	all := []uint32{kept, z}
	for s.central.span(z) == sp { // until another span is in use
		z = mustAlloc(t, b, Leaves, 2)
		all = append(all, z)
	}
	b.flush(false)
	if sp.nfree != 2 || sp.pending.Load() != 0 || !sp.listed {
		t.Errorf("%d slots are free, %d announced, and the span is in a list: %t", sp.nfree, sp.pending.Load(), sp.listed)
	}
	for _, h := range all {
		b.Free(h)
	}
	b.Trim()
	if sp.state != spanFree {
		t.Error("the span was not given back")
	}
	a.Return()
	s.wantSound(t)
}

// TestOutboxAtOnce: large slots, those of the common cache, and all slots of a space without
// magazines, do not wait.
func TestOutboxAtOnce(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c, other := s.NewCache(), s.NewCache()
	other.Free(mustAlloc(t, c, Leaves, MagazineGranules+2))
	first := mustAlloc(t, other, Leaves, 2)
	if sp := s.central.span(first); sp.owner() != s.central.common {
		t.Fatal("the first slot of a cache is not common")
	}
	c.Free(first)
	direct := newSpace(t, Config{Reserve: 16 << 20, Direct: true})
	defer direct.Close()
	d, e := direct.NewCache(), direct.NewCache()
	x := mustAlloc(t, d, Leaves, 2)
	e.Free(x)
	if n := c.out.n + other.out.n + e.out.n; n != 0 {
		t.Errorf("%d slots wait", n)
	}
	if sp := direct.central.span(x); sp.pending.Load() != 1 {
		t.Errorf("%d frees were announced", sp.pending.Load())
	}
	s.wantSound(t)
	direct.wantSound(t)
}

// TestOutboxTwice: a slot that lies in an outbox twice was freed twice.
func TestOutboxTwice(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c, other := s.NewCache(), s.NewCache()
	x, y := mustAlloc(t, c, Leaves, 2), mustAlloc(t, c, Leaves, 2)
	other.Free(x)
	other.Free(y)
	other.Free(x)
	mustPanic(t, "memory freed twice", func() { other.send(false) })
	if other.out.n != 0 {
		t.Errorf("%d slots wait after that", other.out.n)
	}
}
