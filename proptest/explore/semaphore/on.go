//go:build explore

package semaphore

import (
	"github.com/ichor-go/ichor/proptest/explore/context"
	"github.com/ichor-go/ichor/proptest/explore/shim"
	"github.com/ichor-go/ichor/proptest/explore/sync"
)

// Weighted is the original's Weighted under the control of an exploration.
type Weighted struct {
	size, cur int64
	mu        sync.Mutex
	waiters   []*waiter // in the order of their arrival
}

// waiter is a call of Acquire that waits.
type waiter struct {
	n     int64
	ready chan struct{} // closed when the waiter has what it wants
}

// NewWeighted returns a semaphore with so much to acquire at a time.
func NewWeighted(n int64) *Weighted { return &Weighted{size: n} }

// Acquire acquires n, or returns the context's error.
func (s *Weighted) Acquire(ctx context.Context, n int64) error {
	done := ctx.Done()
	s.mu.Lock()
	if done != nil && shim.Select(true, shim.RecvCase(done)) == 0 {
		s.mu.Unlock()
		return ctx.Err()
	}
	if s.size-s.cur >= n && len(s.waiters) == 0 {
		s.cur += n
		s.mu.Unlock()
		return nil
	}
	if n > s.size { // never
		s.mu.Unlock()
		shim.Recv(done)
		return ctx.Err()
	}
	w := &waiter{n, make(chan struct{})}
	s.waiters = append(s.waiters, w)
	s.mu.Unlock()
	if shim.Select(false, shim.RecvCase(done), shim.RecvCase(w.ready)) == 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if shim.Select(true, shim.RecvCase(w.ready)) == 0 { // too late: it has what it wanted
			s.cur -= n
			s.notify()
			return ctx.Err()
		}
		s.remove(w)
		return ctx.Err()
	}
	if done != nil && shim.Select(true, shim.RecvCase(done)) == 0 {
		s.Release(n)
		return ctx.Err()
	}
	return nil
}

// remove takes a waiter out. Those behind it may have what they want now.
func (s *Weighted) remove(w *waiter) {
	for i, x := range s.waiters {
		if x == w {
			s.waiters = append(s.waiters[:i:i], s.waiters[i+1:]...)
			if i == 0 && s.size > s.cur {
				s.notify()
			}
			return
		}
	}
}

// TryAcquire acquires n if nobody has to wait for it, and reports whether it did.
func (s *Weighted) TryAcquire(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := s.size-s.cur >= n && len(s.waiters) == 0
	if ok {
		s.cur += n
	}
	return ok
}

// Release gives n back.
func (s *Weighted) Release(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cur -= n; s.cur < 0 {
		panic("semaphore: released more than held")
	}
	s.notify()
}

// notify gives the waiters at the front of the line what they want, as long as there is enough.
func (s *Weighted) notify() {
	for len(s.waiters) > 0 && s.size-s.cur >= s.waiters[0].n {
		s.cur += s.waiters[0].n
		shim.Close(s.waiters[0].ready)
		s.waiters = s.waiters[1:]
	}
}
