//go:build explore

package engine

// Chance returns a number that looks random. The thread gets the same numbers in each schedule,
// whatever other threads do, so that a schedule can be run again.
//
//go:norace
func (t *Thread) Chance() uint64 {
	t.chances++
	x := (uint64(t.id)<<32 + t.chances) * 0x9e3779b97f4a7c15 // as in splitmix64
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
