package objects

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	rt "github.com/ichor-go/ichor/runtime"
)

func TestAppendJSON(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			must0(t, th.Scope(func(s *rt.Scope) {
				str := func(text string) rt.Ref { return s.Own(NewString(th, text)) }
				point := must(DefineRecord("json point", "x", "why?\n"))
				d := Dict(s.Own(NewDict(th)))
				s.Check(d.Set(th, str("b"), rt.True))
				s.Check(d.Set(th, str("a"), s.Own(NewTuple(th, rt.None, rt.EmptyTuple))))
				for _, c := range []struct {
					r    rt.Ref
					want string
				}{
					{rt.None, "null"}, {rt.True, "true"}, {rt.False, "false"}, {smallInt(-7), "-7"},
					{s.Own(NewInt(th, math.MinInt64)), "-9223372036854775808"},
					{str("a\"\\\n\x00é\u2028😀</script>"), `"a\"\\\n\u0000é` + "\u2028" + `😀</script>"`},
					{rt.EmptyString, `""`}, {rt.EmptyBytes, `""`}, {rt.EmptyTuple, "[]"},
					{s.Own(NewBytes(th, []byte{0, 255, 1})), `"AP8B"`},
					{d, `{"b":true,"a":[null,[]]}`},
					{s.Own(point.New(th, smallInt(1), d)), `{"x":1,"why?\n":{"b":true,"a":[null,[]]}}`},
					{s.Own(NewList(th, d, d)), `[{"b":true,"a":[null,[]]},{"b":true,"a":[null,[]]}]`},
				} {
					got, err := AppendJSON(th, []byte("before "), c.r)
					if string(got) != "before "+c.want || err != nil {
						t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
					}
					var w bytes.Buffer
					if err := ToJSON(th, &w, c.r); err != nil || w.String() != c.want {
						t.Errorf("written: %s, %v", w.String(), err)
					}
				}
			}))
		})
	})
}

func TestNotJSON(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		strange := must(rt.DefineType(rt.Type{Name: "strange"}))
		clean(t, o, func(th *rt.Thread) {
			must0(t, th.Scope(func(s *rt.Scope) {
				d := Dict(s.Own(NewDict(th)))
				s.Check(d.Set(th, s.Own(NewFloat(th, 0.5)), rt.None))
				x, _, err := th.New(strange, 8)
				s.Own(x, err)
				loop := List(s.Own(NewList(th)))
				s.Check(loop.Append(th, s.Own(NewList(th, loop, loop))))
				for want, r := range map[string]rt.Ref{
					"ichor: not JSON: nil reference":                         rt.Nil,
					"ichor: not JSON: the float NaN":                         s.Own(NewFloat(th, math.NaN())),
					"ichor: not JSON: the float -Inf":                        s.Own(NewList(th, s.Own(NewFloat(th, math.Inf(-1))))),
					"ichor: not JSON: a key that is not a string: 0.5":       d,
					"ichor: not JSON: an object of type " + strange.String(): s.Own(NewTuple(th, x)),
					"ichor: not JSON: an object of type weak":                s.Own(NewTuple(th, s.Own(NewWeak(th, x)))),
					"ichor: not JSON: an object of type cell":                s.Own(NewCell(th, rt.None)),
					"ichor: not JSON: an object of type foreign":             s.Own(NewList(th, s.Own(NewForeign(th, 1, nil)))),
					"ichor: not JSON: more than 10000 levels, or a cycle":    loop,
					"ichor: not JSON: more than 10000 levels, or a cycle ":   s.Own(NewTuple(th, loop)),
				} {
					_, err := AppendJSON(th, nil, r)
					wantError[*NotJSONError](t, err)
					if err.Error() != strings.TrimSpace(want) {
						t.Errorf("got  %v\nwant %s", err, want)
					}
					var w bytes.Buffer
					if err := ToJSON(th, &w, r); err == nil || w.Len() > 0 {
						t.Errorf("%s: %v, %d bytes were written", want, err, w.Len())
					}
				}
				if got := Format(th, loop); got != strings.Repeat("[", 77)+"..." {
					t.Errorf("formatted as %s", got)
				}
				// An object that holds itself would leak.
				s.Check(loop.Clear(th))
			}))
		})
	})
}

// TestCycles tests cycles through each kind of container.
func TestCycles(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			must0(t, th.Scope(func(s *rt.Scope) {
				typ := must(DefineRecord("cyclic", "next"))
				d, l := Dict(s.Own(NewDict(th))), List(s.Own(NewList(th)))
				rec := s.Own(typ.New(th, l))
				s.Check(d.Set(th, s.Own(NewString(th, "next")), rec))
				s.Check(l.Append(th, s.Own(NewTuple(th, d))))
				for _, r := range []rt.Ref{d, l, rec} {
					_, err := AppendJSON(th, nil, r)
					wantError[*NotJSONError](t, err)
				}
				s.Check(Record(rec).Set(th, 0, rt.None))
				if got := Format(th, d); got != `{"next":{"next":null}}` {
					t.Error(got)
				}
			}))
		})
	})
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

// TestToJSONOutside: the writer is called outside the world, and its error is returned.
func TestToJSONOutside(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			full := errors.New("disk full")
			if err := ToJSON(th, failingWriter{full}, rt.None); err != full {
				t.Errorf("got %v", err)
			}
			err := ToJSON(th, writerFunc(func(p []byte) (int, error) {
				done := make(chan error)
				go func() { done <- th.Runtime().Do(func(*rt.Thread) error { return nil }) }()
				return len(p), <-done
			}), rt.None)
			must0(t, err)
		})
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestFormat(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			if got := Format(th, rt.Nil); got != "nil" {
				t.Error(got)
			}
			for n := range 120 { // the cut falls into the middle of a character
				s := must(NewString(th, strings.Repeat("x", n%4)+strings.Repeat("é😀", n)))
				got := Format(th, s)
				if len(got) > 80 || !utf8.ValidString(got) {
					t.Errorf("%d bytes: %q", len(got), got)
				}
				th.DecRef(s)
			}
		})
	})
}

// countingWriter keeps the text, and the length of the longest piece.
type countingWriter struct {
	bytes.Buffer
	longest int
	limit   int // bytes before an error; 0 for none
}

var errFull = errors.New("full")

func (c *countingWriter) Write(b []byte) (int, error) {
	c.longest = max(c.longest, len(b))
	if c.limit > 0 && c.Len()+len(b) > c.limit {
		return 0, errFull
	}
	return c.Buffer.Write(b)
}

// TestToJSONFrozen: the JSON of a frozen graph is written in pieces, with the same text as
// AppendJSON.
func TestToJSONFrozen(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			n := 6000 // three pieces
			if o.Checked {
				n = 500
			}
			text := `[` + strings.Repeat(`{"name":"value","n":[1.5,null]},`, n) + `0]`
			root := must(FromJSON(th, strings.NewReader(text)))
			f := must(th.Freeze(root))
			th.DecRef(root)
			var w countingWriter
			if err := ToJSON(th, &w, f.Root()); err != nil || w.String() != text {
				t.Errorf("%d bytes written, want %d; %v", w.Len(), len(text), err)
			}
			if w.longest > 2*jsonPiece {
				t.Errorf("a piece of %d bytes", w.longest)
			}
			full := countingWriter{limit: len(text) / 2}
			if err := ToJSON(th, &full, f.Root()); !errors.Is(err, errFull) {
				t.Errorf("a writer that fails: %v", err)
			}
		})
	})
}

// TestToJSONShortWrite: a writer that writes too little without an error does not pass for
// one that has written all.
func TestToJSONShortWrite(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			l := must(NewList(th, rt.None, rt.True))
			f := must(th.Freeze(l))
			for _, r := range []rt.Ref{l, f.Root()} {
				for _, less := range []int{1, 5} {
					err := ToJSON(th, writerFunc(func(p []byte) (int, error) { return len(p) - less, nil }), r)
					if !errors.Is(err, io.ErrShortWrite) {
						t.Errorf("%d bytes less: %v", less, err)
					}
				}
				own := errors.New("the writer's own")
				if err := ToJSON(th, writerFunc(func([]byte) (int, error) { return 0, own }), r); err != own {
					t.Errorf("got %v", err)
				}
			}
			must0(t, th.Unload(f))
			th.DecRef(l)
		})
	})
}

// TestJSONScratch: borrowed entries of a dict are not kept while other dicts are written.
func TestJSONScratch(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		root := must(FromJSON(th, strings.NewReader(`[{"a": {"b": 1}, "c": {"d": 2}}, {"e": 3}]`)))
		w := jsonWriter{t: th, full: math.MaxInt}
		must0(t, w.value(root, 0))
		if len(w.scratch) != 0 || cap(w.scratch) > 8 {
			t.Errorf("%d entries are kept, room for %d", len(w.scratch), cap(w.scratch))
		}
		th.DecRef(root)
	})
}
