package objects

import (
	goruntime "runtime"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// States that a reader can meet while a writer is at work, made by hand.

// TestItemsThatMoveAway: a reader that finds another state than before looks where the item
// is now, within the length of the list.
func TestItemsThatMoveAway(t *testing.T) {
	clean(t, rt.Options{Mode: rt.LockFree}, func(th *rt.Thread) {
		l := numbered(th, 5)
		o, b := th.Body(l), openList(th, th.Body(l))
		item := func(i int) rt.Ref {
			r, _ := l.At(th, i)
			return r
		}
		must0(t, l.Remove(th, 0)) // items 1 to 4 are in slots 1 to 4
		for _, c := range []struct {
			what  string
			i     int
			first uint32 // of the first state
			r     rt.Ref // loaded from the slot
			state uint64 // loaded after the slot
			want  rt.Ref
		}{
			{"the end has moved", 1, 1, item(1), stateOf(1, 4), item(1)},
			{"the item was popped before the slot was loaded", 3, 1, rt.Nil, stateOf(1, 5), rt.Nil},
			{"the item was popped after", 3, 1, item(3), stateOf(1, 4), rt.Nil},
			{"all items were popped", 0, 1, item(0), stateOf(1, 1), rt.Nil},
			{"the first one was removed", 1, 0, o.LoadRef(boxBlock), stateOf(1, 5), item(1)},
			{"the first one was removed, and the item is beyond the end", 4, 0, rt.None, stateOf(1, 5), rt.Nil},
			{"the last but one place", 3, 0, rt.None, stateOf(1, 5), item(3)},
			{"items have moved", 2, 1, rt.None, listMoving, item(2)},
			{"items have moved, and there is none", 4, 1, rt.None, listMoving, rt.Nil},
			{"a negative index", -1, 1, rt.None, listMoving, rt.Nil},
			{"a negative index, the first one was removed", -1, 0, rt.None, stateOf(1, 5), rt.Nil},
		} {
			r, found := atAgain(th, o, b.Body, c.i, c.first, c.r, c.state)
			if r != c.want || found != (c.want != rt.Nil) {
				t.Errorf("%s: item %d is %s, %v; want %s", c.what, c.i, r, found, c.want)
			}
		}
		must0(t, l.Remove(th, 0)) // the loaded state is an old one
		if r, found := atAgain(th, o, b.Body, 1, 0, rt.None, stateOf(1, 5)); !found || r != item(1) {
			t.Errorf("item 1 is %s, %v; want %s", r, found, item(1))
		}
		must0(t, l.Clear(th))
		if r, found := atWhenMoved(th, o, 0); found || r != rt.Nil {
			t.Errorf("an item of an empty list that moved is %s, %v", r, found)
		}
		if n := lengthWhenMoved(th, o); n != 0 {
			t.Errorf("an empty list that moved has %d items", n)
		}
		th.DecRef(l)
	})
}

// TestReadersOfMovedItemsWait: while items move, a list has no length, and readers wait.
func TestReadersOfMovedItemsWait(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: needs several threads, and there is only one here")
	}
	withRuntime(t, rt.Options{Mode: rt.LockFree}, func(r *rt.Runtime) {
		var l List
		must0(t, r.Do(func(th *rt.Thread) error {
			l = numbered(th, 5)
			return nil
		}))
		o := r.Body(l)
		b := r.Block(o.LoadRef(boxBlock))
		state := b.LoadUint64(listState)
		for what, op := range map[string]func(th *rt.Thread){
			"length": func(th *rt.Thread) {
				if n := l.Len(th); n != 5 {
					t.Errorf("%d items", n)
				}
			},
			"item": func(th *rt.Thread) {
				if x, found := l.At(th, 2); !found || bigOf(th, x) != 2 {
					t.Errorf("item 2 is %s, %v", x, found)
				}
			},
			"no item": func(th *rt.Thread) {
				if x, found := l.At(th, 5); found {
					t.Errorf("item 5 is %s", x)
				}
			},
		} {
			b.StoreUint64(listState, listMoving)
			if _, _, n := listType.Slots(r.Heap, o); n != 0 || lengthOf(listMoving) != 0 {
				t.Errorf("%d items are visited while they move", n)
			}
			t.Run(what, func(t *testing.T) {
				waitsAtUntil(t, r, o.Lock(boxLock), func() { b.StoreUint64(listState, state) }, op)
			})
		}
		must0(t, r.Do(func(th *rt.Thread) error {
			th.DecRef(l)
			return nil
		}))
	})
}

// TestDictLenBesideADeletion: which entries count in each state of a deletion.
func TestDictLenBesideADeletion(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		d := must(NewDict(th))
		for i := range 3 {
			ok(d.SetSteal(th, smallInt(i), newBig(th, i)))
		}
		b := table(th, d)
		e := shapeOf(b).entry(2)
		state := b.LoadUint64(dictState)
		b.Store(dictDeleting, uint32(e))
		b.StoreUint64(dictState, state|stateDeleting)
		if n := dictLen(b); n != 3 {
			t.Errorf("before a deletion takes effect: %d entries", n)
		}
		v := b.SwapRef(e+entryValue, rt.Nil)
		if n := dictLen(b); n != 2 {
			t.Errorf("after a deletion has taken effect: %d entries", n)
		}
		if d.Len(th) != 2 || liveOf(b.LoadUint64(dictState)) != 3 {
			t.Errorf("length %d, live entries %d", d.Len(th), liveOf(b.LoadUint64(dictState)))
		}
		b.Store(dictDeleting, 0)
		b.StoreUint64(dictState, state-stateOneLive)
		if n := dictLen(b); n != 2 {
			t.Errorf("after the end of a deletion: %d entries", n)
		}
		b.StoreRef(e+entryValue, v)
		b.StoreUint64(dictState, state)
		if got := remove(b, e); got != v || b.Load(dictDeleting) != uint32(e) || b.LoadUint64(dictState) != state-stateOneLive {
			t.Errorf("removed %s: state %#x, deleting %d", got, b.LoadUint64(dictState), b.Load(dictDeleting))
		}
		th.DecRefs([]rt.Ref{v, d})
	})
}

// TestUnpublishedEntries: an entry that an insertion prepares is not found before the state
// says so, and a dead entry hides no other.
func TestUnpublishedEntries(t *testing.T) {
	for _, keyed := range []bool{false, true} {
		if keyed {
			withKeyed(t)
		}
		clean(t, rt.Options{}, func(th *rt.Thread) {
			for _, n := range []int{3, 30, 300} { // without an index, with bytes, with words
				d, other := must(NewDict(th)), newBig(th, 1)
				k, _ := sameHashKey(th, 2)
				again, _ := sameHashKey(th, 2) // equal, but another object
				if k == again {
					t.Fatal("they are the same object")
				}
				ok(d.Set(th, k, rt.None))
				for i := range n {
					ok(d.Set(th, smallInt(i), rt.None))
				}
				must(d.Delete(th, k))
				used := func() int { return usedOf(table(th, d).LoadUint64(dictState)) }
				for i := n; used() == int(table(th, d).Word(dictCap)); i++ { // the table is full: another one replaces it
					ok(d.Set(th, smallInt(i), rt.None))
					ok(d.Set(th, k, rt.None))
					must(d.Delete(th, k))
				}
				b := table(th, d)
				s := shapeOf(b)
				for _, key := range []rt.Ref{k, again} {
					hash := must(Hash(th, key))
					absent := func(what string) {
						t.Helper()
						if e, v, found := find(th, b, key, hash); found || e != 0 || v != rt.Nil {
							t.Errorf("%s is found in a table of %d: %s", what, n, v)
						}
						if v, found := d.Lookup(th, key); found || v != rt.Nil || d.Has(th, key) {
							t.Errorf("%s is looked up in a table of %d: %s", what, n, v)
						}
					}
					absent("a dead key")
					p := search(th, b, key, hash)
					prepare(b, p, uint32(used()+1), key, other)
					absent("a key that is not published")
					e := s.entry(uint32(used() + 1))
					if s.mask != 0 { // the place leads to the entry already
						if q := search(th, b, key, hash); q.e != e {
							t.Errorf("a writer finds entry %d, want %d", q.e, e)
						}
					}
					b.StoreUint64(dictState, b.LoadUint64(dictState)+1)
					if at, v, found := find(th, b, key, hash); !found || v != other || at != e {
						t.Errorf("a key that is published is %v, %s at %d", found, v, at)
					}
					b.StoreUint64(dictState, b.LoadUint64(dictState)-1)
					if s.mask != 0 {
						s.put(b, p.place, uint32((p.e-s.entries)/entryWords+1), p.hash)
					}
					b.SetRef(e+entryKey, rt.Nil)
					b.StoreRef(e+entryValue, rt.Nil)
				}
				th.DecRefs([]rt.Ref{d, other, k, again})
			}
		})
	}
}

// TestOverwriteThroughGate: no value is overwritten in a replaced table, or in a dead
// entry.
func TestOverwriteThroughGate(t *testing.T) {
	withGates(t, 8)
	clean(t, rt.Options{Mode: rt.LockFree}, func(th *rt.Thread) {
		d, v, w := must(NewDict(th)), newBig(th, 1), newBig(th, 2)
		for i := range 20 {
			ok(d.Set(th, smallInt(i), v))
		}
		o := th.Body(d)
		r := o.LoadRef(boxBlock)
		b := th.Block(r)
		g := gate(b, int(th.ID())%gates)
		e := shapeOf(b).entry(4)
		if old, done := overwrite(th, o, r, e, rt.Nil, w); !done || old != v || b.LoadRef(e+entryValue) != w || b.Load(g+gateVersion) != 1 {
			t.Errorf("overwritten: %v, %s by %s, version %d", done, old, b.LoadRef(e+entryValue), b.Load(g+gateVersion))
		}
		b.StoreRef(e+entryValue, v)
		gone := remove(b, e)
		if old, done := overwrite(th, o, r, e, rt.Nil, w); done || old != rt.Nil || b.LoadRef(e+entryValue) != rt.Nil {
			t.Errorf("dead: %v, %s by %s", done, old, b.LoadRef(e+entryValue))
		}
		b.StoreUint64(dictState, b.LoadUint64(dictState)+stateOneLive)
		b.StoreRef(e+entryValue, gone)
		o.StoreRef(boxBlock, rt.Nil)
		was := b.Load(g + gateVersion)
		if _, done := overwrite(th, o, r, e, rt.Nil, w); done || b.LoadRef(e+entryValue) != v || b.Load(g+gateVersion) != was {
			t.Errorf("replaced: %v, by %s, version %d after %d", done, b.LoadRef(e+entryValue), b.Load(g+gateVersion), was)
		}
		o.StoreRef(boxBlock, r)
		for i := range gates {
			if b.Load(gate(b, i)+gateLock) != 0 {
				t.Errorf("gate %d is shut", i)
			}
		}
		th.DecRefs([]rt.Ref{d, v, w})
	})
}

// TestVersionsOfGates: the sum of the versions of all gates moves on to the next table, or
// to the dict, and is in only one of them.
func TestVersionsOfGates(t *testing.T) {
	withGates(t, 8)
	clean(t, rt.Options{Mode: rt.LockFree}, func(th *rt.Thread) {
		d := must(NewDict(th))
		o := th.Body(d)
		want := uint32(0)
		check := func(what string) {
			t.Helper()
			if got := uint32(dictVersion(th.Heap, o)); got != want {
				t.Errorf("%s: the sum is %d, want %d", what, got, want)
			}
			if got := dictVersion(th.Heap, o) >> 32; got != uint64(o.Load(boxVersion)) || got == 0 {
				t.Errorf("%s: the upper half is %d, want %d", what, got, o.Load(boxVersion))
			}
		}
		for round := range 3 {
			for i := range 100 {
				ok(d.Set(th, smallInt(i), rt.None))
				check("set")
				if hasGates(table(th, d)) {
					ok(d.Set(th, smallInt(i), rt.True))
					want++
					check("overwrite")
				}
			}
			if round%2 == 0 {
				ok(d.Clear(th))
				check("clear")
				continue
			}
			for i := range 100 {
				must(d.Delete(th, smallInt(i)))
				check("delete")
			}
		}
		if want < 250 {
			t.Errorf("%d overwrites", want)
		}
		th.DecRef(d)
	})
}

// TestEqualHashInRegion: in a region, too, texts with one hash remain distinct.
func TestEqualHashInRegion(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		must0(t, th.Immortally(func() error {
			wrong := must(NewString(th, "wrong"))
			h := hashText([]byte("right"))
			core.EqualStrings(th)[h] = wrong
			right := must(NewString(th, "right"))
			if s, _ := right.View(th); s != "right" {
				t.Errorf("the string is %q", s)
			}
			if core.EqualStrings(th)[h] != right || must(NewString(th, "right")) != right || must(Intern(th, "right")) != right {
				t.Error("equal strings are two")
			}
			if must(NewString(th, "wrong")) != wrong {
				t.Error("the other one is two")
			}
			return nil
		}))
	})
}

// TestDeadStringInTable: a dead string that is still in the table gives way to a new one,
// and does not remove the new one when it is forgotten.
func TestDeadStringInTable(t *testing.T) {
	for _, counting := range []rt.Counting{rt.Atomic, rt.Biased} {
		clean(t, rt.Options{Mode: rt.LockFree, Counting: counting}, func(th *rt.Thread) {
			table := core.Interned(th.Runtime())
			h := hashText([]byte("text"))
			dead := must(NewString(th, "text")) // as if it had been interned
			o := th.Body(dead)
			fresh := must(Intern(th, "text"))
			table.Store(h, dead)
			forgetInterned(th, fresh, th.Body(fresh))
			if r, _ := table.Load(h); r != dead {
				t.Error("a string took another one out of the table")
			}
			forgetInterned(th, dead, o)
			if _, found := table.Load(h); found || table.Size() != 0 {
				t.Error("a string is not forgotten")
			}
			forgetInterned(th, dead, o) // it is not in the table
			if _, found := table.Load(h); found || table.Size() != 0 {
				t.Error("a string is in the table that was forgotten")
			}
			th.SetWeak(dead)
			if got := internFresh(th, table, h, fresh); got != fresh {
				t.Error("a string was replaced by none")
			}
			th.IncRef(fresh)
			table.Store(h, dead)
			if got := internFresh(th, table, h, fresh); got != dead {
				t.Error("a string was not replaced by the one in the table")
			}
			th.DecRefs([]rt.Ref{dead, dead})
			th.DecRef(fresh)
			if table.Size() != 0 {
				t.Errorf("%d strings are left in the table", table.Size())
			}
		})
	}
}
