package ichordebug

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
	"github.com/ichor-go/ichor/runtime/pprof"
)

//go:noinline
func before(th *rt.Thread) (objects.List, error) { return objects.NewList(th, rt.None) }

//go:noinline
func meanwhile(th *rt.Thread) (objects.List, error) { return objects.NewList(th, rt.None) }

// makeWith has a thread make an object that stays.
func makeWith(t *testing.T, r *rt.Runtime, maker func(*rt.Thread) (objects.List, error)) (made objects.List) {
	t.Helper()
	ok(t, r.Do(func(th *rt.Thread) (err error) {
		made, err = maker(th)
		return err
	}))
	return made
}

// TestDelta checks that seconds=1 leaves out what was there before, and what was given up counts
// as less.
func TestDelta(t *testing.T) {
	t.Parallel() // it waits for a second
	r := newRuntime(t, rt.Options{HeapProfileRate: 1, ContentionProfileRate: 1})
	stays, goes := makeWith(t, r, before), makeWith(t, r, before)
	var added objects.List
	written := 0
	s := source{r, "ichor_heap", func(r *rt.Runtime, w io.Writer) error {
		if written++; written == 2 {
			added = makeWith(t, r, meanwhile)
			ok(t, r.Do(func(th *rt.Thread) error {
				th.DecRef(goes)
				return nil
			}))
		}
		return pprof.WriteHeap(r, w)
	}}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", HeapPath+"?seconds=1", nil))
	p, err := profile.Parse(w.Body)
	ok(t, err)
	ok(t, p.CheckValid())
	sums := map[string][]int64{}
	for _, x := range p.Sample {
		i := slices.IndexFunc(x.Location, func(l *profile.Location) bool {
			return strings.HasPrefix(l.Line[0].Function.Name, "github.com/ichor-go/ichor/debug/ichor")
		})
		name := x.Location[i].Line[0].Function.Name
		name = name[strings.LastIndexByte(name, '.')+1:]
		if sums[name] == nil {
			sums[name] = make([]int64, 4)
		}
		for i, v := range x.Value {
			sums[name][i] += v
		}
	}
	if b, m := sums["before"], sums["meanwhile"]; len(sums) != 2 || b[0] != 0 || b[1] != 0 || b[2] != -2 || b[3] >= 0 || m[0] != 2 || m[2] != 2 || m[1] != m[3] || b[3] != -m[3] {
		t.Errorf("the delta is %v", sums)
	}
	if p.DurationNanos < int64(time.Second) || p.DefaultSampleType != "inuse_space" || w.Header().Get("Content-Disposition") != `attachment; filename="ichor_heap-delta"` {
		t.Errorf("%d ns, %s by default, %v", p.DurationNanos, p.DefaultSampleType, w.Header())
	}
	ok(t, r.Do(func(th *rt.Thread) error {
		th.DecRefs([]rt.Ref{stays, added})
		return nil
	}))
	ok(t, r.Close())
}

// TestProfileParameters checks what else a request may ask for, of both profiles.
func TestProfileParameters(t *testing.T) {
	r := newRuntime(t, rt.Options{HeapProfileRate: 1, ContentionProfileRate: 1})
	made := makeWith(t, r, before)
	for _, path := range []string{HeapPath, ContentionPath} {
		for query, want := range map[string]struct {
			code int
			text string
		}{
			"?debug=1":           {200, "PeriodType: "},
			"?debug=0":           {200, "\x1f\x8b"},
			"":                   {200, "\x1f\x8b"},
			"?seconds=0":         {400, `seconds="0" is not a positive integer`},
			"?seconds=x":         {400, `seconds="x" is not a positive integer`},
			"?seconds=1&debug=1": {400, "seconds and debug do not go together"},
		} {
			w := get(r, path+query)
			if w.Code != want.code || !strings.HasPrefix(w.Body.String(), want.text) {
				t.Errorf("%s%s: %d %q", path, query, w.Code, w.Body)
			}
		}
	}
	if text := get(r, HeapPath+"?debug=1").Body.String(); !strings.Contains(text, "ichor.before ") || !strings.Contains(text, "type:[list]") {
		t.Errorf("as text:\n%s", text)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	Handler(r).ServeHTTP(w, httptest.NewRequest("GET", HeapPath+"?seconds=1000000", nil).WithContext(gone))
	if w.Code != http.StatusInternalServerError {
		t.Errorf("without a client: %d", w.Code)
	}
	ok(t, r.Do(func(th *rt.Thread) error {
		th.DecRef(made)
		return nil
	}))
	ok(t, r.Close())
}

// TestDeltaWriteTimeout checks that a server's limit for answers does not cut off a delta.
func TestDeltaWriteTimeout(t *testing.T) {
	t.Parallel() // it waits for a second
	r := newRuntime(t, rt.Options{HeapProfileRate: 1})
	s := httptest.NewUnstartedServer(Handler(r))
	s.Config.WriteTimeout = 900 * time.Millisecond
	s.Start()
	defer s.Close()
	res, err := http.Get(s.URL + HeapPath + "?seconds=1")
	ok(t, err)
	_, err = profile.Parse(res.Body)
	ok(t, err)
	ok(t, res.Body.Close())
	ok(t, r.Close())
}
