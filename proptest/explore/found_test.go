//go:build explore

package explore_test

import (
	"testing"

	"github.com/ichor-go/ichor/proptest/explore"
	"github.com/ichor-go/ichor/proptest/explore/atomic"
)

func TestTry(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		var n atomic.Int64
		e.Go("a", func() { n.Store(n.Load() + 1) })
		e.Go("b", func() { n.Store(n.Load() + 1) })
		e.Wait()
		if n.Load() != 2 {
			e.Fatalf("%d, want 2", n.Load())
		}
	})
}
func TestTryRight(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		var n atomic.Int64
		e.Go("a", func() { n.Add(1) })
		e.Go("b", func() { n.Add(1) })
		e.Wait()
		if n.Load() != 2 {
			e.Fatalf("%d, want 2", n.Load())
		}
	})
}

type box struct {
	ready atomic.Bool
	v     int
}

func TestTryRace(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		var b box
		e.Go("a", func() { b.ready.Store(true); b.v = 3 })
		e.Go("b", func() {
			if b.ready.Load() {
				_ = b.v
			}
		})
		e.Wait()
	})
}
