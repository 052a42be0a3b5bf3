package copymap

import "testing"

// TestEqual enters many offsets, each several times, and finds the first of those with the same
// contents, even after the table has grown. Some hashes are the same, and others share a place.
func TestEqual(t *testing.T) {
	for _, spread := range []uint32{1, 3, 1 << 12, 0x9e37_79b9} {
		var e Equal
		const n = 5000
		hash := func(x uint32) uint32 { return x / 2 * spread } // two contents have the same hash
		same := func(a, b uint32) bool { return a%n == b%n }
		for round := range uint32(2) {
			for i := range uint32(n) {
				if at := e.Find(hash(i), i+round*n, same); at != i {
					t.Fatalf("%d is found at %d", i, at)
				}
				if want := int(i) + 1; round == 0 && (e.n != want || 3*e.n > 2*len(e.places)) {
					t.Fatalf("%d of %d places are filled, with %d contents", e.n, len(e.places), want)
				}
			}
		}
		if e.n != n || len(e.places) != 8192 {
			t.Errorf("%d of %d places are filled", e.n, len(e.places))
		}
	}
}
