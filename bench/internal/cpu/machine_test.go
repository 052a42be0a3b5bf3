package cpu

import (
	"runtime"
	"testing"
	"time"
)

func TestMachine(t *testing.T) {
	readings := []reading{{busy: 100 * ms, idle: 50 * ms, stolen: 10 * ms, own: 40 * ms}, {busy: 900 * ms, idle: 200 * ms, stolen: 60 * ms, own: 440 * ms}}
	real := machine
	defer func() { machine = real }()
	known := true
	machine = func() (reading, bool) {
		r := readings[0]
		readings = append(readings[1:], r)
		return r, known
	}
	m := WatchMachine()()
	if want := (Machine{All: time.Second, Own: 400 * ms, Others: 400 * ms, Stolen: 50 * ms}); m != want {
		t.Errorf("%+v, want %+v", m, want)
	}
	if m.Busy() != 0.4 || m.Taken() != 50.0/850 {
		t.Errorf("busy %v, taken %v", m.Busy(), m.Taken())
	}
	if short := (Machine{All: 100 * ms, Others: 50 * ms, Stolen: 50 * ms}); short.Busy() != 0 || short.Taken() != 0 || short.Plus(m).All != 1100*ms {
		t.Errorf("a few ticks say that %v of the time was busy", short.Busy())
	}
	if got := between(reading{busy: 100 * ms}, reading{busy: 90 * ms, own: 5 * ms}); got != (Machine{All: 5 * ms, Own: 5 * ms}) {
		t.Errorf("less than before: %+v", got)
	}
	known = false
	if got := WatchMachine()(); got != (Machine{}) {
		t.Errorf("on a system that does not say: %+v", got)
	}
}

// A thread that computes uses CPU time, and one that sleeps does not.
func TestThreadTime(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, ok := ThreadTime()
	if !ok {
		t.Skip("SKIPPED: this system does not say what a thread used")
	}
	for begin := time.Now(); ; {
		if now, ok := ThreadTime(); ok && now > before {
			break
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatal("a thread that computes used no CPU time")
		}
	}
	if r, ok := readMachine(); !ok || r.own <= 0 || r.busy <= 0 {
		t.Errorf("the machine did %+v, %t", r, ok)
	}
}
