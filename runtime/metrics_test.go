package runtime

import (
	"context"
	"encoding/json"
	"expvar"
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ichor-go/ichor/internal/stat"
)

var _ expvar.Var = Expvar{}

// readAll returns a sample of every metric.
func readAll(r *Runtime) map[string]Value {
	var all []Sample
	for _, d := range Metrics() {
		all = append(all, Sample{Name: d.Name})
	}
	r.ReadMetrics(all)
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

// TestMetrics reads every metric, and compares some with what they come from.
func TestMetrics(t *testing.T) {
	format := regexp.MustCompile(`^/ichor(/[a-z-]+)+:[a-z]+$`)
	descriptions := Metrics()
	if !slices.IsSortedFunc(descriptions, func(a, b metrics.Description) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the names are not in order")
	}
	for i, d := range descriptions {
		if !format.MatchString(d.Name) || !strings.HasSuffix(d.Description, ".") || i > 0 && d.Name == descriptions[i-1].Name {
			t.Errorf("%+v: no name, no sentence, or twice", d)
		}
	}
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			r := th.Runtime()
			x := newBox(th, newLeaf(th))
			th.IncRef(x)
			th.DecRef(x)
			must0(t, th.Immortally(func() error { newLeaf(th); return nil }))
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
				"/ichor/memory/objects:objects":            2,
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
			if n := samples(all["/ichor/world/pauses:seconds"].Float64Histogram()); n != 2 {
				t.Errorf("%d pauses, want 2", n)
			}
			if n := samples(all["/ichor/collector/pauses:seconds"].Float64Histogram()); n != 1 {
				t.Errorf("%d pauses of the collector, want 1", n)
			}
			if held := all["/ichor/gil/held:seconds"].Float64(); (held > 0) != (o.Mode == GIL) {
				t.Errorf("the GIL was held for %v s", held)
			}
			th.DecRef(x)
		})
	})
	r := newRuntime(t, Options{})
	unknown := []Sample{{Name: "/ichor/nothing:objects", Value: Value{kind: metrics.KindUint64, bits: 7}}}
	r.ReadMetrics(unknown)
	if unknown[0].Value.Kind() != metrics.KindBad {
		t.Error("an unknown name has a value")
	}
	for _, f := range []func(){
		func() { unknown[0].Value.Uint64() },
		func() { unknown[0].Value.Float64() },
		func() { unknown[0].Value.Float64Histogram() },
	} {
		wantIn(t, panics(t, f), "ichor: value of a metric read as kind ")
	}
	must0(t, r.Close())
}

// TestExpvar reads the variable from goroutines that are attached, and that are
// not, and after Close: it is JSON each time.
func TestExpvar(t *testing.T) {
	needsThreads(t)
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		v := r.Expvar()
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
			for _, d := range Metrics() {
				x, ok := got[d.Name]
				if !ok || (x != nil) != isCounted(d.Name, o.Checked) {
					t.Errorf("%s is %v", d.Name, x)
				}
			}
			if len(got) != len(Metrics())+1 {
				t.Errorf("%d members for %d metrics", len(got), len(Metrics()))
			}
		}
		var stop atomic.Bool
		ended := make(chan bool)
		go func() {
			defer close(ended)
			for !stop.Load() {
				check(false)
			}
		}()
		must0(t, r.Run(context.Background(), 3, func(_ context.Context, th *Thread, _ int) error {
			node := newNode(th, Nil)
			for range 30 {
				setSlot(th, node, 0, newLeaf(th))
				th.DecRef(th.Body(node).LoadRef(1))
				check(false)
				th.Checkpoint()
				th.StopTheWorld(func() { check(false) })
			}
			th.DecRef(node)
			return nil
		}))
		stop.Store(true)
		<-ended
		wantIn(t, v.String(), `"/ichor/world/pauses:seconds": {"`)
		must0(t, r.Close())
		check(true)
		if before := v.String(); v.String() != before {
			t.Error("a closed runtime still changes")
		}
	})
}

// TestDocumented compares the table of docs/statistics.md with the names.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/statistics.md")
	must0(t, err)
	var table strings.Builder
	kinds := map[metrics.ValueKind]string{metrics.KindUint64: "uint64", metrics.KindFloat64: "float64", metrics.KindFloat64Histogram: "histogram"}
	for _, d := range Metrics() {
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

func BenchmarkReadMetrics(b *testing.B) {
	r := newRuntime(b, Options{})
	all := make([]Sample, 0, len(metricTable))
	for _, d := range Metrics() {
		all = append(all, Sample{Name: d.Name})
	}
	b.Run("what=metrics", func(b *testing.B) {
		for b.Loop() {
			r.ReadMetrics(all)
		}
	})
	b.Run("what=expvar", func(b *testing.B) {
		for b.Loop() {
			_ = r.Expvar().String()
		}
	})
	must0(b, r.Close())
}

func BenchmarkReadStats(b *testing.B) {
	for _, n := range []int{0, 1_000_000} {
		b.Run(fmt.Sprintf("objects=%d", n), func(b *testing.B) {
			r := newRuntime(b, Options{CollectAfter: -1})
			must0(b, r.Do(func(t *Thread) error {
				var all []Ref
				for range n / 2 {
					all = append(all, newBox(t, newLeaf(t)))
				}
				for b.Loop() {
					t.ReadStats()
				}
				t.DecRefs(all)
				return nil
			}))
			must0(b, r.Close())
		})
	}
}

// TestMetricsAreTold: each metric comes from a field of Stats of its own.
func TestMetricsAreTold(t *testing.T) {
	var s Stats
	next := uint64(0)
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch {
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i))
			}
		case v.Kind() == reflect.Bool:
			v.SetBool(true)
		case v.CanInt():
			next++
			v.SetInt(int64(next))
		case v.CanUint():
			next++
			v.SetUint(next)
		case v.CanFloat():
			next++
			v.SetFloat(float64(next))
		case v.Type() == reflect.TypeFor[*metrics.Float64Histogram]():
			v.Set(reflect.ValueOf(&metrics.Float64Histogram{}))
		}
	}
	fill(reflect.ValueOf(&s).Elem())
	from := map[any]string{}
	for i := range metricTable {
		m := &metricTable[i]
		v := m.read(&s)
		var got any
		switch v.Kind() {
		case metrics.KindUint64:
			got = v.Uint64()
		case metrics.KindFloat64:
			got = uint64(math.Round(v.Float64() * 1e9)) // nanoseconds
		case metrics.KindFloat64Histogram:
			got = v.Float64Histogram()
		}
		if from[got] != "" || got == uint64(0) || got == (*metrics.Float64Histogram)(nil) || v.Kind() != m.Kind {
			t.Errorf("%s is %v, of kind %d, as is %q", m.Name, got, v.Kind(), from[got])
		}
		from[got] = m.Name
	}
}

// TestHistogramText: of a histogram the buckets that are not empty are in the text, by their
// upper ends.
func TestHistogramText(t *testing.T) {
	h := &metrics.Float64Histogram{Counts: []uint64{0, 2, 0, 3}, Buckets: []float64{0, 0.5, 1.5, 2.5, math.Inf(1)}}
	if got, want := string(appendHistogram(nil, h)), `{"1.5": 2, "inf": 3}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	h.Counts = make([]uint64, 4)
	if got := string(appendHistogram([]byte("x"), h)); got != "x{}" {
		t.Errorf("of an empty one: %s", got)
	}
}
