package arena

import (
	"testing"
)

func TestRegion(t *testing.T) {
	forBackings(t, func(t *testing.T, b Backing) {
		s := newSpace(t, Config{Backing: b, Reserve: 64 << 20})
		defer s.Close()
		for round := range 3 {
			r := s.NewRegion()
			var want []uint32
			starts := map[uint32]bool{}
			for i := range 5000 {
				n := uint32(1 + i%70)
				if i%1000 == 999 {
					n = SpanGranules + 5
				}
				h, err := r.Alloc(n, i%3 != 0)
				if err != nil {
					t.Fatal(err)
				}
				if h&ImmortalBit == 0 {
					t.Fatalf("handle %#x is not in the immortal half", h)
				}
				for _, x := range s.Bytes(h, int(n)*GranuleSize) {
					if x != 0 {
						t.Fatalf("round %d: memory of a region is not zero", round)
					}
				}
				s.Fill(h, n, ^uint32(0))
				if i%3 != 0 {
					want = append(want, h)
					starts[h] = true
				}
			}
			seen := map[uint32]bool{}
			r.Walk(func(h uint32) bool { seen[h] = true; return true })
			for _, h := range want {
				if !seen[h] || !r.Contains(h) || !starts[h+1] && r.Contains(h+1) {
					t.Fatalf("object %#x is not found", h)
				}
			}
			if len(seen) != len(want) || r.Objects() != int64(len(want)) {
				t.Errorf("%d objects found of %d", len(seen), len(want))
			}
			r.Free()
			if u := s.Usage(); u.Committed != 0 || u.Bytes[Immortal] != 0 {
				t.Errorf("%+v left after Free", u)
			}
		}
	})
}
