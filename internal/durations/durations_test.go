package durations

import (
	"slices"
	"testing"
	"time"
)

// TestDurations adds durations at the edges of buckets.
func TestDurations(t *testing.T) {
	var d Histogram
	h := d.Read()
	if len(h.Buckets) != len(h.Counts)+1 || h.Buckets[0] != 0 || !slices.IsSorted(h.Buckets) {
		t.Fatalf("the histogram has the buckets %v for %d counts", h.Buckets, len(h.Counts))
	}
	for i, edge := range h.Buckets[:len(h.Counts)] {
		var d Histogram
		at := time.Duration(edge*1e9 + 0.5)
		d.Add(at)
		if got := d.Read().Counts; got[i] != 1 {
			t.Errorf("%s is not in the bucket that begins there: %v", at, got)
		}
		if i > 0 {
			d.Add(at - 1)
			if got := d.Read().Counts; got[i-1] != 1 {
				t.Errorf("%s is not in the bucket that ends there: %v", at-1, got)
			}
		}
	}
	d.Add(-time.Second)
	d.Add(1 << 62)
	if got := d.Read().Counts; got[0] != 1 || got[len(got)-1] != 1 {
		t.Errorf("times beyond the ends: %v", got)
	}
}
