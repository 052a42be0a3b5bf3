package objects

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/dchest/siphash"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestLookupString: strings are found by their texts in tables of all forms, frozen or not,
// and nothing is allocated.
func TestLookupString(t *testing.T) {
	sizes := []int{0, 1, 8, 30, 300, 3000}
	if racesOnly() {
		sizes = sizes[:5]
	}
	for name, keyed := range map[string]bool{"": false, "keyed": true} {
		t.Run(name, func(t *testing.T) {
			if keyed {
				withKeyed(t)
			}
			forAllModes(t, func(t *testing.T, o rt.Options) {
				clean(t, o, func(th *rt.Thread) {
					for _, n := range sizes {
						lookupStrings(t, th, n, o.Checked || raceEnabled)
					}
				})
			})
		})
	}
}

func lookupStrings(t *testing.T, th *rt.Thread, n int, mayAllocate bool) {
	texts := []string{"", "ä key", strings.Repeat("a long one ", 30)}
	for i := range n {
		texts = append(texts, fmt.Sprint("key ", i))
	}
	const one, other = "tea 7872", "tea 48211" // of one hash
	texts = append(texts, one)
	d, want := must(NewDict(th)), map[string]int{}
	for i, text := range texts {
		k, b := must(NewString(th, text)), must(NewBytes(th, []byte(text+"1")))
		number := must(newNumber(th, []byte(text+"2"))) // its hash is that of a string
		ok(d.Set(th, b, rt.False))
		ok(d.Set(th, number, rt.False))
		ok(d.Set(th, k, smallInt(i)))
		th.DecRefs([]rt.Ref{k, b, number})
		want[text] = i
	}
	look := func(d Dict) {
		t.Helper()
		for _, text := range texts {
			for _, text := range []string{text, text + "1", text + "2"} {
				v, found := d.LookupString(th, text)
				if i, there := want[text]; found != there || found && v != smallInt(i) || !found && !v.IsNil() {
					t.Errorf("of %d, %q has %s, %v", n, text, v, found)
				}
			}
		}
		for _, text := range []string{"no key", "\xff", "key", "key  1", other} {
			if v, found := d.LookupString(th, text); found || !v.IsNil() {
				t.Errorf("%q has %s", text, v)
			}
		}
		allocs := testing.AllocsPerRun(10, func() {
			for _, text := range texts[:3] {
				d.LookupString(th, text)
			}
		})
		if allocs > 0 && !mayAllocate {
			t.Errorf("%g allocations", allocs)
		}
	}
	look(d)
	gone := must(NewString(th, texts[1]))
	must(d.Delete(th, gone))
	delete(want, texts[1])
	look(d)
	ok(d.Set(th, gone, smallInt(1)))
	want[texts[1]] = 1
	look(d)
	f := must(th.Freeze(d))
	look(Dict(f.Root()))
	must0(t, th.Unload(f))
	th.DecRefs([]rt.Ref{d, gone})
	empty := must(NewDict(th))
	for _, not := range []rt.Ref{rt.Nil, rt.None, smallInt(1), rt.EmptyTuple, empty} {
		if _, found := Dict(not).LookupString(th, ""); found {
			t.Error("an object that is not a dict, or is an empty one, has a key")
		}
	}
	th.DecRef(empty)
}

// TestLookupStringInFew looks for strings in dicts that have no index.
func TestLookupStringInFew(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		const one, other = "tea 7872", "tea 48211"
		d, k, same := must(NewDict(th)), must(NewString(th, one)), must(NewString(th, other))
		if must(Hash(th, k)) != must(Hash(th, same)) {
			t.Fatal("their hashes differ")
		}
		ok(d.Set(th, rt.None, rt.True))
		ok(d.Set(th, k, rt.False))
		f := must(th.Freeze(d))
		for _, x := range []Dict{d, Dict(f.Root())} {
			if v, found := x.LookupString(th, one); !found || v != rt.False {
				t.Errorf("found %s, %v", v, found)
			}
			for _, text := range []string{other, "", "coffee"} {
				if v, found := x.LookupString(th, text); found || !v.IsNil() {
					t.Errorf("%q has %s", text, v)
				}
			}
		}
		must0(t, th.Unload(f))
		th.DecRefs([]rt.Ref{d, k, same})
	})
}

// TestLookupStringInKeyedFrozen: a frozen table of keys that collide has a seed of its own.
func TestLookupStringInKeyedFrozen(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		d := must(NewDict(th))
		for i := range 400 {
			k, _ := sameHashKey(th, i)
			ok(d.Set(th, k, rt.None))
			th.DecRef(k)
		}
		text := strings.Repeat("coffee", 20)
		k := must(NewString(th, text))
		ok(d.Set(th, k, rt.True))
		f := must(th.Freeze(d))
		if !frozenTableIn(th.Body(f.Root())).keyed() {
			t.Fatal("the frozen table is not keyed")
		}
		if v, found := Dict(f.Root()).LookupString(th, text); !found || v != rt.True {
			t.Errorf("found %s, %v", v, found)
		}
		must0(t, th.Unload(f))
		th.DecRefs([]rt.Ref{k, d})
	})
}

// TestSipHash compares seeded.text with package siphash.
func TestSipHash(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		s := seeded{k0: rnd.Uint64(), k1: rnd.Uint64()}
		if got, want := s.text(string(b)), siphash.Hash(s.k0, s.k1^uint64(rt.TypeString), b); got != want {
			t.Errorf("%d bytes: %x, want %x", n, got, want)
		}
	}
}
