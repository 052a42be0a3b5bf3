package ichordebug

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	goruntime "runtime"
	"runtime/metrics"
	"slices"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
	ichormetrics "github.com/ichor-go/ichor/runtime/metrics"
)

// State is what a Handler shows of a runtime, and the form of its JSON. Immutable.
type State struct {
	Runtime string
	Mode    string
	Closed  bool

	// Metrics maps the names of package runtime/metrics to their values. A histogram is an
	// object that maps the upper ends of buckets to counts.
	Metrics json.RawMessage

	Threads []rt.ThreadState

	// These are there only after a walk over the heap.
	Types  []rt.TypeStats   `json:",omitempty"`
	Frozen []rt.FrozenState `json:",omitempty"`

	// WalkFailed says why there was no walk although it was asked for.
	WalkFailed string `json:",omitempty"`

	// Heap and Contention say whether the runtime keeps the profiles.
	Heap, Contention bool

	stats rt.Stats
	shown struct{ walk, stacks bool }
}

// read reads the state. A walk waits for the GIL, or for other threads, until ctx ends.
func read(ctx context.Context, r *rt.Runtime, walk, stacks bool) *State {
	s := &State{
		Runtime: r.Name(), Mode: r.Mode().String(), Heap: r.HeapProfileRate() > 0, Contention: r.ContentionProfileRate() > 0,
		Threads: r.Threads(stacks), stats: r.QuickStats(), Metrics: json.RawMessage(ichormetrics.Expvar(r).String()),
	}
	s.Closed = s.stats.Closed
	s.shown.walk, s.shown.stacks = walk, stacks
	if !walk {
		return s
	}
	err := r.DoContext(ctx, func(t *rt.Thread) error {
		s.Types = t.ReadStats().Types
		s.Frozen = t.ReadFrozen()
		return nil
	})
	if err != nil {
		s.WalkFailed = err.Error()
	}
	return s
}

// Purpose is what memory is used for.
type Purpose struct {
	Name  string
	Count int64
	Bytes int64
	Width float64 // percent of the largest one
}

// Purposes splits the memory by purpose. Any goroutine.
func (s *State) Purposes() []Purpose {
	m := s.stats.Memory
	list := []Purpose{
		{Name: "objects on the counted heap", Count: m.Objects, Bytes: m.ObjectBytes},
		{Name: "blocks, the storage of containers", Count: m.Blocks, Bytes: m.BlockBytes},
		{Name: "objects born immortal", Count: m.Immortals, Bytes: m.RegionBytes},
		{Name: "frozen objects in memory", Count: m.Frozen, Bytes: m.FrozenBytes - m.MappedBytes},
		{Name: "frozen objects in mapped files", Bytes: m.MappedBytes},
		{Name: "shared between processes", Bytes: m.SharedBytes},
	}
	most := slices.MaxFunc(list, func(a, b Purpose) int { return cmp.Compare(a.Bytes, b.Bytes) }).Bytes
	for i := range list {
		list[i].Width = 100 * float64(list[i].Bytes) / float64(max(most, 1))
	}
	return list
}

// Stats returns the statistics. Any goroutine.
func (s *State) Stats() rt.Stats { return s.stats }

// Walked reports whether a walk over the heap was asked for. Any goroutine.
func (s *State) Walked() bool { return s.shown.walk }

// Stacks reports whether the stacks of threads were asked for. Any goroutine.
func (s *State) Stacks() bool { return s.shown.stacks }

// Histogram is a histogram of times.
type Histogram struct {
	Title   string
	Events  uint64
	Buckets []Bucket // from the first one that is not empty to the last
}

// Bucket is a bucket of a histogram.
type Bucket struct {
	UpTo  string
	Count uint64
	Width float64 // percent of the fullest one
}

// Histograms returns the histograms that are not empty. Any goroutine.
func (s *State) Histograms() (all []Histogram) {
	for _, h := range []struct {
		title string
		of    *metrics.Float64Histogram
	}{
		{"waits for the GIL", s.stats.GILWaits},
		{"times that the GIL was held while others waited", s.stats.GILHolds},
		{"from a request to stop the world until it stood still", s.stats.Stopping},
		{"stops of the world", s.stats.Pauses},
		{"collections: their stops together", s.stats.CollectorPauses},
	} {
		if x := histogram(h.title, h.of); x.Events > 0 {
			all = append(all, x)
		}
	}
	return all
}

func histogram(title string, h *metrics.Float64Histogram) Histogram {
	x := Histogram{Title: title}
	first, last, most := -1, 0, uint64(1)
	for i, n := range h.Counts {
		x.Events += n
		most = max(most, n)
		if n > 0 {
			last = i
			if first < 0 {
				first = i
			}
		}
	}
	if first < 0 {
		return x
	}
	for i := first; i <= last; i++ {
		upTo := "more"
		if i+1 < len(h.Counts) {
			upTo = duration(time.Duration(h.Buckets[i+1] * 1e9))
		}
		x.Buckets = append(x.Buckets, Bucket{upTo, h.Counts[i], 100 * float64(h.Counts[i]) / float64(most)})
	}
	return x
}

var functions = template.FuncMap{
	"bytes":      byteSize,
	"duration":   duration,
	"goroutines": goruntime.NumGoroutine,
}

// byteSize formats a number of bytes with three digits.
func byteSize(n int64) string {
	f, unit := float64(n), 0
	for ; f >= 1024 && unit < 4; unit++ {
		f /= 1024
	}
	name := [...]string{"B", "KiB", "MiB", "GiB", "TiB"}[unit]
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %s", f, name)
}

// duration formats a duration with three digits.
func duration(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		if d >= u.unit {
			return fmt.Sprintf("%.3g %s", float64(d)/float64(u.unit), u.name)
		}
	}
	return fmt.Sprintf("%d ns", d)
}
