// Package prometheus gives the statistics of a runtime to Prometheus, by the client library
// client_golang. It is a module of its own, so that Ichor itself does not need that library.
//
//	prometheus.MustRegister(ichorprometheus.NewCollector(r))
//
// The name of a metric is that of package runtime/metrics, with underscores, the unit at the
// end, and _total for a sum: /ichor/gil/waited:seconds is ichor_gil_waited_seconds_total. The
// label runtime has the runtime's name.
package ichorprometheus

import (
	"runtime/metrics"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	rt "github.com/ichor-go/ichor/runtime"
	ichormetrics "github.com/ichor-go/ichor/runtime/metrics"
)

// Collector collects the metrics of a runtime. Any goroutine.
type Collector struct {
	r       *rt.Runtime
	metrics []described
}

// described is a metric with its name here.
type described struct {
	metrics.Description
	desc *prometheus.Desc
}

// NewCollector returns a collector for r. A collection takes some ten microseconds, and neither
// stops the world nor walks the heap. Several collectors can be registered together if the
// names of their runtimes differ. Any goroutine.
func NewCollector(r *rt.Runtime) *Collector {
	c := &Collector{r: r}
	for _, d := range ichormetrics.All() {
		c.metrics = append(c.metrics, described{d, prometheus.NewDesc(nameOf(d), d.Description, nil, prometheus.Labels{"runtime": r.Name()})})
	}
	return c
}

// nameOf returns the name of a metric in Prometheus's form. A unit that ends the name already
// is not repeated.
func nameOf(d metrics.Description) string {
	path, unit, _ := strings.Cut(strings.TrimPrefix(d.Name, "/"), ":")
	name := strings.NewReplacer("/", "_", "-", "_").Replace(path)
	if !strings.HasSuffix(name, "_"+unit) {
		name += "_" + unit
	}
	if d.Cumulative && d.Kind != metrics.KindFloat64Histogram {
		name += "_total"
	}
	return name
}

// Describe sends the descriptions of all metrics to ch. Any goroutine.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		ch <- m.desc
	}
}

// Collect sends the values of all metrics to ch, without those that the program does not count
// (see rt.Operations). Any goroutine, even after Close.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	samples := make([]ichormetrics.Sample, len(c.metrics))
	for i, m := range c.metrics {
		samples[i].Name = m.Name
	}
	ichormetrics.Read(c.r, samples)
	for i, m := range c.metrics {
		kind := prometheus.GaugeValue
		if m.Cumulative {
			kind = prometheus.CounterValue
		}
		switch v := samples[i].Value; v.Kind() {
		case metrics.KindUint64:
			ch <- prometheus.MustNewConstMetric(m.desc, kind, float64(v.Uint64()))
		case metrics.KindFloat64:
			ch <- prometheus.MustNewConstMetric(m.desc, kind, v.Float64())
		case metrics.KindFloat64Histogram:
			ch <- histogram(m.desc, v.Float64Histogram())
		}
	}
}

// histogram converts a histogram. The sum of the times is not known. The middles of the buckets
// stand for them, so the sum is at most half too large, or a quarter too small.
func histogram(desc *prometheus.Desc, h *metrics.Float64Histogram) prometheus.Metric {
	buckets := make(map[float64]uint64, len(h.Counts))
	var count uint64
	var sum float64
	for i, n := range h.Counts {
		count += n
		if end := h.Buckets[i+1]; i+1 < len(h.Counts) {
			buckets[end] = count
			sum += float64(n) * (h.Buckets[i] + end) / 2
		} else {
			sum += float64(n) * h.Buckets[i]
		}
	}
	return prometheus.MustNewConstHistogram(desc, count, sum, buckets)
}
