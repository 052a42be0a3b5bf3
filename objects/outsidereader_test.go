package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	goruntime "runtime"
	"strings"
	"testing"
	"testing/synctest"

	rt "github.com/ichor-go/ichor/runtime"
)

var errEnough = errors.New("enough")

// TestFromJSONContext reads documents of all sizes with a context that does not end.
func TestFromJSONContext(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		long := `["` + strings.Repeat("x", 3*readSize) + `",1]`
		for name, r := range map[string]io.Reader{
			"at once":         strings.NewReader(long),
			"byte by byte":    &chunks{text: long, n: 1000},
			"with its end":    &chunks{text: `[1]`, n: 10, eof: true},
			"small":           strings.NewReader(`{"a":[1.5,null]}`),
			"more than a few": strings.NewReader("[" + strings.Repeat(" ", 2*readSize) + "]"),
		} {
			x, err := FromJSONContext(t.Context(), th, r)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := string(must(AppendJSON(th, nil, x))); name == "at once" && got != long {
				t.Errorf("%s: it has read %d bytes as %d", name, len(long), len(got))
			}
			th.DecRef(x)
		}
		broken := errors.New("broken")
		_, err := FromJSONContext(t.Context(), th, readerFunc(func([]byte) (int, error) { return 0, broken }))
		if !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
	})
}

// chunks is a reader that returns n bytes at a time.
type chunks struct {
	text string
	n    int
	eof  bool // comes with the last bytes
}

func (c *chunks) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), c.n)], c.text)
	c.text = c.text[n:]
	if n == 0 || c.eof && c.text == "" {
		return n, io.EOF
	}
	return n, nil
}

// TestFromJSONContextEnds: a call ends with its context, although the reader is stuck, and
// leaves nothing in the heap. The reader goes on with a buffer of its own.
func TestFromJSONContextEnds(t *testing.T) {
	for _, immortal := range []bool{false, true} {
		forModes(t, func(t *testing.T, o rt.Options) {
			synctest.Test(t, func(t *testing.T) {
				withRuntime(t, o, func(r *rt.Runtime) {
					const text = "ichor: reading JSON given up: enough"
					ctx, cancel := context.WithCancelCause(t.Context())
					var late []byte
					var reads int
					resume := make(chan bool)
					stuck := readerFunc(func(p []byte) (int, error) {
						if reads++; reads == 1 {
							return copy(p, `{"a": ["some text", 1.5, {"b": [`), nil
						}
						late = p
						<-resume
						return copy(p, strings.Repeat("]", len(p))), nil
					})
					ended := make(chan error, 1)
					go func() {
						ended <- r.Do(func(th *rt.Thread) error {
							x, err := FromJSONContext(ctx, th, stuck, JSONOptions{Immortal: immortal})
							if !x.IsNil() {
								t.Errorf("it has read %s", Format(th, x))
							}
							audit(t, th)
							return err
						})
					}()
					synctest.Wait()
					if len(ended) > 0 {
						t.Fatalf("it did not wait: %v", <-ended)
					}
					cancel(errEnough)
					synctest.Wait()
					if err := <-ended; !errors.Is(err, errEnough) || err.Error() != text {
						t.Errorf("error %v", err)
					}
					if m := r.Memory(); m.Objects+m.Immortals+m.RegionBytes > 0 || core.Interned(r).Size() > 0 {
						t.Errorf("something is left: %+v", m)
					}
					must0(t, r.Do(func(th *rt.Thread) error {
						const doc = `[1,2,[3,"four"]]`
						other := &chunks{text: doc, n: 3}
						first := true
						x, err := FromJSONContext(t.Context(), th, readerFunc(func(p []byte) (int, error) {
							if first { // the read that was left behind is still writing
								first = false
								resume <- true
								synctest.Wait()
							}
							return other.Read(p)
						}))
						if err != nil {
							return err
						}
						if got := Format(th, x); got != doc {
							t.Errorf("it has read %s", got)
						}
						th.DecRef(x)
						if _, err := FromJSONContext(ctx, th, readerFunc(func([]byte) (int, error) {
							t.Error("it was called")
							return 0, io.EOF
						})); err == nil || err.Error() != text {
							t.Errorf("with a context that has ended: %v", err)
						}
						return nil
					}))
					if len(late) == 0 || strings.Trim(string(late), "]") != "" {
						t.Error("the memory of the abandoned reader was used again")
					}
				})
			})
		})
	}
}

// TestFromJSONContextPanics: if the reader panics, or ends its goroutine, so does the call.
func TestFromJSONContextPanics(t *testing.T) {
	for _, ctx := range []context.Context{context.Background(), t.Context()} {
		forModes(t, func(t *testing.T, o rt.Options) {
			withRuntime(t, o, func(r *rt.Runtime) {
				for want, end := range map[any]func(){errEnough: func() { panic(errEnough) }, nil: goruntime.Goexit} {
					how := make(chan any, 2)
					go func() {
						defer close(how)
						_ = r.Do(func(th *rt.Thread) error {
							defer audit(t, th)
							defer func() { how <- recover() }()
							reads := 0
							_, err := FromJSONContext(ctx, th, readerFunc(func(p []byte) (int, error) {
								if reads++; reads > 1 {
									end()
								}
								return copy(p, `["some text",`), nil
							}))
							how <- fmt.Sprint("it has returned ", err)
							return nil
						})
					}()
					for v := range how {
						if v != want {
							t.Errorf("it ended with %v, want %v", v, want)
						}
					}
				}
			})
		})
	}
}

// TestApartBuffer: a builder reuses the buffer of its reads, except after a read was left
// behind.
func TestApartBuffer(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		b := jsonBuilders.New().(*jsonBuilder)
		ctx, cancel := context.WithCancel(t.Context())
		b.begin(ctx, th, &chunks{text: `[1]`, n: 1}, JSONOptions{MaxDepth: 10, MaxBytes: 100})
		if b.in.apart != nil {
			t.Error("there is a buffer before the first read")
		}
		x := must(b.document())
		first := &b.in.apart[0]
		b.values, b.open = nil, nil
		b.begin(ctx, th, &chunks{text: `[1`, n: 2}, JSONOptions{MaxDepth: 10, MaxBytes: 100})
		if _, err := b.in.Read(make([]byte, 2)); err != nil || &b.in.apart[0] != first || b.in.gaveUp {
			t.Errorf("another buffer, or %v", err)
		}
		cancel()
		if _, err := b.in.Read(make([]byte, 2)); !errors.Is(err, errGaveUp) || !b.in.gaveUp || b.in.apart != nil {
			t.Errorf("error %v, buffer kept: %t", err, b.in.apart != nil)
		}
		b.begin(context.Background(), th, strings.NewReader(`[2]`), JSONOptions{MaxDepth: 10, MaxBytes: 100})
		if b.in.gaveUp {
			t.Error("the next document is given up")
		}
		th.DecRefs([]rt.Ref{x, must(b.document())})
		if b.in.apart != nil {
			t.Error("a read that cannot be left behind has a buffer of its own")
		}
	})
}
