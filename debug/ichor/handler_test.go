package ichordebug

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get returns the answer to a request for a path.
func get(r *rt.Runtime, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	Handler(r).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

// newRuntime returns a runtime that the test must close.
func newRuntime(t *testing.T, o rt.Options) *rt.Runtime {
	t.Helper()
	r, err := rt.New(o)
	ok(t, err)
	return r
}

// TestHeapIsServed checks that the heap profile is served, also after Close, and that there is
// none of a runtime that keeps none.
func TestHeapIsServed(t *testing.T) {
	r := newRuntime(t, rt.Options{HeapProfileRate: 1})
	ok(t, r.Do(func(th *rt.Thread) error {
		list, err := objects.NewList(th, rt.None)
		th.DecRef(list)
		return err
	}))
	for _, closed := range []bool{false, true} {
		if closed {
			ok(t, r.Close())
		}
		p, err := profile.Parse(get(r, HeapPath).Body)
		ok(t, err)
		if len(p.Sample) != 2 || p.DefaultSampleType != "inuse_space" {
			t.Errorf("closed: %t: %d samples, %s by default", closed, len(p.Sample), p.DefaultSampleType)
		}
	}
	off := newRuntime(t, rt.Options{})
	defer off.Close()
	if w := get(off, HeapPath); w.Code != 404 || w.Body.String() != "ichor: the runtime keeps no such profile: set its rate in Options\n" {
		t.Errorf("without a profile: %d %s", w.Code, w.Body)
	}
}

// TestSecondRuntime checks that the handler of a second runtime works below a path of its own, where
// the page's links lead to that runtime's profiles.
func TestSecondRuntime(t *testing.T) {
	one, two := newRuntime(t, rt.Options{Name: "one"}), newRuntime(t, rt.Options{Name: "two", HeapProfileRate: 1})
	mux := http.NewServeMux()
	Handle(mux, one)
	mux.Handle("/two/", http.StripPrefix("/two", Handler(two)))
	s := httptest.NewServer(mux)
	defer s.Close()
	for path, want := range map[string]string{Path: "<h1>runtime one<", "/two" + Path: "<h1>runtime two<"} {
		res, err := http.Get(s.URL + path)
		ok(t, err)
		text, err := io.ReadAll(res.Body)
		ok(t, errors.Join(err, res.Body.Close()))
		if !strings.Contains(string(text), want) {
			t.Errorf("%s: %q is missing in\n%s", path, want, text)
		}
		for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(string(text), -1) {
			to, err := res.Request.URL.Parse(html.UnescapeString(link[1]))
			ok(t, err)
			got, err := http.Get(to.String())
			ok(t, err)
			ok(t, got.Body.Close())
			if got.StatusCode != 200 {
				t.Errorf("%s: the link to %s: %s", path, to, got.Status)
			}
		}
	}
	ok(t, errors.Join(one.Close(), two.Close()))
}

// TestMethods checks what is served by which methods.
func TestMethods(t *testing.T) {
	r := newRuntime(t, rt.Options{HeapProfileRate: 1, ContentionProfileRate: 1})
	for _, path := range []string{Path, HeapPath, ContentionPath} {
		for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405} {
			w := httptest.NewRecorder()
			Handler(r).ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != want {
				t.Errorf("%s %s: %d, want %d", method, path, w.Code, want)
			}
		}
	}
	ok(t, r.Close())
}

// TestServesBusyRuntime asks for everything while threads work, and checks that only a walk stops
// the world. For the race detector, too.
func TestServesBusyRuntime(t *testing.T) {
	for _, o := range []rt.Options{{Mode: rt.GIL}, {}, {Counting: rt.Biased}} {
		o.HeapProfileRate, o.ContentionProfileRate, o.CollectAfter = 512, 1, -1
		r := newRuntime(t, o)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- r.Run(ctx, 3, func(ctx context.Context, th *rt.Thread, _ int) error {
				for ctx.Err() == nil {
					if err := makeList(th); err != nil {
						return err
					}
					th.Checkpoint()
				}
				return nil
			})
		}()
		for range 5 {
			stops := r.WorldStats().Stops
			for _, path := range []string{Path, Path + "?stacks=1", Path + "?format=json", HeapPath, ContentionPath} {
				if w := get(r, path); w.Code != 200 {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
			}
			if got := r.WorldStats().Stops; got != stops {
				t.Errorf("%d stops without a walk", got-stops)
			}
			if text := get(r, Path+"?walk=1&format=json").Body.String(); !json.Valid([]byte(text)) || strings.Contains(text, "WalkFailed") {
				t.Errorf("a walk: %s", text)
			}
		}
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		ok(t, r.Close())
	}
}

func makeList(th *rt.Thread) error {
	list, err := objects.NewList(th, rt.None)
	if err != nil {
		return err
	}
	th.DecRef(list)
	return nil
}
