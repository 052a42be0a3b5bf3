package metrics

import (
	"context"
	"encoding/json"
	"expvar"
	"fmt"
	"math"
	"os"
	"reflect"
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

// events returns the number of samples in a histogram.
func events(h *metrics.Float64Histogram) (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// TestMetrics reads every metric, and compares some with their sources.
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
						t.Errorf("%s has a value, although it is not counted", d.Name)
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

// TestMetricsAreTold checks that each metric comes from another field of Stats.
func TestMetricsAreTold(t *testing.T) {
	var s rt.Stats
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
	for i := range table {
		m := &table[i]
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
	s.Memory.Objects = -1 // threads publish their shares one after the other
	if v := named("/ichor/memory/objects:objects").read(&s).Uint64(); v != 0 {
		t.Errorf("a negative number is %d", v)
	}
}

// TestHistogramText checks that the text of a histogram has the buckets that are not empty, by
// their upper ends.
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

// TestUnknown checks that an unknown name has no value, and that a value can only be read as
// its kind.
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
				if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "ichor: value of a metric read as the wrong kind: Value.") {
					t.Errorf("it panics with %s", p)
				}
			}()
			f()
		}()
	}
	ok(t, r.Close())
}

// TestExpvar reads the variable on goroutines that are attached, and that are not, and after
// Close: it is JSON each time.
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
