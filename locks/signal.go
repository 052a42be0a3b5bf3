package locks

import (
	"context"
	"time"

	"github.com/ichor-go/ichor/internal/point"
)

// signal wakes the one goroutine that waits for it. It keeps one wake-up that comes before
// the wait.
type signal struct{ ch chan struct{} }

func newSignal() signal { return signal{make(chan struct{}, 1)} }

// wakening is the reason for which a wait has ended.
type wakening int

const (
	sent wakening = iota
	ended
	late
)

// send sends a wake-up. It never blocks. One goroutine at a time.
func (s *signal) send() {
	if point.On {
		point.Send(s)
	}
	select {
	case s.ch <- struct{}{}:
	default: // there is one already
	}
}

// clear drops a wake-up that is no longer needed.
func (s *signal) clear() {
	select {
	case <-s.ch:
	default:
	}
}

// wait returns when the signal is sent, when ctx ends, or when the timer fires, if it is not nil.
func (s *signal) wait(ctx context.Context, timer *time.Timer) wakening {
	if point.On {
		point.Receive(s, func() bool { return len(s.ch) > 0 || ctx.Err() != nil })
		if len(s.ch) > 0 {
			<-s.ch
			return sent
		}
	}
	var after <-chan time.Time
	if timer != nil {
		after = timer.C
	}
	select {
	case <-s.ch:
		return sent
	case <-ctx.Done():
		return ended
	case <-after:
		return late
	}
}
