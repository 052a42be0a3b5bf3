package objects

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

func TestTuple(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		o.AddressSpace = smallSpace
		rapid.Check(t, func(t *rapid.T) {
			marks := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 40).Draw(t, "marks")
			others := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 3).Draw(t, "others")
			equal := len(marks) == len(others)
			for i := 0; equal && i < len(marks); i++ {
				equal = marks[i] == others[i]
			}
			clean(t, o, func(th *rt.Thread) {
				items := func(marks []int) (rs []rt.Ref) {
					for _, n := range marks {
						rs = append(rs, newBig(th, n))
					}
					return rs
				}
				first := items(marks)
				a, b := must(NewTuple(th, first...)), must(NewTupleSteal(th, items(marks)...))
				c := must(NewTupleSteal(th, items(others)...))
				th.DecRefs(first)
				audit(t, th, a, b, c)
				if a.Len(th) != len(marks) || len(a.Items(th)) != len(marks) {
					t.Fatalf("a tuple has another length")
				}
				for i, n := range marks {
					if r, ok := a.At(th, i); !ok || bigOf(th, r) != n || a.Items(th)[i] != r {
						t.Fatalf("a tuple has another item")
					}
				}
				for _, i := range []int{-1, len(marks)} {
					if _, ok := a.At(th, i); ok {
						t.Fatalf("a tuple has an item outside of it")
					}
				}
				if !sameKey(th, a, b) || must(Hash(th, a)) != must(Hash(th, b)) || sameKey(th, a, c) != equal {
					t.Fatalf("tuples and their items disagree on equality")
				}
				th.DecRefs([]rt.Ref{a, b, c})
			})
		})
	})
}

func TestTupleErrors(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			v := newBig(th, 1)
			for _, make := range []func(*rt.Thread, ...rt.Ref) (Tuple, error){NewTuple, NewTupleSteal} {
				if _, err := make(th, v, rt.Nil); err == nil || err.Error() != "ichor: new tuple: item 1: nil reference" {
					t.Errorf("got %v", err)
				}
			}
			audit(t, th, v)
			th.DecRef(v)
			if must(NewTuple(th)) != rt.EmptyTuple {
				t.Error("the empty tuple is an object of its own")
			}
			for _, r := range []rt.Ref{rt.Nil, rt.None, smallInt(2)} {
				if _, ok := Tuple(r).At(th, 0); ok || Tuple(r).Len(th) != 0 || Tuple(r).Items(th) != nil {
					t.Errorf("%s has items", r)
				}
			}
		})
		if o.Checked {
			return
		}
		o.MemoryLimit = 1 << 20
		clean(t, o, func(th *rt.Thread) {
			held := hog(t, th)
			if _, err := NewTuple(th, held[0]); !errors.Is(err, rt.ErrMemoryLimit) {
				t.Errorf("got %v, want the memory limit", err)
			}
			audit(t, th, held...)
			th.DecRefs(held)
		})
	})
}

// TestTupleHash: the hash depends on order and nesting, and a tuple of keys is a key.
func TestTupleHash(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		must0(t, th.Scope(func(s *rt.Scope) {
			one, two := smallInt(1), smallInt(2)
			seen := map[uint32]bool{}
			for _, r := range []rt.Ref{
				rt.EmptyTuple,
				s.Own(NewTuple(th, one)),
				s.Own(NewTuple(th, one, two)),
				s.Own(NewTuple(th, two, one)),
				s.Own(NewTuple(th, s.Own(NewTuple(th, one, two)))),
				s.Own(NewTuple(th, rt.EmptyTuple)),
				s.Own(NewTuple(th, s.Own(NewTuple(th, one)), two)),
				s.Own(NewTuple(th, rt.True, rt.None)),
			} {
				h, err := Hash(th, r)
				if err != nil || seen[h] {
					t.Errorf("%s: hash %#x, %v", Format(th, r), h, err)
				}
				seen[h] = true
			}
			list := s.Own(NewList(th))
			_, err := Hash(th, s.Own(NewTuple(th, one, s.Own(NewTuple(th, list)), two)))
			wantError[*UnhashableError](t, err)
		}))
	})
}

// TestBounds: a tuple or a text that is too large is refused with a clear error.
func TestBounds(t *testing.T) {
	tuple, text := maxTuple, maxText
	maxTuple, maxText = 10, 10
	defer func() { maxTuple, maxText = tuple, text }()
	clean(t, rt.Options{}, func(th *rt.Thread) {
		for n, good := range map[int]bool{10: true, 11: false} {
			long := strings.Repeat("1", n)
			for want, build := range map[string]func() (rt.Ref, error){
				"ichor: tuple of 11 items, want 0 to 10":  func() (rt.Ref, error) { return NewTuple(th, slices.Repeat([]rt.Ref{rt.None}, n)...) },
				"ichor: string of 11 bytes, want 0 to 10": func() (rt.Ref, error) { return NewString(th, long) },
				"ichor: bytes of 11 bytes, want 0 to 10":  func() (rt.Ref, error) { return NewBytes(th, []byte(long)) },
				"ichor: number of 11 bytes, want 0 to 10": func() (rt.Ref, error) { return newNumber(th, []byte(long)) },
			} {
				r, err := build()
				if good != (err == nil) || !good && err.Error() != want {
					t.Errorf("of size %d: %v, want %s", n, err, want)
				}
				th.DecRef(r)
			}
		}
	})
}
