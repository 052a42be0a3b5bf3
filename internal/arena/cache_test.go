package arena

import (
	"errors"
	goruntime "runtime"
	"slices"
	"testing"
)

func (s *Space) wantSound(t testing.TB) {
	t.Helper()
	s.Check()
	if err := s.sound(); err != nil {
		t.Error(err)
	}
}

// TestRefill: the slow path counts itself, publishes the account, and collects remote
// frees before it looks for a span.
func TestRefill(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c, other := s.NewCache(), s.NewCache()
	refills := func(when string, want uint32) {
		t.Helper()
		if got := c.Refills(); got != want {
			t.Errorf("%s: %d refills, want %d", when, got, want)
		}
	}
	published := func(when string, count, bytes int64) {
		t.Helper()
		if u := s.Usage(); u.Count[Leaves] != count || u.Bytes[Leaves] != bytes {
			t.Errorf("%s: %d of %d bytes are published, want %d of %d", when, u.Count[Leaves], u.Bytes[Leaves], count, bytes)
		}
	}
	h := mustAlloc(t, c, Leaves, MaxSmall)
	refills("the first", 1)
	published("the first", 0, 0)
	mustAlloc(t, c, Leaves, MaxSmall)
	refills("from a span that has room", 1)
	published("from a span that has room", 0, 0)
	other.Free(h)
	if got := mustAlloc(t, c, Leaves, MaxSmall); got != h {
		t.Errorf("the slot at %#x is not the one that was freed, %#x", got, h)
	}
	refills("from a span that is full", 2)
	published("from a span that is full", 2, 4*MaxSmall*GranuleSize/2) // the other cache has not published its frees
	mustAlloc(t, c, Leaves, SpanGranules+1)
	refills("a large block", 3)
	published("a large block", 3, 3*MaxSmall*GranuleSize)
	c.Publish()
	published("all", 4, 3*MaxSmall*GranuleSize+2*SpanSize)
	other.Publish()
	published("all except the freed block", 3, 2*MaxSmall*GranuleSize+2*SpanSize)
	if c.spans != 1 {
		t.Errorf("the cache has %d spans, want 1", c.spans)
	}
	s.wantSound(t)
}

// TestSpansOfAClass fills spans of a cache and frees in each of them. Spans with free
// slots are found again, also in the middle of the list. Empty spans are given back,
// except the first.
func TestSpansOfAClass(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c := s.NewCache()
	const each = 4
	n := uint32(SpanGranules / each)
	var hs [6][each]uint32
	for i := range hs {
		for j := range hs[i] {
			hs[i][j] = mustAlloc(t, c, Leaves, n)
		}
	}
	class := ClassOf(n)
	list := func(when string, want ...uint32) {
		t.Helper()
		var got []uint32
		for sp := c.current[Leaves][class]; sp != nil; sp = sp.next {
			got = append(got, sp.start)
		}
		var starts []uint32
		for _, i := range want {
			starts = append(starts, hs[i][0])
		}
		if !slices.Equal(got, starts) {
			t.Errorf("%s: spans %#x have room, want %#x", when, got, starts)
		}
		s.wantSound(t)
	}
	list("all are full", 5)
	for _, i := range []int{0, 1, 2, 3} {
		c.Free(hs[i][1])
	}
	list("four have room", 5, 3, 2, 1, 0)
	c.Free(hs[2][0])
	list("one of them has more", 5, 3, 2, 1, 0)
	c.Free(hs[2][2])
	c.Free(hs[2][3])
	list("one in the middle is empty", 5, 3, 1, 0)
	for _, j := range []int{0, 2, 3} {
		c.Free(hs[0][j])
	}
	list("the last one is empty", 5, 3, 1)
	for j := range each {
		c.Free(hs[5][j])
	}
	list("the first one is empty", 5, 3, 1)
	if c.spans != 4 {
		t.Errorf("the cache has %d spans, want 4", c.spans)
	}
	s.wantCommitted(t, "two are kept warm", 6)
	for range each {
		mustAlloc(t, c, Leaves, n)
	}
	list("the first one is full", 5, 3, 1)
	if h := mustAlloc(t, c, Leaves, n); h != hs[3][1] {
		t.Errorf("the next slot lies at %#x, want the free one of the next span, %#x", h, hs[3][1])
	}
	list("the one that was full is out", 3, 1)
	for j := range each {
		c.Free(hs[3][j])
	}
	c.Trim()
	list("the first one is empty, and goes", 1)
}

// TestTrimFirst: at the limit a cache gives back its own empty spans, for a large block
// and for a slot of another class.
func TestTrimFirst(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20, Limit: 4 << SpanShift})
	defer s.Close()
	c := s.NewCache()
	for _, p := range []Purpose{Leaves, Containers, Blocks} {
		c.Free(mustAlloc(t, c, p, 100))
	}
	s.wantCommitted(t, "one each", 3)
	h, err := c.Alloc(Blocks, 4*SpanGranules)
	if err != nil {
		t.Fatalf("a block of the limit: %v", err)
	}
	c.Free(h)
	for _, p := range []Purpose{Leaves, Containers, Blocks} {
		for _, n := range []uint32{100, 200} {
			h := mustAlloc(t, c, p, n)
			if p > Leaves {
				c.Free(h)
			}
		}
	}
	s.wantCommitted(t, "at the limit", 4)
	s.wantSound(t)
}

// TestLarge: a large block takes whole spans, and any cache can free it.
func TestLarge(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c, other := s.NewCache(), s.NewCache()
	for _, x := range []struct{ n, spans uint32 }{{MaxSmall + 1, 1}, {SpanGranules, 1}, {SpanGranules + 1, 2}, {3 * SpanGranules, 3}} {
		h := mustAlloc(t, c, Containers, x.n)
		s.wantCommitted(t, "one block", int64(x.spans))
		if got := s.Tracked(nil); len(got) != 1 || got[0].start != h {
			t.Errorf("%d spans are tracked, want that of the block", len(got))
		}
		if p, n, ok := s.Block(h); p != Containers || n != x.spans*SpanGranules || !ok || s.Granules(h) != n {
			t.Errorf("it is known as %d granules of %s", n, p)
		}
		if _, _, ok := s.Block(h + SpanGranules - 1); ok {
			t.Error("another block lies within it")
		}
		var at []uint32
		s.WalkObjects(func(h uint32) bool { at = append(at, h); return true })
		if len(at) != 1 || at[0] != h {
			t.Errorf("the walk finds %#x, want %#x", at, h)
		}
		if x.spans > 1 {
			mustPanic(t, "free of memory that is not in use: ", func() { other.Free(h + SpanGranules) })
			other.account = Account{}
		}
		other.Free(h)
		if got := s.Tracked(nil); len(got) != 0 {
			t.Errorf("%d spans are tracked although none is in use", len(got))
		}
		mustPanic(t, "free of memory that is not in use: ", func() { other.Free(h) })
		other.account = Account{}
		c.account = Account{}
		s.wantSound(t)
		s.central.mu.Lock()
		s.central.cool()
		s.central.mu.Unlock()
	}
}

// TestContainers: a cache reports its containers when there are 64 more or fewer than
// last reported.
func TestContainers(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c := s.NewCache()
	var hs []uint32
	say := func(when string, want int64) {
		t.Helper()
		c.Publish()
		c.Publish()
		if got := s.Containers(); got != want {
			t.Errorf("%s: %d containers, want %d", when, got, want)
		}
	}
	for range tellAfter - 1 {
		hs = append(hs, mustAlloc(t, c, Containers, 2))
	}
	say("63", 0)
	for range 2 {
		hs = append(hs, mustAlloc(t, c, Containers, 2))
		say("64", 64)
	}
	for range tellAfter - 1 {
		c.Free(hs[0])
		hs = hs[1:]
	}
	say("2", 64)
	c.Free(hs[0])
	say("1", 64)
	c.Free(hs[1])
	say("none", 0)
}

// TestAccounts: the account of a cache includes all that it allocates and frees,
// wherever the block lies, and counts whole slots.
func TestAccounts(t *testing.T) {
	s := newSpace(t, Config{Reserve: 64 << 20})
	defer s.Close()
	a, b := s.NewCache(), s.NewCache()
	for i, c := range []*Cache{a, b} {
		var want Account
		var hs []uint32
		for p := range Purpose(cached) {
			for _, n := range []uint32{2, 9, 128, 129, MaxSmall, MaxSmall + 1, 2*SpanGranules + 1} {
				for range 10 {
					hs = append(hs, mustAlloc(t, c, p, n))
					want.Count[p]++
					want.Bytes[p] += int64(s.Granules(hs[len(hs)-1])) * GranuleSize
				}
			}
		}
		c.flush(false)
		if c.account != want {
			t.Errorf("cache %d: account %+v, want %+v", i, c.account, want)
		}
		for _, h := range hs {
			a.Free(h)
		}
		a.flush(false)
		if sum := a.account; i == 0 && sum != (Account{}) {
			t.Errorf("left: %+v", sum)
		}
	}
	for p := range Purposes {
		if a.account.Count[p]+b.account.Count[p] != 0 || a.account.Bytes[p]+b.account.Bytes[p] != 0 {
			t.Errorf("%s: %d and %d are left", Purpose(p), a.account.Count[p], b.account.Count[p])
		}
	}
}

// TestAnnouncedBeforeTheBit: a span is announced before the bit is set. An owner that
// collects in between finds nothing, and collects again.
func TestAnnouncedBeforeTheBit(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c := s.NewCache()
	h := mustAlloc(t, c, Leaves, MaxSmall)
	x := mustAlloc(t, c, Leaves, MaxSmall)
	sp := s.central.span(h)
	sp.pending.Inc() // the first half of a putRemote
	c.pushRemote(sp)
	sp.putRemote(sp.slot(x)>>6, 1<<(sp.slot(x)&63)) // another, complete one in between
	c.collectRemote(false)
	if sp.nfree != 1 || sp.pending.Load() != 1 || c.remote.Load() != sp {
		t.Errorf("%d slots are free, %d are announced, and the span is in the list: %t", sp.nfree, sp.pending.Load(), c.remote.Load() == sp)
	}
	sp.remote[0].Or(1 << sp.slot(h)) // the second half of the first
	c.collectRemote(false)
	if sp.nfree != 2 || sp.pending.Load() != 0 || c.remote.Load() != nil {
		t.Errorf("%d slots are free, %d are announced", sp.nfree, sp.pending.Load())
	}
	s.wantSound(t)
}

// TestTwoSpansAnnounced: the list holds all announced spans, and those that become
// empty are given back.
func TestTwoSpansAnnounced(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c, other := s.NewCache(), s.NewCache()
	var hs []uint32
	for range 8 {
		hs = append(hs, mustAlloc(t, c, Leaves, MaxSmall))
	}
	for _, i := range []int{0, 2, 3, 4, 5} {
		other.Free(hs[i])
	}
	c.Trim()
	if c.spans != 2 || c.remote.Load() != nil {
		t.Errorf("%d spans are left, want 2", c.spans)
	}
	s.wantSound(t)
	if h := mustAlloc(t, c, Leaves, MaxSmall); h != hs[0] {
		t.Errorf("the slot at %#x is not the one that was freed", h)
	}
}

// TestReturnWaits: Return waits until the claim of the cache has ended.
func TestReturnWaits(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c := s.NewCache()
	c.Leave()
	mu := &s.central.mu
	mu.Lock()
	if !c.claim() || c.claim() {
		t.Fatal("a cache that was left is claimed once")
	}
	begun, done := make(chan bool), make(chan bool)
	go func() {
		close(begun)
		c.Return()
		close(done)
	}()
	<-begun
	for range 1000 {
		goruntime.Gosched()
	}
	select {
	case <-done:
		t.Error("Return did not wait for the claim")
	default:
	}
	if mu.TryLock() {
		t.Error("the owner has released the lock")
	}
	c.letGo()
	mu.Unlock()
	<-done
	if got := c.state.Load(); got != owned {
		t.Errorf("state %d, want owned", got)
	}
	if c.claim() {
		t.Error("a cache that is owned was claimed")
	}
	if !mu.TryLock() {
		t.Fatal("the owner has not released the lock")
	}
	mu.Unlock()
}

// TestSpanCheck breaks each identity of a span and of the central.
func TestSpanCheck(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c := s.NewCache()
	h := mustAlloc(t, c, Leaves, 2)
	for range 70 {
		mustAlloc(t, c, Leaves, 2)
	}
	sp := s.central.span(h)
	s.Check()
	for name, b := range map[string]func() func(){
		"a slot is free and remote": func() func() {
			sp.remote[1].Store(sp.free[1])
			return func() { sp.remote[1].Store(0) }
		},
		"a free slot below the cursor": func() func() {
			sp.free[0] |= 1
			sp.nfree++
			return func() { sp.free[0] &^= 1; sp.nfree-- }
		},
		"one too many is counted":    func() func() { sp.nfree++; return func() { sp.nfree-- } },
		"one too few":                func() func() { sp.nfree--; return func() { sp.nfree++ } },
		"a span too many is counted": func() func() { s.central.mu.used++; return func() { s.central.mu.used-- } },
		"a span of extents too many": func() func() { s.central.mu.extents++; return func() { s.central.mu.extents-- } },
		"the limit": func() func() {
			l := s.central.mu.limit
			s.central.mu.limit = 0
			return func() { s.central.mu.limit = l }
		},
		"the limit, with one warm": func() func() {
			l := s.central.mu.limit
			s.central.mu.limit, s.central.mu.warm = 1, []uint32{9}
			return func() { s.central.mu.limit, s.central.mu.warm = l, nil }
		},
	} {
		undo := b()
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			s.Check()
		}()
		undo()
		s.Check()
	}
	s.central.mu.limit = 1 // exactly at the limit
	s.Check()
}

// TestFreedTwice: every way of freeing notices that the slot is free already, whichever
// thread frees it.
func TestFreedTwice(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c, other := s.NewCache(), s.NewCache()
	h := mustAlloc(t, c, Leaves, 2)
	mustAlloc(t, c, Leaves, 2)
	c.Free(h)
	other.Free(h)
	other.send(false)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("freed by the owner and by another: no panic")
			}
		}()
		c.Trim()
	}()
}

// TestHidden: a slot that was hidden is visible to the collector again once a new
// container lies there.
func TestHidden(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c := s.NewCache()
	n := uint32(SpanGranules / 4)
	var hs []uint32
	for range 4 {
		hs = append(hs, mustAlloc(t, c, Containers, n))
	}
	sp := s.central.span(hs[0])
	containers := func(when string, tracked bool, want ...uint32) {
		t.Helper()
		all := s.Tracked(nil)
		if (len(all) == 1) != tracked {
			t.Errorf("%s: %d spans are tracked", when, len(all))
		}
		if got := sp.Containers(nil); !slices.Equal(got, want) {
			t.Errorf("%s: containers %#x, want %#x", when, got, want)
		}
		s.wantSound(t)
	}
	if first, size, n := sp.Slots(); first != hs[0] || size != SpanGranules/4 || n != 4 {
		t.Errorf("%d slots of %d from %#x on", n, size, first)
	}
	containers("none is hidden", true, hs...)
	for range 2 {
		s.Hide(hs[1])
		containers("one is hidden", true, hs[0], hs[2], hs[3])
	}
	for _, h := range hs {
		s.Hide(h)
	}
	containers("all are hidden", false)
	leaf := mustAlloc(t, c, Leaves, 2)
	s.Hide(leaf)
	if s.central.span(leaf).hidden != nil {
		t.Error("hiding a leaf has an effect")
	}
	s.Hide(mustAlloc(t, c, Blocks, SpanGranules))
	large := mustAlloc(t, c, Containers, SpanGranules+1)
	if all := s.Tracked(nil); len(all) != 1 || all[0].start != large || all[0].Number() != large/SpanGranules {
		t.Errorf("%d spans are tracked, want the large one", len(all))
	}
	lsp := s.central.span(large)
	if got := lsp.Containers([]uint32{1}); !slices.Equal(got, []uint32{1, large}) {
		t.Errorf("containers %#x of a large span", got)
	}
	if first, size, n := lsp.Slots(); first != large || size != 2*SpanGranules || n != 1 {
		t.Errorf("%d slots of %d from %#x on", n, size, first)
	}
	if s.Hide(large); lsp.hidden != nil {
		t.Error("a large span has hidden slots")
	}
	if all := s.Tracked(nil); len(all) != 0 {
		t.Error("a hidden large span is tracked")
	}
	for _, h := range hs {
		c.Free(h)
	}
	c.Trim()
	if h := mustAlloc(t, c, Containers, n); h != hs[0] {
		t.Fatalf("the span that was given back is not used again: %#x", h)
	}
	containers("one that is new", true, hs[0])
}

// TestContainersOfASpan: the containers of a span are its slots that are neither free
// nor remotely freed, also where the last word of the bitmap is not full.
func TestContainersOfASpan(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	c, other := s.NewCache(), s.NewCache()
	for _, n := range []uint32{2, 5, 64, 315} {
		var want []uint32
		slots := SpanGranules / classGranules[ClassOf(n)]
		for i := range slots {
			h := mustAlloc(t, c, Containers, n)
			switch i % 3 {
			case 0:
				other.Free(h)
			case 1:
				want = append(want, h)
			case 2:
				defer c.Free(h)
			}
		}
		other.send(false)
		sp := s.central.span(want[0])
		var both []uint32
		for i := range sp.slots {
			if sp.live(i) {
				both = append(both, sp.start+i*sp.size)
			}
		}
		if got := sp.Containers(nil); !slices.Equal(got, both) || len(got) < len(want) {
			t.Errorf("%d granules: %d containers, want %d", n, len(got), len(both))
		}
		var walked []uint32
		s.Walk(Containers, func(h uint32) bool {
			if s.central.span(h) == sp {
				walked = append(walked, h)
			}
			return true
		})
		if !slices.Equal(walked, both) {
			t.Errorf("%d granules: the walk finds %d, want %d", n, len(walked), len(both))
		}
	}
	calls := 0
	s.Walk(Containers, func(uint32) bool { calls++; return calls < 3 })
	if calls != 3 {
		t.Errorf("a walk continues after its function returned false: %d calls", calls)
	}
}

// TestLargeAtTheLimit: the error is ErrLimit, and nothing is lost.
func TestLargeAtTheLimit(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20, Limit: 2 << SpanShift})
	defer s.Close()
	c := s.NewCache()
	mustAlloc(t, c, Leaves, 2)
	for range 2 {
		if _, err := c.Alloc(Blocks, 2*SpanGranules); !errors.Is(err, ErrLimit) {
			t.Errorf("beyond the limit: %v", err)
		}
	}
	mustAlloc(t, c, Blocks, SpanGranules)
	s.wantSound(t)
}
