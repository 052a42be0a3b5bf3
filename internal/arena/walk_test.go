package arena

import (
	"slices"
	"testing"
)

// TestObjectSpans: they are the spans of leaves and containers, small and large, and their
// objects are the live slots, hidden or not.
func TestObjectSpans(t *testing.T) {
	s := newSpace(t, Config{Reserve: 64 << 20})
	defer s.Close()
	c := s.NewCache()
	var want []uint32
	alloc := func(p Purpose, n uint32) uint32 {
		h, err := c.Alloc(p, n)
		if err != nil {
			t.Fatal(err)
		}
		if p <= Containers {
			want = append(want, h)
		}
		return h
	}
	for range 5000 { // more than a span
		alloc(Leaves, 1)
	}
	alloc(Leaves, 2*SpanGranules)
	alloc(Blocks, 4)
	alloc(Blocks, 2*SpanGranules)
	s.Hide(alloc(Containers, 2))
	s.Hide(alloc(Containers, 2*SpanGranules))
	c.Free(want[7])
	want = slices.Delete(want, 7, 8)
	var got []uint32
	last := -1
	for _, sp := range s.ObjectSpans(nil) {
		if int(sp.Number()) <= last {
			t.Errorf("span %d comes after span %d", sp.Number(), last)
		}
		last = int(sp.Number())
		got = sp.Objects(got)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d objects, want %d", len(got), len(want))
	}
}
