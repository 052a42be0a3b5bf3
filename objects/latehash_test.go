package objects

import (
	"errors"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// hashWord returns the stored hash of a text or a tuple; 0 if there is none.
func hashWord(t *rt.Thread, r rt.Ref) uint32 {
	if t.Kind(r) == rt.TypeTuple {
		return t.Body(r).Load(tupleHash)
	}
	return t.Body(r).Load(textHash)
}

// lateKeys returns objects that have a late hash, and their hashes.
func lateKeys(t *testing.T, th *rt.Thread) (rs []rt.Ref, want []uint32) {
	add := func(r rt.Ref, err error) rt.Ref {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
		return r
	}
	text := fold(hashText([]byte("a text")))
	add(NewString(th, "a text"))
	add(NewBytes(th, []byte("a text")))
	add(newNumber(th, []byte("1e999")))
	s, err := NewString(th, "an item")
	if err != nil {
		t.Fatal(err)
	}
	pair := add(NewTupleSteal(th, s, rt.None))
	add(NewTuple(th, pair, pair, smallInt(3)))
	none := fold(mix(uint64(rt.None.Handle)))
	inner := addHash(addHash(tupleMark, fold(hashText([]byte("an item")))), none)
	outer := addHash(addHash(addHash(tupleMark, inner), inner), hashInt(3))
	return rs, []uint32{text, text ^ bytesMark, fold(hashText([]byte("1e999"))), inner, outer}
}

// TestHashIsLate: a mortal has no hash until somebody asks for it, and then keeps it.
func TestHashIsLate(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			rs, want := lateKeys(t, th)
			for i := len(rs) - 1; i >= 0; i-- { // the pair gets its hash by way of what contains it
				r := rs[i]
				if h := hashWord(th, r); h != 0 && i != 3 {
					t.Errorf("%s was born with the hash %#x", Format(th, r), h)
				}
				for range 2 {
					if h, err := Hash(th, r); h != want[i] || err != nil {
						t.Errorf("the hash of %s is %#x, %v; want %#x", Format(th, r), h, err, want[i])
					}
				}
			}
			for i, r := range rs {
				if h := hashWord(th, r); h != want[i] {
					t.Errorf("%s has kept %#x, want %#x", Format(th, r), h, want[i])
				}
			}
			th.DecRefs(rs)
		})
	})
}

// TestHashBeforeImmortality: an immortal has its hash before anybody asks for it, however it
// became immortal, and nothing is stored when somebody does.
func TestHashBeforeImmortality(t *testing.T) {
	for name, immortal := range map[string]func(t *testing.T, th *rt.Thread) (rs []rt.Ref, want []uint32){
		"born": func(t *testing.T, th *rt.Thread) (rs []rt.Ref, want []uint32) {
			if err := th.Immortally(func() error {
				rs, want = lateKeys(t, th)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return rs, want
		},
		"in place": func(t *testing.T, th *rt.Thread) (rs []rt.Ref, want []uint32) {
			rs, want = lateKeys(t, th)
			for _, r := range rs {
				if err := th.Immortalize(r); err != nil {
					t.Fatal(err)
				}
			}
			return rs, want
		},
		"frozen": func(t *testing.T, th *rt.Thread) (rs []rt.Ref, want []uint32) {
			all, want := lateKeys(t, th)
			list := must(NewListSteal(th, all...))
			f, err := th.Freeze(list)
			th.DecRef(list)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				r, _ := List(f.Root()).At(th, i)
				rs = append(rs, r)
			}
			return rs, want
		},
	} {
		t.Run(name, func(t *testing.T) {
			forModes(t, func(t *testing.T, o rt.Options) {
				clean(t, o, func(th *rt.Thread) {
					rs, want := immortal(t, th)
					for i, r := range rs {
						if h := hashWord(th, r); h != want[i] {
							t.Errorf("%s has the hash %#x, want %#x", Format(th, r), h, want[i])
						}
						if h, err := Hash(th, r); h != want[i] || err != nil {
							t.Errorf("the hash of %s is %#x, %v; want %#x", Format(th, r), h, err, want[i])
						}
					}
				})
			})
		})
	}
}

// TestHashOfAnImmortalIsNotStored: the word of an immortal that has no hash stays 0.
func TestHashOfAnImmortalIsNotStored(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		list := must(NewList(th))
		tuple, text := must(NewTupleSteal(th, list, smallInt(1))), must(NewString(th, "a text"))
		for _, r := range []rt.Ref{tuple, text} {
			if err := th.Immortalize(r); err != nil {
				t.Fatal(err)
			}
		}
		th.Body(text).SetWord(textHash, 0)
		if h, err := Hash(th, text); err != nil || h != fold(hashText([]byte("a text"))) {
			t.Errorf("hash %#x, %v", h, err)
		}
		var none *UnhashableError
		if _, err := Hash(th, tuple); !errors.As(err, &none) {
			t.Errorf("a tuple with a list in it: %v", err)
		}
		if a, b := hashWord(th, tuple), hashWord(th, text); a != 0 || b != 0 {
			t.Errorf("%#x and %#x were stored", a, b)
		}
	})
}

// TestHashAtBirth: an interned string has its hash from the start, since the table needs it, and so have
// the empty texts, which are born immortal.
func TestHashAtBirth(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		name := must(Intern(th, "a name"))
		none := fold(hashText(nil))
		for r, want := range map[rt.Ref]uint32{rt.Ref(name): fold(hashText([]byte("a name"))), rt.EmptyString: none, rt.EmptyBytes: none ^ bytesMark} {
			if h := hashWord(th, r); h != want {
				t.Errorf("%s was born with the hash %#x, want %#x", Format(th, r), h, want)
			}
		}
		th.DecRef(name)
	})
}

// TestHashOfDeepTuples: a late hash takes no stack, and a time in the number of tuples, however
// many paths lead to them.
func TestHashOfDeepTuples(t *testing.T) {
	littleStack(t)
	clean(t, rt.Options{Mode: rt.LockFree}, func(th *rt.Thread) {
		r := must(NewTuple(th, smallInt(1)))
		for range levels {
			next := must(NewTuple(th, r, r, smallInt(2)))
			th.DecRef(r)
			r = next
		}
		h, err := Hash(th, r)
		if err != nil {
			t.Fatal(err)
		}
		want := addHash(tupleMark, hashInt(1))
		for range levels {
			want = addHash(addHash(addHash(tupleMark, want), want), hashInt(2))
		}
		if h != want {
			t.Errorf("hash %#x, want %#x", h, want)
		}
		th.DecRef(r)

		list := must(NewList(th))
		bad := must(NewTupleSteal(th, list))
		for range 60 { // 2^60 paths to the list
			next := must(NewTuple(th, smallInt(1), bad, bad))
			th.DecRef(bad)
			bad = next
		}
		if h, err := Hash(th, bad); err == nil {
			t.Errorf("a tuple with a list in it has the hash %#x", h)
		}
		th.DecRef(bad)
	})
}
