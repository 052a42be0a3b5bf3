package objects

import (
	goruntime "runtime"
	"slices"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestTupleSpotsBesideOthers: the spot of a tuple is looked up before the lock is taken.
// Changes that other threads make until then, within the table or by replacing it, are not
// lost.
func TestTupleSpotsBesideOthers(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: needs several threads, and there is only one here")
	}
	replace := func(th *rt.Thread, d Dict) { // the dict is locked
		o := th.Body(d)
		r := o.LoadRef(boxBlock)
		must(renew(th, d, o, r, 2*d.Len(th), false))
		retireTable(th, r, false)
	}
	enter := func(th *rt.Thread, d Dict, key rt.Ref) {
		b := table(th, d)
		th.IncRef(key)
		insert(b, search(th, b, key, must(Hash(th, key))), key, rt.False)
	}
	withRuntime(t, rt.Options{Mode: rt.LockFree}, func(r *rt.Runtime) {
		for _, n := range []int{3, 30, 300} {
			for what, c := range map[string]struct {
				meanwhile func(th *rt.Thread, d Dict, key rt.Ref)
				more      int // entries afterwards
			}{
				"nothing":                   {func(*rt.Thread, Dict, rt.Ref) {}, 1},
				"the table was replaced":    {func(th *rt.Thread, d Dict, _ rt.Ref) { replace(th, d) }, 1},
				"the key was entered":       {enter, 1},
				"it was, and a replacement": {func(th *rt.Thread, d Dict, key rt.Ref) { enter(th, d, key); replace(th, d) }, 1},
				"all was taken out": {func(th *rt.Thread, d Dict, _ rt.Ref) {
					o := th.Body(d)
					b := o.LoadRef(boxBlock)
					empty(th, o, b)
					retireTable(th, b, true)
				}, 1 - n},
			} {
				var d Dict
				var key, same rt.Ref
				must0(t, r.Do(func(th *rt.Thread) error {
					d, key, same = must(NewDict(th)), twins(th, 3), twins(th, 3)
					for i := range n {
						ok(d.Set(th, smallInt(i), rt.None))
					}
					return nil
				}))
				waitsAtUntil(t, r, r.Body(d).Lock(boxLock), func() {
					must0(t, r.Do(func(th *rt.Thread) error {
						c.meanwhile(th, d, same)
						return nil
					}))
				}, func(th *rt.Thread) { ok(d.Set(th, key, rt.True)) })
				must0(t, r.Do(func(th *rt.Thread) error {
					v, found := d.Lookup(th, same)
					if !found || v != rt.True || d.Len(th) != n+c.more {
						t.Errorf("%s, with %d entries: the key has %s, and there are %d entries", what, n, Format(th, v), d.Len(th))
					}
					all := []rt.Ref{d, key, same}
					audit(t, th, all...)
					th.DecRefs(all)
					return nil
				}))
			}
		}
	})
}

// TestLargeTuplesOfOneHash: entries that were in the table before the lookup are not
// compared again under the lock, where that would take too long.
func TestLargeTuplesOfOneHash(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		large := func(n int) rt.Ref {
			x, _ := sameHashKey(th, n)
			defer th.DecRef(x)
			return must(NewTuple(th, append(slices.Repeat([]rt.Ref{rt.None}, 2*lockedLooks), x)...))
		}
		d, a, b := must(NewDict(th)), large(2), large(4)
		if must(Hash(th, a)) != must(Hash(th, b)) || sameKey(th, a, b) {
			t.Fatal("they have different hashes, or are the same")
		}
		for range 3 {
			must0(t, d.Set(th, a, rt.True))
			must0(t, d.Set(th, b, rt.False))
		}
		if v, _ := d.Lookup(th, a); v != rt.True || d.Len(th) != 2 {
			t.Error("one stands for the other")
		}
		// Entries of other hashes are not compared.
		for i := range 2 * lockedLooks {
			k := newBig(th, i)
			ok(d.Set(th, k, rt.None))
			th.DecRef(k)
		}
		small := must(NewTuple(th, rt.None))
		p := search(th, table(th, d), small, must(Hash(th, small)))
		if _, settled := p.now(th, table(th, d), 2, small); !settled {
			t.Error("keys of other hashes were compared")
		}
		th.DecRefs([]rt.Ref{d, a, b, small})
	})
}

// TestUpdateCountsKeys: an update takes counts of keys and values, also of colliding keys,
// and leaves out dead entries.
func TestUpdateCountsKeys(t *testing.T) {
	oneGoroutine(t)
	for _, keyed := range []bool{false, true} {
		if keyed {
			withKeyed(t)
		}
		forModes(t, func(t *testing.T, o rt.Options) {
			clean(t, o, func(th *rt.Thread) {
				for what, key := range map[string]keyMaker{"any": anyKey, "same hash": sameHashKey} {
					for _, n := range []int{0, 3, 6, 30, 300} {
						for _, overwrites := range []int{0, 2} { // those build a new table
							d, from := must(NewDict(th)), must(NewDict(th))
							want := map[string]int{}
							set := func(x Dict, i, mark int) {
								k, name := key(th, i)
								ok(x.SetSteal(th, k, newBig(th, mark)))
								th.DecRef(k)
								if x == d {
									want[name] = mark
								}
							}
							for i := range n {
								set(d, i, i)
							}
							added := map[string]int{}
							for i := range 4 { // the last one is dead
								set(from, n+i, 1000+i)
								name := nameOf(th, key, n+i)
								added[name] = 1000 + i
							}
							for i := range min(overwrites, n) {
								set(from, i, 2000+i)
								name := nameOf(th, key, i)
								added[name] = 2000 + i
							}
							k, name := key(th, n+3)
							must(from.Delete(th, k))
							th.DecRef(k)
							delete(added, name)
							must0(t, d.Update(th, from))
							for name, mark := range added {
								want[name] = mark
							}
							if d.Len(th) != len(want) {
								t.Errorf("%s: %d entries after an update of %d, want %d", what, d.Len(th), n, len(want))
							}
							for i := range n + 4 {
								k, name := key(th, i)
								v, found := d.Lookup(th, k)
								if mark, there := want[name]; found != there || found && bigOf(th, v) != mark {
									t.Errorf("%s: key %s of %d has %v, %s; want %d", what, name, n, found, Format(th, v), mark)
								}
								th.DecRef(k)
							}
							for k, v := range d.All(th) {
								if v == rt.Nil || k == rt.Nil {
									t.Error("a dead entry was taken over")
								}
							}
							f := must(th.Freeze(d))
							if Dict(f.Root()).Len(th) != len(want) {
								t.Errorf("%s: frozen, it has %d entries", what, Dict(f.Root()).Len(th))
							}
							must0(t, th.Unload(f))
							f = must(th.Freeze(from)) // with a dead entry
							if Dict(f.Root()).Len(th) != len(added) {
								t.Errorf("%s: frozen, the other one has %d entries, want %d", what, Dict(f.Root()).Len(th), len(added))
							}
							must0(t, th.Unload(f))
							audit(t, th, d, from)
							th.DecRefs([]rt.Ref{from, d})
						}
					}
				}
			})
		})
	}
}

// nameOf returns the name of a key.
func nameOf(th *rt.Thread, key keyMaker, n int) string {
	k, name := key(th, n)
	th.DecRef(k)
	return name
}

// TestUpdateAtChainMax: an update whose keys would make a run of filled places too long
// makes the table KEYED, as a single key would.
func TestUpdateAtChainMax(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		key := func(i int) rt.Ref { // all of them at one place of any index
			return must(NewInt(th, int64(unmix(uint64(i+1)<<32|uint64(uint32(i+1)^oneHash))^intMark)))
		}
		d, from := must(NewDict(th)), must(NewDict(th))
		for i := range 1000 {
			ok(d.Set(th, smallInt(i), rt.None))
		}
		n := 0
		for ; ; n++ {
			k := key(n)
			if search(th, table(th, d), k, must(Hash(th, k))).long {
				th.DecRef(k)
				break
			}
			ok(d.Set(th, k, rt.True))
			th.DecRef(k)
		}
		if isKeyed(table(th, d)) || n < chainMax/2 {
			t.Fatalf("keyed %v after %d keys", isKeyed(table(th, d)), n)
		}
		for i := range 5 {
			k := key(n + i)
			ok(from.Set(th, k, rt.False))
			th.DecRef(k)
		}
		must0(t, d.Update(th, from))
		if !isKeyed(table(th, d)) || longestRun(th, d) > chainMax || d.Len(th) != 1000+n+5 {
			t.Errorf("keyed %v, a run of %d places, %d entries", isKeyed(table(th, d)), longestRun(th, d), d.Len(th))
		}
		for i := range n + 5 {
			k := key(i)
			if v, _ := d.Lookup(th, k); (v == rt.True) != (i < n) || v == rt.Nil {
				t.Fatalf("key %d has %s", i, Format(th, v))
			}
			th.DecRef(k)
		}
		th.DecRefs([]rt.Ref{d, from})
	})
}

// TestClasses: each lookup halves the path to the representative of a class.
func TestClasses(t *testing.T) {
	c := classes{1: 2, 2: 3, 3: 4, 4: 5}
	if c.find(1) != 5 || c[1] != 3 || c[2] != 4 || c[3] != 5 || c[4] != 5 {
		t.Errorf("%v", c)
	}
	if c.join(1, 4) || c.join(5, 2) || !c.join(7, 1) || c.join(5, 7) || !c.join(8, 9) || c.join(9, 8) {
		t.Error("two are one, or one two")
	}
}

// TestDictEdges tests a dict at its smallest sizes, and calls on objects of other kinds.
func TestDictEdges(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			none := must(newDictSteal(th, nil))
			if r := th.Body(none).LoadRef(boxBlock); r != rt.Nil || none.Len(th) != 0 {
				t.Errorf("an empty dict has the table %s", r)
			}
			d := must(NewDict(th))
			fill := func(n int) {
				for i := range n {
					ok(d.Set(th, smallInt(i), rt.None))
				}
			}
			for _, n := range []int{1, 5, 20, 100} { // emptied, it has no table
				fill(n)
				for i := range n {
					must(d.Delete(th, smallInt(i)))
				}
				if r := th.Body(d).LoadRef(boxBlock); r != rt.Nil {
					t.Errorf("emptied of %d entries, it has the table %s", n, r)
				}
			}
			for _, n := range []int{2*linearMax - 1, 2 * linearMax, 2*linearMax + 1} { // half dead, it gets a smaller one
				ok(d.Clear(th))
				fill(n)
				r := th.Body(d).LoadRef(boxBlock)
				b := th.Block(r)
				if used := usedOf(b.LoadUint64(dictState)); used != n {
					t.Fatalf("%d of %d entries are in use", used, n)
				}
				for live := n - 1; live > 1; live-- {
					must(d.Delete(th, smallInt(live)))
					want := n >= 2*linearMax && live <= n/2
					if replaced := th.Body(d).LoadRef(boxBlock) != r; replaced != want {
						t.Errorf("%d of %d entries are alive: replaced %v", live, n, replaced)
					}
					if want {
						break
					}
				}
			}
			text, list := must(NewString(th, "a string")), must(NewList(th))
			for what, err := range map[string]error{
				"set": Dict(list).Set(th, text, rt.None), "get": second(Dict(list).Get(th, text)), "delete": second(Dict(list).Delete(th, text)),
				"pop": second(Dict(list).Pop(th, text)), "get of none": second(Dict(rt.None).Get(th, text)),
			} {
				wantError[*rt.TypeError](t, err)
				if err.Error() == "" {
					t.Error(what)
				}
			}
			if v, found := Dict(list).Lookup(th, text); found || v != rt.Nil || Dict(list).Len(th) != 0 || Dict(list).Has(th, text) {
				t.Errorf("a list has a key: %s", v)
			}
			wantError[*UnhashableError](t, second(d.Get(th, list)))
			wantError[*KeyError](t, second(d.Get(th, text)))
			th.DecRefs([]rt.Ref{text, list, d, none})
		})
	})
}

// TestLongRunAtTheLimit: if there is no memory for a KEYED table, a new entry goes into the
// existing table, as long as that has room.
func TestLongRunAtTheLimit(t *testing.T) {
	clean(t, rt.Options{MemoryLimit: 4 << 20}, func(th *rt.Thread) {
		key := func(i int) rt.Ref { // all of them at one place of any index
			return must(NewInt(th, int64(unmix(uint64(i+1)<<32|uint64(uint32(i+1)^oneHash))^intMark)))
		}
		d := must(NewDict(th))
		for i := range 10_000 { // no block of that size is free
			ok(d.Set(th, smallInt(i), rt.None))
		}
		long := func(k rt.Ref) bool { return search(th, table(th, d), k, must(Hash(th, k))).long }
		n := 0
		k := key(n)
		for ; !long(k); k = key(n) {
			ok(d.Set(th, k, rt.True))
			th.DecRef(k)
			n++
		}
		th.Checkpoint()
		held := hog(t, th)
		b := table(th, d)
		if usedOf(b.LoadUint64(dictState)) == int(b.Word(dictCap)) {
			t.Fatal("the table is full")
		}
		must0(t, d.Set(th, k, rt.False))
		if v, _ := d.Lookup(th, k); v != rt.False || table(th, d) != b || d.Len(th) != 10_000+n+1 {
			t.Errorf("it is %s, and the table was replaced: %v", Format(th, v), table(th, d) != b)
		}
		_, err := newDictSteal(th, []rt.Ref{smallInt(1), rt.None})
		for i := 0; err == nil && i < 1000; i++ {
			var r rt.Ref
			if r, err = newDictSteal(th, []rt.Ref{smallInt(1), rt.None}); err == nil {
				held = append(held, r)
			}
		}
		th.DecRefs(held)
		th.DecRefs([]rt.Ref{d, k})
	})
}
