package metrics

import (
	"context"
	"encoding/json"
	"expvar"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ichor-go/ichor/internal/stat"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

var _ expvar.Var = Var{}

// forModes runs f with a runtime of each mode, which must leak nothing.
func forModes(t *testing.T, f func(t *testing.T, r *rt.Runtime, o rt.Options)) {
	for name, o := range map[string]rt.Options{
		"gil":      {Mode: rt.GIL},
		"lockfree": {Counting: rt.Atomic},
		"biased":   {Counting: rt.Biased},
		"checked":  {Checked: true},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := rt.New(o)
			ok(t, err)
			f(t, r, o)
			if err := r.Close(); err != nil && err != rt.ErrClosed { // f may have closed it
				t.Error(err)
			}
		})
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// readAll returns the value of every metric.
func readAll(r *rt.Runtime) map[string]Value {
	var all []Sample
	for _, d := range All() {
		all = append(all, Sample{Name: d.Name})
	}
	Read(r, all)
	byName := make(map[string]Value)
	for _, s := range all {
		byName[s.Name] = s.Value
	}
	return byName
}

// isCounted reports whether a metric has a value.
func isCounted(name string, checked bool) bool {
	switch {
	case !strings.HasPrefix(name, "/ichor/operations/"):
		return true
	case strings.Contains(name, "skipped"):
		return stat.On
	}
	return stat.On || checked
}

// events returns how many are in a histogram.
func events(h *metrics.Float64Histogram) (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// TestMetrics reads every metric, and compares some with what they come from.
func TestMetrics(t *testing.T) {
	format := regexp.MustCompile(`^/ichor(/[a-z-]+)+:[a-z]+$`)
	descriptions := All()
	if !slices.IsSortedFunc(descriptions, func(a, b metrics.Description) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the names are not in order")
	}
	for i, d := range descriptions {
		if !format.MatchString(d.Name) || !strings.HasSuffix(d.Description, ".") || i > 0 && d.Name == descriptions[i-1].Name {
			t.Errorf("%+v: no name, no sentence, or twice", d)
		}
	}
	forModes(t, func(t *testing.T, r *rt.Runtime, o rt.Options) {
		ok(t, r.Do(func(th *rt.Thread) error {
			list, err := objects.NewList(th, rt.None)
			ok(t, err)
			th.IncRef(list)
			th.DecRef(list)
			ok(t, th.Immortally(func() error { _, err := objects.NewString(th, "immortal"); return err }))
			th.StopTheWorld(func() {})
			th.Collect()
			all := readAll(r)
			for _, d := range descriptions {
				v := all[d.Name]
				if !isCounted(d.Name, o.Checked) {
					if v.Kind() != metrics.KindBad {
						t.Errorf("%s has a value, and is not counted", d.Name)
					}
					continue
				}
				if v.Kind() != d.Kind {
					t.Errorf("%s has the kind %d, want %d", d.Name, v.Kind(), d.Kind)
				}
			}
			for name, want := range map[string]uint64{
				"/ichor/memory/objects:objects":            1,
				"/ichor/memory/containers:objects":         1,
				"/ichor/memory/blocks:blocks":              1,
				"/ichor/memory/regions:objects":            1,
				"/ichor/collector/collections:collections": 1,
				"/ichor/collector/candidates:objects":      1,
				"/ichor/threads/attached:threads":          1,
				"/ichor/threads/pooled:threads":            0,
			} {
				if got := all[name].Uint64(); got != want {
					t.Errorf("%s is %d, want %d", name, got, want)
				}
			}
			if n := events(all["/ichor/world/pauses:seconds"].Float64Histogram()); n != 2 {
				t.Errorf("%d pauses, want 2", n)
			}
			if n := events(all["/ichor/collector/pauses:seconds"].Float64Histogram()); n != 1 {
				t.Errorf("%d pauses of the collector, want 1", n)
			}
			if held := all["/ichor/gil/held:seconds"].Float64(); (held > 0) != (o.Mode == rt.GIL) {
				t.Errorf("the GIL was held for %v s", held)
			}
			th.DecRef(list)
			return nil
		}))
	})
}

// TestEveryMetric compares each number with the field of the statistics that it is.
func TestEveryMetric(t *testing.T) {
	s := rt.Stats{Operations: rt.Operations{Counted: true, SkippedCounted: true}}
	want := map[string]float64{}
	for i, m := range table {
		x := int64(i + 1)
		field := map[string]*int64{
			"/ichor/collector/automatic:collections":   &s.Collector.Automatic,
			"/ichor/collector/candidates:objects":      &s.Collector.Candidates,
			"/ichor/collector/collections:collections": &s.Collector.Collections,
			"/ichor/collector/finalized:objects":       &s.Collector.Finalized,
			"/ichor/collector/freed:objects":           &s.Collector.Freed,
			"/ichor/collector/garbage:objects":         &s.Collector.Garbage,
			"/ichor/collector/next:objects":            &s.Collector.Next,
			"/ichor/collector/put-off:collections":     &s.Collector.PutOff,
			"/ichor/collector/resurrected:objects":     &s.Collector.Resurrected,
			"/ichor/deferred:bytes":                    &s.Deferred,
			"/ichor/frozen/graphs:graphs":              &s.Memory.FrozenGraphs,
			"/ichor/frozen/mapped:bytes":               &s.Memory.MappedBytes,
			"/ichor/frozen/objects:bytes":              &s.Memory.FrozenBytes,
			"/ichor/frozen/objects:objects":            &s.Memory.Frozen,
			"/ichor/memory/blocks:blocks":              &s.Memory.Blocks,
			"/ichor/memory/blocks:bytes":               &s.Memory.BlockBytes,
			"/ichor/memory/committed:bytes":            &s.Memory.Committed,
			"/ichor/memory/containers:objects":         &s.Memory.Containers,
			"/ichor/memory/in-place:objects":           &s.Memory.InPlace,
			"/ichor/memory/limit:bytes":                &s.Memory.Limit,
			"/ichor/memory/objects:bytes":              &s.Memory.ObjectBytes,
			"/ichor/memory/objects:objects":            &s.Memory.Objects,
			"/ichor/memory/regions:bytes":              &s.Memory.RegionBytes,
			"/ichor/memory/regions:objects":            &s.Memory.Immortals,
			"/ichor/memory/shared:bytes":               &s.Memory.SharedBytes,
			"/ichor/merges/by-owner:objects":           &s.Merges.ByOwner,
			"/ichor/merges/for-away:objects":           &s.Merges.ForAway,
			"/ichor/merges/in-stops:objects":           &s.Merges.InStop,
			"/ichor/operations/owned:operations":       &s.Operations.Owned,
			"/ichor/operations/shared:operations":      &s.Operations.Shared,
			"/ichor/operations/skipped:operations":     &s.Operations.Skipped,
			"/ichor/queued:bytes":                      &s.QueuedBytes,
			"/ichor/queued:objects":                    &s.Queued,
		}[m.Name]
		switch {
		case field != nil:
			*field = x
			want[m.Name] = float64(x)
		case m.Kind == metrics.KindFloat64Histogram:
			want[m.Name] = 0
		}
	}
	s.GIL.Acquires, s.GIL.DropRequests, s.GIL.Switches = 101, 102, 103
	s.GIL.Held, s.GIL.MaxWait, s.GIL.Waited = 104e9, 105e9, 106e9
	s.GraceBegun, s.GraceOver, s.Left, s.Foreign, s.Interned, s.Weak = 107, 108, 109, 110, 111, 112
	s.Memory.Attached, s.Pooled = 113, 114
	for name, x := range map[string]float64{
		"/ichor/gil/acquires:acquires": 101, "/ichor/gil/drop-requests:requests": 102, "/ichor/gil/waits:waits": 103,
		"/ichor/gil/held:seconds": 104, "/ichor/gil/max-wait:seconds": 105, "/ichor/gil/waited:seconds": 106,
		"/ichor/grace/begun:periods": 107, "/ichor/grace/over:periods": 108, "/ichor/pending/left:calls": 109,
		"/ichor/tables/foreign:values": 110, "/ichor/tables/interned:strings": 111, "/ichor/tables/weak:objects": 112,
		"/ichor/threads/attached:threads": 113, "/ichor/threads/pooled:threads": 114,
	} {
		want[name] = x
	}
	s.Pauses, s.Stopping, s.CollectorPauses = &metrics.Float64Histogram{}, &metrics.Float64Histogram{}, &metrics.Float64Histogram{}
	for _, m := range table {
		x, ok := want[m.Name]
		v := m.read(&s)
		switch {
		case !ok:
			t.Errorf("%s is in no table here", m.Name)
		case m.Kind == metrics.KindUint64 && float64(v.Uint64()) != x, m.Kind == metrics.KindFloat64 && v.Float64() != x:
			t.Errorf("%s is %v, want %v", m.Name, v, x)
		}
	}
	for name, h := range map[string]*metrics.Float64Histogram{
		"/ichor/world/pauses:seconds": s.Pauses, "/ichor/world/stopping:seconds": s.Stopping, "/ichor/collector/pauses:seconds": s.CollectorPauses,
	} {
		if named(name).read(&s).Float64Histogram() != h {
			t.Errorf("%s is another one's", name)
		}
	}
	s.Memory.Objects = -1 // threads tell of their shares one after the other
	if v := named("/ichor/memory/objects:objects").read(&s).Uint64(); v != 0 {
		t.Errorf("a negative number is %d", v)
	}
}

// TestUnknown: an unknown name has no value, and a value is read as what it is.
func TestUnknown(t *testing.T) {
	r, err := rt.New(rt.Options{})
	ok(t, err)
	unknown := []Sample{{Name: "/ichor/nothing:objects", Value: Value{kind: metrics.KindUint64, bits: 7}}}
	Read(r, unknown)
	if unknown[0].Value.Kind() != metrics.KindBad {
		t.Error("an unknown name has a value")
	}
	for _, f := range []func(){
		func() { unknown[0].Value.Uint64() },
		func() { unknown[0].Value.Float64() },
		func() { unknown[0].Value.Float64Histogram() },
	} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "ichor: value of a metric read as another kind: Value.") {
					t.Errorf("it panics with %s", p)
				}
			}()
			f()
		}()
	}
	ok(t, r.Close())
}

// TestExpvar reads the variable from goroutines that are attached, and that are
// not, and after Close: it is JSON each time.
func TestExpvar(t *testing.T) {
	forModes(t, func(t *testing.T, r *rt.Runtime, o rt.Options) {
		v := Expvar(r)
		check := func(closed bool) {
			text := v.String()
			var got map[string]any
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Errorf("%v:\n%s", err, text)
				return
			}
			if got["closed"] != closed {
				t.Errorf("closed is %v, want %t", got["closed"], closed)
			}
			for _, d := range All() {
				x, ok := got[d.Name]
				if !ok || (x != nil) != isCounted(d.Name, o.Checked) {
					t.Errorf("%s is %v", d.Name, x)
				}
			}
			if len(got) != len(All())+1 {
				t.Errorf("%d members for %d metrics", len(got), len(All()))
			}
		}
		var stop atomic.Bool
		ended := make(chan bool)
		go func() {
			defer close(ended)
			for {
				check(false)
				if stop.Load() {
					return
				}
				runtime.Gosched()
			}
		}()
		ok(t, r.Run(context.Background(), 3, func(_ context.Context, th *rt.Thread, _ int) error {
			for range 30 {
				list, err := objects.NewList(th, rt.None)
				if err != nil {
					return err
				}
				th.DecRef(list)
				check(false)
				th.Checkpoint()
				th.StopTheWorld(func() { check(false) })
			}
			return nil
		}))
		stop.Store(true)
		<-ended
		if !strings.Contains(v.String(), `"/ichor/world/pauses:seconds": {"`) {
			t.Errorf("no histogram in %s", v)
		}
		ok(t, r.Close())
		check(true)
		if before := v.String(); v.String() != before {
			t.Error("a closed runtime still changes")
		}
	})
}

// TestDocumented compares the table of docs/statistics.md with the names.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/statistics.md")
	ok(t, err)
	var table strings.Builder
	kinds := map[metrics.ValueKind]string{metrics.KindUint64: "uint64", metrics.KindFloat64: "float64", metrics.KindFloat64Histogram: "histogram"}
	for _, d := range All() {
		since := "now"
		if d.Cumulative {
			since = "sum"
		}
		fmt.Fprintf(&table, "| `%s` | %s, %s | %s |\n", d.Name, kinds[d.Kind], since, d.Description)
	}
	if !strings.Contains(string(page), "|---|---|---|\n"+table.String()+"\n") {
		t.Errorf("docs/statistics.md does not have this table:\n%s", table.String())
	}
}

func BenchmarkRead(b *testing.B) {
	r, err := rt.New(rt.Options{})
	ok(b, err)
	all := make([]Sample, 0, len(table))
	for _, d := range All() {
		all = append(all, Sample{Name: d.Name})
	}
	b.Run("what=metrics", func(b *testing.B) {
		for b.Loop() {
			Read(r, all)
		}
	})
	b.Run("what=expvar", func(b *testing.B) {
		for b.Loop() {
			_ = Expvar(r).String()
		}
	})
	ok(b, r.Close())
}
