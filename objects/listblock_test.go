package objects

import (
	"errors"
	"slices"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// blockOf returns the block of l, and checks the invariants of blocks.
func blockOf(t *testing.T, th *rt.Thread, l List) listBlock {
	t.Helper()
	b := openList(th, th.Body(l))
	if b.ref != rt.Nil && (b.first > b.end || b.end > b.room || 4*(listSlots+b.room) > th.BlockBytes(l, 4*(listSlots+b.room))) {
		t.Fatalf("items from %d to %d in a block of %d slots", b.first, b.end, b.room)
	}
	for i := range b.room {
		if r := b.LoadRef(listSlots + i); (r == rt.Nil) == (b.first <= i && i < b.end) {
			t.Fatalf("slot %d of %d holds %s, items are from %d to %d", i, b.room, r, b.first, b.end)
		}
	}
	return b
}

func numbered(th *rt.Thread, n int) List {
	l := must(NewList(th))
	for i := range n {
		ok(l.AppendSteal(th, newBig(th, i)))
	}
	return l
}

// TestEndsStayInPlace: changes at the ends of a list leave its block in place.
func TestEndsStayInPlace(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			l := numbered(th, 1000)
			b := blockOf(t, th, l)
			for i := range 300 {
				must0(t, l.Remove(th, 0))
				must0(t, l.Remove(th, l.Len(th)-1))
				if i%2 == 0 {
					must0(t, l.Insert(th, l.Len(th), rt.None))
				}
			}
			if now := blockOf(t, th, l); now.ref != b.ref || now.first != 300 || now.len() != 550 {
				t.Errorf("%+v, was %+v", now, b)
			}
			if r, _ := l.At(th, 0); bigOf(th, r) != 300 {
				t.Errorf("the first one is %s", Format(th, r))
			}
			th.DecRef(l)
		})
	})
}

// TestQueue appends items and removes the first. A block is replaced once a fixed part of
// its items has changed, and does not grow.
func TestQueue(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for _, n := range []int{1, 5, 100, 3000} {
				l := numbered(th, n)
				var last rt.Ref
				blocks := 0
				for i := range 10 * n {
					must0(t, l.AppendSteal(th, newBig(th, n+i)))
					must0(t, l.Remove(th, 0))
					if b := openList(th, th.Body(l)); b.ref != last {
						last = b.ref
						blocks++
						if b.room > 4*n+leastRoom {
							t.Fatalf("a block of %d slots for %d items", b.room, n)
						}
					}
					if i%64 == 0 {
						th.Checkpoint()
					}
				}
				if blocks > 40*n/max(n/2, 1)+1 {
					t.Errorf("%d blocks for %d changes of %d items", blocks, 20*n, n)
				}
				for i := range n {
					if r, _ := l.At(th, i); bigOf(th, r) != 10*n+i {
						t.Fatalf("item %d is %s", i, Format(th, r))
					}
				}
				blockOf(t, th, l)
				th.DecRef(l)
			}
		})
	})
}

// TestListShrinks removes items by every call. At least about a quarter of the block stays
// in use, and few blocks are made.
func TestListShrinks(t *testing.T) {
	for what, take := range map[string]func(th *rt.Thread, l List){
		"pop":          func(th *rt.Thread, l List) { th.DecRef(must(l.Pop(th))) },
		"remove first": func(th *rt.Thread, l List) { ok(l.Remove(th, 0)) },
		"remove last":  func(th *rt.Thread, l List) { ok(l.Remove(th, l.Len(th)-1)) },
		"remove":       func(th *rt.Thread, l List) { ok(l.Remove(th, l.Len(th)/2)) },
	} {
		size := 70_000 // blocks of several spans, of one, and of less
		if what == "remove" || raceEnabled {
			size = 2000
		}
		t.Run(what, func(t *testing.T) {
			aloneInModes(t, func(t *testing.T, o rt.Options) {
				clean(t, o, func(th *rt.Thread) {
					l := numbered(th, size)
					blocks, last := 0, rt.Nil
					for n := size - 1; n >= 0; n-- {
						take(th, l)
						b := openList(th, th.Body(l))
						if b.len() != n || b.room > leastRoom && b.room > 4*n+4 {
							t.Fatalf("a block of %d slots for %d of %d items", b.room, b.len(), n)
						}
						if b.ref != last {
							blocks, last = blocks+1, b.ref
						}
						if n%64 == 0 {
							th.Checkpoint()
						}
					}
					if what != "remove" && blocks > 15 {
						t.Errorf("%d blocks", blocks)
					}
					if b := openList(th, th.Body(l)); b.room > leastRoom {
						t.Errorf("a block of %d slots is left", b.room)
					}
					th.DecRef(l)
				})
			})
		})
	}
}

// TestTakingAwayNeedsNoMemory: at the memory limit every item can still be removed.
func TestTakingAwayNeedsNoMemory(t *testing.T) {
	oneGoroutine(t)
	point := must(DefineRecord("record at the limit", "x"))
	aloneInModes(t, func(t *testing.T, o rt.Options) {
		o.MemoryLimit = 4 << 20
		clean(t, o, func(th *rt.Thread) {
			const n = 50_000 // no block of that size is free
			v := newBig(th, 1)
			l := must(NewList(th, slices.Repeat([]rt.Ref{v}, n)...))
			popped, cleared := numbered(th, 100), numbered(th, 100)
			d, emptied := must(NewDict(th)), must(NewDict(th))
			for i := range 5000 {
				ok(d.Set(th, smallInt(i), v))
				ok(emptied.Set(th, smallInt(i), v))
			}
			c, rec := must(NewCell(th, v)), must(point.New(th, v))
			th.Checkpoint()
			held := append(hog(t, th), v, l, popped, cleared, d, emptied, c, rec)
			for i := 1; i < n; i *= 3 { // an item of its own, at every place
				must0(t, l.Set(th, i, smallInt(i)))
			}
			if th.LockFree() {
				if _, _, _, err := newListBlock(th, l, n/2); !errors.Is(err, rt.ErrMemoryLimit) {
					t.Fatal("there is memory left:", err)
				}
			}
			gone := 0
			for i := 1; i < n; i *= 3 {
				if r, _ := l.At(th, i-gone); r != smallInt(i) {
					t.Errorf("item %d is %s after %d were removed", i, Format(th, r), gone)
				}
				must0(t, l.Remove(th, i-gone))
				gone++
				if r, _ := l.At(th, i-gone+1); r != v {
					t.Errorf("item %d was not removed", i)
				}
			}
			must0(t, l.Remove(th, 0))
			must0(t, l.Remove(th, l.Len(th)-1))
			th.DecRef(must(l.Pop(th)))
			if l.Len(th) != n-gone-3 {
				t.Errorf("%d items, want %d", l.Len(th), n-gone-3)
			}
			for range 100 {
				th.DecRef(must(popped.Pop(th)))
			}
			must0(t, cleared.Clear(th))
			for i := range 4999 {
				if i%2 == 0 {
					th.DecRef(must(d.Pop(th, smallInt(i))))
				} else {
					must(d.Delete(th, smallInt(i)))
				}
			}
			must0(t, emptied.Clear(th))
			must0(t, c.Store(th, rt.None))
			must0(t, Record(rec).Set(th, 0, rt.None))
			blockOf(t, th, l)
			audit(t, th, held...)
			th.DecRefs(held)
		})
	})
}

// TestListBound: every call that would add to a full list returns a clear error.
func TestListBound(t *testing.T) {
	const most = 100
	was := maxItems
	maxItems = most
	defer func() { maxItems = was }()
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			l := must(NewList(th))
			for range most {
				must0(t, l.Append(th, rt.None))
			}
			frozen := must(th.Freeze(l))
			_, err := NewList(th, slices.Repeat([]rt.Ref{rt.None}, most+1)...)
			for what, err := range map[string]error{
				"append": l.Append(th, rt.None), "insert": l.Insert(th, 0, rt.None), "insert at the end": l.Insert(th, most, rt.None),
				"extend": l.Extend(th, l), "extend by a frozen one": l.Extend(th, List(frozen.Root())), "new": err,
			} {
				want := rt.SizeError{Of: "list", Size: most + 1, Unit: "items", Most: most}
				if strings.HasPrefix(what, "extend") {
					want.Size = 2 * most
				}
				var e *rt.SizeError
				if !errors.As(err, &e) || *e != want {
					t.Errorf("%s: %v", what, err)
				}
			}
			must0(t, l.Remove(th, 0))
			must0(t, l.Append(th, rt.None)) // there is room before the first item
			if l.Len(th) != most {
				t.Errorf("%d items", l.Len(th))
			}
			must0(t, th.Unload(frozen))
			th.DecRef(l)
		})
	})
}

// TestListLeastRoom: a block is replaced by a smaller one if its capacity is above leastRoom
// and less than a quarter of it is in use.
func TestListLeastRoom(t *testing.T) {
	defer func(n int) { maxItems = n }(maxItems)
	for most, least := range map[int]int{leastRoom: 0, leastRoom + 1: 3} {
		maxItems = most
		forModes(t, func(t *testing.T, o rt.Options) {
			clean(t, o, func(th *rt.Thread) {
				l := must(NewList(th))
				for range most {
					ok(l.Append(th, rt.None))
				}
				for n := most - 1; n > 0; n-- {
					must(l.Pop(th))
					if room := int(th.Body(l).Load(boxCap)); (room < most) != (n <= least) {
						t.Errorf("of %d items %d are left, and the capacity is %d", most, n, room)
					}
				}
				th.DecRef(l)
			})
		})
	}
}

// TestListBoundFits: a block for the most items that a list can have is within the limit of
// blocks. A block for one more is not.
func TestListBoundFits(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		l := must(NewList(th))
		if n := th.BlockBytes(l, 4*(listSlots+maxItems)); n > 1<<31-1 {
			t.Errorf("a block of %d bytes", n)
		}
		if n := th.BlockBytes(l, 4*(listSlots+maxItems+1)); uint32(n) <= 1<<31-1 { // uint32: negative where ints have 32 bits
			t.Errorf("one more item fits into a block of %d bytes", n)
		}
		th.DecRef(l)
	})
}

// TestListRoom: a list knows the capacity of its block, whichever call made it.
func TestListRoom(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for n := range 40 {
				l := must(NewList(th, slices.Repeat([]rt.Ref{rt.None}, n)...))
				for range 3 { // each time with a full block
					for b := blockOf(t, th, l); b.ref != rt.Nil && b.end < b.room; b = blockOf(t, th, l) {
						must0(t, l.Append(th, rt.True))
						if blockOf(t, th, l).ref != b.ref {
							t.Fatalf("of %d slots %d were in use, and the block was replaced", b.room, b.end)
						}
					}
					if b := blockOf(t, th, l); n > 0 && b.room < n {
						t.Fatalf("room for %d of %d items", b.room, n)
					}
					was := l.Len(th)
					must0(t, l.Insert(th, was/2, rt.False))
					if b := blockOf(t, th, l); b.len() != was+1 || b.room < was+was/2 {
						t.Fatalf("%d items, room for %d, after %d were inserted into", b.len(), b.room, was)
					}
				}
				th.DecRef(l)
			}
		})
	})
}

// TestMissingItem: an IndexError never claims a length that includes the index.
func TestMissingItem(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		l := numbered(th, 3)
		for i, want := range map[int]IndexError{3: {3, 3}, 7: {7, 3}, -1: {-1, 3}, 1: {1, 1}, 0: {0, 0}} { // the last two as if the list had grown since
			if err := l.missing(th, i); *err.(*IndexError) != want {
				t.Errorf("item %d: %v, want %v", i, err, &want)
			}
		}
		th.DecRef(l)
	})
}

// TestChangesInside: in lock-free mode, a call that moves items makes a new block and
// leaves the old one unchanged. Under the GIL items move in place.
func TestChangesInside(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for what, change := range map[string]func(l List){
				"insert": func(l List) { ok(l.Insert(th, 2, rt.None)) },
				"remove": func(l List) { ok(l.Remove(th, 2)) },
			} {
				l := numbered(th, 5)
				was := blockOf(t, th, l)
				if was.end == was.room {
					t.Fatal("the block is full")
				}
				items := slices.Clone(was.Refs(listSlots, was.room))
				change(l)
				now := blockOf(t, th, l)
				if (now.ref == was.ref) == th.LockFree() {
					t.Errorf("%s: the block was replaced: %v", what, now.ref != was.ref)
				}
				if th.LockFree() && !slices.Equal(was.Refs(listSlots, was.room), items) {
					t.Errorf("%s: the block that others may be reading has changed", what)
				}
				th.DecRef(l)
			}
		})
	})
}

// TestExtendByFrozen: the items of the frozen list are appended, and visible.
func TestExtendByFrozen(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for _, n := range []int{0, 1, 5, 40} {
				from, l := numbered(th, n), numbered(th, 3)
				f := must(th.Freeze(from))
				must0(t, l.Extend(th, List(f.Root())))
				if b := blockOf(t, th, l); b.len() != 3+n || n == 0 && b.len() != 3 {
					t.Errorf("%d items, want %d", b.len(), 3+n)
				}
				for i := range n {
					if r, _ := l.At(th, 3+i); bigOf(th, r) != i || !f.Contains(r) {
						t.Errorf("item %d is %s", 3+i, Format(th, r))
					}
				}
				tup := must(NewTuple(th, from, rt.True))
				g := must(th.Freeze(tup))
				items := Tuple(g.Root()).Items(th)
				if len(items) != 2 || !g.Contains(items[0]) || List(items[0]).Len(th) != n || items[1] != rt.True {
					t.Errorf("the frozen tuple's items are %v", items)
				}
				th.DecRefs([]rt.Ref{l, from, tup})
				must0(t, th.Unload(g))
				must0(t, th.Unload(f))
			}
		})
	})
}
