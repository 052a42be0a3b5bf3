package ichordebug

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestPurposes checks that each figure of the memory is in its row, in its column.
func TestPurposes(t *testing.T) {
	var s State
	s.stats.Memory = rt.Memory{
		Objects: 1, ObjectBytes: 2, Blocks: 3, BlockBytes: 4, Immortals: 5, RegionBytes: 6,
		Frozen: 7, FrozenBytes: 88, MappedBytes: 80, SharedBytes: 10, Committed: 20,
	}
	want := []Purpose{
		{"objects on the counted heap", 1, 2, 2.5}, {"blocks, the storage of containers", 3, 4, 5}, {"objects born immortal", 5, 6, 7.5},
		{"frozen objects in memory", 7, 8, 10}, {"frozen objects in mapped files", 0, 80, 100}, {"shared between processes", 0, 10, 12.5},
	}
	if got := s.Purposes(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if s.Stats().Memory != s.stats.Memory {
		t.Errorf("other statistics: %+v", s.Stats().Memory)
	}
	s.stats.Memory = rt.Memory{}
	if got := s.Purposes()[0].Width; got != 0 {
		t.Errorf("of no memory, objects take %v %%", got)
	}
}

// events returns a histogram of n events.
func events(n uint64) *metrics.Float64Histogram {
	return &metrics.Float64Histogram{Counts: []uint64{n}, Buckets: []float64{0, 1}}
}

// TestHistograms checks that each histogram has its title, and that empty ones are left out.
func TestHistograms(t *testing.T) {
	var s State
	s.stats.GILWaits, s.stats.GILHolds, s.stats.Stopping, s.stats.Pauses, s.stats.CollectorPauses = events(1), events(2), events(3), events(0), events(4)
	titles := map[uint64]string{}
	for _, h := range s.Histograms() {
		titles[h.Events] = h.Title
	}
	for n, want := range map[uint64]string{1: "waits for the GIL", 2: "the GIL was held", 3: "from a request to stop", 4: "collections"} {
		if !strings.Contains(titles[n], want) || len(titles) != 4 {
			t.Errorf("histogram %d of %v, want %q", n, titles, want)
		}
	}
	s.stats.Pauses, s.stats.GILWaits = events(5), events(0)
	if all := s.Histograms(); len(all) != 4 || all[2].Title != "stops of the world" || all[2].Events != 5 {
		t.Errorf("%+v", all)
	}
	if h := histogram("none", events(0)); h.Events != 0 || h.Buckets != nil || h.Title != "none" {
		t.Errorf("of no events: %+v", h)
	}
	h := histogram("both", &metrics.Float64Histogram{Counts: []uint64{1, 2}, Buckets: []float64{0, 1e-6, 2e-6}})
	if want := []Bucket{{"1 µs", 1, 50}, {"more", 2, 100}}; !slices.Equal(h.Buckets, want) {
		t.Errorf("from the first bucket on: %+v, want %+v", h.Buckets, want)
	}
}

// TestWalkGivesUp checks that a walk waits for other threads no longer than the client does, and
// that the page says so.
func TestWalkGivesUp(t *testing.T) {
	r := newRuntime(t, rt.Options{Mode: rt.GIL})
	ok(t, r.Do(func(*rt.Thread) error { // which keeps the GIL
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for format, want := range map[string]string{"json": `"WalkFailed":"ichor: `, "page": "<h2>Types</h2>\n<p>ichor: "} {
			w := httptest.NewRecorder()
			var asking sync.WaitGroup
			asking.Go(func() {
				Handler(r).ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", Path+"?walk=1&format="+format, nil))
			})
			asking.Wait()
			if text := w.Body.String(); w.Code != 200 || !strings.Contains(text, want) || !strings.Contains(text, context.Canceled.Error()) {
				t.Errorf("%d, %q is missing in %s", w.Code, want, text)
			}
		}
		return nil
	}))
	ok(t, r.Close())
}

// TestStateThatCannotBeShown checks that a page that breaks off is not served as one.
func TestStateThatCannotBeShown(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		w := httptest.NewRecorder()
		show(w, &State{Metrics: json.RawMessage("no JSON")}, asJSON) // which has no histograms either
		if w.Code != 500 || strings.Contains(w.Body.String(), "<html") || w.Body.Len() == 0 {
			t.Errorf("JSON: %t: %d %s", asJSON, w.Code, w.Body)
		}
	}
}

// TestHeaders checks what browsers are told of the profiles, and that nothing is changed here.
func TestHeaders(t *testing.T) {
	r := newRuntime(t, rt.Options{HeapProfileRate: 1, ContentionProfileRate: 1})
	defer r.Close()
	for _, path := range []string{HeapPath, ContentionPath} {
		if w := get(r, path); w.Header().Get("Content-Type") != "application/octet-stream" || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Body.Len() == 0 {
			t.Errorf("%s: %d bytes, %v", path, w.Body.Len(), w.Header())
		}
	}
	for _, path := range []string{HeapPath, ContentionPath, Path} {
		w := httptest.NewRecorder()
		Handler(r).ServeHTTP(w, httptest.NewRequest("POST", path, nil))
		if w.Code != 405 {
			t.Errorf("POST %s: %d", path, w.Code)
		}
	}
}
