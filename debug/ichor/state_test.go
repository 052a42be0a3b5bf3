package ichordebug

import (
	"encoding/json"
	"math"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestPage checks that the page shows the memory, the threads, and after a walk the types and
// frozen graphs, in each mode.
func TestPage(t *testing.T) {
	for _, mode := range []rt.Mode{rt.GIL, rt.LockFree} {
		r := newRuntime(t, rt.Options{Mode: mode, Name: "<main>", HeapProfileRate: 1})
		var frozen *rt.Frozen
		ok(t, r.Do(func(th *rt.Thread) (err error) {
			list, err := objects.NewList(th, rt.None)
			ok(t, err)
			defer th.DecRef(list)
			frozen, err = th.Freeze(list)
			ok(t, err)
			th.SetName("loader")
			th.StopTheWorld(func() {}) // publishes the thread's account
			has := func(path string, parts ...string) {
				t.Helper()
				w := get(r, path)
				text := w.Body.String()
				for _, p := range parts {
					without, no := strings.CutPrefix(p, "!")
					if strings.Contains(text, without) == no {
						t.Errorf("%s: %q is missing, or should be, in\n%s", path, p, text)
					}
				}
				if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
					t.Errorf("%s: %d, %s", path, w.Code, w.Header())
				}
			}
			has(Path, "runtime &lt;main&gt;", "; 1 threads attached", mode.String(), "loader&#34;<td>running", "objects on the counted heap<td class=\"n\">1<td class=\"n\">32 B",
				"frozen objects in memory", "ichor_heap", "!ichor_contention", "!<h2>Types", "!<pre>", "stops of the world (")
			has(Path+"?stacks=1", "<pre>goroutine", "TestPage")
			th.Blocking(func() {
				has(Path+"?walk=1", "<h2>Types", "<td>list<td class=\"n\">1<td class=\"n\">48 B", "<h2>Frozen", "own<td class=\"n\">0")
			})
			return nil
		}))
		ok(t, r.Unload(frozen))
		ok(t, r.Close())
		if text := get(r, Path+"?walk=1").Body.String(); !strings.Contains(text, ", closed;") || !strings.Contains(text, "runtime is closed") {
			t.Errorf("after Close:\n%s", text)
		}
		if w := get(r, Path+"other"); w.Code != 404 {
			t.Errorf("another path: %d", w.Code)
		}
	}
}

// TestJSON decodes the JSON.
func TestJSON(t *testing.T) {
	r := newRuntime(t, rt.Options{Name: "main", ContentionProfileRate: 1})
	ok(t, r.Do(func(th *rt.Thread) error {
		list, err := objects.NewList(th, rt.None)
		ok(t, err)
		defer th.DecRef(list)
		frozen, err := th.Freeze(list)
		ok(t, err)
		defer func() { ok(t, th.Unload(frozen)) }()
		th.Blocking(func() {
			for _, walk := range []bool{false, true} {
				path := Path + "?format=json"
				if walk {
					path += "&walk=1"
				}
				w := get(r, path)
				var s State
				ok(t, json.Unmarshal(w.Body.Bytes(), &s))
				var numbers map[string]any
				ok(t, json.Unmarshal(s.Metrics, &numbers))
				if s.Runtime != "main" || s.Mode != "lockfree" || s.Closed || s.Heap || !s.Contention || numbers["/ichor/memory/objects:objects"] != 1.0 {
					t.Errorf("%s: %+v", path, s)
				}
				if types := len(s.Types); types != 0 != walk || walk && s.Types[0].Type != "list" || len(s.Threads) == 0 {
					t.Errorf("%s: types %+v, threads %+v", path, s.Types, s.Threads)
				}
				if frozen := len(s.Frozen); frozen != 0 != walk || walk && s.Frozen[0].Objects != 1 || s.WalkFailed != "" {
					t.Errorf("%s: frozen graphs %+v, failed %q", path, s.Frozen, s.WalkFailed)
				}
				if kind := w.Header().Get("Content-Type"); kind != "application/json" {
					t.Errorf("%s is %s", path, kind)
				}
			}
		})
		return nil
	}))
	ok(t, r.Close())
	if w := get(r, ContentionPath); w.Code != 200 {
		t.Errorf("the contention profile: %d", w.Code)
	}
	if w := get(r, HeapPath); w.Code != 404 {
		t.Errorf("no heap profile: %d", w.Code)
	}
}

// TestFormats checks how numbers are written.
func TestFormats(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 20: "1 MiB", 3 << 30: "3 GiB", 1 << 40: "1 TiB", 5 << 50: "5.12e+03 TiB"} {
		if got := byteSize(n); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{256: "256 ns", 999: "999 ns", time.Microsecond: "1 µs", 1500: "1.5 µs", time.Millisecond: "1 ms", 20 * time.Millisecond: "20 ms", time.Second: "1 s", 90 * time.Second: "90 s"} {
		if got := duration(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
	h := &metrics.Float64Histogram{Counts: []uint64{0, 4, 0, 1, 0}, Buckets: []float64{0, 1e-6, 2e-6, 4e-6, 8e-6, math.Inf(1)}}
	got := histogram("x", h)
	want := []Bucket{{"2 µs", 4, 100}, {"4 µs", 0, 0}, {"8 µs", 1, 25}}
	if got.Events != 5 || len(got.Buckets) != 3 || got.Buckets[0] != want[0] || got.Buckets[1] != want[1] || got.Buckets[2] != want[2] {
		t.Errorf("%+v, want %+v", got, want)
	}
	h.Counts[4] = 2
	if got := histogram("x", h).Buckets; len(got) != 4 || got[3] != (Bucket{"more", 2, 50}) {
		t.Errorf("the last bucket: %+v", got)
	}
}
