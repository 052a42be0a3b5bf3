package ichorprometheus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/metrics"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	rt "github.com/ichor-go/ichor/runtime"
	ichormetrics "github.com/ichor-go/ichor/runtime/metrics"
)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// families returns what a registry gathers, by name.
func families(t *testing.T, from prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := from.Gather()
	ok(t, err)
	byName := map[string]*dto.MetricFamily{}
	for _, f := range all {
		byName[f.GetName()] = f
	}
	return byName
}

// TestCollector gathers the metrics of two runtimes, while they live and after Close.
func TestCollector(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	var all []*rt.Runtime
	for _, o := range []rt.Options{{Name: "a", Mode: rt.GIL}, {Name: "b"}} {
		r, err := rt.New(o)
		ok(t, err)
		ok(t, registry.Register(NewCollector(r)))
		ok(t, r.Do(func(th *rt.Thread) error {
			th.StopTheWorld(func() {})
			return nil
		}))
		all = append(all, r)
	}
	for _, least := range []uint64{1, 2} { // Close takes the GIL and stops the world, too
		got := families(t, registry)
		for _, d := range ichormetrics.All() {
			f, counted := got[nameOf(d)], !slices.Contains([]string{"owned", "shared", "skipped"}, operation(d.Name))
			if (f != nil) != counted {
				t.Errorf("%s is there: %t", nameOf(d), f != nil)
			}
			if f == nil {
				continue
			}
			want := dto.MetricType_GAUGE
			if d.Cumulative {
				want = dto.MetricType_COUNTER
			}
			if d.Kind == metrics.KindFloat64Histogram {
				want = dto.MetricType_HISTOGRAM
			}
			if f.GetType() != want || f.GetHelp() != d.Description || len(f.Metric) != 2 || f.Metric[1].Label[0].GetValue() != "b" {
				t.Errorf("%s: %v", nameOf(d), f)
			}
		}
		if f := got["ichor_world_pauses_seconds"]; f.Metric[0].Histogram.GetSampleCount() < least || least == 1 && f.Metric[0].Histogram.GetSampleCount() != 1 {
			t.Errorf("pauses: %v", f)
		}
		if f := got["ichor_gil_acquires_total"]; f.Metric[0].Counter.GetValue() != float64(least) || f.Metric[1].Counter.GetValue() != 0 {
			t.Errorf("acquires: %v", f)
		}
		for _, r := range all {
			if err := r.Close(); err != nil && err != rt.ErrClosed {
				t.Error(err)
			}
		}
		all = nil // the second round reads closed runtimes, whose numbers stay
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// TestMonotone checks that no counter and no bucket ever has less than before, while threads come,
// go, count, collect and wait, and after Close.
func TestMonotone(t *testing.T) {
	y, err := rt.DefineType(rt.Type{Name: "link", Mutable: true, Slots: func(_ rt.Heap, o rt.Body) (rt.Body, int, int) { return o, 0, 1 }})
	ok(t, err)
	for _, o := range []rt.Options{{Mode: rt.GIL}, {}, {Counting: rt.Biased}} {
		o.CollectAfter, o.DeferredBytes = 100, 1
		registry := prometheus.NewPedanticRegistry()
		r, err := rt.New(o)
		ok(t, err)
		ok(t, registry.Register(NewCollector(r)))
		work := func(_ context.Context, th *rt.Thread, _ int) error {
			for range 30 {
				cycle, body, err := th.New(y, 8)
				if err != nil {
					return err
				}
				th.IncRef(cycle)
				body.StoreRef(0, cycle)
				th.IncRef(cycle)
				th.Retire(cycle)
				th.DecRef(cycle)
				th.Checkpoint()
			}
			return nil
		}
		ended := make(chan error)
		go func() {
			var err error
			for round := 0; round < 60 && err == nil; round++ {
				err = r.Run(t.Context(), 1+round%4, work)
			}
			ended <- errors.Join(err, r.Close())
		}()
		was := map[string]float64{}
		for over := false; !over; {
			select {
			case err := <-ended:
				ok(t, err)
				over = true
			default:
			}
			for name, f := range families(t, registry) {
				now := map[string]float64{}
				switch m := f.Metric[0]; f.GetType() {
				case dto.MetricType_COUNTER:
					now[name] = m.Counter.GetValue()
				case dto.MetricType_HISTOGRAM:
					now[name] = float64(m.Histogram.GetSampleCount())
					for _, b := range m.Histogram.Bucket {
						now[fmt.Sprint(name, b.GetUpperBound())] = float64(b.GetCumulativeCount())
					}
				}
				for k, v := range now {
					if v < was[k] {
						t.Errorf("%s: %s goes from %g to %g", o, k, was[k], v)
					}
					was[k] = v
				}
			}
		}
		if was["ichor_collector_collections_total"] == 0 {
			t.Error("no collections: the test does not test")
		}
	}
}

// TestValues compares what is gathered with what package metrics reads. It does so after Close, when
// figures do not change any more.
func TestValues(t *testing.T) {
	r, err := rt.New(rt.Options{Mode: rt.GIL, Name: "values"})
	ok(t, err)
	ok(t, r.Do(func(th *rt.Thread) error {
		th.StopTheWorld(func() {})
		return nil
	}))
	ok(t, r.Close())
	registry := prometheus.NewRegistry()
	ok(t, registry.Register(NewCollector(r)))
	got := families(t, registry)
	for _, d := range ichormetrics.All() {
		samples := []ichormetrics.Sample{{Name: d.Name}}
		ichormetrics.Read(r, samples)
		f := got[nameOf(d)]
		if (f != nil) != (samples[0].Value.Kind() != metrics.KindBad) {
			t.Errorf("%s is there: %t", d.Name, f != nil)
		}
		if f == nil {
			continue
		}
		m := f.Metric[0]
		value, want := m.GetGauge().GetValue()+m.GetCounter().GetValue(), 0.0
		switch v := samples[0].Value; v.Kind() {
		case metrics.KindUint64:
			want = float64(v.Uint64())
		case metrics.KindFloat64:
			want = v.Float64()
		case metrics.KindFloat64Histogram:
			value = float64(m.Histogram.GetSampleCount())
			for _, n := range v.Float64Histogram().Counts {
				want += float64(n)
			}
		}
		if value != want || m.Label[0].GetName() != "runtime" || m.Label[0].GetValue() != "values" {
			t.Errorf("%s is %v, want %v", d.Name, m, want)
		}
	}
}

// TestNames checks the rules for names.
func TestNames(t *testing.T) {
	for want, d := range map[string]metrics.Description{
		"ichor_gil_waited_seconds_total":    {Name: "/ichor/gil/waited:seconds", Kind: metrics.KindFloat64, Cumulative: true},
		"ichor_gil_waits_seconds":           {Name: "/ichor/gil/waits:seconds", Kind: metrics.KindFloat64Histogram, Cumulative: true},
		"ichor_memory_block_bytes":          {Name: "/ichor/memory/block-bytes:bytes", Kind: metrics.KindUint64},
		"ichor_memory_objects":              {Name: "/ichor/memory/objects:objects", Kind: metrics.KindUint64},
		"ichor_gil_acquires_total":          {Name: "/ichor/gil/acquires:acquires", Kind: metrics.KindUint64, Cumulative: true},
		"ichor_memory_superobjects_objects": {Name: "/ichor/memory/superobjects:objects", Kind: metrics.KindUint64},
	} {
		if got := nameOf(d); got != want {
			t.Errorf("%s is %s, want %s", d.Name, got, want)
		}
	}
}

func operation(name string) string {
	for _, op := range []string{"owned", "shared", "skipped"} {
		if name == "/ichor/operations/"+op+":operations" {
			return op
		}
	}
	return ""
}

// TestHistogram converts a histogram whose last bucket has no end.
func TestHistogram(t *testing.T) {
	desc := prometheus.NewDesc("x", "", nil, nil)
	var m dto.Metric
	ok(t, histogram(desc, &metrics.Float64Histogram{Counts: []uint64{1, 0, 2, 4}, Buckets: []float64{0, 1, 2, 4, math.Inf(1)}}).Write(&m))
	h := m.Histogram
	if h.GetSampleCount() != 7 || h.GetSampleSum() != 0.5+2*3+4*4 || len(h.Bucket) != 3 || h.Bucket[1].GetCumulativeCount() != 1 || h.Bucket[2].GetCumulativeCount() != 3 || h.Bucket[2].GetUpperBound() != 4 {
		t.Errorf("%v", h)
	}
}
