// Package metrics reads the statistics of a runtime by name, in the way of the standard
// library's package of that name: All lists the names, Read reads them, and Expvar publishes
// them. docs/statistics.md has the same table.
package metrics

import (
	"fmt"
	"math"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"

	"github.com/ichor-go/ichor/internal/fault"
	rt "github.com/ichor-go/ichor/runtime"
)

// Sample is a name and, after Read, its value. One goroutine at a time.
type Sample struct {
	Name  string
	Value Value
}

// Value is the value of a metric. Its kind is the one in the metric's description. The zero
// Value has no kind: the name is unknown, or this program does not record the figure (see
// rt.Operations). Immutable.
type Value struct {
	kind metrics.ValueKind
	bits uint64
	hist *metrics.Float64Histogram
}

// Kind returns the kind of the value, which tells which of the methods below may be called.
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
		fault.Throw(rt.Misuse{What: "value of a metric read as the wrong kind", On: fmt.Sprintf("a value of kind %d", v.kind), Want: fmt.Sprintf("kind %d", k)})
	}
}

// All describes the names that Read knows, in alphabetical order. Any goroutine.
func All() []metrics.Description {
	ds := make([]metrics.Description, len(table))
	for i, m := range table {
		ds[i] = m.Description
	}
	return ds
}

// Read sets the values of samples. It does not stop the world or walk the heap: it takes some
// ten microseconds for all of them, whatever the size of the heap. Any goroutine, attached or
// not, even after Close.
func Read(r *rt.Runtime, samples []Sample) {
	s := r.QuickStats()
	for i := range samples {
		samples[i].Value = Value{}
		if m := named(samples[i].Name); m != nil {
			samples[i].Value = m.read(&s)
		}
	}
}

func named(name string) *metric {
	i, ok := slices.BinarySearchFunc(table, name, func(m metric, name string) int { return strings.Compare(m.Name, name) })
	if !ok {
		return nil
	}
	return &table[i]
}

// Var is a runtime's metrics as a variable for package expvar. Any goroutine.
type Var struct{ r *rt.Runtime }

// Expvar returns the runtime's metrics as a variable that package expvar can publish:
//
//	expvar.Publish("ichor", metrics.Expvar(r))
//
// Each time that the variable is read, it costs as much as Read. Any goroutine.
func Expvar(r *rt.Runtime) Var { return Var{r} }

// String returns a JSON object with a member for each metric, and the member "closed". A metric
// that is not recorded is null. A histogram is an object that maps the upper end of each bucket
// that is not empty, in seconds, to its count. Any goroutine, even after Close.
func (v Var) String() string {
	s := v.r.QuickStats()
	b := append(make([]byte, 0, 4<<10), `{"closed": `...)
	b = strconv.AppendBool(b, s.Closed)
	for i := range table {
		m := &table[i]
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
