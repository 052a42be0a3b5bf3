package main

import (
	ctx "context"
	. "runtime"
	. "sync"
	clock "time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	unsync "sync/atomic"

	"go.uber.org/atomic"
)

type embedded struct {
	RWMutex
	once Once
	n    unsync.Int64
	p    unsync.Pointer[int]
	u    atomic.Int64
}

var _ = add("imports", func() {
	e := &embedded{RWMutex: RWMutex{}}
	lock, unlock := e.Lock, e.Unlock
	lock()
	unlock()
	e.once.Do(func() { say("once") })
	var x int64
	unsync.AddInt64(&x, 2)
	e.n.Add(x)
	e.u.Inc()
	e.p.Store(new(int))
	say(e.n.Load(), e.u.Load(), *e.p.Load())
	pool := Pool{New: func() any { return 1 }}
	say(pool.Get())
	var g WaitGroup
	g.Go(func() { Gosched() })
	g.Wait()
	c, cancel := ctx.WithTimeout(ctx.Background(), clock.Hour)
	cancel()
	<-c.Done()
	say(c.Err(), c.Err() == ctx.Canceled)
	var group errgroup.Group
	group.Go(func() error { return myErr{} })
	say(group.Wait())
	s := semaphore.NewWeighted(2)
	say(s.TryAcquire(2), s.TryAcquire(1))
	cond := NewCond(&Mutex{})
	cond.L.Lock()
	cond.L.Unlock()
	var l Locker = e.RLocker()
	l.Lock()
	l.Unlock()
	say(clock.Duration(1500)*clock.Millisecond, OnceValue(func() int { return 3 })())
})
