//go:build race

package header

import (
	"runtime"
	"testing"
)

// TestDeathIsOrdered: what a thread does with an object before it gives up a reference comes before
// what the thread does that finds the object dead, however it finds it. The threads of this test
// are ordered by nothing else that the race detector sees; it fails a test in which it finds a
// race. TestRaceIsReported (proptest) shows that counting orders no more than that.
func TestDeathIsOrdered(t *testing.T) {
	const owner, other = 7, 8
	dec := func(h *Header) Verdict { return h.Dec(other) }
	owned := func(h *Header) Verdict { return h.Dec(owner) }
	for name, x := range map[string]struct {
		h             Header
		first, second func(h *Header) Verdict
		between       Verdict
	}{
		"the last reference, without an atomic operation": {Header{0, 0, 2<<countShift | Merged, 5}, dec, dec, Alive},
		"the last reference of an object with weak ones":  {Header{0, 0, 2<<countShift | Weak | Merged, 5}, dec, dec, Alive},
		"the last reference, subtracted first":            {Header{0, 0, 2<<countShift | Merged, 5}, (*Header).DecMerged, (*Header).DecMerged, Alive},
		"the owner's, after another's":                    {Header{owner, 1, One, 5}, dec, owned, Alive},
		"another's, after the owner's":                    {Header{owner, 1, One, 5}, owned, dec, Alive},
		"the queue's, after another's":                    {Header{owner, 1, 0, 5}, dec, (*Header).Drain, Queue},
	} {
		t.Run(name, func(t *testing.T) {
			h, body, done := &x.h, 0, false
			ended := make(chan Verdict)
			go func() {
				body = 1
				v := x.first(h)
				setPlainly(&done)
				ended <- v
			}()
			for !readPlainly(&done) {
				runtime.Gosched()
			}
			if x.second(h) != Dead {
				t.Fatal("the object is not dead")
			}
			if body++; body != 2 {
				t.Errorf("the body is %d", body)
			}
			h.Birth(Nobody, 6) // plain stores
			if v := <-ended; v != x.between {
				t.Errorf("the first thread found %v, want %v", v, x.between)
			}
		})
	}
}

// setPlainly and readPlainly are invisible to the race detector.
//
//go:norace
func setPlainly(b *bool) { *b = true }

//go:norace
func readPlainly(b *bool) bool { return *b }
