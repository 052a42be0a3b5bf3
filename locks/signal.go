package locks

import (
	"context"
	"time"

	"github.com/ichor-go/ichor/internal/point"
)

// signal wakes the one goroutine that waits for it. It holds a wake-up that comes before the
// wait, and no more than one.
type signal struct{ ch chan struct{} }

func newSignal() signal { return signal{make(chan struct{}, 1)} }

// wakening is what has ended a wait.
type wakening int

const (
	sent wakening = iota
	ended
	late
)

// send never blocks. Several senders take turns.
func (s *signal) send() {
	if point.On {
		point.Send(s)
	}
	select {
	case s.ch <- struct{}{}:
	default: // it holds one
	}
}

// clear drops a wake-up that nobody waits for any more.
func (s *signal) clear() {
	select {
	case <-s.ch:
	default:
	}
}

// wait returns when the signal is sent, ctx ends, or the timer, if not nil, has run out.
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
