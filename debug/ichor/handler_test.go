package ichordebug

import (
	"net/http/httptest"
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
