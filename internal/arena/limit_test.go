package arena

import (
	"errors"
	"testing"
)

// TestLimitHolds takes memory in each possible way, beside warm spans, until the limit
// is reached: no more than the limit is ever committed, and each way can take the last
// span.
func TestLimitHolds(t *testing.T) {
	const limit = 64
	forBackings(t, func(t *testing.T, b Backing) {
		for name, take := range map[string]func(s *Space) (next func() error, free func()){
			"small": func(s *Space) (func() error, func()) {
				c, got := s.NewCache(), []uint32(nil)
				return func() error {
						h, err := c.Alloc(Leaves, 64)
						if err == nil {
							got = append(got, h)
						}
						return err
					}, func() {
						for _, h := range got {
							c.Free(h)
						}
						c.Trim()
					}
			},
			"large": func(s *Space) (func() error, func()) {
				c, got := s.NewCache(), []uint32(nil)
				return func() error {
						h, err := c.Alloc(Blocks, SpanGranules)
						if err == nil {
							got = append(got, h)
						}
						return err
					}, func() {
						for _, h := range got {
							c.Free(h)
						}
					}
			},
			"region": func(s *Space) (func() error, func()) {
				r := s.NewRegion()
				return func() error { _, err := r.Alloc(1000, true); return err }, r.Free
			},
			"one extent": func(s *Space) (func() error, func()) {
				e, err := s.NewExtent(0)
				if err != nil {
					t.Fatal(err)
				}
				return func() error { return e.Grow(e.Room() + 1) }, func() { _ = e.Free() }
			},
			"many extents": func(s *Space) (func() error, func()) {
				var all []*Extent
				return func() error {
						e, err := s.NewExtent(0)
						if err == nil {
							all = append(all, e)
							err = e.Grow(1)
						}
						if err == nil {
							err = e.Seal(1, false)
						}
						return err
					}, func() {
						for _, e := range all {
							_ = e.Free()
						}
					}
			},
		} {
			s := newSpace(t, Config{Backing: b, Reserve: 64 << 20, Limit: limit * SpanSize})
			for range 3 {
				c := s.NewCache()
				var hs []uint32
				for range warmSpans + 1 {
					h, err := c.Alloc(Leaves, MaxSmall)
					for ; err == nil && s.Usage().Committed < (warmSpans+1)*SpanSize; h, err = c.Alloc(Leaves, MaxSmall) {
						hs = append(hs, h)
					}
					if err != nil {
						t.Fatal(err)
					}
					hs = append(hs, h)
				}
				for _, h := range hs {
					c.Free(h)
				}
				c.Trim()
				next, free := take(s)
				for n := 0; ; n++ {
					err := next()
					s.Check()
					if errors.Is(err, ErrLimit) {
						break
					}
					if err != nil || n > 100*limit {
						t.Fatalf("%s: %v after %d times", name, err, n)
					}
				}
				if got := s.Usage().Committed; got != limit*SpanSize {
					t.Errorf("%s: %d bytes are committed at the limit of %d", name, got, limit*SpanSize)
				}
				free()
				s.Check()
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
