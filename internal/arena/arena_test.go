package arena

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	goruntime "runtime"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

var backings = []Backing{System, Memfd, GoMemory}

// forBackings runs f on every backing that the build can use. The race detector does
// not see system memory, nor the order that its atomics establish.
func forBackings(t *testing.T, f func(t *testing.T, b Backing)) {
	for _, b := range backings {
		if b != GoMemory && (raceEnabled || !haveSystem) || b == Memfd && goruntime.GOOS != "linux" {
			continue
		}
		t.Run(b.String(), func(t *testing.T) { f(t, b) })
	}
}

func newSpace(t testing.TB, cfg Config) *Space {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestClasses(t *testing.T) {
	for n := uint32(1); n <= MaxSmall; n++ {
		c := ClassOf(n)
		if classGranules[c] < n || c > 0 && classGranules[c-1] >= n {
			t.Fatalf("%d granules: class %d of %d", n, c, classGranules[c])
		}
	}
	for _, n := range classGranules {
		m := slotMagic(n)
		for off := uint32(0); off < SpanGranules; off++ {
			if got := uint32(uint64(off) * uint64(m) >> 32); got != off/n {
				t.Fatalf("%d/%d = %d, want %d", off, n, got, off/n)
			}
		}
	}
}

// TestModel runs random allocations and frees of three caches, whose owners come and
// go, and compares them with a map of the blocks that must be in use: blocks do not
// overlap and keep their contents, and the accounts and the walk agree with the map.
func TestModel(t *testing.T) {
	lendOften(t, 3)
	forBackings(t, func(t *testing.T, b Backing) {
		rapid.Check(t, func(t *rapid.T) {
			s, err := New(Config{Backing: b, Reserve: 64 << 20})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			caches := []*Cache{s.NewCache(), s.NewCache(), s.NewCache()}
			left := make([]bool, len(caches))
			owned := func(t *rapid.T) *Cache {
				i := rapid.IntRange(0, len(caches)-1).Draw(t, "cache")
				if left[i] {
					caches[i].Return()
					left[i] = false
				}
				return caches[i]
			}
			type block struct {
				p    Purpose
				n    uint32
				mark uint64
			}
			model := map[uint32]block{}
			var order []uint32
			mark := uint64(0)
			t.Repeat(map[string]func(*rapid.T){
				"alloc": func(t *rapid.T) {
					c := owned(t)
					p := Purpose(rapid.IntRange(0, cached-1).Draw(t, "purpose"))
					n := rapid.OneOf(rapid.Just(uint32(1)), rapid.Uint32Range(2, 16), rapid.Uint32Range(17, MaxSmall), rapid.Uint32Range(MaxSmall+1, 3*SpanGranules)).Draw(t, "granules")
					if p == Containers {
						n = max(n, MinContainer)
					}
					for range rapid.IntRange(1, 200).Draw(t, "times") {
						h, err := c.Alloc(p, n)
						if errors.Is(err, ErrAddressSpace) {
							return
						}
						if err != nil {
							t.Fatal(err)
						}
						if _, dup := model[h]; dup {
							t.Fatalf("handle given out twice")
						}
						mark++
						s.Fill(h, n, uint32(byte(mark))*0x01010101)
						model[h] = block{p, n, mark}
						order = append(order, h)
					}
				},
				"free": func(t *rapid.T) {
					c := owned(t)
					for range rapid.IntRange(1, 300).Draw(t, "times") {
						if len(order) == 0 {
							return
						}
						i := rapid.IntRange(0, len(order)-1).Draw(t, "which")
						h := order[i]
						order[i] = order[len(order)-1]
						order = order[:len(order)-1]
						for _, x := range s.Bytes(h, 4) {
							if x != byte(model[h].mark) {
								t.Fatalf("block overwritten")
							}
						}
						delete(model, h)
						c.Free(h)
					}
				},
				"trim": func(t *rapid.T) { owned(t).Trim() },
				"leave": func(t *rapid.T) {
					i := rapid.IntRange(0, len(caches)-1).Draw(t, "cache")
					if !left[i] {
						caches[i].Leave()
						left[i] = true
					}
				},
				"": func(t *rapid.T) {
					s.Check()
					if err := s.sound(); err != nil {
						t.Fatal(err)
					}
					var want, got [Purposes]int64
					for h, b := range model {
						want[b.p]++
						if p, n, ok := s.Block(h); !ok || p != b.p || n < b.n {
							t.Fatalf("block is not known as in use")
						}
					}
					for p := range Purposes {
						s.Walk(Purpose(p), func(h uint32) bool {
							if model[h].p != Purpose(p) || model[h].n == 0 {
								t.Fatalf("walk finds a block that is not in use")
							}
							got[p]++
							return true
						})
					}
					for i, c := range caches {
						if !left[i] {
							c.Publish()
						}
					}
					if u := s.Usage(); got != want || u.Count != want {
						t.Fatalf("walk and accounts do not agree with the model")
					}
				},
			})
			for i, c := range caches {
				if left[i] {
					c.Return()
				}
			}
			for _, h := range order {
				caches[0].Free(h)
			}
			for range caches { // a list may contain spans of another cache
				for _, c := range caches {
					c.Trim()
				}
			}
			if u := s.Usage(); u.Committed > warmSpans<<SpanShift || u.Count != [Purposes]int64{} || u.Bytes != [Purposes]int64{} {
				t.Fatalf("memory is left although all blocks were freed")
			}
		})
	})
}

// TestForeignFree has several threads at once free blocks that other threads have
// allocated.
func TestForeignFree(t *testing.T) {
	forBackings(t, func(t *testing.T, b Backing) {
		s := newSpace(t, Config{Backing: b, Reserve: 64 << 20})
		defer s.Close()
		const threads, rounds = 4, 4000
		pipes := make([]chan uint32, threads)
		for i := range pipes {
			pipes[i] = make(chan uint32, 64)
		}
		var wg sync.WaitGroup
		for i := range threads {
			wg.Go(func() {
				c := s.NewCache()
				rnd := rand.New(rand.NewPCG(1, uint64(i)))
				left := rounds
				for n := 0; n < rounds; {
					h, err := c.Alloc(Leaves, 1+rnd.Uint32N(6))
					if err != nil {
						t.Error(err)
						return
					}
					s.Fill(h, 1, h) // a plain write: the race detector reports it if the slot is in use elsewhere
					select {
					case pipes[(i+1)%threads] <- h:
						n++
					case h2 := <-pipes[i]:
						c.Free(h2)
						c.Free(h)
						left--
					}
				}
				for ; left > 0; left-- {
					c.Free(<-pipes[i])
				}
				c.Trim()
			})
		}
		wg.Wait()
		s.Check()
		n := 0
		s.Walk(Leaves, func(uint32) bool { n++; return true })
		if n != 0 {
			t.Errorf("%d blocks left", n)
		}
	})
}

// TestForeignFreeOfWholeSpans frees the last slots of spans from other threads while
// the owner gives empty spans away. After its free, a thread must not touch the span.
func TestForeignFreeOfWholeSpans(t *testing.T) {
	forBackings(t, func(t *testing.T, b Backing) {
		s := newSpace(t, Config{Backing: b, Reserve: 64 << 20})
		defer s.Close()
		owner := s.NewCache()
		handles := make(chan uint32, 64)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				c := s.NewCache()
				for h := range handles {
					c.Free(h)
				}
			})
		}
		for i := range 20_000 {
			h, err := owner.Alloc(Leaves, MaxSmall)
			if err != nil {
				t.Error(err)
				break
			}
			handles <- h
			if i%7 == 0 {
				owner.Trim()
			}
		}
		close(handles)
		wg.Wait()
		owner.Trim()
		s.Check()
		s.Walk(Leaves, func(h uint32) bool {
			t.Errorf("block %#x is left", h)
			return true
		})
		if u := s.Usage(); u.Committed > warmSpans<<SpanShift {
			t.Errorf("%d bytes are left", u.Committed)
		}
	})
}

func TestLimit(t *testing.T) {
	forBackings(t, func(t *testing.T, b Backing) {
		s := newSpace(t, Config{Backing: b, Reserve: 64 << 20, Limit: 4 << 20})
		defer s.Close()
		c, other := s.NewCache(), s.NewCache()
		fill := func(c *Cache) (hs []uint32) {
			for {
				h, err := c.Alloc(Leaves, 64)
				if err != nil {
					if !errors.Is(err, ErrLimit) {
						t.Fatal(err)
					}
					return hs
				}
				hs = append(hs, h)
			}
		}
		hs := fill(c)
		if got := len(hs) * 64 * GranuleSize; got != 4<<20 {
			t.Errorf("%d bytes fit a limit of 4 MiB", got)
		}
		if _, err := other.Alloc(Blocks, 2*SpanGranules); !errors.Is(err, ErrLimit) {
			t.Errorf("large block over the limit: %v", err)
		}
		// Another thread frees everything while the owner is away: its spans come back.
		for _, h := range hs {
			other.Free(h)
		}
		if _, err := other.Alloc(Leaves, 2); !errors.Is(err, ErrLimit) {
			t.Errorf("a block in a span that the owner has not yet collected: %v", err)
		}
		c.Leave()
		if got := fill(other); len(got) != len(hs) {
			t.Errorf("%d blocks fit after all was freed, %d before", len(got), len(hs))
		}
	})
}

func TestReturnsMemory(t *testing.T) {
	forBackings(t, func(t *testing.T, b Backing) {
		s := newSpace(t, Config{Backing: b, Reserve: 128 << 20})
		defer s.Close()
		c := s.NewCache()
		for range 3 {
			var hs []uint32
			for range 1 << 14 {
				h, err := c.Alloc(Leaves, 128)
				if err != nil {
					t.Fatal(err)
				}
				hs = append(hs, h)
			}
			if u := s.Usage(); u.Committed != 32<<20 {
				t.Errorf("%d bytes committed for 32 MiB", u.Committed)
			}
			for _, h := range hs {
				c.Free(h)
			}
			c.Trim()
			if u := s.Usage(); u.Committed > warmSpans<<SpanShift {
				t.Errorf("%d bytes committed for nothing", u.Committed)
			}
		}
	})
}

// wordOf returns the word that b begins with, as written by Fill.
func wordOf(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }

// TestGranules fills spans with slots of one granule: each granule is a slot, and 4096
// slots fill a span.
func TestGranules(t *testing.T) {
	forBackings(t, func(t *testing.T, b Backing) {
		s := newSpace(t, Config{Backing: b, Reserve: 16 << 20})
		defer s.Close()
		c, other := s.NewCache(), s.NewCache()
		const n = 3 * SpanGranules
		var hs []uint32
		for i := range uint32(n) {
			h, err := c.Alloc(Leaves, 1)
			if err != nil {
				t.Fatal(err)
			}
			s.Fill(h, 1, i)
			hs = append(hs, h)
		}
		if u := s.Usage(); u.Committed != n*GranuleSize {
			t.Errorf("%d granules take %d bytes", n, u.Committed)
		}
		for i, h := range hs {
			if p, size, ok := s.Block(h); p != Leaves || size != 1 || !ok {
				t.Fatalf("granule %#x is not known as in use", h)
			}
			if got := s.Bytes(h, 16); wordOf(got) != uint32(i) || wordOf(got[12:]) != uint32(i) {
				t.Fatalf("granule %#x was overwritten", h)
			}
		}
		for i, h := range hs {
			if i%2 == 0 {
				other.Free(h)
			}
		}
		c.Trim() // collects what the other cache has freed
		s.Check()
		i := 0
		s.Walk(Leaves, func(h uint32) bool {
			if i += 2; h != hs[i-1] {
				t.Fatalf("the walk finds %#x, want %#x", h, hs[i-1])
			}
			return true
		})
		if i != n {
			t.Errorf("the walk finds %d granules, want %d", i/2, n/2)
		}
		for i, h := range hs {
			if i%2 == 1 {
				c.Free(h)
			}
		}
		c.Trim()
		other.Trim()
		if u := s.Usage(); u.Count[Leaves]+u.Bytes[Leaves] != 0 || u.Committed > warmSpans<<SpanShift {
			t.Errorf("left after all blocks were freed: %+v", u)
		}
	})
	s := newSpace(t, Config{Reserve: 16 << 20})
	defer s.Close()
	defer func() {
		if recover() == nil {
			t.Error("a container of one granule was allocated")
		}
	}()
	s.NewCache().Alloc(Containers, MinContainer-1)
}

func TestDoubleFree(t *testing.T) {
	for _, direct := range []bool{false, true} {
		testDoubleFree(t, direct)
	}
}

func testDoubleFree(t *testing.T, direct bool) {
	s := newSpace(t, Config{Reserve: 16 << 20, Direct: direct})
	defer s.Close()
	c, other := s.NewCache(), s.NewCache()
	panics := func(name string, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", name)
			}
		}()
		f()
	}
	h, _ := c.Alloc(Leaves, 2)
	c.Alloc(Leaves, 2)
	c.Free(h)
	panics("twice by the owner", func() {
		c.Free(h)
		if direct {
			t.Error("not found at once")
		}
		c.Trim() // empties the magazines
	})
	h, _ = c.Alloc(Leaves, 2)
	other.Free(h)
	panics("twice by another", func() {
		other.Free(h)
		if direct {
			t.Error("not found at once")
		}
		other.Trim() // empties the outbox
	})
}

// TestStart uses all of a space that begins handing out spans in the middle.
func TestStart(t *testing.T) {
	s := newSpace(t, Config{Reserve: 16 << 20, Start: 100})
	defer s.Close()
	c := s.NewCache()
	h, err := c.Alloc(Blocks, SpanGranules)
	if err != nil || h != 100*SpanGranules {
		t.Errorf("the first block lies at %#x: %v", h, err)
	}
	n := 1
	for ; err == nil; n++ {
		if h, err = c.Alloc(Blocks, SpanGranules); err == nil {
			s.Fill(h, SpanGranules, 1)
		}
	}
	if n-1 != 127 || !errors.Is(err, ErrAddressSpace) {
		t.Errorf("%d blocks of a span fit 127 spans: %v", n-1, err)
	}
}

func TestConfig(t *testing.T) {
	for _, r := range []int64{-1, 64<<30 + 16, 65 << 30} {
		if s, err := New(Config{Reserve: r}); err == nil {
			s.Close()
			t.Errorf("reserve of %d bytes was accepted", r)
		}
	}
	s := newSpace(t, Config{Reserve: 1})
	defer s.Close()
	c := s.NewCache()
	n := 0
	for {
		if _, err := c.Alloc(Leaves, MaxSmall); err != nil {
			if !errors.Is(err, ErrAddressSpace) {
				t.Error(err)
			}
			break
		}
		n++
	}
	if n != 14 { // half of 16 spans, without span 0, and two blocks in each
		t.Errorf("%d blocks fit the smallest space", n)
	}
}

func BenchmarkAllocFree(b *testing.B) {
	s := newSpace(b, Config{})
	defer s.Close()
	c := s.NewCache()
	for b.Loop() {
		h, _ := c.Alloc(Leaves, 3)
		c.Free(h)
	}
}
