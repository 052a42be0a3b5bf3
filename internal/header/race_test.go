//go:build race

package header

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

const owner, other = 7, 8

// Steps of a thread.
var (
	inc       = func(h *Header) Verdict { return h.Inc(other) }
	dec       = func(h *Header) Verdict { return h.Dec(other) }
	ownersDec = func(h *Header) Verdict { return h.Dec(owner) }
	weakGet   = func(h *Header) Verdict { h.TryInc(other); return Alive }
	incMerged = func(h *Header) Verdict { h.IncMerged(); return Alive }
	decMerged = (*Header).DecMerged
	drain     = (*Header).Drain
	birth     = func(h *Header) Verdict { h.Birth(Nobody, 6); return Alive }
	look      = func(h *Header) Verdict { h.Owner(); return Alive }
)

// pair is what two threads do with an object, one after the other in time, and what they find.
type pair struct {
	h             Header
	first, second func(h *Header) Verdict
	found, finds  Verdict
}

// run runs a pair. Nothing orders the two threads for the race detector but what they do. around is
// called by each before the first has counted, and after the second has.
func (x *pair) run(t *testing.T, around func()) {
	h, done := &x.h, false
	ended := make(chan Verdict)
	go func() {
		around()
		v := x.first(h)
		setPlainly(&done)
		ended <- v
	}()
	for !readPlainly(&done) {
		runtime.Gosched()
	}
	v := x.second(h)
	around()
	if found := <-ended; found != x.found || v != x.finds {
		t.Errorf("found %v and %v, want %v and %v", found, v, x.found, x.finds)
	}
}

// TestDeathIsOrdered: what a thread does with an object before it gives up a reference comes before
// what the thread does that finds the object dead, however it finds it. The race detector fails a
// test in which it finds a race.
func TestDeathIsOrdered(t *testing.T) {
	for name, x := range map[string]pair{
		"the last reference, without an atomic operation": {Header{0, 0, 2<<countShift | Merged, 5}, dec, dec, Alive, Dead},
		"the last reference of an object with weak ones":  {Header{0, 0, 2<<countShift | Weak | Merged, 5}, dec, dec, Alive, Dead},
		"the last reference, subtracted first":            {Header{0, 0, 2<<countShift | Merged, 5}, decMerged, decMerged, Alive, Dead},
		"the owner's, after another's":                    {Header{owner, 1, One, 5}, dec, ownersDec, Alive, Dead},
		"another's, after the owner's":                    {Header{owner, 1, One, 5}, ownersDec, dec, Alive, Dead},
		"the queue's, after another's":                    {Header{owner, 1, 0, 5}, dec, drain, Queue, Dead},
	} {
		t.Run(name, func(t *testing.T) {
			body := 0
			x.run(t, func() { body++ })
			x.h.Birth(Nobody, 6) // plain stores
			if body != 2 {
				t.Errorf("the body is %d", body)
			}
		})
	}
}

// noOrders are pairs that are in no order.
var noOrders = map[string]pair{
	"two increments":                          {Header{0, 0, 2<<countShift | Merged, 5}, inc, inc, Alive, Alive},
	"an increment after a decrement":          {Header{0, 0, 3<<countShift | Merged, 5}, dec, inc, Alive, Alive},
	"two decrements":                          {Header{0, 0, 3<<countShift | Merged, 5}, dec, dec, Alive, Alive},
	"two decrements of an owned object":       {Header{owner, 1, 3 << countShift, 5}, dec, dec, Alive, Alive},
	"two increments, added first":             {Header{0, 0, 2<<countShift | Merged, 5}, incMerged, incMerged, Alive, Alive},
	"two decrements, subtracted first":        {Header{0, 0, 3<<countShift | Merged, 5}, decMerged, decMerged, Alive, Alive},
	"a weak get after a decrement":            {Header{0, 0, 3<<countShift | Weak | Merged, 5}, dec, weakGet, Alive, Alive},
	"an increment after the owner's last one": {Header{owner, 1, 2 << countShift, 5}, ownersDec, inc, Alive, Alive},
	"a look after the owner's last one":       {Header{owner, 1, 2 << countShift, 5}, ownersDec, look, Alive, Alive},
}

// unpublished are steps on an object that another thread has made and not published.
var unpublished = map[string]pair{
	"an increment":                  {Header{}, birth, inc, Alive, Alive},
	"an increment, added first":     {Header{}, birth, incMerged, Alive, Alive},
	"a decrement, subtracted first": {Header{}, birth, decMerged, Alive, Dead},
}

// pairVariable names the pair that a child process runs.
const pairVariable = "ICHOR_PAIR"

// TestCountingIsNoOrder: two threads that count an object, and access it before and after that, race
// unless one of them finds it dead. So does a thread that counts an object which was not published.
// Each pair runs in a child process, which the race must fail.
func TestCountingIsNoOrder(t *testing.T) {
	if name, ok := os.LookupEnv(pairVariable); ok {
		body := 0
		if x, ok := noOrders[name]; ok {
			x.run(t, func() { body++ })
			return
		}
		x := unpublished[name]
		x.run(t, func() {})
		return
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, pairs := range []map[string]pair{noOrders, unpublished} {
		for name := range pairs {
			cmd := exec.Command(binary, "-test.run=^TestCountingIsNoOrder$")
			cmd.Env = append(os.Environ(), pairVariable+"="+name, "GORACE=atexit_sleep_ms=0")
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "WARNING: DATA RACE") || strings.Contains(string(out), "want") {
				t.Errorf("%s: want a race, found: %v\n%s", name, err, out)
			}
		}
	}
}

// setPlainly and readPlainly are invisible to the race detector.
//
//go:norace
func setPlainly(b *bool) { *b = true }

//go:norace
func readPlainly(b *bool) bool { return *b }
