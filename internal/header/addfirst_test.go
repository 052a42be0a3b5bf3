package header

import "testing"

// incFirst is Inc as a blind thread has it.
func incFirst(h *Header) Verdict {
	if h.IncMerged() {
		return Alive
	}
	return h.Inc(1)
}

// TestAddFirst: IncMerged and DecMerged do what Inc and DecForeign do, at all edges of a count,
// with and without weak references.
func TestAddFirst(t *testing.T) {
	for _, count := range []int32{-pinnedShared, -stickyShared, 1 - stickyShared, -1, 0, 1, 2, 3, stickyShared - 2, stickyShared - 1, stickyShared, pinnedShared} {
		for _, weak := range []int32{0, Weak} {
			for name, pair := range map[string][2]func(*Header) Verdict{
				"inc": {func(h *Header) Verdict { return h.Inc(1) }, incFirst},
				"dec": {(*Header).DecForeign, (*Header).DecMerged},
			} {
				word := count<<countShift | weak | Merged
				a, b := &Header{shared: word}, &Header{shared: word}
				want, got := pair[0](a), pair[1](b)
				dead := want == Dead && weak == 0 // DecForeign then leaves the word as it is
				if got != want || a.shared != b.shared && !dead || dead && b.shared != Merged {
					t.Errorf("%s of %d, weak %d: %v and %#x, want %v and %#x", name, count, weak, got, b.shared, want, a.shared)
				}
			}
		}
	}
}
