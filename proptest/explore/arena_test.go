//go:build explore

package explore

import (
	"fmt"
	"testing"

	"github.com/ichor-go/ichor/internal/arena"
)

// The arena: spans of caches whose owners attach and detach, while other threads need the spans
// and free into them. The blocks are so large that a span has two. Plain accesses to a span
// cause a race if a thread uses a span that is not its own.

// spans is the state of a scenario.
type spans struct {
	s       *arena.Space
	caches  []*arena.Cache
	away    []bool
	in      []uint32 // blocks in use at the end
	threads []func()
}

func newSpans(caches int) *spans {
	x := &spans{s: must(arena.New(arena.Config{Backing: arena.GoMemory, Reserve: 1 << 20})), away: make([]bool, caches)}
	for range caches {
		x.caches = append(x.caches, x.s.NewCache())
	}
	return x
}

func (x *spans) alloc(c int) uint32 { return must(x.caches[c].Alloc(arena.Leaves, arena.MaxSmall)) }

// use makes a cache allocate a block that stays in use until the end. The list of such blocks is
// the scenario's own, which the race detector need not judge.
//
//go:norace
func (x *spans) use(c int) { x.in = append(x.in, x.alloc(c)) }

func (x *spans) leave(c int) {
	x.caches[c].Leave()
	x.away[c] = true
}

func (x *spans) back(c int) {
	x.caches[c].Return()
	x.away[c] = false
}

// check frees everything.
func (x *spans) check() error {
	x.s.Check()
	for c := range x.caches {
		if x.away[c] {
			x.back(c)
		}
		x.caches[c].Publish()
	}
	if u := x.s.Usage(); u.Count[arena.Leaves] != int64(len(x.in)) {
		return fmt.Errorf("%d blocks are in use, want %d", u.Count[arena.Leaves], len(x.in))
	}
	n := 0
	x.s.Walk(arena.Leaves, func(uint32) bool { n++; return true })
	if n != len(x.in) {
		return fmt.Errorf("the walk finds %d blocks, want %d", n, len(x.in))
	}
	for _, h := range x.in {
		x.caches[0].Free(h)
	}
	for range x.caches { // a cache may have spans of another in its list
		for _, c := range x.caches {
			c.Trim()
		}
	}
	x.s.Check()
	if u := x.s.Usage(); u.Count[arena.Leaves] != 0 || u.Bytes[arena.Leaves] != 0 || u.Committed > 16<<arena.SpanShift {
		return fmt.Errorf("left when all is freed: %+v", u)
	}
	for c := range x.caches { // free blocks can still be allocated
		x.caches[c].Free(x.alloc(c))
	}
	return x.s.Close()
}

func TestArena(t *testing.T) {
	f, l := arena.FirstSlots, arena.LendAfter
	defer func() { arena.FirstSlots, arena.LendAfter = f, l }()
	all := int64(0)
	for _, c := range []struct {
		name  string
		first int // number of slots in use of the common cache
		set   func(x *spans)
	}{
		{"lend against a free by another", 0, func(x *spans) {
			h := x.alloc(1)
			x.leave(1)
			x.threads = append(x.threads, func() { x.use(0) }, func() { x.caches[2].Free(h) })
		}},
		{"lend against two frees", 0, func(x *spans) {
			h, i := x.alloc(1), x.alloc(1)
			x.leave(1)
			x.threads = append(x.threads, func() { x.use(0) }, func() { x.caches[2].Free(h) }, func() { x.caches[3].Free(i) })
		}},
		{"lend against the owner's return", 0, func(x *spans) {
			h := x.alloc(1)
			x.leave(1)
			x.threads = append(x.threads, func() { x.use(0) }, func() { x.back(1); x.caches[1].Free(h); x.use(1); x.leave(1) })
		}},
		{"lend against the owner's leave", 0, func(x *spans) {
			h := x.alloc(1)
			x.threads = append(x.threads, func() { x.use(0) }, func() { x.use(1); x.caches[1].Free(h); x.leave(1) })
		}},
		{"lend against a free by another and the owner's return", 0, func(x *spans) {
			h := x.alloc(1)
			x.leave(1)
			x.threads = append(x.threads, func() { x.use(0) }, func() { x.caches[2].Free(h) }, func() { x.back(1); x.caches[1].Trim() })
		}},
		{"two borrowers", 0, func(x *spans) {
			x.use(1)
			x.leave(1)
			x.threads = append(x.threads, func() { x.use(0) }, func() { x.use(2) })
		}},
		{"two borrowers, one after the other, against a free", 0, func(x *spans) {
			h := x.alloc(1)
			x.leave(1)
			x.threads = append(x.threads, func() { x.use(0); x.leave(0); x.back(0) }, func() { x.use(2) }, func() { x.caches[3].Free(h) })
		}},
		{"a borrower's free against the owner's return", 0, func(x *spans) {
			h := x.alloc(1)
			x.leave(1)
			x.threads = append(x.threads, func() { x.use(0); x.caches[0].Free(h) }, func() { x.back(1); x.use(1) })
		}},
		{"first slots against their frees", 4, func(x *spans) {
			h, i := x.alloc(1), x.alloc(2)
			x.threads = append(x.threads, func() { x.use(1) }, func() { x.caches[2].Free(h); x.caches[2].Free(i) }, func() { x.use(3) })
		}},
		{"first slots against a trim", 4, func(x *spans) {
			h := x.alloc(1)
			x.threads = append(x.threads, func() { x.use(1) }, func() { x.caches[1+1].Free(h); x.caches[2].Trim() })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			arena.FirstSlots, arena.LendAfter = c.first, 0
			res := Bounded(func() Program {
				x := newSpans(4)
				c.set(x)
				return Program{Threads: x.threads, Check: x.check}
			}, bound())
			all += res.Schedules
			t.Logf("%d schedules, %d steps", res.Schedules, res.Steps)
			wantNone(t, res)
			if res.Schedules < 2 {
				t.Error("there is only one schedule")
			}
		})
	}
	conclude(t, "%d schedules of the arena with at most %d preemptions", all, bound())
}
