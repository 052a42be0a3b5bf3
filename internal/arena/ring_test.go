package arena

import "testing"

// BenchmarkRing allocates a slot and frees the oldest of 1,024.
func BenchmarkRing(b *testing.B) {
	s, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	c := s.NewCache()
	var ring [1024]uint32
	for i := range ring {
		ring[i], _ = c.Alloc(Leaves, 2)
	}
	i := 0
	for b.Loop() {
		c.Free(ring[i%1024])
		ring[i%1024], _ = c.Alloc(Leaves, 2)
		i++
	}
}
