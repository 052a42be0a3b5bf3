package locks

import (
	"sync"
	"testing"
)

// TestGILHistograms checks that each hand-over is counted once in both histograms, and what was
// taken without a wait in none, and that the waiters are listed in their order.
func TestGILHistograms(t *testing.T) {
	watchdog(t)
	g := NewGIL(0)
	events := func() (waits, holds uint64) {
		w, h := g.Times()
		for i := range w.Counts {
			waits += w.Counts[i]
			holds += h.Counts[i]
		}
		return waits, holds
	}
	g.Acquire()
	g.Release()
	g.AcquireFor("first")
	if w, h := events(); w != 0 || h != 0 || len(g.Waiters()) != 0 {
		t.Errorf("without waiters: %d waits, %d holds, %v", w, h, g.Waiters())
	}
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			g.AcquireFor(i)
			g.Release()
		})
		await(func() bool { return g.queued() == i+1 })
	}
	all := g.Waiters()
	if len(all) != 2 || all[0].Who != 0 || all[1].Who != 1 || all[0].Waited < all[1].Waited || all[1].Waited < 0 {
		t.Errorf("waiters: %v", all)
	}
	g.Release()
	wg.Wait()
	if w, h := events(); w != 2 || h != 2 {
		t.Errorf("%d waits, %d holds, want 2 of each", w, h)
	}
}
