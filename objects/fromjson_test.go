package objects

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ichor-go/ichor/internal/jsonpos"
	rt "github.com/ichor-go/ichor/runtime"
)

func TestFromJSONKinds(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		for _, immortal := range []bool{false, true} {
			clean(t, o, func(th *rt.Thread) {
				opts := JSONOptions{Immortal: immortal}
				r := parse(t, th, ` {"a": [1, 2.5, 1e400, "x\u00e9\n", true, false, null, {}, []], "b": {"a": 12345678901}} `, opts)
				key := must(Intern(th, "a"))
				list, found := Dict(r).Lookup(th, key)
				if !found || List(list).Len(th) != 9 {
					t.Fatalf("read %s", Format(th, r))
				}
				for i, want := range []string{"int", "float", "number", "string", "bool", "bool", "None", "dict", "list"} {
					if v, _ := List(list).At(th, i); th.TypeOf(v).Name != want {
						t.Errorf("item %d is of type %s, want %s", i, th.TypeOf(v), want)
					}
				}
				if !immortal {
					for k := range Dict(r).All(th) {
						if k != key {
							t.Error("a member's name is not interned")
						}
						break
					}
				}
				th.DecRefs([]rt.Ref{r, key})
			})
		}
	})
}

// bad has texts that are refused, and the errors for them.
var bad = map[string]string{
	``:                            "byte 0: expected a JSON value, found end of file",
	" \n":                         "byte 2: expected a JSON value, found end of file",
	`{"a": [1, 2`:                 "byte 11: expected ',' or ']' after an array element, found end of file",
	`{"a": [1, 2]`:                "byte 12: expected ',' or '}' after an object member, found end of file",
	`{"a": "b`:                    `byte 8: expected '"' at the end of a string, found end of file`,
	`{"a"`:                        "byte 4: expected ':' after a member name, found end of file",
	`[1, 2}`:                      "byte 5: expected ',' or ']' after an array element, found '}'",
	`}`:                           "byte 0: expected a JSON value, found '}'",
	`{"a": [{"b": 1, "b": 2}]}`:   `byte 16: expected a member name that is new in its object, found "b" again`,
	`{"a": 1, "\u0061": 2}`:       `byte 9: expected a member name that is new in its object, found "a" again`,
	`[1] [2]`:                     "byte 4: expected end of file, found '['",
	`["a", "b"] x`:                "byte 11: expected end of file, found 'x'",
	`{"a": 1}}`:                   "byte 8: expected end of file, found '}'",
	"[\"a\xff\"]":                 "byte 3: expected UTF-8 in a string, found 0xff",
	`["a", tru]`:                  "byte 9: expected 'e' of true, found ']'",
	`[1.]`:                        "byte 3: expected a digit after '.', found ']'",
	"\xef\xbb\xbf[]":              "byte 0: expected a JSON value, found a UTF-8 byte order mark",
	"[[[[[[[[[[[":                 "byte 10: expected a nesting depth of at most 10, found one more",
	`{"a":[[[[[[[[["x",[]]]]]]]]`: "byte 18: expected a nesting depth of at most 10, found one more",
}

func TestFromJSONErrors(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		for _, immortal := range []bool{false, true} {
			clean(t, o, func(th *rt.Thread) {
				for text, want := range bad {
					_, err := FromJSON(th, strings.NewReader(text), JSONOptions{MaxDepth: 10, Immortal: immortal})
					wantError[*JSONError](t, err)
					if err.Error() != "ichor: JSON: "+want {
						t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
					}
					if m := th.Runtime().Memory(); m.Immortals > 0 || core.Interned(th.Runtime()).Size() > 0 {
						t.Errorf("%q: something is left: %+v", text, m)
					}
				}
				audit(t, th)
			})
		}
	})
}

// TestFromJSONTruncated cuts a document at each byte.
func TestFromJSONTruncated(t *testing.T) {
	const doc = `{"names":["a","b\n\u00e9",{"x":1.5e3,"y":-0}],"t":true,"n":null,"big":12345678901234567890}`
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for i := range doc {
				_, err := FromJSON(th, iotest.HalfReader(strings.NewReader(doc[:i])), JSONOptions{Immortal: i%2 == 0})
				wantError[*JSONError](t, err)
				if !strings.HasSuffix(err.Error(), "found end of file") || !strings.HasPrefix(err.Error(), fmt.Sprintf("ichor: JSON: byte %d: ", i)) {
					t.Errorf("cut at %d: %v", i, err)
				}
			}
			r, err := FromJSON(th, iotest.OneByteReader(strings.NewReader(doc)))
			must0(t, err)
			if got := must(AppendJSON(th, nil, r)); string(got) != string(normal(t, []byte(doc))) {
				t.Errorf("%s", got)
			}
			th.DecRef(r)
		})
	})
}

func TestFromJSONLimits(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			text := `["123456789"]`
			for size, good := range map[int64]bool{int64(len(text)): true, int64(len(text)) - 1: false, 1: false, 0: true} {
				r, err := FromJSON(th, strings.NewReader(text), JSONOptions{MaxBytes: size})
				if (err == nil) != good {
					t.Errorf("at most %d bytes: %v", size, err)
				}
				if err != nil && !strings.HasSuffix(err.Error(), "expected a text of fewer bytes, see JSONOptions.MaxBytes, found more") {
					t.Errorf("at most %d bytes: %v", size, err)
				}
				th.DecRef(r)
			}
			// A text without an end is refused at its limit.
			_, err := FromJSON(th, io.MultiReader(strings.NewReader("["), forever("1,")), JSONOptions{MaxBytes: 1 << 16})
			wantError[*JSONError](t, err)
			for depth, good := range map[int]bool{0: true, 1000: true, 999: false, 10_000: true} {
				r, err := FromJSON(th, strings.NewReader(strings.Repeat("[", 1000)+strings.Repeat("]", 1000)), JSONOptions{MaxDepth: depth})
				if (err == nil) != good {
					t.Errorf("at most %d levels: %v", depth, err)
				}
				th.DecRef(r)
			}
			for want, opts := range map[string]JSONOptions{
				"ichor: option JSONOptions.MaxDepth is -1, want 0 for the default, or 1 to 10000":        {MaxDepth: -1},
				"ichor: option JSONOptions.MaxDepth is 10001, want 0 for the default, or 1 to 10000":     {MaxDepth: 10_001},
				"ichor: option JSONOptions.MaxBytes is -1, want 0 for the default, or a number of bytes": {MaxBytes: -1},
			} {
				if _, err := FromJSON(th, strings.NewReader("1"), opts); err == nil || err.Error() != want {
					t.Errorf("got  %v\nwant %s", err, want)
				}
			}
		})
	})
}

// forever is a reader that repeats itself.
type forever string

func (f forever) Read(p []byte) (int, error) { return copy(p, f), nil }

// TestJSONDepth: the library reads and writes as many levels as jsontext does, and not one
// more.
func TestJSONDepth(t *testing.T) {
	oneGoroutine(t)
	aloneInModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for _, c := range []struct{ open, inner, end string }{{"[", "", "]"}, {"[", "1", "]"}, {`{"a":`, "1", "}"}, {`{"a":`, "{}", "}"}} {
				n := jsonpos.MaxDepth
				if c.inner == "{}" {
					n--
				}
				text := strings.Repeat(c.open, n) + c.inner + strings.Repeat(c.end, n)
				r := parse(t, th, text, JSONOptions{MaxDepth: jsonpos.MaxDepth})
				if got, err := AppendJSON(th, nil, r); string(got) != text || err != nil {
					t.Errorf("%d levels: %v", n, err)
				}
				deeper := must(NewListSteal(th, r))
				_, err := AppendJSON(th, nil, deeper)
				wantError[*NotJSONError](t, err)
				th.DecRef(deeper)
				_, err = FromJSON(th, strings.NewReader("["+text+"]"), JSONOptions{MaxDepth: jsonpos.MaxDepth})
				if err == nil || !strings.HasSuffix(err.Error(), "expected a nesting depth of at most 10000, found one more") {
					t.Errorf("got %v", err)
				}
			}
		})
	})
}

// faultyReader fails, panics or dawdles after a text.
type faultyReader struct {
	text io.Reader
	then func() (int, error)
}

func (f faultyReader) Read(p []byte) (int, error) {
	if n, err := f.text.Read(p); err == nil {
		return n, nil
	}
	return f.then()
}

func TestFromJSONReader(t *testing.T) {
	broken := errors.New("disk on fire")
	forAllModes(t, func(t *testing.T, o rt.Options) {
		for _, immortal := range []bool{false, true} {
			clean(t, o, func(th *rt.Thread) {
				for _, text := range []string{``, `[`, `{"a": ["b", "c"`, `{"a": 1234567890123, "b": [`, `"ab`, `["a"]`} {
					read := func(then func() (int, error)) error {
						_, err := FromJSON(th, faultyReader{strings.NewReader(text), then}, JSONOptions{Immortal: immortal})
						return err
					}
					err := read(func() (int, error) { return 0, broken })
					wantError[*JSONError](t, err)
					var e *JSONError
					if !errors.As(err, &e) || e.Err != broken || !strings.HasSuffix(err.Error(), "found disk on fire") {
						t.Errorf("%s: got %v", text, err)
					}
					if err := read(func() (int, error) { return 0, nil }); !errors.Is(err, io.ErrNoProgress) {
						t.Errorf("%s: a reader that returns nothing: %v", text, err)
					}
					func() {
						defer func() {
							if recover() != broken {
								t.Errorf("%s: the reader's panic is lost", text)
							}
						}()
						read(func() (int, error) { panic(broken) })
					}()
				}
				// An error that comes with the last bytes.
				_, err := FromJSON(th, iotest.DataErrReader(io.MultiReader(strings.NewReader(`["a`), iotest.ErrReader(broken))))
				if !errors.Is(err, broken) {
					t.Errorf("got %v", err)
				}
				r, err := FromJSON(th, iotest.DataErrReader(strings.NewReader(`["a"]`)))
				must0(t, err)
				th.DecRef(r)
				audit(t, th)
			})
		}
	})
}

// TestFromJSONCallsOutside: the reader is called outside the world, so it may wait for
// another thread of the runtime.
func TestFromJSONCallsOutside(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			calls := 0
			r, err := FromJSON(th, readerFunc(func(p []byte) (int, error) {
				if calls++; calls > 100 {
					return 0, io.EOF
				}
				done := make(chan error)
				go func() {
					done <- th.Runtime().Do(func(th *rt.Thread) error {
						th.StopTheWorld(func() {})
						return nil
					})
				}()
				if err := <-done; err != nil {
					return 0, err
				}
				switch calls {
				case 1:
					return copy(p, "[1"), nil
				case 100:
					return copy(p, "]"), nil
				}
				return copy(p, ",1"), nil
			}))
			must0(t, err)
			if n := List(r).Len(th); n != 99 {
				t.Errorf("%d items", n)
			}
			th.DecRef(r)
		})
	})
}

// TestFromJSONMemoryLimit reads under limits that are too low, and one that is not.
// ErrMemoryLimit leaves nothing behind, and the runtime goes on.
func TestFromJSONMemoryLimit(t *testing.T) {
	oneGoroutine(t)
	var doc strings.Builder
	doc.WriteString("[")
	for i := range 4000 {
		fmt.Fprintf(&doc, `{"name %d":"text %d","list":[%d,1.5,"x"]},`, i, i, bigBase+int64(i))
	}
	doc.WriteString("null]")
	aloneInModes(t, func(t *testing.T, o rt.Options) {
		for _, immortal := range []bool{false, true} {
			failed, worked := 0, 0
			for limit := int64(64 << 10); limit <= 8<<20; limit += limit / 2 {
				o.MemoryLimit, o.AddressSpace = limit, smallSpace
				clean(t, o, func(th *rt.Thread) {
					r, err := FromJSON(th, strings.NewReader(doc.String()), JSONOptions{Immortal: immortal})
					if err == nil {
						worked++
						th.DecRef(r)
						return
					}
					failed++
					if err != rt.ErrMemoryLimit {
						t.Errorf("limit of %d: %v", limit, err)
					}
					audit(t, th)
					if m := th.Runtime().Memory(); m.Immortals+m.RegionBytes > 0 || core.Interned(th.Runtime()).Size() > 0 {
						t.Errorf("limit of %d: something is left: %+v", limit, m)
					}
					th.DecRef(parse(t, th, `"x"`)) // fits the smallest limit
				})
			}
			if failed < 5 || worked < 2 {
				t.Errorf("immortal=%v: %d limits were too low, %d were not", immortal, failed, worked)
			}
		}
	})
}

// TestFromJSONMany has threads read documents at once that have all names in common.
func TestFromJSONMany(t *testing.T) {
	const doc = `[{"a":1,"b":"x"},{"a":2,"b":"y","c":[{"a":12345678901}]},{"c":null}]`
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			run(t, r, 4, func(th *rt.Thread, w int) error {
				for i := range scaled(2000) {
					r, err := FromJSON(th, strings.NewReader(doc), JSONOptions{Immortal: i%100 == w})
					if err != nil {
						return err
					}
					if got := must(AppendJSON(th, nil, r)); string(got) != doc {
						return fmt.Errorf("read %s", got)
					}
					th.DecRef(r)
				}
				return nil
			})
			if n := core.Interned(r).Size(); n != 0 {
				t.Errorf("%d names are left", n)
			}
		})
	})
}

// FuzzFromJSON: FromJSON accepts what jsontext accepts as valid, up to the depth limit, and
// AppendJSON gives back what was read.
func FuzzFromJSON(f *testing.F) {
	for text := range bad {
		f.Add([]byte(text))
	}
	for _, text := range []string{`{"a":[1,-0,1.50,1e400,"\ud83d\ude00",true,null,{"b":{}}],"c":[[[]]]}`, `"\u0000\/"`, ` 1E+05 `, `[""]`, `{"":{"":""}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		deep := bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 1000
		for i, immortal := range []bool{false, true} {
			clean(t, rt.Options{Mode: rt.Mode(i), AddressSpace: smallSpace}, func(th *rt.Thread) {
				r, err := FromJSON(th, bytes.NewReader(text), JSONOptions{Immortal: immortal})
				if valid := jsontext.Value(text).IsValid(); valid != (err == nil) && !(valid && deep) {
					t.Fatalf("valid: %v, but %v", valid, err)
				}
				if err != nil {
					wantError[*JSONError](t, err)
					return
				}
				out := must(AppendJSON(th, nil, r))
				if want := normal(t, text); !bytes.Equal(out, want) {
					t.Fatalf("got  %s\nwant %s", out, want)
				}
				again := parse(t, th, string(out))
				if !equalGraphs(th, r, again) {
					t.Fatalf("%s is read as something else than %s", out, text)
				}
				th.DecRefs([]rt.Ref{r, again})
			})
		}
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestFromJSONGarbage: a small document costs little Go memory, also if it is refused.
func TestFromJSONGarbage(t *testing.T) {
	if raceEnabled {
		t.Skip("SKIPPED: the race detector has pools forget, to find those that rely on them")
	}
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for _, text := range []string{`{"a":1}`, `{"a":1`} {
				r := strings.NewReader(text)
				read := func() {
					r.Reset(text)
					if v, err := FromJSON(th, r); err == nil {
						th.DecRef(v)
					}
				}
				read()
				const n = 200
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range n {
					read()
				}
				runtime.ReadMemStats(&after)
				if each := (after.TotalAlloc - before.TotalAlloc) / n; each > 4<<10 {
					t.Errorf("%s: %d bytes of garbage", text, each)
				}
			}
		})
	})
}

// TestFromJSONKeepsNothing: an idle builder refers to nothing of the last document, and a
// builder that has read a large document is not kept.
func TestFromJSONKeepsNothing(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		b := jsonBuilders.New().(*jsonBuilder)
		b.begin(t.Context(), th, strings.NewReader(`["a", {"b": 1}]`), JSONOptions{MaxDepth: 10, MaxBytes: 100})
		th.DecRef(must(b.document()))
		b.end()
		if b.t != nil || b.in.t != nil || b.in.r != nil || b.in.err != nil || len(b.values)+len(b.open)+len(b.text) > 0 {
			t.Errorf("%+v", b)
		}
		b.begin(t.Context(), th, strings.NewReader(`{"b": [1, 2]}`), JSONOptions{MaxDepth: 10, MaxBytes: 100})
		r := must(b.document())
		if got := Format(th, r); got != `{"b":[1,2]}` {
			t.Error(got)
		}
		th.DecRef(r)
		b.end()
		b.begin(t.Context(), th, strings.NewReader(`"`+strings.Repeat("x", keptBytes)+`"`), JSONOptions{MaxDepth: 10, MaxBytes: 2 * keptBytes})
		th.DecRef(must(b.document()))
		b.end()
		if b.values != nil {
			t.Error("the builder of a large document is kept")
		}
	})
}

// TestJSONBuilders: an idle builder keeps its buffers, unless they are large, and nothing
// of what it has read.
func TestJSONBuilders(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		for text, kept := range map[string]bool{`[1, 2, 3]`: true, `["` + strings.Repeat("x", keptBytes) + `"]`: false} {
			b := jsonBuilders.New().(*jsonBuilder)
			b.begin(t.Context(), th, strings.NewReader(text), JSONOptions{MaxDepth: 10, MaxBytes: 1 << 30})
			root := must(b.document())
			b.end()
			if (cap(b.values) > 0) != kept || len(b.values)+len(b.open)+len(b.text) > 0 {
				t.Errorf("%d values, room for %d", len(b.values), cap(b.values))
			}
			if b.t != nil || b.in.t != nil || b.in.r != nil || b.in.err != nil || b.in.left != 0 || b.in.buf.Buffered() != 0 {
				t.Errorf("it holds %+v", b.in)
			}
			th.DecRef(root)
		}
	})
}
