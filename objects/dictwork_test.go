package objects

import (
	"math"
	"slices"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// table returns the body of d's table.
func table(th *rt.Thread, d Dict) rt.Body {
	return th.Block(th.Body(d).LoadRef(boxBlock))
}

// longestRun returns the length of the longest run of filled places in the index of d,
// which must have an index.
func longestRun(th *rt.Thread, d Dict) (most int) {
	b := table(th, d)
	s := shapeOf(b)
	run := 0
	for i := range 2 * (s.mask + 1) { // a run may wrap around the end
		if n, _ := s.place(b, i&s.mask, 0); n == 0 {
			run = 0
			continue
		}
		run++
		most = max(most, min(run, int(s.mask)+1))
	}
	return most
}

// withKeyed makes all tables KEYED, for the time of a test.
func withKeyed(t *testing.T) {
	alwaysKeyed = true
	t.Cleanup(func() { alwaysKeyed = false })
}

// twins returns two tuples with the given number of levels, each of which holds the one
// below twice.
func twins(th *rt.Thread, levels int) rt.Ref {
	x := must(NewTuple(th, smallInt(7), smallInt(8)))
	for range levels {
		y := must(NewTuple(th, x, x))
		th.DecRef(x)
		x = y
	}
	return x
}

// TestSharedPartsAreComparedOnce compares tuples that share parts. It looks at no more
// pairs of slots than there are slots.
func TestSharedPartsAreComparedOnce(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		text := func() rt.Ref { return must(NewString(th, "the same text")) }
		wide := func() rt.Ref { // many paths to one text
			x := text()
			y := must(NewTuple(th, slices.Repeat([]rt.Ref{x}, 1000)...))
			z := must(NewTuple(th, slices.Repeat([]rt.Ref{y}, 1000)...))
			th.DecRefs([]rt.Ref{x, y})
			return z
		}
		crossed := func(even bool) rt.Ref { // pairs of each level with each of the other
			x, y := must(NewTuple(th, smallInt(1), smallInt(2))), must(NewTuple(th, smallInt(1), smallInt(2)))
			for range 50 {
				v, w := must(NewTuple(th, x, y)), must(NewTuple(th, y, x))
				th.DecRefs([]rt.Ref{x, y})
				x, y = v, w
			}
			if even {
				x, y = y, x
			}
			th.DecRef(y)
			return x
		}
		for what, c := range map[string]struct {
			a, b rt.Ref
			most int
		}{
			"levels":  {twins(th, 60), twins(th, 60), 2*61 + classesFrom},
			"wide":    {wide(), wide(), 2 * 1000},
			"crossed": {crossed(true), crossed(false), 3*4*51 + classesFrom},
		} {
			same, looks := compareKeys(th, c.a, c.b, math.MaxInt)
			if !same || looks > c.most {
				t.Errorf("%s: same %v after %d looks, want at most %d", what, same, looks, c.most)
			}
			if same, looks := compareKeys(th, c.a, c.b, 10); same || looks != 11 {
				t.Errorf("%s: with ten looks: same %v after %d", what, same, looks)
			}
			th.DecRefs([]rt.Ref{c.a, c.b})
		}
	})
}

// TestDifferentSharedParts: a difference deep inside, beyond the first looks, is found.
func TestDifferentSharedParts(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		// Two ints with one hash, so that no tuple's hash reveals the difference.
		deep := func(n int) rt.Ref {
			k, _ := sameHashKey(th, n)
			x := k
			for range 40 {
				y := must(NewTuple(th, x, x))
				th.DecRef(x)
				x = y
			}
			return x
		}
		a, b := deep(2), deep(4)
		if must(Hash(th, a)) != must(Hash(th, b)) || sameKey(th, a, b) {
			t.Error("they have different hashes, or are the same")
		}
		d := must(NewDict(th))
		must0(t, d.Set(th, a, rt.True))
		must0(t, d.Set(th, b, rt.False))
		if v, _ := d.Lookup(th, a); v != rt.True || d.Len(th) != 2 {
			t.Error("one stands for the other")
		}
		th.DecRefs([]rt.Ref{a, b, d})
	})
}

// TestTupleSpots: the spot of a tuple that was looked up without the lock is correct,
// whatever happened before the lock was taken. The lookup gives up if too much would have
// to be compared.
func TestTupleSpots(t *testing.T) {
	for _, keyed := range []bool{false, true} {
		if keyed {
			withKeyed(t)
		}
		clean(t, rt.Options{}, func(th *rt.Thread) {
			for _, n := range []int{5, 30, 300} { // without an index, with bytes, with words
				collide := func(d Dict, key rt.Ref) { // with a key that has the tuple's hash
					x := must(NewTuple(th, rt.None, rt.True))
					th.Body(x).SetWord(tupleHash, must(Hash(th, key)))
					ok(d.Set(th, x, rt.None))
					th.DecRef(x)
				}
				for what, meanwhile := range map[string]func(d Dict, key rt.Ref){
					"one like it, and set": func(d Dict, key rt.Ref) { collide(d, key); ok(d.Set(th, key, rt.False)) },
					"set, and one like it": func(d Dict, key rt.Ref) { ok(d.Set(th, key, rt.False)); collide(d, key) },
					"one like it":          collide,
					"nothing":              func(Dict, rt.Ref) {},
					"set":                  func(d Dict, key rt.Ref) { ok(d.Set(th, key, rt.False)) },
					"deleted":              func(d Dict, key rt.Ref) { must(d.Delete(th, key)) },
					"out and in":           func(d Dict, key rt.Ref) { must(d.Delete(th, key)); ok(d.Set(th, key, rt.False)) },
					"set and out":          func(d Dict, key rt.Ref) { ok(d.Set(th, key, rt.False)); must(d.Delete(th, key)) },
					"other key":            func(d Dict, _ rt.Ref) { ok(d.Set(th, smallInt(1000), rt.None)) },
					"in, out and in": func(d Dict, key rt.Ref) {
						ok(d.Set(th, key, rt.None))
						must(d.Delete(th, key))
						ok(d.Set(th, key, rt.None))
					},
				} {
					for _, there := range []bool{false, true} {
						d, key, same := must(NewDict(th)), twins(th, 3), twins(th, 3)
						room := func() int {
							b := table(th, d)
							return int(b.Word(dictCap)) - usedOf(b.LoadUint64(dictState))
						}
						for i := 0; i < n || room() < 3; i++ {
							ok(d.Set(th, smallInt(i), rt.None))
						}
						if there {
							ok(d.Set(th, key, rt.True))
						}
						if n == 5 { // the most entries without an index
							o := th.Body(d)
							for i := d.Len(th) - 5; i >= 0; i-- {
								must(d.Delete(th, smallInt(i)))
							}
							r := o.LoadRef(boxBlock)
							must(renew(th, d, o, r, linearMax, false))
							retireTable(th, r, false)
						}
						if indexed := shapeOf(table(th, d)).mask != 0; indexed != (n > 5) || room() < 3 {
							t.Fatalf("%d entries: an index %v, and room for %d", n, indexed, room())
						}
						b := table(th, d)
						hash, used := must(Hash(th, same)), usedOf(b.LoadUint64(dictState))
						p := search(th, b, same, hash)
						meanwhile(d, key)
						if table(th, d) != b {
							t.Fatalf("%s with %d: the table was replaced", what, n)
						}
						got, settled := p.now(th, b, used, same)
						want := search(th, b, same, hash)
						if !settled || got != want {
							t.Errorf("%s with %d, there %v: %+v, want %+v", what, n, there, got, want)
						}
						th.DecRefs([]rt.Ref{d, key, same})
					}
				}
			}
			d, key, same := must(NewDict(th)), twins(th, lockedLooks+10), twins(th, lockedLooks+10)
			ok(d.Set(th, smallInt(0), rt.None))
			p := search(th, table(th, d), same, must(Hash(th, same)))
			ok(d.Set(th, key, rt.True))
			if _, settled := p.now(th, table(th, d), 1, same); settled {
				t.Error("much was compared under the lock")
			}
			ok(d.Set(th, same, rt.False))
			if v, _ := d.Lookup(th, key); v != rt.False || d.Len(th) != 1+1 {
				t.Error("a large tuple is in the dict twice")
			}
			th.DecRefs([]rt.Ref{d, key, same})
		})
	}
}

// TestOneKeyHasOnePlace: however often keys are deleted and set, the index has one filled
// place for each key, and each leads to the youngest entry.
func TestOneKeyHasOnePlace(t *testing.T) {
	for name, key := range map[string]keyMaker{"anyKey": anyKey, "sameHash": sameHashKey} {
		for _, n := range []int{30, 300} { // bytes, words
			clean(t, rt.Options{}, func(th *rt.Thread) {
				d := must(NewDict(th))
				names := map[string]bool{}
				set := func(i int, there bool) {
					k, name := key(th, i)
					names[name] = true
					if there {
						ok(d.Set(th, k, smallInt(i)))
					} else {
						must(d.Delete(th, k))
					}
					th.DecRef(k)
				}
				for i := range n {
					set(i, true)
				}
				b := table(th, d)
				for b == table(th, d) && usedOf(b.LoadUint64(dictState)) < int(b.Word(dictCap)) {
					for i := range 4 { // also one that is new now and then
						set(i, false)
						if usedOf(b.LoadUint64(dictState)) < int(b.Word(dictCap)) {
							set(i, true)
						}
					}
				}
				s, filled := shapeOf(b), 0
				for i := range s.mask + 1 {
					p, _ := s.place(b, i, 0)
					if p == 0 {
						continue
					}
					filled++
					for later := int(p) + 1; later <= usedOf(b.LoadUint64(dictState)); later++ {
						if sameKey(th, b.Ref(s.entry(p)+entryKey), b.Ref(s.entry(uint32(later))+entryKey)) {
							t.Fatalf("%s: a place of the index leads to entry %d, but entry %d has the key", name, p, later)
						}
					}
				}
				if filled != len(names) {
					t.Errorf("%s with %d: %d places are filled, for %d keys", name, n, filled, len(names))
				}
				th.DecRef(d)
			})
		}
	}
}

// TestHostileKeys: colliding keys turn a table into a KEYED one, in which nothing collides,
// by whatever calls they come in.
func TestHostileKeys(t *testing.T) {
	oneGoroutine(t)
	n := 4000
	if raceEnabled {
		n = 1000
	}
	key := func(th *rt.Thread, i int) rt.Ref { // all of them at one place of any index
		return must(NewInt(th, int64(unmix(uint64(i+1)<<32|uint64(uint32(i+1)^oneHash))^intMark)))
	}
	for what, fill := range map[string]func(th *rt.Thread) Dict{
		"set": func(th *rt.Thread) Dict {
			d := must(NewDict(th))
			for i := range n {
				k := key(th, i)
				ok(d.Set(th, k, smallInt(i)))
				th.DecRef(k)
				if b := table(th, d); (i%500 == 499 || i > 100 && i < 400) && shapeOf(b).tags && longestRun(th, d) > 2*chainMax {
					t.Fatalf("after %d keys a run of %d places is filled", i+1, longestRun(th, d))
				}
				if b := table(th, d); isKeyed(b) && !shapeOf(b).tags {
					t.Fatalf("a table for %d keys is KEYED", i+1)
				}
				if i == 700 && !isKeyed(table(th, d)) {
					t.Fatal("no change of the hash")
				}
			}
			return d
		},
		"made at once": func(th *rt.Thread) Dict {
			var pairs []rt.Ref
			for i := range n {
				pairs = append(pairs, key(th, i), smallInt(i))
			}
			return must(newDictSteal(th, pairs))
		},
		"update": func(th *rt.Thread) Dict {
			d := must(NewDict(th))
			for from := 0; from < n; from += 200 { // these dicts are small, and not KEYED
				part := must(NewDict(th))
				for i := from; i < from+200; i++ {
					k := key(th, i)
					ok(part.Set(th, k, smallInt(i)))
					th.DecRef(k)
				}
				ok(d.Update(th, part))
				th.DecRef(part)
			}
			return d
		},
	} {
		t.Run(what, func(t *testing.T) {
			aloneInModes(t, func(t *testing.T, o rt.Options) {
				clean(t, o, func(th *rt.Thread) {
					d := fill(th)
					if !isKeyed(table(th, d)) || longestRun(th, d) > chainMax {
						t.Errorf("keyed %v, and a run of %d places is filled", isKeyed(table(th, d)), longestRun(th, d))
					}
					other := must(NewDict(th))
					must0(t, other.Update(th, d)) // into one that was not KEYED
					for _, d := range []Dict{d, other} {
						if d.Len(th) != n {
							t.Fatalf("%d entries, want %d", d.Len(th), n)
						}
						for i := range n {
							k := key(th, i)
							if v, found := d.Lookup(th, k); !found || v != smallInt(i) {
								t.Fatalf("key %d is lost", i)
							}
							th.DecRef(k)
						}
					}
					k := key(th, n)
					if d.Has(th, k) {
						t.Error("there is a key that no call has set")
					}
					th.DecRefs([]rt.Ref{k, d, other})
				})
			})
		})
	}
}

// crowdedDict makes a dict with free room whose index has a run of the greatest length, and
// returns a key that would make the run longer.
func crowdedDict(th *rt.Thread) (Dict, rt.Ref) {
	d := must(NewDict(th))
	for i := range 600 {
		ok(d.Set(th, smallInt(i), rt.None))
	}
	hash := func(i int) uint32 { return uint32(i)<<16 | 0x123 }
	key := func(i int) rt.Ref { return must(NewInt(th, int64(unmix(uint64(1)<<40|uint64(hash(i)^1<<8))^intMark))) }
	for i := 0; ; i++ {
		k := key(i)
		if search(th, table(th, d), k, must(Hash(th, k))).long {
			return d, k
		}
		ok(d.Set(th, k, rt.None))
		th.DecRef(k)
	}
}

// TestCrowded: one more key makes the table KEYED, whichever call adds it. If there is no
// memory for that, the change waits.
func TestCrowded(t *testing.T) {
	for _, limited := range []bool{false, true} {
		forModes(t, func(t *testing.T, o rt.Options) {
			if limited {
				o.MemoryLimit = 1 << 20
			}
			clean(t, o, func(th *rt.Thread) {
				for _, update := range []bool{false, true} {
					d, k := crowdedDict(th)
					other := must(NewDict(th))
					ok(other.Set(th, k, rt.True))
					if room := int(table(th, d).Word(dictCap)) - usedOf(table(th, d).LoadUint64(dictState)); room == 0 {
						t.Fatal("there is no room")
					}
					held := []rt.Ref{}
					if limited {
						held = hog(t, th)
						for {
							r, _, err := newTable(th, d, 700, true)
							if err != nil {
								break
							}
							defer th.FreeBlock(r)
						}
					}
					var err error
					if update {
						err = d.Update(th, other)
					} else {
						err = d.Set(th, k, rt.True)
					}
					if v, _ := d.Lookup(th, k); (v == rt.True) != (err == nil) || !update && err != nil || isKeyed(table(th, d)) == limited {
						t.Errorf("update %v, limited %v: error %v, found %s, keyed %v", update, limited, err, Format(th, v), isKeyed(table(th, d)))
					}
					th.DecRefs(append(held, k, d, other))
				}
			})
		})
	}
}

// TestKeyedHash: equal keys have equal hashes within one runtime, and different ones in
// another.
func TestKeyedHash(t *testing.T) {
	seen := map[uint32]int{}
	for range 2 {
		clean(t, rt.Options{}, func(th *rt.Thread) {
			byName := map[string]uint32{}
			for n := range 1200 {
				k, name := anyKey(th, n)
				h := keyedHash(th, k)
				if was, known := byName[name]; known && was != h {
					t.Errorf("%s has two hashes", name)
				}
				byName[name] = h
				th.DecRef(k)
			}
			for _, h := range byName {
				seen[h]++
			}
			a, b := twins(th, 60), twins(th, 60)
			if keyedHash(th, a) != keyedHash(th, b) {
				t.Error("equal tuples have two hashes")
			}
			th.DecRefs([]rt.Ref{a, b})
		})
	}
	for h, n := range seen {
		if n > 1 {
			t.Logf("hash %#x came %d times", h, n)
		}
	}
	if twice := len(seen); twice < 400 {
		t.Errorf("only %d hashes", twice)
	}
}

// TestSmallUpdates: an update that adds keys where there is room, or sets one value, keeps
// the table.
func TestSmallUpdates(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			d, one, two := must(NewDict(th)), must(NewDict(th)), must(NewDict(th))
			big := newBig(th, 1)
			for i := range 1000 {
				ok(d.Set(th, smallInt(i), rt.None))
			}
			must(d.Delete(th, smallInt(5)))
			b := table(th, d)
			update := func(from Dict, same bool) {
				t.Helper()
				must0(t, d.Update(th, from))
				if (table(th, d) == b) != same {
					t.Errorf("an update with %d entries: the table is replaced: %v", from.Len(th), same)
				}
				b = table(th, d)
			}
			ok(one.Set(th, smallInt(7), big))
			update(one, true) // overwrites
			for _, k := range []int{5, 2000, 2001} {
				ok(two.Set(th, smallInt(k), big))
			}
			update(two, true)  // adds, one of them again
			update(two, false) // overwrites several
			for _, k := range []int{5, 7, 2000, 2001} {
				if v, _ := d.Lookup(th, smallInt(k)); v != big {
					t.Errorf("key %d does not have its value", k)
				}
			}
			if d.Len(th) != 1002 {
				t.Errorf("%d entries", d.Len(th))
			}
			for i := range 2000 { // amortised: as rarely as Set would
				ok(one.Clear(th))
				ok(one.Set(th, smallInt(10_000+i), rt.None))
				was := table(th, d)
				must0(t, d.Update(th, one))
				if table(th, d) != was {
					b = table(th, d)
					if room := int(b.Word(dictCap)) - d.Len(th); 3*room < d.Len(th) {
						t.Fatalf("a table for %d entries has room for %d more", d.Len(th), room)
					}
				}
			}
			audit(t, th, d, one, two, big)
			th.DecRefs([]rt.Ref{d, one, two, big})
		})
	})
}

// TestDictBound: every call that would add to a full dict returns a clear error.
func TestDictBound(t *testing.T) {
	const most = 100
	was := maxEntries
	maxEntries = most
	defer func() { maxEntries = was }()
	const want = "ichor: dict of 101 entries, want 0 to 100"
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			d, other := must(NewDict(th)), must(NewDict(th))
			for i := range most {
				must0(t, d.Set(th, smallInt(i), rt.None))
			}
			must0(t, other.Set(th, smallInt(most), rt.None))
			if err := d.Set(th, smallInt(most), rt.None); err == nil || err.Error() != want {
				t.Errorf("set: %v", err)
			}
			if err := d.Update(th, other); err == nil || err.Error() != want {
				t.Errorf("update: %v", err)
			}
			must0(t, d.Set(th, smallInt(3), rt.True)) // present keys
			for range 300 {
				must(d.Delete(th, smallInt(3)))
				must0(t, d.Set(th, smallInt(3), rt.None))
			}
			if d.Len(th) != most {
				t.Errorf("%d entries", d.Len(th))
			}
			pairs := []rt.Ref{}
			for i := range most + 1 {
				pairs = append(pairs, smallInt(i), rt.None)
			}
			if _, err := newDictSteal(th, pairs); err == nil || err.Error() != want {
				t.Errorf("new dict: %v", err)
			}
			th.DecRefs([]rt.Ref{d, other})
		})
	})
}

// TestDictBoundFits: a table for the most entries that a dict can have fits a block, gates
// included. A table for one more does not.
func TestDictBoundFits(t *testing.T) {
	words := func(n int) int { return firstEntry(shapeFor(n)) + entryWords*n + gatesSize }
	if n := words(maxEntries); n > math.MaxUint32/2/4 {
		t.Errorf("a table of %d words", n)
	}
	if n := words(maxEntries + 1); n <= math.MaxUint32/2/4 {
		t.Errorf("a table with one entry more has %d words, which fit", n)
	}
	if n := grown(maxEntries - 1); n != maxEntries {
		t.Errorf("a table grows to %d", n)
	}
}
