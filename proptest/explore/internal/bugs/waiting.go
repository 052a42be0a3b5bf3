package bugs

import (
	"context"
	"errors"

	"github.com/ichor-go/ichor/proptest/explore"
	"github.com/ichor-go/ichor/proptest/explore/atomic"
	econtext "github.com/ichor-go/ichor/proptest/explore/context"
	"github.com/ichor-go/ichor/proptest/explore/errgroup"
	"github.com/ichor-go/ichor/proptest/explore/shim"
	"github.com/ichor-go/ichor/proptest/explore/sync"
	"github.com/ichor-go/ichor/proptest/explore/time"
)

// lostWakeUp tests the condition outside of the lock, so the signal may come between test and Wait.
func lostWakeUp(e *explore.E, correct bool) {
	var (
		m     sync.Mutex
		ready atomic.Bool
	)
	c := sync.NewCond(&m)
	e.Go("waits", func() {
		if correct {
			m.Lock()
			for !ready.Load() {
				c.Wait()
			}
			m.Unlock()
			return
		}
		if !ready.Load() {
			m.Lock()
			c.Wait()
			m.Unlock()
		}
	})
	e.Go("signals", func() {
		m.Lock()
		ready.Store(true)
		m.Unlock()
		c.Signal()
	})
	e.Wait()
}

// lostSignal is a queue of one place. A signal that is meant for a producer wakes a consumer.
func lostSignal(e *explore.E, correct bool) {
	var (
		m sync.Mutex
		n int
	)
	c := sync.NewCond(&m)
	change := func(from, to int) func() {
		return func() {
			m.Lock()
			defer m.Unlock()
			for n != from {
				c.Wait()
			}
			n = to
			if correct {
				c.Broadcast()
			} else {
				c.Signal()
			}
		}
	}
	for range 2 {
		e.Go("pops", change(1, 0))
	}
	for range 2 {
		e.Go("pushes", change(0, 1))
	}
	e.Wait()
}

// upgrade wants a lock for writing that it has for reading.
func upgrade(e *explore.E, correct bool) {
	var m sync.RWMutex
	n := 0
	for range 2 {
		e.Go("upgrades", func() {
			m.RLock()
			missing := n == 0
			if correct {
				m.RUnlock()
			}
			if missing {
				m.Lock()
				n = 1
				m.Unlock()
			}
			if !correct {
				m.RUnlock()
			}
		})
	}
	e.Wait()
}

// recursiveRead reads within a read. A writer that waits keeps the second one out.
func recursiveRead(e *explore.E, correct bool) {
	var m sync.RWMutex
	n := 0
	length := func() int {
		m.RLock()
		defer m.RUnlock()
		return n
	}
	e.Go("reads", func() {
		m.RLock()
		defer m.RUnlock()
		if correct {
			_ = n
		} else {
			length()
		}
	})
	e.Go("writes", func() {
		m.Lock()
		n++
		m.Unlock()
	})
	e.Wait()
}

// groupLeak has a producer that sends to a consumer that has failed.
func groupLeak(e *explore.E, correct bool) {
	g, ctx := errgroup.WithContext(context.Background())
	ch := make(chan int)
	g.Go(func() error {
		defer shim.Close(ch)
		for i := range 2 {
			if !correct {
				shim.Send(ch, i)
			} else if shim.Select(false, shim.SendCase(ch, i), shim.RecvCase(ctx.Done())) == 1 {
				return ctx.Err()
			}
		}
		return nil
	})
	g.Go(func() error {
		for i := range shim.Range(ch) {
			if i == 0 {
				return errors.New("no zeros")
			}
		}
		return nil
	})
	if g.Wait() == nil {
		e.Errorf("no error")
	}
}

// contextLeak waits for a result with a timeout. After the timeout nobody receives it.
func contextLeak(e *explore.E, correct bool) {
	ctx, cancel := econtext.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	room := 0
	if correct {
		room = 1
	}
	result := make(chan int, room)
	shim.Go(func() {
		time.Sleep(time.Millisecond)
		shim.Send(result, 1)
	})
	shim.Select(false, shim.RecvCase(result), shim.RecvCase(ctx.Done()))
}

// addAfterWait counts a goroutine in the goroutine itself.
func addAfterWait(e *explore.E, correct bool) {
	var (
		g    sync.WaitGroup
		done atomic.Int32
	)
	for range 2 {
		if correct {
			g.Add(1)
		}
		e.Go("works", func() {
			if !correct {
				g.Add(1)
			}
			done.Add(1)
			g.Done()
		})
	}
	g.Wait()
	if done.Load() != 2 {
		e.Fatalf("not all are done")
	}
}

// closeTwice tests a flag before it closes a channel.
func closeTwice(e *explore.E, correct bool) {
	var closed atomic.Bool
	ch := make(chan int)
	for range 2 {
		e.Go("closes", func() {
			defer func() {
				if p := recover(); p != nil {
					e.Fatalf("%v", p)
				}
			}()
			if correct {
				if closed.CompareAndSwap(false, true) {
					shim.Close(ch)
				}
				return
			}
			if !closed.Load() {
				shim.Close(ch)
				closed.Store(true)
			}
		})
	}
	e.Wait()
}

// timerStop closes what the function of a timer uses, once it has stopped the timer.
func timerStop(e *explore.E, correct bool) {
	var closed atomic.Bool
	done := make(chan bool)
	t := time.AfterFunc(time.Millisecond, func() {
		if closed.Load() {
			e.Errorf("used after Close")
		}
		if correct {
			shim.Close(done)
		}
	})
	time.Sleep(time.Millisecond)
	if !t.Stop() && correct {
		shim.Recv(done)
	}
	closed.Store(true)
}
