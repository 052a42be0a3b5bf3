package arena

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// lendOften sets LendAfter and FirstSlots, so that spans are lent as soon as their
// cache is left.
func lendOften(t testing.TB, first int) {
	f, l := FirstSlots, LendAfter
	FirstSlots, LendAfter = first, 0
	t.Cleanup(func() { FirstSlots, LendAfter = f, l })
}

func mustAlloc(t testing.TB, c *Cache, p Purpose, n uint32) uint32 {
	t.Helper()
	h, err := c.Alloc(p, n)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (s *Space) wantCommitted(t testing.TB, when string, spans int64) {
	t.Helper()
	if u := s.Usage(); u.Committed != spans<<SpanShift {
		t.Errorf("%s: %d spans are committed, want %d", when, u.Committed>>SpanShift, spans)
	}
}

// TestFirstSlots: a thousand threads with a few objects each share spans as long as
// their first slots last. When everything is freed, by whichever thread, one of them
// gives the memory back.
func TestFirstSlots(t *testing.T) {
	forBackings(t, func(t *testing.T, b Backing) {
		s := newSpace(t, Config{Backing: b, Reserve: 64 << 20})
		defer s.Close()
		only := s.NewCache()
		only.Free(mustAlloc(t, only, Leaves, 2))
		if only.spans != 1 || s.central.common.spans != 0 {
			t.Errorf("the first cache of a space has %d spans, and %d are common; want its own", only.spans, s.central.common.spans)
		}
		only.Trim()
		caches := make([]*Cache, 1000)
		var hs []uint32
		for i := range caches {
			caches[i] = s.NewCache()
			for range FirstSlots {
				hs = append(hs, mustAlloc(t, caches[i], Containers, 2))
			}
			caches[i].Publish()
		}
		n := int64(len(hs))
		s.wantCommitted(t, "a few objects each", (n*line+SpanGranules-1)/SpanGranules)
		if u := s.Usage(); u.Count[Containers] != n || u.Bytes[Containers] != n*64 {
			t.Errorf("accounts %+v", u.Account)
		}
		one := mustAlloc(t, caches[0], Containers, 2)
		if s.central.span(one).cache.Load() != caches[0] {
			t.Error("the slot behind the first ones is not from a span of the cache's own")
		}
		caches[0].Free(one)
		s.Check()
		for i, h := range hs {
			caches[(i+7)%len(caches)].Free(h)
		}
		caches[0].Trim()
		for _, c := range caches {
			c.Publish()
		}
		if u := s.Usage(); u.Account != (Account{}) || u.Committed > warmSpans<<SpanShift {
			t.Errorf("left after all blocks were freed: %+v", u)
		}
	})
}

// TestLending follows a span from a cache that was left to the cache that needs it.
func TestLending(t *testing.T) {
	lendOften(t, 0)
	LendAfter = 1
	s := newSpace(t, Config{Reserve: 64 << 20})
	defer s.Close()
	a, b, other := s.NewCache(), s.NewCache(), s.NewCache()
	kept := mustAlloc(t, a, Leaves, 2)
	dropped := mustAlloc(t, a, Leaves, 2)
	sp := s.central.span(kept)
	owner := func(when string, want *Cache) {
		t.Helper()
		if sp.cache.Load() != want {
			t.Errorf("%s: the span has another owner", when)
		}
		s.Check()
	}
	x := mustAlloc(t, b, Leaves, 2)
	owner("its owner is attached", a)
	b.Free(x)
	b.Trim()
	a.Leave()
	x = mustAlloc(t, b, Leaves, 2)
	owner("its owner has just left", a)
	other.Free(dropped)
	other.send(false) // announced to a
	b.Free(x)
	b.Trim()
	mustAlloc(t, other, Containers, 2) // a span is handed out
	x = mustAlloc(t, b, Leaves, 2)
	owner("its owner has been away", b)
	if s.central.span(x) != sp || a.spans != 0 || b.spans != 1 || a.current[Leaves][ClassOf(2)] != nil || a.state.Load() != away {
		t.Errorf("the borrower has %d spans and the other one %d", b.spans, a.spans)
	}
	if sp.nfree != sp.slots-2 {
		t.Errorf("%d slots of %d are free: frees that were announced before should have been collected", sp.nfree, sp.slots)
	}
	a.Return()
	mustPanic(t, "return of a thread that is not away", a.Return)
	a.Free(kept) // a remote free by now
	a.send(false)
	if sp.nfree != sp.slots-2 {
		t.Error("the former owner has freed a slot as if the span was its own")
	}
	b.Free(x)
	b.Trim()
	if sp.state != spanFree || b.spans != 0 {
		t.Errorf("the span, which is empty, was not given back; the borrower has %d", b.spans)
	}
	y := mustAlloc(t, a, Leaves, 2)
	if s.central.span(y).cache.Load() != a {
		t.Error("a cache whose span was lent gets no other")
	}
}

// TestLentAfterAnnouncement: a span is announced to its former owner by a thread that
// looked up the owner before the span was lent. The former owner passes it on to the
// present one.
func TestLentAfterAnnouncement(t *testing.T) {
	lendOften(t, 0)
	s := newSpace(t, Config{Reserve: 64 << 20})
	defer s.Close()
	a, b := s.NewCache(), s.NewCache()
	h := mustAlloc(t, a, Leaves, MaxSmall)
	sp := s.central.span(h)
	a.Leave()
	x := mustAlloc(t, b, Leaves, MaxSmall)
	if sp.cache.Load() != b || s.central.span(x) != sp {
		t.Fatal("the span was not lent")
	}
	// As putRemote does it, except that the owner was looked up before.
	sp.pending.Inc()
	a.pushRemote(sp)
	sp.remote[0].Or(1 << sp.slot(h))
	a.Return()
	a.Trim()
	if sp.nfree != 0 || b.remote.Load() != sp || a.remote.Load() != nil {
		t.Error("the former owner has not passed the span on")
	}
	b.Trim()
	if sp.nfree != 1 {
		t.Error("the present owner has not collected the free")
	}
}

// TestLimitIsCommon: at the limit, caches use the spans of caches that were left, and
// then one common span.
func TestLimitIsCommon(t *testing.T) {
	for _, leave := range []bool{false, true} {
		s := newSpace(t, Config{Reserve: 64 << 20, Limit: 1 << 20})
		a, b, c := s.NewCache(), s.NewCache(), s.NewCache()
		n := 0
		h := mustAlloc(t, b, Leaves, 256) // a first slot, from the common cache
		for ; ; n++ {
			if _, err := a.Alloc(Leaves, 256); err != nil {
				if !errors.Is(err, ErrLimit) {
					t.Error(err)
				}
				break
			}
		}
		if n != 16*16-1 {
			t.Errorf("%d slots, want all of 1 MiB but one", n)
		}
		a.Free(h)
		if _, err := c.Alloc(Leaves, 256); err != nil {
			t.Errorf("another cache does not get the freed slot of the common cache: %v", err)
		}
		// Another class has free slots in a span of a.
		mustFail := func(c *Cache, p Purpose) {
			t.Helper()
			if _, err := c.Alloc(p, 256); !errors.Is(err, ErrLimit) {
				t.Errorf("got %v, want ErrLimit", err)
			}
		}
		mustFail(c, Leaves)
		mustFail(c, Blocks)
		sp := s.central.mu.small[Leaves][ClassOf(256)].next
		for sp.cache.Load() != a {
			sp = sp.after
		}
		for i := range sp.slots {
			if sp.cache.Load() == a && sp.live(i) {
				a.Free(sp.start + i*sp.size)
				break
			}
		}
		if leave {
			a.Leave()
			mustAlloc(t, c, Leaves, 256)
		}
		mustFail(c, Leaves)
		s.Check()
		s.Close()
	}
}

// TestOwnersComeAndGo has threads free the blocks of others while owners come and go,
// so that spans are lent all the time.
func TestOwnersComeAndGo(t *testing.T) {
	lendOften(t, 2)
	forBackings(t, func(t *testing.T, b Backing) {
		s := newSpace(t, Config{Backing: b, Reserve: 64 << 20})
		defer s.Close()
		const threads, rounds = 4, 3000
		pipe := make(chan uint32, 256)
		caches := make([]*Cache, threads)
		for i := range caches {
			caches[i] = s.NewCache()
		}
		var wg sync.WaitGroup
		for i, c := range caches {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(2, uint64(i)))
				var own []uint32
				for n := range rounds {
					h, err := c.Alloc(Leaves, 500+rnd.Uint32N(100))
					if err != nil {
						t.Error(err)
						return
					}
					s.Fill(h, 1, h) // a plain write: the race detector reports it if the slot is in use elsewhere
					if own = append(own, h); len(own) > 3 {
						select {
						case pipe <- own[0]:
							own = own[1:]
						case h := <-pipe:
							c.Free(h)
							c.Free(own[3])
							own = own[:3]
						}
					}
					switch n % 5 {
					case 0:
						c.Leave()
						c.Return()
					case 1:
						c.Trim()
					}
				}
				for _, h := range own {
					c.Free(h)
				}
				c.Leave()
			})
		}
		wg.Wait()
		close(pipe)
		for _, c := range caches {
			c.Return()
		}
		for h := range pipe {
			caches[0].Free(h)
		}
		for range caches {
			for _, c := range caches {
				c.Trim()
			}
		}
		s.Check()
		if u := s.Usage(); u.Account != (Account{}) || u.Committed > warmSpans<<SpanShift {
			t.Errorf("left after all blocks were freed: %+v", u)
		}
	})
}

func mustPanic(t testing.TB, want string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		text := fmt.Sprint(recover())
		if !strings.HasPrefix(text, "ichor: "+want) {
			t.Errorf("panic %q, want %q", text, want)
		}
	}()
	fn()
}

// TestFirstSlotsShareNoLine: what two threads make first does not lie in one cache line, for all
// sizes but large ones.
func TestFirstSlotsShareNoLine(t *testing.T) {
	for _, p := range []Purpose{Leaves, Containers, Blocks} {
		s := newSpace(t, Config{Reserve: 64 << 20})
		s.NewCache() // which has no other to share with
		caches := [...]*Cache{s.NewCache(), s.NewCache(), s.NewCache()}
		for class := ClassOf(MinContainer); classGranules[class] <= linesUpTo; class++ {
			n := classGranules[class]
			users := map[uint32]*Cache{} // of lines
			for range FirstSlots {
				for _, c := range caches {
					h := mustAlloc(t, c, p, n)
					if size := s.Granules(h); size < n || size >= n+2*line {
						t.Errorf("%d granules of %s have a slot of %d", n, p, size)
					}
					for at := h / line; at <= (h+n-1)/line; at++ {
						if other := users[at]; other != nil && other != c {
							t.Fatalf("two threads share a line with %d granules of %s", n, p)
						}
						users[at] = c
					}
				}
			}
		}
		s.wantSound(t)
		s.Close()
	}
}

// TestSpareComesFirst: at the limit, a slot of the common cache is taken before all
// caches are searched, and other caches keep their empty spans.
func TestSpareComesFirst(t *testing.T) {
	s := newSpace(t, Config{Reserve: 64 << 20, Limit: 3 << SpanShift})
	defer s.Close()
	a, b := s.NewCache(), s.NewCache()
	own := mustAlloc(t, a, Leaves, 2)
	a.Free(own)
	a.Leave()
	mustAlloc(t, b, Leaves, 256)
	mustAlloc(t, b, Blocks, 256)
	for range FirstSlots - 1 + 2 { // the last two are no longer first slots
		mustAlloc(t, b, Blocks, 256)
	}
	if a.spans != 1 || b.spans != 0 || s.central.common.spans != 2 {
		t.Errorf("the caches have %d and %d spans, %d are common; want 1, 0, 2", a.spans, b.spans, s.central.common.spans)
	}
	for range 7 { // fills the span
		mustAlloc(t, b, Blocks, 256)
	}
	if a.spans != 0 || b.spans != 1 {
		t.Errorf("the caches have %d and %d spans, want 0 and 1: the empty span of the first is needed now", a.spans, b.spans)
	}
}

// TestTrimShared also gives back the empty spans of the common cache.
func TestTrimShared(t *testing.T) {
	s := newSpace(t, Config{Reserve: 64 << 20})
	defer s.Close()
	a, b := s.NewCache(), s.NewCache()
	a.Free(mustAlloc(t, b, Leaves, 2))
	if s.TrimShared(); s.central.common.spans != 0 {
		t.Errorf("%d spans are common, with nothing in use", s.central.common.spans)
	}
}

// TestCommonIsReused: freed slots of the common cache are reused first.
func TestCommonIsReused(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	only := s.NewCache()
	for range 10 {
		c := s.NewCache()
		kept := mustAlloc(t, c, Leaves, MaxSmall)
		for range FirstSlots - 1 {
			only.Free(mustAlloc(t, c, Leaves, MaxSmall))
		}
		if c.spans != 0 || s.central.common.spans != 1 {
			t.Errorf("the cache has %d spans, and %d are common; want none, and one", c.spans, s.central.common.spans)
		}
		only.Free(kept)
	}
	s.wantSound(t)
}

// TestSpareWithoutAddresses: if no fresh span is available although the limit allows
// one, a slot of the common cache is used, and then a span that can be lent.
func TestSpareWithoutAddresses(t *testing.T) {
	s := newSpace(t, Config{Reserve: 1 << 20}) // 7 spans
	defer s.Close()
	a, b, c := s.NewCache(), s.NewCache(), s.NewCache()
	mustAlloc(t, b, Leaves, 256) // 15 more, in the span of the common cache
	mustAlloc(t, a, Blocks, 256) // likewise, in a span of a
	for range 5 {
		mustAlloc(t, a, Blocks, SpanGranules)
	}
	for range 15 {
		mustAlloc(t, c, Leaves, 256)
	}
	if _, err := c.Alloc(Leaves, 256); !errors.Is(err, ErrAddressSpace) {
		t.Errorf("one too many: %v", err)
	}
	if _, err := c.Alloc(Blocks, 256); !errors.Is(err, ErrAddressSpace) {
		t.Errorf("a slot in a span whose owner is attached: %v", err)
	}
	a.Leave()
	handed := s.central.handed.Load()
	for range 15 {
		mustAlloc(t, c, Blocks, 256)
	}
	if got := s.central.handed.Load() - handed; got != 1 || s.central.common.spans != 2 || a.spans != 0 {
		t.Errorf("%d spans were handed out, %d are common, %d are the owner's; want 1, 2, 0", got, s.central.common.spans, a.spans)
	}
	if _, err := c.Alloc(Blocks, 256); !errors.Is(err, ErrAddressSpace) {
		t.Errorf("one too many: %v", err)
	}
	s.wantSound(t)
}

// TestLendNothingLeft: a span that turns out to be empty goes back to the central, and
// a span without free slots stays.
func TestLendNothingLeft(t *testing.T) {
	lendOften(t, 0)
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	a, b := s.NewCache(), s.NewCache()
	var hs []uint32
	for range 4 {
		hs = append(hs, mustAlloc(t, a, Leaves, MaxSmall))
	}
	b.Free(hs[0])
	b.Free(hs[1])
	a.Leave()
	if h := mustAlloc(t, b, Leaves, MaxSmall); h != hs[0] {
		t.Errorf("the empty span is not used: %#x", h)
	}
	if a.spans != 1 || b.spans != 1 || a.state.Load() != away {
		t.Errorf("the caches have %d and %d spans, want 1 each", a.spans, b.spans)
	}
	s.wantSound(t)
}

// TestLendTries: a few full spans are looked at, different ones each time, and at the
// limit all of them.
func TestLendTries(t *testing.T) {
	lendOften(t, 0)
	s := newSpace(t, Config{Reserve: 16 << 20, Limit: (3*lendTries + 2) << SpanShift})
	defer s.Close()
	a, b := s.NewCache(), s.NewCache()
	for range 2 * 3 * lendTries {
		mustAlloc(t, a, Leaves, MaxSmall)
	}
	ring := &s.central.mu.small[Leaves][ClassOf(MaxSmall)]
	room := func(ahead int) *Span { // frees a slot of the span that is ahead places further on
		sp := ring.next
		for range ahead {
			sp = sp.after
		}
		a.Return()
		a.Free(sp.start)
		a.Leave()
		return sp
	}
	a.Leave()
	sp := room(2*lendTries - 1)
	for i := range 2 {
		h := mustAlloc(t, b, Leaves, MaxSmall)
		if lent := s.central.span(h) == sp; lent != (i == 1) {
			t.Errorf("try %d: lent is %t", i, lent)
		}
		if i == 0 {
			mustAlloc(t, b, Leaves, MaxSmall) // takes the rest of a fresh span
		}
	}
	mustAlloc(t, b, Blocks, MaxSmall)
	sp = room(3*lendTries - 1)
	if h := mustAlloc(t, b, Leaves, MaxSmall); s.central.span(h) != sp {
		t.Error("at the limit lend has not found the span with room")
	}
	s.wantSound(t)
}

// TestSpanRing adds and removes spans, and looks at them in turn.
func TestSpanRing(t *testing.T) {
	var r spanRing
	var sp [4]Span
	looks := func(want ...int) {
		t.Helper()
		for _, i := range want {
			if got := r.look(); got != &sp[i] {
				t.Errorf("looked at another span, not number %d", i)
			}
		}
	}
	if r.look() != nil {
		t.Error("look of an empty ring returns a span")
	}
	r.add(&sp[0])
	looks(0, 0)
	r.add(&sp[1])
	looks(0, 1, 0)
	r.add(&sp[2]) // behind 0, which look returned last
	looks(1, 0, 2, 1)
	r.add(&sp[3])
	looks(0, 2, 1, 3, 0)
	r.remove(&sp[2]) // the one that look would return next
	looks(1, 3, 0, 1)
	r.remove(&sp[0])
	looks(3, 1, 3)
	if sp[0].after != nil || sp[0].before != nil || r.n != 2 {
		t.Errorf("%d spans are in the ring, or a removed span has links", r.n)
	}
	r.remove(&sp[1])
	r.remove(&sp[3])
	if r.look() != nil || r.n != 0 || sp[3].after != nil {
		t.Error("the ring is not empty")
	}
}

// TestTrimCommonOfOwners: Trim by any owner gives back the empty spans of the common
// cache.
func TestTrimGivesCommonBack(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	a, b := s.NewCache(), s.NewCache()
	a.Free(mustAlloc(t, b, Leaves, 2))
	a.Trim()
	if s.central.common.spans != 0 {
		t.Errorf("%d spans are common, with nothing in use", s.central.common.spans)
	}
	if !s.central.mu.TryLock() {
		t.Fatal("the central is locked")
	}
	s.central.mu.Unlock()
}

// TestTrimAway: at the limit, the empty spans of threads that are away and of the
// common cache are given back, but not those of attached threads.
func TestTrimAway(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20, Limit: 3 << SpanShift})
	defer s.Close()
	a, b, c := s.NewCache(), s.NewCache(), s.NewCache()
	a.Free(mustAlloc(t, a, Leaves, 2))
	h := mustAlloc(t, b, Blocks, 2) // from the common cache
	c.Free(h)
	_ = mustAlloc(t, c, Leaves, MaxSmall+1)
	s.wantCommitted(t, "at the limit", 3)
	if _, err := c.Alloc(Blocks, 2*SpanGranules); !errors.Is(err, ErrLimit) {
		t.Errorf("a block that needs a span of an attached owner: %v", err)
	}
	a.Leave()
	if _, err := c.Alloc(Blocks, 2*SpanGranules); err != nil {
		t.Errorf("a block after all other owners have left: %v", err)
	}
	if a.state.Load() != away || b.state.Load() != owned {
		t.Error("the state of a cache has changed")
	}
	s.wantSound(t)
}

// TestTrimAwayForExtents: extents too reclaim empty spans, including those of the
// common cache.
func TestTrimAwayForExtents(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20, Limit: 2 << SpanShift})
	defer s.Close()
	a, b := s.NewCache(), s.NewCache()
	a.Free(mustAlloc(t, a, Leaves, 2))
	a.Free(mustAlloc(t, b, Blocks, 2)) // from the common cache
	e, err := s.NewExtent(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Grow(1); err != nil {
		t.Errorf("an empty span of the common cache: %v", err)
	}
	if err := e.Grow(SpanSize + 1); !errors.Is(err, ErrLimit) {
		t.Errorf("an empty span of an attached owner: %v", err)
	}
	a.Leave()
	if err := e.Grow(SpanSize + 1); err != nil {
		t.Errorf("an empty span of an owner that is away: %v", err)
	}
	s.wantSound(t)
}
