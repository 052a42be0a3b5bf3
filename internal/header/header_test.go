package header

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// TestModel runs random operations on a header and compares it with a plain count. The
// count starts near the values where the behaviour changes.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const me = 7
		h := new(Header)
		born := rapid.SampledFrom([]string{"owned", "merged", "float"}).Draw(t, "born")
		owned, float := born == "owned", born == "float"
		bits, note, meta := anyBits().Draw(t, "bits"), anyNote().Draw(t, "note"), uint32(5)
		var n, band int64
		switch {
		case owned:
			h.Birth(me, 5)
			band = StickyLocal
		case float:
			h.BirthFloat(bits, note, false)
			band, meta = stickyShared, FloatMeta
		default:
			h.Birth(Nobody, 5)
			band = stickyShared
		}
		n = rapid.SampledFrom([]int64{1, 2, 3, 1000, band - 3, band - 2, band - 1}).Draw(t, "count")
		if owned {
			h.SetCounts(uint32(n), 0)
		} else {
			h.SetCounts(0, int32(n))
		}
		immortal := false
		var frozen [4]uint32
		t.Repeat(map[string]func(*rapid.T){
			"inc": func(t *rapid.T) {
				want := Alive
				switch {
				case immortal:
				case n == 0:
					want = Broken
				case n >= band:
					want = Sticky
				default:
					n++
				}
				if h.Inc(me) != want {
					t.Fatalf("wrong verdict of inc")
				}
			},
			"dec": func(t *rapid.T) {
				want := Alive
				switch {
				case immortal:
				case n == 0:
					want = Broken
				case n >= band:
					want = Sticky
				default:
					if n--; n == 0 {
						want = Dead
					}
				}
				got := h.Dec(me)
				if got != want {
					t.Fatalf("wrong verdict of dec")
				}
				if got == Dead && !owned {
					h.SetCounts(0, 0) // after a death without an atomic operation the word still says one
				}

			},
			"try": func(t *rapid.T) {
				want := immortal || n > 0
				if h.TryInc(me) != want {
					t.Fatalf("wrong answer of tryinc")
				}
				if want && !immortal && n < band {
					n++
				}
			},
			"weak": func(*rapid.T) { h.SetWeak() },
			"drain": func(t *rapid.T) { // an object that was queued and has been merged since
				if owned {
					t.SkipNow()
				}
				want := Alive
				switch {
				case immortal:
				case n == 0:
					want = Broken
				case n >= band:
					want = Sticky
				default:
					if n--; n == 0 {
						want = Dead
					}
				}
				if h.Drain() != want {
					t.Fatalf("wrong verdict of drain")
				}
				if want == Dead {
					h.SetCounts(0, 0)
				}
			},
			"immortalize": func(t *rapid.T) {
				if n == 0 {
					t.SkipNow()
				}
				if h.Immortalize() == immortal {
					t.Fatalf("immortalize reports the wrong state before")
				}
				if !immortal {
					immortal, frozen = true, h.Bytes()
				}
			},
			"": func(t *rapid.T) {
				b, m, ok := h.Number()
				if ok != float || float && (b != bits || m != note) {
					t.Fatalf("Number is wrong: a float has lost its number or its note, or another object has one")
				}
				if h.Meta() != meta || h.Owner() < 0 != immortal {
					t.Fatalf("the type or the owner is wrong")
				}
				if immortal {
					if h.Bytes() != frozen {
						t.Fatalf("the header of an immortal changed")
					}
					return
				}
				if got, ok := h.Count(); !ok || got != n && (n < band || got < n) {
					t.Fatalf("the counts do not add up to the number of references")
				}
				if h.IsSticky() != (n >= band) {
					t.Fatalf("the band is wrong")
				}
			},
		})
	})
}

// anyBits draws numbers, preferably those whose halves look like unusual counts or
// types.
func anyBits() *rapid.Generator[uint64] {
	half := rapid.SampledFrom([]uint64{0, 1, StickyLocal - 1, StickyLocal, StickyLocal + 1, 1<<32 - 1, uint64(Float), 5, 1 << 16, 7})
	return rapid.OneOf(
		rapid.Uint64(),
		rapid.Map(rapid.Float64(), math.Float64bits),
		rapid.SampledFrom([]uint64{1 << 63, 0x7ff8_0000_0000_0001, 0xfff0_0000_0000_0000, 0x7ff0_0000_8000_0000}), // -0, a NaN, -Inf, a signalling NaN
		rapid.Custom(func(t *rapid.T) uint64 { return half.Draw(t, "high")<<32 | half.Draw(t, "low") }),
	)
}

func anyNote() *rapid.Generator[uint32] {
	return rapid.OneOf(rapid.Uint32Range(0, Notes-1), rapid.SampledFrom([]uint32{0, 1, Notes - 1}))
}

// TestFloat takes floats through birth, both kinds of immortality, and death.
func TestFloat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits, note := anyBits().Draw(t, "bits"), anyNote().Draw(t, "note")
		is := func(h *Header, what string) {
			b, n, ok := h.Number()
			if !ok || b != bits || n != note || h.Meta() != FloatMeta {
				t.Fatalf("%s", what)
			}
		}
		uncounted := func(h *Header, what string) {
			is(h, what)
			was := h.Bytes()
			h.SetWeak()
			_, counted := h.Count()
			if h.Owner() >= 0 || counted || h.Inc(3) != Alive || h.Dec(3) != Alive || h.Drain() != Alive || !h.TryInc(3) || h.Immortalize() || h.Bytes() != was {
				t.Fatalf("an immortal float is counted")
			}
		}
		h := new(Header)
		h.BirthFloat(bits, note, true)
		uncounted(h, "a float that is born immortal has another type, number or note")
		h.BirthFloat(bits, note, false)
		is(h, "a new float has another type, number or note")
		if o := h.Owner(); o < Float || o == Nobody || !IsMerged(h.Shared()) {
			t.Fatalf("the owner of a float is a possible thread id, or the float is not merged")
		}
		if !h.Immortalize() {
			t.Fatalf("a mortal float is reported as immortal")
		}
		uncounted(h, "a float that became immortal has another type, number or note")
		h.BirthFloat(bits, note, false)
		if h.Dec(1) != Dead {
			t.Fatalf("a float has outlived its last reference")
		}
		h.SetLink(1234)
		if h.Link() != 1234 || h.Meta() != FloatMeta {
			t.Fatalf("a dead float loses its type, or the next dead object")
		}
		h.Poison(1 << 31)
		if _, _, ok := h.Number(); ok || h.Meta() != 1<<31 || h.Inc(3) != Broken || h.Dec(3) != Broken || h.TryInc(3) {
			t.Fatalf("a poisoned float looks like a float, or can be counted")
		}
		h.Birth(7, 5)
		if _, _, ok := h.Number(); ok || h.Meta() != 5 {
			t.Fatalf("an object in the place of a dead float looks like a float")
		}
	})
}

// TestWords tries the pure functions at the edges of the word.
func TestWords(t *testing.T) {
	for _, c := range []int32{1, 2, 5, stickyShared - 1, stickyShared, stickyShared + 1, 1<<28 - 1, 0, -1, -5, -stickyShared + 1, -stickyShared, -1 << 28} {
		for _, flags := range []int32{0, Weak} {
			s := c<<countShift | flags | Merged
			inBand := c >= stickyShared || c <= -stickyShared
			if p := pinned(s); inBand && (!sticky(p-1<<24) || !sticky(p+1<<24) || p&7 != s&7 || p>>31 != s>>31) {
				t.Errorf("count %d is pinned at %d, which is near an end of the band", c, SharedCount(p))
			}
			if SharedCount(s) != c || !IsMerged(s) || sticky(s) != inBand {
				t.Errorf("count %d flags %d: read back as %d, merged %t, sticky %t", c, flags, SharedCount(s), IsMerged(s), sticky(s))
			}
			want := Alive
			if inBand {
				want = Sticky
			} else if c <= 0 {
				want = Broken
			}
			if got := incForeign(s); got != want {
				t.Errorf("inc of count %d: %v, want %v", c, got, want)
			}
			next := s - One
			switch {
			case inBand:
				next = pinned(s)
			case want != Alive:
				next = s
			case c == 1:
				want = Dead
			}
			if n, got := decForeign(s); n != next || got != want {
				t.Errorf("dec of count %d flags %d: %#x %v, want %#x %v", c, flags, n, got, next, want)
			}
			wantNext, wantAlive := s+One, true
			if inBand {
				wantNext = pinned(s)
			} else if c <= 0 {
				wantNext, wantAlive = s, false
			}
			if n, alive := tryInc(s); n != wantNext || alive != wantAlive {
				t.Errorf("try inc of count %d flags %d: %#x %t, want %#x %t", c, flags, n, alive, wantNext, wantAlive)
			}
			if n := revived(s); SharedCount(n) != 1 || !IsMerged(n) || n&Weak != flags {
				t.Errorf("revived from %#x: %#x", s, n)
			}

			// The same count of an object that has an owner.
			for _, state := range []int32{0, Queued} {
				s := s&^stateMask | state
				want, next := Alive, s-One
				if inBand {
					want, next = Sticky, pinned(s)
				} else if c == 0 && state == 0 {
					want, next = Queue, s|Queued
				}
				if n, got := decForeign(s); n != next || got != want {
					t.Errorf("dec of count %d flags %d state %d: %#x %v, want %#x %v", c, flags, state, n, got, next, want)
				}
				if want == Queue {
					want = Alive
				}
				if got := incForeign(s); got != want {
					t.Errorf("inc of count %d state %d: %v, want %v", c, state, got, want)
				}
				for _, local := range []int64{0, 1, 5, -1, StickyLocal - 1} {
					sum := int64(c) + local
					want, n := Alive, sum
					switch {
					case inBand || sum >= stickyShared:
						want, n = Sticky, pinnedShared
					case sum == 0:
						want = Dead
					case sum < 0:
						want = Broken
					}
					next, got := merge(s, local)
					if got != want || int64(SharedCount(next)) != n || !IsMerged(next) || next&Weak != flags {
						t.Errorf("merge of count %d with %d: %#x %v, want count %d %v", c, local, next, got, n, want)
					}
				}
			}
		}
	}
	if math.MaxInt32>>countShift-stickyShared+1 < 1<<26 {
		t.Error("the band of shared is narrower than 2^26")
	}
}

// TestRaces lets several goroutines give up references at once, and checks that exactly
// one of them is told that it gave up the last.
func TestRaces(t *testing.T) {
	for i := range 4 {
		weak, float := i%2 == 1, i/2 == 1
		t.Run(fmt.Sprintf("weak=%t/float=%t", weak, float), func(t *testing.T) {
			for range 2000 {
				h := new(Header)
				h.Birth(Nobody, 1)
				if float {
					h.BirthFloat(1<<31, 0, false)
				}
				if weak {
					h.SetWeak()
				}
				const n = 3
				var deaths, revived [n + 1]int
				for range n - 1 {
					h.Inc(9)
				}
				var wg sync.WaitGroup
				for i := range n {
					wg.Go(func() {
						h.Inc(9)
						if h.Dec(9) == Dead {
							t.Error("died with a reference left")
						}
						if h.Dec(9) == Dead {
							deaths[i]++
						}
					})
				}
				if weak {
					wg.Go(func() {
						if h.TryInc(9) {
							revived[n]++
							if h.Dec(9) == Dead {
								deaths[n]++
							}
						}
					})
				}
				wg.Wait()
				total := 0
				for _, d := range deaths {
					total += d
				}
				if total != 1 {
					t.Fatalf("%d deaths", total)
				}
				if weak && h.TryInc(9) {
					t.Fatal("a dead object was revived")
				}
			}
		})
	}
}

func TestLayout(t *testing.T) {
	var h Header
	for name, off := range map[string]uintptr{"owner": unsafe.Offsetof(h.owner), "local": unsafe.Offsetof(h.local) - 4,
		"shared": unsafe.Offsetof(h.shared) - 8, "meta": unsafe.Offsetof(h.meta) - 12} {
		if off != 0 {
			t.Errorf("%s has moved: runtime.IncRef reads the first word as the owner", name)
		}
	}
	granules := make([]Header, 4)
	if At(unsafe.Pointer(&granules[0]), 3) != &granules[3] || On(unsafe.Pointer(&granules[1])) != &granules[1] {
		t.Error("headers are not one granule apart")
	}
	h.Birth(Immortal, 3)
	h.SetLink(77)
	if h.Link() != 77 {
		t.Error("the link is lost")
	}
	h.Poison(1 << 31)
	if h.Owner() != Nobody || h.Inc(3) != Broken || h.Dec(3) != Broken || h.TryInc(3) || h.IsWeak() {
		t.Error("a poisoned header can be counted")
	}
}

// TestOwnership lets an owner and two other threads count one object at random, while
// the owner drains its queue now and then. The counts must add up at the end, and the
// object must die exactly once.
func TestOwnership(t *testing.T) {
	for seed := range uint64(3000) {
		h := new(Header)
		const owner = 5
		h.Birth(owner, 1)
		var mu sync.Mutex
		queued := 0
		var deaths [3]int
		live := func(i int, v Verdict) {
			switch v {
			case Dead:
				deaths[i]++
			case Queue:
				if h.Owner() == Nobody { // as runtime's enqueue does
					if h.DecForeign() == Dead {
						deaths[i]++
					}
					return
				}
				mu.Lock()
				queued++
				mu.Unlock()
			case Sticky, Broken:
				t.Errorf("verdict %d", v)
			}
		}
		drain := func(i int) {
			mu.Lock()
			n := queued
			queued = 0
			mu.Unlock()
			for range n {
				live(i, h.Drain())
			}
		}
		if seed%2 == 0 {
			h.SetWeak()
		}
		h.Inc(owner) // one reference for each of the other threads, handed over
		h.Inc(owner)
		var wg sync.WaitGroup
		for i := range 3 {
			id := int32(owner + i)
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			wg.Go(func() {
				held := 1
				for held > 0 {
					if rnd.IntN(5) < 2 && held < 6 {
						live(i, h.Inc(id))
						held++
					} else {
						held--
						live(i, h.Dec(id))
					}
					if i == 0 && held > 0 && rnd.IntN(3) == 0 {
						drain(0)
					}
				}
			})
		}
		wg.Wait()
		for queued > 0 {
			drain(0)
		}
		if n := deaths[0] + deaths[1] + deaths[2]; n != 1 {
			t.Fatalf("seed %d: %d deaths, header %x", seed, n, h.Bytes())
		}
	}
}

// TestBury: a decrement too many of an object that has died finds a broken count, whichever way it
// counts.
func TestBury(t *testing.T) {
	for name, dec := range map[string]func(h *Header) Verdict{"Dec": func(h *Header) Verdict { return h.Dec(1) }, "DecMerged": (*Header).DecMerged} {
		var h Header
		h.Birth(Nobody, 5)
		if v := dec(&h); v != Dead {
			t.Fatalf("%s of the only reference: %v", name, v)
		}
		h.Bury()
		if v := dec(&h); v != Broken {
			t.Errorf("%s after that: %v, want %v", name, v, Broken)
		}
	}
}
