package experiment

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Roles have rates, latencies and metrics of their own.
func TestRoles(t *testing.T) {
	work := func(role string) func(l *Lane, t *rt.Thread, c Config, shared rt.Ref) error {
		return func(l *Lane, t *rt.Thread, _ Config, shared rt.Ref) error {
			if l.Role != role {
				return fmt.Errorf("the %s are called %q", role, l.Role)
			}
			for range 100 { // enough for p99
				l.Took(5 * time.Microsecond)
			}
			for l.Next() {
				for range l.N() {
					t.IncRef(shared)
					t.DecRef(shared)
				}
				l.Add("hits/op", float64(l.N()))
				t.Checkpoint()
			}
			return nil
		}
	}
	w := Workload{
		Name: "roles", Question: "?", Axes: []Axis{Modes()},
		Setup: func(t *rt.Thread, _ Config) (rt.Ref, error) { return objects.NewString(t, "shared") },
		Roles: []Role{{Name: "readers", Work: work("readers")}, {Name: "writers", Threads: 1, Work: work("writers")}},
	}
	report, err := runShort(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range report.Results[0].Rows {
		s := row.Samples[0]
		lanes := row.Config.Get("threads").(int) + 1
		if want := 1000 * int64(lanes); s.Ops != want || row.Metric != OpsS || row.Lanes() != lanes {
			t.Errorf("%s: %d operations of %d lanes, want %d", row.Config, s.Ops, row.Lanes(), want)
		}
		units := strings.Join(slices.Sorted(maps.Keys(s.Extra)), " ")
		want := "readers-hits/op readers-max-ns readers-p50-ns readers-p99-ns writers-hits/op writers-max-ns writers-ops/s writers-p50-ns writers-p99-ns"
		if units != want || s.Extra["writers-ops/s"] <= 0 || s.Extra["readers-hits/op"] != 1 {
			t.Errorf("%s: %v, want %s", row.Config, s.Extra, want)
		}
		if p := s.Extra["writers-p99-ns"]; math.Abs(p/5000-1) > 0.01 {
			t.Errorf("a latency of 5 us is %v ns", p)
		}
	}
}

// Percentiles are of all lanes, and sums are in their units.
func TestNotes(t *testing.T) {
	s, err := OpsPerSecond(t.Context(), Budget{Ops: 100}, 2, 100, func(l *Lane) error {
		for l.Next() {
			for i := range l.N() {
				l.Took(time.Duration(i+1+100*l.Index) * time.Microsecond) // 1 to 200 us
			}
			l.Took(time.Hour)
			l.Add("bytes", 3)
			l.Add("bytes/op", 200)
			l.Add("bytes/s", 1)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for unit, want := range map[string]float64{"p50-ns": 101e3, "p99-ns": 199e3, "max-ns": 60e9, "bytes": 6, "bytes/op": 2, "bytes/s": 2 / s.Load.Elapsed.Seconds()} {
		if got := s.Extra[unit]; math.Abs(got/want-1) > 0.02 {
			t.Errorf("%s is %v, want %v", unit, got, want)
		}
	}
	if s, err := NsPerOp(t.Context(), Budget{Ops: 10}, 1, func(l *Lane) error {
		for l.Next() {
		}
		return nil
	}); err != nil || s.Extra != nil {
		t.Errorf("a body that notes nothing: %v, %v", s.Extra, err)
	}
}

// What lanes note is counted for their own role, also if not all of its lanes note something.
func TestNotesOfRoles(t *testing.T) {
	noting := func(d time.Duration, v float64) func(l *Lane) error {
		return func(l *Lane) error {
			for l.Next() {
			}
			if l.Index == 1 {
				l.Took(d)
				l.Add("items", v)
				l.Add("items/op", v)
			}
			return nil
		}
	}
	s, err := CrewRates(t.Context(), Budget{Ops: 5}, Crew{"a", 3, 1, noting(100, 30)}, Crew{"b", 2, 1, noting(10, 20)}, Crew{"c", 1, 1, noting(1, 1)})
	delete(s.Extra, "b-ops/s")
	delete(s.Extra, "c-ops/s")
	want := map[string]float64{"a-max-ns": 100, "a-items": 30, "a-items/op": 2, "b-max-ns": 10, "b-items": 20, "b-items/op": 2}
	if err != nil || !maps.Equal(s.Extra, want) {
		t.Errorf("%v, want %v; %v", s.Extra, want, err)
	}
}

// Units are words, and a metric has one meaning.
func TestUnits(t *testing.T) {
	noting := func(note func(l *Lane)) func(l *Lane) error {
		return func(l *Lane) error {
			for l.Next() {
				note(l)
			}
			return nil
		}
	}
	nothing := noting(func(*Lane) {})
	for want, crews := range map[string][]Crew{
		`the unit of a metric is "", not one word`:      {{"", 1, 1, noting(func(l *Lane) { l.Add("", 1) })}},
		`the unit of a metric is "a-", not one word`:    {{"a", 1, 1, noting(func(l *Lane) { l.Add("", 1) })}},
		`the unit of a metric is "two w", not one word`: {{"", 1, 1, noting(func(l *Lane) { l.Add("two w", 1) })}},
		`the metric "p50-ns" is there twice`:            {{"", 1, 1, noting(func(l *Lane) { l.Took(1); l.Add("p50-ns", 1) })}},
		`the metric "b-ops/s" is there twice`:           {{"a", 1, 1, nothing}, {"b", 1, 1, noting(func(l *Lane) { l.Add("ops/s", 1) })}},
		`the metric "a-b-bytes" is there twice`:         {{"a", 1, 1, noting(func(l *Lane) { l.Add("b-bytes", 1) })}, {"a-b", 1, 1, noting(func(l *Lane) { l.Add("bytes", 1) })}},
	} {
		if _, err := CrewRates(t.Context(), Budget{Ops: 10}, crews...); err == nil || err.Error() != "experiment: "+want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	ctx := context.WithValue(t.Context(), counterKey{}, eventCounter(&fakeCounters{}))
	if _, err := NsPerOp(ctx, Budget{Ops: 10}, 1, noting(func(l *Lane) { l.Add("cycles/op", 1) })); err == nil {
		t.Error("a metric with the name of a counter is no error")
	}
}

// A percentile appears if there are latencies beyond it.
func TestFewLatencies(t *testing.T) {
	for n, want := range map[int]string{1: "max-ns", 2: "max-ns p50-ns", 99: "max-ns p50-ns", 100: "max-ns p50-ns p99-ns", 999: "max-ns p50-ns p99-ns", 1000: "max-ns p50-ns p99-ns p99.9-ns"} {
		s, err := NsPerOp(t.Context(), Budget{Ops: 1}, 1, func(l *Lane) error {
			for l.Next() {
				for range n {
					l.Took(1)
				}
			}
			return nil
		})
		if got := strings.Join(slices.Sorted(maps.Keys(s.Extra)), " "); err != nil || got != want {
			t.Errorf("%d latencies: %s, want %s; %v", n, got, want, err)
		}
	}
}

func TestCrewErrors(t *testing.T) {
	body := func(l *Lane) error {
		for l.Next() {
		}
		return nil
	}
	for _, crews := range [][]Crew{nil, {{"a", 1, 1, body}, {"a", 1, 1, body}}, {{"a", 1, 1, body}, {"", 1, 1, body}}, {{"a b", 1, 1, body}}, {{"a", 0, 1, body}}, {{"a", 1, 0, body}}, {{"a", 1, 1, body}, {"b", 0, 1, body}}} {
		if _, err := CrewRates(t.Context(), Budget{Ops: 1}, crews...); err == nil {
			t.Errorf("%d crews: no error", len(crews))
		}
	}
	for _, b := range []Budget{{}, {Ops: -1}, {Duration: -1}} {
		if _, err := CrewRates(t.Context(), b, Crew{"a", 1, 1, body}); err == nil {
			t.Errorf("a budget of %v: no error", b)
		}
	}
	if _, err := CrewRates(t.Context(), Budget{Duration: 1}, Crew{"a", 1, 1, body}); err != nil {
		t.Errorf("the shortest budget: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	called := false
	_, err := CrewRates(ended, Budget{Ops: 1}, Crew{"a", 1, 1, func(l *Lane) error { called = true; return body(l) }})
	if err != context.Canceled || called {
		t.Errorf("after the end: %v, called: %t", err, called)
	}
}

// A sample in which nothing is added to a sum counts as 0, and a percentile that a sample lacks is not that of
// the others.
func TestNotesOfSomeSamples(t *testing.T) {
	n := 0
	s := scenario(Variant{Config: Cfg("threads", 1), Metric: OpsS, Sample: func(ctx context.Context, b Budget) (Sample, error) {
		n++
		return CrewRates(ctx, b, Crew{"readers", 1, 1, func(l *Lane) error {
			if n%2 == 0 {
				l.Add("retries", 3)
				l.Took(1)
			}
			l.Took(1)
			for l.Next() {
			}
			return nil
		}})
	}})
	o := options(4) // after the one to warm up
	o.Budget = Budget{Ops: 10}
	report, err := Run(t.Context(), []Scenario{s}, o)
	if err != nil {
		t.Fatal(err)
	}
	row := report.Results[0].Rows[0]
	var texts []string
	for _, stat := range row.Stats()[1:] {
		texts = append(texts, fmt.Sprint(stat.Metric, " ", stat))
	}
	if got := strings.Join(texts, ", "); got != "readers-max-ns 1.00 (of 4), readers-retries 1.50 (of 4)" {
		t.Errorf("the metrics are %s", got)
	}
	if _, there := row.Samples[1].Extra["readers-p50-ns"]; there || row.Samples[0].Extra["readers-p50-ns"] != 1 {
		t.Errorf("the samples have %v", row.Samples)
	}
}
