package objects

import (
	"cmp"
	"slices"
	"sync"
)

// placing finds the pilots of a frozen table: see frozendict.go. The hashes are grouped by
// bucket. The largest buckets come first, when most places are free. Each bucket takes the
// first pilot that leads its hashes to free places. Of several entries with one hash the
// first gets the place, and the others become twins.
//
// A bucket has 2.4 hashes on average, and a table without bad luck takes two tries a hash.
// About one table in 100,000 has a bucket for which no pilot fits, and gets twice as many
// places. Hashes that are chosen to fall into one bucket fit no table.
type placing struct {
	frozenTable
	hashes []uint32 // by entry
	pilots []byte   // by bucket
	placed []uint32 // by entry: its place

	twins  []uint32 // entries, by hash
	ends   []uint32 // by bucket: where its entries end in sorted
	sorted []uint32 // entries, by bucket
	bySize []uint32 // buckets, the largest ones first
	taken  []uint64 // places, a bit each
}

const (
	// maxBucket is the most hashes that a bucket may have. Hashes that nobody has chosen put
	// fewer than 20 into one, in the largest table.
	maxBucket = 64

	// growMost is how often the number of places is doubled.
	growMost = 3
)

// bucketMost is maxBucket, unless a test lowers it.
var bucketMost = maxBucket

// placings are kept for the next dict. Most dicts are small, and would spend a tenth of their
// time to freeze on Go memory.
var placings = sync.Pool{New: func() any { return new(placing) }}

// arrange chooses the size of the table for the hashes of its entries, and fills pilots and
// placed. It reports whether it has found a table.
func (w *placing) arrange(keyed bool) bool {
	for grow := range growMost + 1 {
		w.frozenTable = frozenTableFor(len(w.hashes), grow, keyed, 0)
		w.group()
		done, again := w.settle()
		if done {
			w.frozenTable = frozenTableFor(len(w.hashes), grow, keyed, len(w.twins))
			return true
		}
		if !again {
			return false
		}
	}
	return false
}

// zeroed returns a slice of n zeros, in the memory of s if it is large enough.
func zeroed[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/2)
	}
	s = s[:n]
	clear(s)
	return s
}

// group sorts the entries by bucket, and the buckets by size.
func (w *placing) group() {
	n, buckets := len(w.hashes), int(w.buckets)
	w.pilots, w.placed = zeroed(w.pilots, buckets), zeroed(w.placed, n)
	w.ends, w.sorted = zeroed(w.ends, buckets), zeroed(w.sorted, n)
	w.bySize, w.taken = zeroed(w.bySize, buckets), zeroed(w.taken, int(w.places)/64+1)
	w.twins = w.twins[:0]
	for _, h := range w.hashes {
		w.ends[w.bucket(h)]++
	}
	var begin [maxBucket + 2]uint32 // in bySize, by size: those of more hashes come first
	sum := uint32(0)
	for b, size := range w.ends {
		begin[maxBucket+1-min(size, maxBucket+1)]++
		w.ends[b] = sum
		sum += size
	}
	sum = 0
	for i, buckets := range begin {
		begin[i] = sum
		sum += buckets
	}
	for i, h := range w.hashes {
		b := w.bucket(h)
		w.sorted[w.ends[b]] = uint32(i)
		w.ends[b]++
	}
	from := uint32(0)
	for b, end := range w.ends {
		i := maxBucket + 1 - min(end-from, maxBucket+1)
		w.bySize[begin[i]] = uint32(b)
		begin[i]++
		from = end
	}
}

// settle gives each hash a place. If it fails, again says whether a larger table may succeed.
func (w *placing) settle() (done, again bool) {
	for _, b := range w.bySize {
		from := uint32(0)
		if b > 0 {
			from = w.ends[b-1]
		}
		entries, ok := w.apart(w.sorted[from:w.ends[b]])
		if !ok {
			return false, false
		}
		if len(entries) > 0 && !w.pilot(b, entries) {
			return false, true
		}
	}
	slices.SortFunc(w.twins, func(i, j uint32) int {
		return cmp.Or(cmp.Compare(w.hashes[i], w.hashes[j]), cmp.Compare(i, j))
	})
	for i, entry := range w.twins {
		w.placed[entry] = w.places + uint32(i)
	}
	return true, false
}

// apart returns the entries of a bucket whose hashes differ. It makes the others twins. It
// reports false if the hashes were chosen: there are too many, or too many are equal.
func (w *placing) apart(bucket []uint32) ([]uint32, bool) {
	if len(bucket) <= 1 {
		return bucket, true
	}
	kept := bucket[:0]
	for i, entry := range bucket {
		h := w.hashes[entry]
		if !slices.ContainsFunc(kept, func(other uint32) bool { return w.hashes[other] == h }) {
			kept = append(kept, entry)
			continue
		}
		if i >= runMax {
			return nil, false
		}
		w.twins = append(w.twins, entry)
	}
	return kept, len(kept) <= bucketMost
}

// pilot finds a pilot that leads all entries of bucket b to free places, and takes these.
func (w *placing) pilot(b uint32, entries []uint32) bool {
	var at [maxBucket]uint32
pilot:
	for pilot := range uint32(1 << 8) {
		for i, entry := range entries {
			p := w.place(w.hashes[entry], pilot)
			if w.taken[p/64]>>(p%64)&1 != 0 {
				w.leave(at[:i])
				continue pilot
			}
			w.taken[p/64] |= 1 << (p % 64)
			at[i] = p
		}
		w.pilots[b] = byte(pilot)
		for i, entry := range entries {
			w.placed[entry] = at[i]
		}
		return true
	}
	return false
}

func (w *placing) leave(places []uint32) {
	for _, p := range places {
		w.taken[p/64] &^= 1 << (p % 64)
	}
}
