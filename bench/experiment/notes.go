package experiment

import (
	"fmt"
	"maps"
	"strings"
	"time"

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
// "p99.9-ns" and "max-ns". Reading the clock twice takes about 100 ns: so note one in many if
// operations are short. What takes longer than a minute counts as a minute.
func (l *Lane) Took(d time.Duration) {
	if l.notes.latency == nil {
		l.notes.latency = hdrhistogram.New(1, int64(maxLatency), latencyDigits)
	}
	_ = l.notes.latency.RecordValue(int64(min(max(d, 1), maxLatency))) // the value is in range
}

// Add adds to an extra metric of the sample, which sums up what all lanes of the same role add.
// If the unit ends in "/op", the sum is divided by the operations of those lanes; if it ends in
// "/s", by the seconds of the sample.
func (l *Lane) Add(unit string, v float64) {
	if l.notes.sums == nil {
		l.notes.sums = map[string]float64{}
	}
	l.notes.sums[unit] += v
}

// notesOf returns the extra metrics of a sample. Those of a role begin with its name: readers-p99-ns.
func notesOf(lanes []Lane, crews []Crew, took time.Duration) (extra map[string]float64, err error) {
	put := func(role, unit string, v float64) {
		if role != "" {
			unit = role + "-" + unit
		}
		if extra == nil {
			extra = map[string]float64{}
		}
		extra[unit] = v
	}
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
		for unit := range maps.Keys(sums) {
			v := sums[unit]
			switch {
			case strings.TrimSpace(unit) == "":
				return nil, fmt.Errorf("experiment: Add without a unit")
			case strings.HasSuffix(unit, "/op"):
				v /= float64(max(ops, 1))
			case strings.HasSuffix(unit, "/s"):
				v /= took.Seconds()
			}
			put(c.Role, unit, v)
		}
		if all != nil {
			for _, p := range []struct {
				unit    string
				percent float64
			}{{"p50-ns", 50}, {"p99-ns", 99}, {"p99.9-ns", 99.9}, {"max-ns", 100}} {
				put(c.Role, p.unit, float64(all.ValueAtPercentile(p.percent)))
			}
		}
	}
	return extra, nil
}
