//go:build explore

package explore_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ichor-go/ichor/proptest/explore"
	"github.com/ichor-go/ichor/proptest/explore/atomic"
	"github.com/ichor-go/ichor/proptest/explore/sync"
	"github.com/ichor-go/ichor/proptest/explore/time"
)

// line starts a goroutine that waits for a signal, and returns when it does.
func line(e *explore.E, c *sync.Cond, then func()) {
	e.Go("waits", func() {
		c.L.Lock()
		c.Wait()
		c.L.Unlock()
		then()
	})
	time.Sleep(1)
}

// TestWaits compares what programs with conditions, wait groups, locks and sleeps can end in with what package
// sync says.
func TestWaits(t *testing.T) {
	for _, x := range []struct {
		name string
		fn   func(e *explore.E) string
		want []string
	}{
		{"a signal wakes the first in line", func(e *explore.E) string {
			c := sync.NewCond(&sync.Mutex{})
			var n atomic.Int32
			line(e, c, func() { n.Add(1) })
			line(e, c, func() { n.Add(10) })
			c.Signal()
			time.Sleep(1)
			one := n.Load()
			c.Signal()
			e.Wait()
			return fmt.Sprint(one, n.Load())
		}, []string{"1 11"}},
		{"a signal that nobody waits for", func(e *explore.E) string {
			c := sync.NewCond(&sync.Mutex{})
			var waked atomic.Bool
			c.Signal()
			line(e, c, func() { waked.Store(true) })
			early := waked.Load()
			c.Signal()
			e.Wait()
			return fmt.Sprint(early, waked.Load())
		}, []string{"false true"}},
		{"a broadcast", func(e *explore.E) string {
			c := sync.NewCond(&sync.Mutex{})
			var n atomic.Int32
			for range 3 {
				line(e, c, func() { n.Add(1) })
			}
			c.Broadcast()
			e.Wait()
			return fmt.Sprint(n.Load())
		}, []string{"3"}},
		{"who was waked is not in line", func(e *explore.E) string {
			c, slept := sync.NewCond(&sync.Mutex{}), time.Duration(0)
			line(e, c, func() {
				began := time.Now()
				time.Sleep(time.Minute)
				slept = time.Since(began)
			})
			c.Signal()
			time.Sleep(time.Second)
			c.Signal()
			e.Wait()
			return fmt.Sprint(slept)
		}, []string{"1m0s"}},
		{"the shorter sleep ends first", func(e *explore.E) string {
			var first atomic.Int32
			for n := range int32(2) {
				e.Go("sleeps", func() {
					time.Sleep(time.Duration(1 + n))
					first.CompareAndSwap(0, 1+n)
				})
			}
			e.Wait()
			return fmt.Sprint(first.Load())
		}, []string{"1"}},
		{"a wait group wakes all who wait", func(e *explore.E) string {
			var g sync.WaitGroup
			var n atomic.Int32
			g.Add(2)
			for range 2 {
				e.Go("waits", func() { g.Wait(); n.Add(1) })
			}
			time.Sleep(1)
			early := n.Load()
			g.Done()
			g.Done()
			e.Wait()
			return fmt.Sprint(early, n.Load())
		}, []string{"0 2"}},
		{"readers wait behind a writer, and go on together", func(e *explore.E) string {
			var m sync.RWMutex
			var n atomic.Int32
			m.RLock()
			e.Go("writes", func() { m.Lock(); n.Add(10); m.Unlock() })
			time.Sleep(1)
			for range 2 {
				e.Go("reads", func() { m.RLock(); n.Add(1); time.Sleep(time.Second); m.RUnlock() })
			}
			time.Sleep(1)
			early := n.Load()
			m.RUnlock()
			began := time.Now()
			e.Wait()
			return fmt.Sprint(early, n.Load(), time.Since(began))
		}, []string{"0 12 1s"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			if got := outcomes(t, x.fn); !slices.Equal(got, x.want) {
				t.Errorf("it ends in %q, want %q", got, x.want)
			}
		})
	}
}
