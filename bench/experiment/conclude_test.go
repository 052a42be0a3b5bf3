package experiment

import (
	"math"
	"slices"
	"testing"
)

func TestSay(t *testing.T) {
	lines := Say(nil, "%d, %.1f, %v, %s", 1, 2.0, Figure(3e4), []string{"a", "b"})
	for _, missing := range []any{math.NaN(), Figure(math.NaN()), []string(nil)} {
		lines = Say(lines, "%v", missing)
	}
	if want := []string{"1, 2.0, 30.0 k, a, b"}; !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
}
