package runtime

import "testing"

// TestInternHash checks that texts with similar hashes do not collide in the table of equal
// strings.
func TestInternHash(t *testing.T) {
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const n = 4096
	for shift := 0; shift <= 52; shift += 4 {
		for i := range uint64(n) {
			r.intern.Store(i<<shift, Nil)
		}
		if s := r.intern.Stats(); s.MaxEntries > 64 {
			t.Errorf("hashes that differ in bits %d to %d: %d in one place", shift, shift+11, s.MaxEntries)
		}
		r.intern.Clear()
	}
}

// TestHashSeed checks that each runtime has another seed.
func TestHashSeed(t *testing.T) {
	seen := [2]map[uint64]bool{{}, {}}
	for range 3 {
		r, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		k0, k1 := r.seed[0], r.seed[1]
		seen[0][k0], seen[1][k1] = true, true
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(seen[0]) != 3 || len(seen[1]) != 3 {
		t.Errorf("of three seeds the halves are %v", seen)
	}
}
