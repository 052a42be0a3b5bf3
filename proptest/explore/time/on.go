//go:build explore

package time

import (
	original "time"

	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
	"github.com/ichor-go/ichor/proptest/explore/shim"
)

// In an exploration, time is virtual: it moves when no goroutine can run, to the next timer. It
// begins at the same instant in each schedule, as in package testing/synctest.
var epoch = original.Date(2000, 1, 1, 0, 0, 0, 0, original.UTC)

// Now is [original.Now].
//
//go:norace
func Now() original.Time {
	if t := engine.Me(); t != nil {
		return epoch.Add(t.Elapsed())
	}
	return original.Now()
}

// Since is [original.Since].
func Since(t original.Time) original.Duration { return Now().Sub(t) }

// Until is [original.Until].
func Until(t original.Time) original.Duration { return t.Sub(Now()) }

// Sleep is [original.Sleep].
//
//go:norace
func Sleep(d original.Duration) {
	if t := engine.Me(); t != nil {
		t.Sleep(d)
		return
	}
	original.Sleep(d)
}

// Timer is [original.Timer] under the control of an exploration.
type Timer struct {
	C <-chan original.Time

	outside *original.Timer // made outside of an exploration
	timer   *engine.Timer
	send    chan original.Time
	call    func()
}

// Fire implements engine.Firer.
//
//go:norace
func (x *Timer) Fire(e *engine.Execution) {
	if x.call != nil {
		e.Begin("AfterFunc", x.call)
		return
	}
	e.Deliver(shim.SendCase(x.send, epoch.Add(e.Elapsed())))
}

// NewTimer is [original.NewTimer].
//
//go:norace
func NewTimer(d original.Duration) *Timer {
	t := engine.Me()
	if t == nil {
		o := original.NewTimer(d)
		return &Timer{C: o.C, outside: o}
	}
	x := &Timer{send: make(chan original.Time, 1)}
	x.C = x.send
	x.timer = t.Arm(x, d)
	return x
}

// AfterFunc is [original.AfterFunc].
//
//go:norace
func AfterFunc(d original.Duration, f func()) *Timer {
	t := engine.Me()
	if t == nil {
		return &Timer{outside: original.AfterFunc(d, f)}
	}
	x := &Timer{call: engine.Ordered(f)}
	x.timer = t.Arm(x, d)
	return x
}

// Stop keeps the timer from firing, and reports whether it would have.
//
//go:norace
func (x *Timer) Stop() bool {
	if x.outside != nil {
		return x.outside.Stop()
	}
	t := engine.Me()
	if t == nil {
		return false
	}
	x.changes(t, "Stop")
	return x.stop(t)
}

// changes is a point before a change of the timer, and of what is in its channel.
//
//go:norace
func (x *Timer) changes(t *engine.Thread, what string) {
	if x.send != nil {
		shim.Changes(x.send, what)
		return
	}
	t.At(point.AtomicUpdate, engine.Address(x), 1, what)
}

// stop disarms the timer. What it has sent and nobody has received is gone, as since Go 1.23.
//
//go:norace
func (x *Timer) stop(t *engine.Thread) bool {
	armed := t.Disarm(x.timer)
	select {
	case <-x.send:
		armed = true
	default:
	}
	return armed
}

// Reset has the timer fire after d, and reports whether it would have before.
//
//go:norace
func (x *Timer) Reset(d original.Duration) bool {
	if x.outside != nil {
		return x.outside.Reset(d)
	}
	t := engine.Me()
	if t == nil {
		return false
	}
	x.changes(t, "Reset")
	armed := x.stop(t)
	t.Execution().Rearm(x.timer, d)
	return armed
}

// After is [original.After].
func After(d original.Duration) <-chan original.Time { return NewTimer(d).C }

// Ticker is [original.Ticker] under the control of an exploration.
type Ticker struct {
	C <-chan original.Time

	outside *original.Ticker
	timer   Timer
	period  original.Duration
}

// Fire implements engine.Firer. A tick that nobody has received yet is enough.
//
//go:norace
func (x *Ticker) Fire(e *engine.Execution) {
	if len(x.timer.send) == 0 {
		x.timer.Fire(e)
	}
	e.Rearm(x.timer.timer, x.period)
}

// NewTicker is [original.NewTicker].
//
//go:norace
func NewTicker(d original.Duration) *Ticker {
	t := engine.Me()
	if t == nil {
		o := original.NewTicker(d)
		return &Ticker{C: o.C, outside: o}
	}
	if d <= 0 {
		panic("non-positive interval for NewTicker")
	}
	x := &Ticker{period: d}
	x.timer.send = make(chan original.Time, 1)
	x.C = x.timer.send
	x.timer.timer = t.Arm(x, d)
	return x
}

// Stop ends the ticks.
//
//go:norace
func (x *Ticker) Stop() {
	if x.outside != nil {
		x.outside.Stop()
		return
	}
	x.timer.Stop()
}

// Reset has the ticker tick every d from now on.
//
//go:norace
func (x *Ticker) Reset(d original.Duration) {
	if x.outside != nil {
		x.outside.Reset(d)
		return
	}
	if d <= 0 {
		panic("non-positive interval for Ticker.Reset")
	}
	x.period = d
	x.timer.Reset(d)
}

// Tick is [original.Tick].
func Tick(d original.Duration) <-chan original.Time {
	if d <= 0 {
		return nil
	}
	return NewTicker(d).C
}
