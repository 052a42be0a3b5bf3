package experiment

import (
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
	unwatched(t)
	work := func(role string) func(l *Lane, t *rt.Thread, c Config, shared rt.Ref) error {
		return func(l *Lane, t *rt.Thread, _ Config, shared rt.Ref) error {
			if l.Role != role {
				return fmt.Errorf("the %s are called %q", role, l.Role)
			}
			for l.Next() {
				for range l.N() {
					t.IncRef(shared)
					t.DecRef(shared)
				}
				l.Took(5 * time.Microsecond)
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
		if want := 1000 * int64(row.Config.Get("threads").(int)+1); s.Ops != want || row.Metric != OpsS {
			t.Errorf("%s: %d operations, want %d", row.Config, s.Ops, want)
		}
		units := strings.Join(slices.Sorted(maps.Keys(s.Extra)), " ")
		want := "readers-hits/op readers-max-ns readers-p50-ns readers-p99-ns readers-p99.9-ns writers-hits/op writers-max-ns writers-ops/s writers-p50-ns writers-p99-ns writers-p99.9-ns"
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
	if _, err := NsPerOp(t.Context(), Budget{Ops: 10}, 1, func(l *Lane) error {
		for l.Next() {
			l.Add("", 1)
		}
		return nil
	}); err == nil {
		t.Error("a metric without a unit is no error")
	}
}

func TestCrewErrors(t *testing.T) {
	body := func(l *Lane) error {
		for l.Next() {
		}
		return nil
	}
	for _, crews := range [][]Crew{nil, {{"a", 1, 1, body}, {"a", 1, 1, body}}, {{"a", 1, 1, body}, {"", 1, 1, body}}, {{"a b", 1, 1, body}}, {{"a", 0, 1, body}}} {
		if _, err := CrewRates(t.Context(), Budget{Ops: 1}, crews...); err == nil {
			t.Errorf("%d crews: no error", len(crews))
		}
	}
}
