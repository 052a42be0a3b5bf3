package runtime

import (
	"fmt"
	"math"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"

	"github.com/ichor-go/ichor/internal/fault"
)

// Statistics by name, in the manner of runtime/metrics: Metrics says which names
// there are, ReadMetrics reads them. docs/statistics.md has the same table.

// Sample is a name and, after ReadMetrics, its value.
type Sample struct {
	Name  string
	Value Value
}

// Value is the value of a metric, of the kind that its description has. The zero Value has
// no kind: the name is unknown, or this program does not count what it asks for (see
// Operations). Immutable.
type Value struct {
	kind metrics.ValueKind
	bits uint64
	hist *metrics.Float64Histogram
}

// Kind returns which of the methods below may be called.
func (v Value) Kind() metrics.ValueKind { return v.kind }

// Uint64 returns the value of a metric of kind metrics.KindUint64.
func (v Value) Uint64() uint64 {
	v.mustBe(metrics.KindUint64)
	return v.bits
}

// Float64 returns the value of a metric of kind metrics.KindFloat64.
func (v Value) Float64() float64 {
	v.mustBe(metrics.KindFloat64)
	return math.Float64frombits(v.bits)
}

// Float64Histogram returns the value of a metric of kind
// metrics.KindFloat64Histogram.
func (v Value) Float64Histogram() *metrics.Float64Histogram {
	v.mustBe(metrics.KindFloat64Histogram)
	return v.hist
}

func (v Value) mustBe(k metrics.ValueKind) {
	if v.kind != k {
		fault.Throw(Misuse{What: "value of a metric read as another kind", On: fmt.Sprintf("a value of kind %d", v.kind), Want: fmt.Sprintf("kind %d", k)})
	}
}

// Metrics describes the names that ReadMetrics knows, in the order of the
// alphabet. Any goroutine.
func Metrics() []metrics.Description {
	ds := make([]metrics.Description, len(metricTable))
	for i, m := range metricTable {
		ds[i] = m.Description
	}
	return ds
}

// ReadMetrics fills in the values of samples. It stops nothing and walks nothing:
// some ten microseconds for all of them, whatever the size of the heap. Any goroutine, attached or
// not, also after Close.
func (r *Runtime) ReadMetrics(samples []Sample) {
	s := r.readCheap()
	for i := range samples {
		samples[i].Value = Value{}
		if m := metricNamed(samples[i].Name); m != nil {
			samples[i].Value = m.read(&s)
		}
	}
}

func metricNamed(name string) *metric {
	i, ok := slices.BinarySearchFunc(metricTable, name, func(m metric, name string) int { return strings.Compare(m.Name, name) })
	if !ok {
		return nil
	}
	return &metricTable[i]
}

// Expvar is a runtime's metrics as a variable for package expvar. Any goroutine.
type Expvar struct{ r *Runtime }

// Expvar returns the runtime's metrics in a form that expvar can publish:
//
//	expvar.Publish("ichor", r.Expvar())
//
// It costs what ReadMetrics does, each time that it is looked at. Any goroutine.
func (r *Runtime) Expvar() Expvar { return Expvar{r} }

// String returns a JSON object with a member for each metric, null for what is not
// counted, and "closed". A histogram is an object as well: from the upper end of
// each bucket that is not empty, in seconds, to its count. Any goroutine, also
// after Close.
func (v Expvar) String() string {
	s := v.r.readCheap()
	b := append(make([]byte, 0, 4<<10), `{"closed": `...)
	b = strconv.AppendBool(b, s.Closed)
	for i := range metricTable {
		m := &metricTable[i]
		b = append(b, ", "...)
		b = strconv.AppendQuote(b, m.Name)
		b = append(b, ": "...)
		b = m.read(&s).appendJSON(b)
	}
	return string(append(b, '}'))
}

func (v Value) appendJSON(b []byte) []byte {
	switch v.kind {
	case metrics.KindUint64:
		return strconv.AppendUint(b, v.bits, 10)
	case metrics.KindFloat64:
		return strconv.AppendFloat(b, v.Float64(), 'g', -1, 64)
	case metrics.KindFloat64Histogram:
		return appendHistogram(b, v.hist)
	}
	return append(b, "null"...)
}

func appendHistogram(b []byte, h *metrics.Float64Histogram) []byte {
	sep := "{"
	for i, n := range h.Counts {
		if n == 0 {
			continue
		}
		end := "inf"
		if i+1 < len(h.Counts) {
			end = strconv.FormatFloat(h.Buckets[i+1], 'g', -1, 64)
		}
		b = append(b, sep...)
		b = strconv.AppendQuote(b, end)
		b = append(b, ": "...)
		b = strconv.AppendUint(b, n, 10)
		sep = ", "
	}
	if sep == "{" {
		b = append(b, sep...)
	}
	return append(b, '}')
}
