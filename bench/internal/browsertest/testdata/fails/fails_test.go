//go:build explore

// Package fails has a test that fails, for a page about the failure.
package fails

import (
	"testing"

	"github.com/ichor-go/ichor/proptest/explore"
	"github.com/ichor-go/ichor/proptest/explore/atomic"
	"github.com/ichor-go/ichor/proptest/explore/sync"
)

func TestTransfer(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		var from, to, log atomic.Int64
		var mu sync.Mutex
		from.Store(100)
		for _, name := range []string{"pays the rent", "pays for a book"} {
			e.Go(name, func() {
				mu.Lock()
				left := from.Load()
				mu.Unlock()
				log.Add(1)
				if left >= 60 {
					to.Add(60)
					from.Store(left - 60)
				}
			})
		}
		e.Go("counts", func() { log.Load() })
		e.Wait()
		if from.Load()+to.Load() != 100 {
			e.Fatalf("%d and %d are not 100", from.Load(), to.Load())
		}
	})
}
