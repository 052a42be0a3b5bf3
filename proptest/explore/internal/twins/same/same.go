// Package same uses packages that have twins. A test compiles it with the originals and with the
// twins, together with files of its own that call everything else, and demands the same machine code.
package same

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	uatomic "go.uber.org/atomic"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// All is a use of each package.
type All struct {
	mu    sync.Mutex
	rw    sync.RWMutex
	group sync.WaitGroup
	once  sync.Once
	cond  *sync.Cond
	m     sync.Map
	pool  sync.Pool
	n     int64
	i     atomic.Int32
	u     atomic.Uint64
	b     atomic.Bool
	p     atomic.Pointer[All]
	v     atomic.Value
	f     uatomic.Float64
	d     uatomic.Duration
	e     uatomic.Error
	limit *semaphore.Weighted
}

// New makes one.
func New() *All {
	a := &All{limit: semaphore.NewWeighted(3)}
	a.cond = sync.NewCond(&a.mu)
	a.e.Store(nil)
	a.d = *uatomic.NewDuration(time.Second)
	return a
}

// Locks uses locks.
func (a *All) Locks() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rw.RLock()
	a.n++
	a.rw.RUnlock()
	a.group.Add(1)
	a.group.Done()
	a.group.Wait()
	a.once.Do(func() { a.n++ })
	a.cond.Signal()
	a.m.Store(1, 2)
	a.pool.Put(a)
}

// Words uses functions on words.
func (a *All) Words() {
	atomic.AddInt64(&a.n, 1)
	for !atomic.CompareAndSwapInt64(&a.n, atomic.LoadInt64(&a.n), 7) {
		atomic.OrInt64(&a.n, 1)
	}
}

// Atomics uses types of atomic operations.
func (a *All) Atomics() {
	if a.b.Swap(true) && a.i.Add(1) > a.i.And(3) {
		a.p.Store(a)
	}
	for a.u.Load() > 3 {
		a.u.Or(1)
	}
	a.v.Store(a)
}

// Uber uses the types of go.uber.org/atomic.
func (a *All) Uber() float64 {
	a.d.Add(time.Second)
	if a.e.Load() != nil && a.f.CompareAndSwap(0, 1) {
		return a.f.Add(1.5)
	}
	return a.f.Load()
}

// Group uses a group and a semaphore.
func (a *All) Group(ctx context.Context, g *errgroup.Group) error {
	g.Go(func() error { return a.limit.Acquire(ctx, 1) })
	a.limit.Release(1)
	return g.Wait()
}

// Time uses timers.
func (a *All) Time(t *time.Timer, at time.Time) bool {
	time.Sleep(time.Millisecond)
	return t.Reset(time.Second) || t.Stop() || at.IsZero()
}
