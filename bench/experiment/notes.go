package experiment

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// notes are what a lane has noted besides its operations.
type notes struct {
	latency *hdrhistogram.Histogram // nil until the first Took
	sums    map[string]float64      // by unit, nil until the first Add
}

// Latencies are kept up to a minute, with two digits. The histogram takes 30 KB.
const (
	maxLatency    = time.Minute
	latencyDigits = 2
)

// Took notes the latency of an operation, or of any step of it. The sample has the percentiles
// of all that lanes of the same role note, as the extra metrics "p50-ns", "p99-ns",
// "p99.9-ns" and "max-ns". A percentile is left out if no latency of the sample lies beyond it:
// p99.9 needs 1000 of them. A row has a percentile only if all of its samples have it. Reading the clock twice takes about 100 ns: so note one in many if
// operations are short. What takes longer than a minute counts as a minute.
//
// A lane begins an operation when the last one is over, so a slow operation delays the others
// and is noted once. If requests came at a rate of their own, all that came meanwhile would have
// waited. To see such waits, give the role a rate, and note the time since [Lane.Due].
func (l *Lane) Took(d time.Duration) {
	if l.notes.latency == nil {
		l.notes.latency = hdrhistogram.New(1, int64(maxLatency), latencyDigits)
	}
	_ = l.notes.latency.RecordValue(int64(min(max(d, 1), maxLatency))) // the value is in range
}

// Add adds to an extra metric of the sample, which sums up what all lanes of the same role add.
// If the unit ends in "/op", the sum is divided by the operations of those lanes; if it ends in
// "/s", by the seconds of the sample. In a sample whose lanes add nothing it is 0, if lanes of
// other samples of the row add something.
func (l *Lane) Add(unit string, v float64) {
	if l.notes.sums == nil {
		l.notes.sums = map[string]float64{}
	}
	l.notes.sums[unit] += v
}

type percentile struct {
	unit    string
	percent float64
	least   int64
}

// percentiles are what becomes of latencies. With fewer than least of them, none lies beyond the
// percentile, which would be that of the slowest operation.
var percentiles = []percentile{{"p50-ns", 50, 2}, {"p99-ns", 99, 100}, {"p99.9-ns", 99.9, 1000}, {MaxNs, 100, 1}}

// notesOf makes extra metrics of what lanes have noted. Those of a role begin with its name: readers-p99-ns.
func notesOf(s *Sample, lanes []Lane, crews []Crew, took time.Duration) error {
	for _, c := range crews {
		var all *hdrhistogram.Histogram
		sums := map[string]float64{}
		var ops int64
		for i := range lanes {
			l := &lanes[i]
			if l.Role != c.Role {
				continue
			}
			ops += l.ops
			for unit, v := range l.notes.sums {
				sums[unit] += v
			}
			switch h := l.notes.latency; {
			case h == nil:
			case all == nil:
				all = h
			default:
				all.Merge(h)
			}
		}
		for unit, v := range sums {
			switch {
			case strings.HasSuffix(unit, "/op"):
				v /= float64(max(ops, 1))
			case strings.HasSuffix(unit, "/s"):
				v /= took.Seconds()
			}
			if err := s.note(c.Role, unit, v); err != nil {
				return err
			}
			s.sums = append(s.sums, withRole(c.Role, unit))
		}
		if all == nil {
			continue
		}
		for _, p := range percentiles {
			if all.TotalCount() < p.least {
				continue
			}
			if err := s.note(c.Role, p.unit, float64(all.ValueAtPercentile(p.percent))); err != nil {
				return err
			}
		}
	}
	return nil
}

func withRole(role, unit string) string {
	if role == "" {
		return unit
	}
	return role + "-" + unit
}

// addZeros gives each sample the sums that others of the row have: its lanes have added nothing.
// Without them, a median would be that of the samples in which something happened.
func (r *Row) addZeros() {
	sums := map[string]bool{}
	for _, s := range r.Samples {
		for _, unit := range s.sums {
			sums[unit] = true
		}
	}
	for i := range r.Samples {
		s := &r.Samples[i]
		for unit := range sums {
			if _, there := s.Extra[unit]; !there {
				_ = s.note("", unit, 0) // another sample has noted it
			}
		}
	}
}

// isLatency reports whether an extra metric is one of the percentiles, of any role.
func isLatency(unit string) bool {
	return slices.ContainsFunc(percentiles, func(p percentile) bool { return unit == p.unit || strings.HasSuffix(unit, "-"+p.unit) })
}

// note adds an extra metric of a role.
func (s *Sample) note(role, unit string, v float64) error {
	unit = withRole(role, unit)
	if !isUnit(unit) || strings.HasSuffix(unit, "-") {
		return fmt.Errorf("experiment: the unit of a metric is %q, not one word", unit)
	}
	if _, taken := s.Extra[unit]; taken {
		return fmt.Errorf("experiment: the metric %q is there twice", unit)
	}
	if s.Extra == nil {
		s.Extra = map[string]float64{}
	}
	s.Extra[unit] = v
	return nil
}

// check returns an error if a metric of the sample is no number, or if its unit cannot be told
// from others.
func (s *Sample) check(metric string) error {
	if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		return fmt.Errorf("the sample is %v %s", s.Value, metric)
	}
	for unit, v := range s.Extra {
		switch {
		case !isUnit(unit):
			return fmt.Errorf("experiment: the unit of a metric is %q, not one word", unit)
		case unit == metric:
			return fmt.Errorf("experiment: the metric %q is there twice", unit)
		case math.IsNaN(v) || math.IsInf(v, 0):
			return fmt.Errorf("the sample is %v %s", v, unit)
		}
	}
	return nil
}

// isUnit reports whether a text can be a unit in the Go benchmark format: one word.
func isUnit(s string) bool { return s != "" && !strings.ContainsFunc(s, unicode.IsSpace) }
