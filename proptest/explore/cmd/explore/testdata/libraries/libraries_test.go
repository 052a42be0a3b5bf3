// Package libraries explores the locks and queues of others.
package libraries

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/puzpuzpuz/xsync/v4"
	"go.uber.org/ratelimit"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/ichor-go/ichor/proptest/explore"
)

// TestRBMutex has two readers and a writer of a plain variable. With -race, the race detector judges.
func TestRBMutex(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		m := xsync.NewRBMutex()
		n := 0
		e.Go("writer", func() {
			m.Lock()
			n++
			m.Unlock()
		})
		for range 2 {
			e.Go("reader", func() {
				token := m.RLock()
				e.Sometimes("read before the writer", n == 0)
				e.Sometimes("read after the writer", n == 1)
				m.RUnlock(token)
			})
		}
		e.Wait()
	})
}

// TestMPMCQueue has each item come out once, in the order of its producer.
func TestMPMCQueue(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		q := xsync.NewMPMCQueue[int](2)
		e.Go("producer", func() {
			for i := 1; i <= 2; i++ {
				if !q.TryEnqueue(i) {
					e.Fatalf("the queue is full")
				}
			}
		})
		last := [2]int{}
		for i := range last {
			e.Go("consumer", func() {
				if v, ok := q.TryDequeue(); ok {
					last[i] = v
				}
			})
		}
		e.Wait()
		for v, ok := q.TryDequeue(); ok; v, ok = q.TryDequeue() {
			if v == last[0] || v == last[1] {
				e.Fatalf("%d comes out twice: %v", v, last)
			}
		}
		if last[0] == last[1] && last[0] != 0 {
			e.Fatalf("%d comes out twice", last[0])
		}
		e.Sometimes("both have an item", last[0] != 0 && last[1] != 0)
	})
}

// TestSemaphore has somebody who gives up.
func TestSemaphore(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		s := semaphore.NewWeighted(2)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		held := 0
		use := func(n int) {
			if held += n; held > 2 {
				e.Fatalf("%d are held", held)
			}
		}
		e.Go("two", func() {
			if err := s.Acquire(context.Background(), 2); err != nil {
				e.Fatalf("%v", err)
			}
			use(2)
			use(-2)
			s.Release(2)
		})
		e.Go("gives up", func() {
			if err := s.Acquire(ctx, 1); err == nil {
				use(1)
				use(-1)
				s.Release(1)
			} else if !errors.Is(err, context.Canceled) {
				e.Fatalf("%v", err)
			}
		})
		e.Go("cancels", cancel)
		e.Wait()
		if !s.TryAcquire(2) {
			e.Fatalf("the semaphore is not free at the end")
		}
	})
}

// TestErrgroup has a limit, and an error that ends the others.
func TestErrgroup(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		wrong := errors.New("wrong")
		g, ctx := errgroup.WithContext(context.Background())
		g.SetLimit(1)
		g.Go(func() error { return wrong })
		g.Go(func() error {
			<-ctx.Done()
			return ctx.Err()
		})
		if err := g.Wait(); err != wrong {
			e.Fatalf("found %v", err)
		}
	})
}

// TestSingleflight has two calls share a result, or not.
func TestSingleflight(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		var g singleflight.Group
		calls := 0
		for range 2 {
			e.Go("caller", func() {
				v, err, shared := g.Do("key", func() (any, error) {
					calls++
					return calls, nil
				})
				if err != nil || v.(int) < 1 || v.(int) > 2 {
					e.Fatalf("%v, %v", v, err)
				}
				e.Sometimes("shared", shared)
				e.Sometimes("not shared", !shared)
			})
		}
		e.Wait()
	})
}

// TestRateLimit has two goroutines take turns, ten milliseconds apart, in virtual time.
func TestRateLimit(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		r := ratelimit.New(100, ratelimit.WithoutSlack)
		var took [2]time.Time
		for i := range took {
			e.Go("taker", func() { took[i] = r.Take() })
		}
		e.Wait()
		if d := took[1].Sub(took[0]).Abs(); d < 10*time.Millisecond {
			e.Fatalf("%v apart", d)
		}
	})
}

// TestMap has two goroutines store into a map and delete from it.
func TestMap(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		m := xsync.NewMap[int, int]()
		e.Go("a", func() { m.Store(1, 1); m.Store(2, 2) })
		e.Go("b", func() { m.Store(3, 3); m.Delete(1) })
		e.Wait()
		_, one := m.Load(1)
		_, two := m.Load(2)
		_, three := m.Load(3)
		if !two || !three || m.Size() < 2 {
			e.Fatalf("2: %t, 3: %t, size %d", two, three, m.Size())
		}
		e.Sometimes("1 is stored after it was deleted", one)
		e.Sometimes("1 is deleted", !one)
	})
}
