package objects

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// placed returns the placing of entries with the given hashes, and checks that a search for each
// hash leads to its first entry, and that the others are twins, sorted by hash.
func placed(t *testing.T, keyed bool, hashes ...uint32) *placing {
	t.Helper()
	w := &placing{hashes: hashes}
	if !w.arrange(keyed) {
		return nil
	}
	if w.keyed() != keyed || w.frozenTable.twins() != len(w.twins) {
		t.Fatalf("%d hashes: form %#x", len(hashes), w.form)
	}
	first, seen := map[uint32]bool{}, map[uint32]bool{}
	var twins []uint32
	for i, h := range hashes {
		p := w.placed[i]
		if seen[p] {
			t.Fatalf("%d hashes: two entries at place %d", len(hashes), p)
		}
		seen[p] = true
		if first[h] {
			twins = append(twins, h)
			if j := int(p - w.places); j < 0 || j >= len(w.twins) || w.twins[j] != uint32(i) {
				t.Fatalf("%d hashes: entry %d is not a twin", len(hashes), i)
			}
			continue
		}
		first[h] = true
		if want := w.place(h, uint32(w.pilots[w.bucket(h)])); p != want || p >= w.places {
			t.Fatalf("%d hashes: entry %d is at place %d, want %d of %d", len(hashes), i, p, want, w.places)
		}
	}
	slices.Sort(twins)
	for j, i := range w.twins {
		if hashes[i] != twins[j] {
			t.Fatalf("%d hashes: twin %d is out of order", len(hashes), j)
		}
	}
	return w
}

// TestPlacing: random hashes get a table, whatever their number, and equal ones are twins.
func TestPlacing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	for range scaled(1000) {
		hashes := make([]uint32, linearMax+1+draw.IntN(400))
		for i := range hashes {
			if hashes[i] = draw.Uint32(); i > 0 && draw.IntN(20) == 0 {
				hashes[i] = hashes[draw.IntN(i)]
			}
		}
		if placed(t, draw.IntN(2) == 0, hashes...) == nil {
			t.Errorf("no table for %d random hashes", len(hashes)) // one of 10^15 sets, since the table can grow
		}
	}
	many := make([]uint32, 100_000) // with places of a word
	for i := range many {
		many[i] = draw.Uint32()
	}
	if w := placed(t, false, many...); w == nil || w.wide() != 2 {
		t.Error("no table for 100,000 random hashes")
	}
}

// TestPlacingGrows: if a bucket has no pilot, the table grows. Hashes of one bucket have no
// table, nor have too many equal ones.
func TestPlacingGrows(t *testing.T) {
	draw, sets, grown := rand.New(rand.NewPCG(1, 2)), 0, false
	for !grown && sets < 20_000 {
		sets++
		hashes := make([]uint32, 10) // 9 of them in one bucket
		for i := range hashes {
			hashes[i] = draw.Uint32() >> 3
		}
		hashes[0] = ^uint32(0)
		if w := placed(t, false, hashes...); w == nil {
			t.Fatal("no table for ten hashes")
		} else {
			grown = w.places > frozenTableFor(10, 0, false, 0).places
		}
	}
	if sets != 1344 {
		t.Errorf("after %d sets a table has grown: %t; want it after 1344", sets, grown)
	}
	var near, equal []uint32
	for i := range 300 {
		near, equal = append(near, uint32(i)), append(equal, 7)
	}
	if placed(t, false, near...) != nil {
		t.Error("300 hashes of one bucket have a table")
	}
	if placed(t, false, equal...) != nil || placed(t, false, equal[:runMax]...) == nil {
		t.Errorf("300 equal hashes have a table, or %d have none", runMax)
	}
}

// TestPlaceNumbers: the number of a place has as few bytes as the highest one needs.
func TestPlaceNumbers(t *testing.T) {
	for n, want := range map[uint32]uint32{1: 0, 1 << 8: 0, 1<<8 + 1: 1, 1 << 16: 1, 1<<16 + 1: 2} {
		if got := wideFor(n); got != want {
			t.Errorf("%d places: 2^%d bytes for a number, want 2^%d", n, got, want)
		}
	}
}

// TestFullBucket: a bucket has up to maxBucket hashes, whatever else there is.
func TestFullBucket(t *testing.T) {
	draw := rand.New(rand.NewPCG(3, 4))
	var hashes []uint32
	for i := range uint32(maxBucket) {
		hashes = append(hashes, i)
	}
	for range 20_000 {
		hashes = append(hashes, max(draw.Uint32(), 1<<24)) // in other buckets
	}
	if placed(t, false, hashes...) == nil {
		t.Errorf("%d hashes of one bucket have no table", maxBucket)
	}
	if placed(t, false, append(hashes, maxBucket)...) != nil {
		t.Errorf("%d hashes of one bucket have a table", maxBucket+1)
	}
	spread := hashes[maxBucket:] // beside hashes that a larger table would have in two buckets
	step := uint32(1<<32/uint64(frozenTableFor(len(hashes)+1, 0, false, 0).buckets)) / (maxBucket + 2)
	for i := range uint32(maxBucket + 1) {
		spread = append(spread, i*step)
	}
	if placed(t, false, spread...) != nil {
		t.Errorf("%d hashes of one bucket have a larger table", maxBucket+1)
	}
}
