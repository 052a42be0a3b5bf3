package objects

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

func TestText(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		o.AddressSpace = smallSpace
		rapid.Check(t, func(t *rapid.T) {
			raw := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "raw")
			text := rapid.String().Draw(t, "text")
			clean(t, o, func(th *rt.Thread) {
				s, interned := must(NewString(th, text)), must(Intern(th, text))
				b, n := must(NewBytes(th, raw)), must(newNumber(th, []byte(text)))
				defer th.DecRefs([]rt.Ref{s, interned, b, n})
				got, ok := s.Text(th)
				view, ok2 := interned.View(th)
				if got != text || view != text || !ok || !ok2 {
					t.Fatalf("a string has another text")
				}
				if got, ok := b.View(th); !ok || !bytes.Equal(got, raw) {
					t.Fatalf("bytes have another content")
				}
				if got, ok := Number(n).View(th); !ok || got != text {
					t.Fatalf("a number has another text")
				}
				if must(Hash(th, s)) != must(Hash(th, interned)) || !sameKey(th, s, interned) {
					t.Fatalf("equal strings are different keys")
				}
				if sameKey(th, s, b) || sameKey(th, s, n) || sameKey(th, b, n) {
					t.Fatalf("keys of different kinds are equal")
				}
				x := must(NewString(th, text+"x"))
				if sameKey(th, s, x) {
					t.Fatalf("different strings are equal")
				}
				th.DecRef(x)
				y, err := NewString(th, string(raw))
				th.DecRef(y)
				if (err == nil) != utf8.Valid(raw) {
					t.Fatalf("bytes that are not UTF-8 were made a string, or UTF-8 was refused")
				}
			})
		})
	})
}

// TestShortText checks texts of up to 20 bytes, each with a byte that is not UTF-8 at each
// place, and with a letter of two bytes.
func TestShortText(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		for n := range 21 {
			for i := range n {
				b := []byte("abcdefghijklmnopqrst")[:n]
				b[i] = 0xff
				want := fmt.Sprintf("ichor: new string: not valid UTF-8 at byte %d", i)
				if r, err := NewString(th, string(b)); err == nil || err.Error() != want {
					t.Errorf("%q is %v, error %v, want %s", b, r, err, want)
				}
				if r, err := NewStringBytes(th, b); err == nil || err.Error() != want {
					t.Errorf("%q, bytes, is %v, error %v, want %s", b, r, err, want)
				}
				if i+1 == n {
					continue
				}
				copy(b[i:], "é")
				r, x := must(NewString(th, string(b))), must(NewStringBytes(th, b))
				if v, _ := r.View(th); v != string(b) {
					t.Errorf("%q is %q", b, v)
				}
				if v, _ := x.View(th); v != string(b) {
					t.Errorf("%q, bytes, is %q", b, v)
				}
				th.DecRef(r)
				th.DecRef(x)
			}
		}
	})
}

func TestTextWrongKind(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			list := must(NewList(th))
			defer th.DecRef(list)
			for _, r := range []rt.Ref{rt.Nil, rt.None, smallInt(3), list} {
				_, a := String(r).View(th)
				_, b := String(r).Text(th)
				_, c := Bytes(r).View(th)
				_, d := Number(r).View(th)
				if a || b || c || d {
					t.Errorf("%s is text", r)
				}
			}
			if _, ok := Bytes(rt.EmptyString).View(th); ok {
				t.Error("a string is bytes")
			}
			if _, err := Intern(th, "\xff"); err == nil || err.Error() != "ichor: new string: not valid UTF-8 at byte 0" {
				t.Errorf("got %v", err)
			}
		})
	})
}

// TestTextSingletons: empty text is the same object everywhere, and its hash is the hash of
// empty text.
func TestTextSingletons(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			if must(NewString(th, "")) != rt.EmptyString || must(Intern(th, "")) != rt.EmptyString || must(NewBytes(th, nil)) != rt.EmptyBytes {
				t.Error("empty text is an object of its own")
			}
			if s, ok := String(rt.EmptyString).View(th); s != "" || !ok {
				t.Errorf("the empty string is %q, %v", s, ok)
			}
			if must(Hash(th, rt.EmptyString)) != fold(hashText(nil)) || must(Hash(th, rt.EmptyBytes)) == must(Hash(th, rt.EmptyString)) {
				t.Error("hash of a singleton")
			}
		})
	})
}

// TestHashes pins the hashes down, because images store them.
func TestHashes(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		must0(t, th.Scope(func(s *rt.Scope) {
			for _, c := range []struct {
				r    rt.Ref
				want uint32
			}{
				{smallInt(42), 0xd518f8a7},
				{rt.None, 0x34dbfde0},
				{s.Own(NewFloat(th, 1.5)), 0x9dcc9c28},
				{s.Own(NewTuple(th, smallInt(42))), 0xa2b9d192},
				{s.Own(NewString(th, "abc")), fold(0x44bc2cf5ad770999)}, // XXH64("abc", 0)
				{rt.EmptyString, fold(0xef46db3751d8e999)},              // XXH64("", 0)
				{rt.EmptyBytes, fold(0xef46db3751d8e999) ^ bytesMark},
				{rt.EmptyTuple, 0},
			} {
				if got := must(Hash(th, c.r)); got != c.want {
					t.Errorf("hash of %s is %#x, want %#x", Format(th, c.r), got, c.want)
				}
			}
		}))
	})
}

// TestInternShares: while a string lives, all threads get the same object for its text, and
// the table holds no count.
func TestInternShares(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			const workers, texts = 4, 200
			var refs [workers][texts]rt.Ref
			for range scaled(20) {
				run(t, r, workers, func(th *rt.Thread, w int) error {
					for i := range texts {
						refs[w][i] = must(Intern(th, fmt.Sprint("text ", i)))
					}
					return nil
				})
				for w := range refs {
					if refs[w] != refs[0] {
						t.Fatal("two threads hold different objects for one text")
					}
				}
				if n := core.Interned(r).Size(); n != texts {
					t.Fatalf("%d strings are interned, want %d", n, texts)
				}
				run(t, r, workers, func(th *rt.Thread, w int) error {
					th.DecRefs(refs[(w+1)%workers][:])
					return nil
				})
				if n := core.Interned(r).Size(); n != 0 {
					t.Fatalf("%d strings are interned that no reference holds", n)
				}
			}
		})
	})
}

// TestInternChurn has threads make and drop the same few strings. Each finds other threads'
// strings while they die.
func TestInternChurn(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			run(t, r, 4, func(th *rt.Thread, w int) error {
				rnd := rand.New(rand.NewPCG(4, uint64(w)))
				var held []rt.Ref
				for i := range scaled(100_000) {
					text := fmt.Sprint("text ", rnd.IntN(3))
					s := must(Intern(th, text))
					if got, _ := s.View(th); got != text {
						return fmt.Errorf("interned %q, got %q", text, got)
					}
					again := must(Intern(th, text))
					if again != s {
						return fmt.Errorf("another object for %q while one is held", text)
					}
					th.DecRef(again)
					if held = append(held, s); len(held) > rnd.IntN(4) {
						th.DecRefs(held)
						held = held[:0]
					}
					if i%32 == 0 {
						th.Checkpoint()
					}
				}
				th.DecRefs(held)
				return nil
			})
			if n := core.Interned(r).Size(); n != 0 {
				t.Fatalf("%d strings are interned that no reference holds", n)
			}
		})
	})
}

// TestInternForgets makes and drops very many different strings. The table does not grow
// with dead strings, and gives back the room that it took while they lived.
func TestInternForgets(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			n := scaled(100_000)
			must0(t, r.Do(func(th *rt.Thread) error {
				least := core.Interned(r).Stats().Capacity
				for i := range n { // one after the other
					th.DecRef(must(Intern(th, fmt.Sprint("text ", i))))
					th.Checkpoint()
				}
				if s := core.Interned(r).Stats(); s.Size != 0 || s.Capacity > least {
					t.Errorf("%d entries, room for %d, want %d", s.Size, s.Capacity, least)
				}
				held := make([]rt.Ref, n) // all at once
				for i := range held {
					held[i] = must(Intern(th, fmt.Sprint("text ", i)))
				}
				if s := core.Interned(r).Stats(); s.Size != n {
					t.Errorf("%d entries of %d living strings", s.Size, n)
				}
				th.DecRefs(held)
				if s := core.Interned(r).Stats(); s.Size != 0 || s.Capacity > max(n/2, least) {
					t.Errorf("%d entries of the dead, room for %d", s.Size, s.Capacity)
				}
				return nil
			}))
		})
	})
}

// TestInternForgetsForMany is TestInternForgets with several threads, which make different
// strings and each other's.
func TestInternForgetsForMany(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			n := scaled(100_000)
			run(t, r, 4, func(th *rt.Thread, w int) error {
				var held []rt.Ref
				for i := range n {
					text := fmt.Sprint("text ", i/2, " of ", w/2) // two threads make the same
					s := must(Intern(th, text))
					if got, _ := s.View(th); got != text {
						return fmt.Errorf("interned %q, got %q", text, got)
					}
					if held = append(held, s); len(held) == 100 {
						th.DecRefs(held)
						held = held[:0]
						th.Checkpoint()
					}
				}
				th.DecRefs(held)
				return nil
			})
			if s := core.Interned(r).Stats(); s.Size != 0 || s.Counter != 0 {
				t.Errorf("%d entries of the dead, counted as %d", s.Size, s.Counter)
			}
		})
	})
}

// TestInternCollision puts a string in the table at the hash of another text. Both keep
// their texts, and the table ends up empty.
func TestInternCollision(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			table := core.Interned(th.Runtime())
			wrong := must(NewString(th, "wrong"))
			table.Store(hashText([]byte("right")), wrong)
			a, b := must(Intern(th, "right")), must(Intern(th, "right"))
			if s, _ := a.View(th); s != "right" || a == b {
				t.Errorf("got %q; shared: %v", s, a == b)
			}
			if got := internFresh(th, table, hashText([]byte("right")), a); got != a {
				t.Error("a new string was replaced by one with another text")
			}
			th.DecRefs([]rt.Ref{a, b})
			if r, ok := table.Load(hashText([]byte("right"))); !ok || r != wrong {
				t.Error("a string's death took another one out of the table")
			}
			table.Delete(hashText([]byte("right")))
			th.DecRef(wrong)
		})
	})
}

// TestInternImmortal: strings that became immortal in place are in the table, and no other
// immortal ones.
func TestInternImmortal(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			s := must(Intern(th, "forever"))
			if th.IsImmortal(s) {
				t.Error("interning alone made a string immortal")
			}
			must0(t, th.Immortalize(s))
			th.DecRef(s)
			if again := must(Intern(th, "forever")); again != s || core.Interned(th.Runtime()).Size() != 1 {
				t.Error("an immortal string is no longer found")
			}
			must0(t, th.Immortally(func() error {
				a, b := must(NewString(th, "in a region")), must(Intern(th, "in a region"))
				if a != b || !a.ImmortalByAddress() {
					t.Error("equal strings of a region are not one object")
				}
				return nil
			}))
			if n := core.Interned(th.Runtime()).Size(); n != 1 {
				t.Errorf("%d strings are interned", n)
			}
		})
	})
}

func TestLongText(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for _, n := range []int{1, 15, 16, 17, 65535, 65536, 1 << 20} {
				text := strings.Repeat("a", n-1) + "b"
				s := must(NewString(th, text))
				if got, _ := s.View(th); got != text {
					t.Errorf("%d bytes: another text", n)
				}
				th.DecRef(s)
			}
		})
	})
}
