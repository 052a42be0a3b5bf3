//go:build explore

package explore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/locks"
	"github.com/ichor-go/ichor/sched"
)

// guarded is the data that a lock guards: a number with plain reads and writes, so that two
// threads inside at the same time are a race.
type guarded struct{ n int32 }

func (g *guarded) inc() {
	point.Read(&g.n)
	v := g.n
	point.Write(&g.n)
	g.n = v + 1
}

func (g *guarded) want(n int32) func() error {
	return func() error {
		if g.n != n {
			return fmt.Errorf("%d threads entered, want %d", g.n, n)
		}
		return nil
	}
}

// Ticks. With the longer one each waiter has waited too long, so locks are handed over.
const (
	shortTick = time.Microsecond
	longTick  = 10 * time.Millisecond
)

func mutexes(threads, times int, tick time.Duration) func() Program {
	return func() Program {
		w, g := new(uint32), &guarded{}
		p := Program{Check: g.want(int32(threads * times)), Tick: tick}
		for range threads {
			p.Threads = append(p.Threads, func() {
				for range times {
					locks.Lock(w)
					g.inc()
					locks.Unlock(w)
				}
			})
		}
		return p
	}
}

func tryLock() Program {
	w, g := new(uint32), &guarded{}
	tried := int32(0)
	return Program{Threads: []func(){
		func() { locks.Lock(w); g.inc(); locks.Unlock(w) },
		func() { locks.Lock(w); g.inc(); locks.Unlock(w) },
		func() {
			if locks.TryLock(w) {
				tried++
				g.inc()
				locks.Unlock(w)
			}
		},
	}, Check: func() error { return g.want(2 + tried)() }}
}

func crosswise() Program {
	w, g := new([2]uint32), &guarded{}
	both := func(a, b *uint32) func() {
		return func() { locks.Lock2(a, b); g.inc(); locks.Unlock2(a, b) }
	}
	return Program{Threads: []func(){both(&w[0], &w[1]), both(&w[1], &w[0])}, Check: g.want(2)}
}

// gil makes threads take the lock, and yield it in the middle on request.
func gil(threads int) func() Program {
	return func() Program {
		l, g := locks.NewGIL(0), &guarded{}
		p := Program{Check: func() error {
			if s := l.Stats(); s.Acquires < uint64(threads) {
				return fmt.Errorf("%d acquires", s.Acquires)
			}
			return g.want(int32(2 * threads))()
		}}
		for range threads {
			p.Threads = append(p.Threads, func() {
				l.Acquire()
				g.inc()
				if l.DropRequested() {
					l.Yield()
				}
				g.inc()
				l.Release()
			})
		}
		return p
	}
}

// world has members that work inside, and askers that read the work with the world
// stopped. Plain accesses cause a race if a thread runs when it must not.
func world(members []func(m *locks.Member, work func()), strangers int) func() Program {
	return func() Program {
		w := locks.NewWorld()
		var words [4]guarded
		p := Program{Check: func() error {
			if w.Stopped() || len(w.Members()) > 0 {
				return fmt.Errorf("the world is stopped, or %v are inside", w.Members())
			}
			return nil
		}}
		look := func() {
			for i := range words {
				words[i].inc()
			}
		}
		for i, fn := range members {
			m := w.Join(fmt.Sprint(i))
			p.Threads = append(p.Threads, func() { fn(m, words[i].inc) })
		}
		for range strangers {
			p.Threads = append(p.Threads, func() { w.Stop(nil); look(); w.Start(nil) })
		}
		return p
	}
}

func comesAndGoes(m *locks.Member, work func()) { m.Enter(); work(); m.Exit() }

func pauses(m *locks.Member, work func()) {
	m.Enter()
	work()
	if m.Stopping() {
		m.Pause()
	}
	work()
	m.Exit()
}

// handedOver makes members wait for a lock while the world is being stopped. A waiting member is
// inside, and the stop waits for it (CPython had a deadlock there, gh-133130).
func handedOver(tick time.Duration) func() Program {
	return func() Program {
		w, l, g := locks.NewWorld(), new(uint32), &guarded{}
		p := Program{Check: g.want(3), Tick: tick}
		for i := range 2 {
			m := w.Join(fmt.Sprint(i))
			p.Threads = append(p.Threads, func() {
				m.Enter()
				locks.Lock(l)
				g.inc()
				locks.Unlock(l)
				m.Exit()
			})
		}
		p.Threads = append(p.Threads, func() { w.Stop(nil); g.inc(); w.Start(nil) })
		return p
	}
}

// grace has a writer that unlinks a thing and frees it after a grace period, while a reader that
// goes online and offline uses the thing if it finds it. Before that, the reader was offline for
// so many polls, of which every 17th is a sweep; if polls is negative, it was never online.
func grace(polls int, read func(r *sched.Reader, look func())) func() Program {
	return func() Program {
		g := sched.NewGrace()
		r := g.Register()
		if polls >= 0 {
			r.Online()
			r.Offline()
		}
		for range polls {
			g.Passed(g.Advance())
		}
		thing := &[2]int32{}
		link := &word{1}
		return Program{Threads: []func(){
			func() {
				read(r, func() {
					if link.load() == 1 {
						point.Read(&thing[1])
					}
				})
			},
			func() {
				link.store(0)
				goal := g.Advance()
				for !g.Passed(goal) {
					point.Sleep(time.Microsecond)
				}
				point.Freed(thing, 8)
			},
		}}
	}
}

// gilGivenUp makes a thread wait for a lock that others use, with a context that another thread
// ends. The waiter either gets the lock or leaves no trace.
func gilGivenUp() Program {
	l, g := locks.NewGIL(0), &guarded{}
	ctx, cancel := context.WithCancel(context.Background())
	got := int32(2)
	work := func() {
		l.Acquire()
		g.inc()
		if l.DropRequested() {
			l.Yield()
		}
		l.Release()
	}
	return Program{Threads: []func(){
		work,
		func() {
			if l.AcquireContext(ctx, nil) == nil {
				g.inc()
				got++
				l.Release()
			}
		},
		func() { point.Sleep(time.Microsecond); cancel(); work() },
	}, Check: func() error {
		if l.DropRequested() {
			return fmt.Errorf("a request is left over")
		}
		return g.want(got)()
	}}
}

// worldGivenUp is world with a member, or an asker, that gives up.
func worldGivenUp(waits func(ctx context.Context, w *locks.World, m *locks.Member, work func())) func() Program {
	return func() Program {
		w, g := locks.NewWorld(), &guarded{}
		ctx, cancel := context.WithCancel(context.Background())
		m, other := w.Join("m"), w.Join("other")
		return Program{Threads: []func(){
			func() { waits(ctx, w, m, g.inc) },
			func() { w.Stop(nil); g.inc(); cancel(); w.Start(nil) },
			func() { other.Enter(); point.Sleep(time.Microsecond); other.Exit() },
		}, Check: func() error {
			if w.Stopped() || len(w.Members()) > 0 || m.Stopping() {
				return fmt.Errorf("stopped %t, stopping %t, inside %v", w.Stopped(), m.Stopping(), w.Members())
			}
			return nil
		}}
	}
}

func entersOrNot(ctx context.Context, _ *locks.World, m *locks.Member, work func()) {
	if m.EnterContext(ctx) == nil {
		work()
		m.Exit()
	}
}

func stopsOrNot(ctx context.Context, w *locks.World, m *locks.Member, work func()) {
	m.Enter()
	if _, err := w.StopContext(ctx, m); err == nil {
		work()
		w.Start(m)
	}
	work()
	m.Exit()
}

func strangerStopsOrNot(ctx context.Context, w *locks.World, _ *locks.Member, work func()) {
	if _, err := w.StopContext(ctx, nil); err == nil {
		work()
		w.Start(nil)
	}
}

func comesAndLooks(r *sched.Reader, look func()) { r.Online(); look(); r.Offline() }

func TestLocks(t *testing.T) {
	type members = []func(m *locks.Member, work func())
	all := int64(0)
	for _, x := range []struct {
		name  string
		build func() Program
	}{
		{"mutex", mutexes(2, 2, shortTick)},
		{"mutex, handed over", mutexes(2, 2, longTick)},
		{"mutex of three", mutexes(3, 1, shortTick)},
		{"mutex of three, handed over", mutexes(3, 1, longTick)},
		{"mutex against trylock", tryLock},
		{"two mutexes crosswise", crosswise},
		{"GIL of two", gil(2)},
		{"GIL of three", gil(3)},
		{"GIL that is given up", gilGivenUp},
		{"stop against enter that is given up", worldGivenUp(entersOrNot)},
		{"stop against a stop that is given up", worldGivenUp(stopsOrNot)},
		{"stop against a non-member's that is given up", worldGivenUp(strangerStopsOrNot)},
		{"stop against enter and exit", world(members{comesAndGoes}, 1)},
		{"stop against two threads that enter and exit", world(members{comesAndGoes, comesAndGoes}, 1)},
		{"stop against pause", world(members{pauses}, 1)},
		{"stop against pause and enter", world(members{pauses, comesAndGoes}, 1)},
		{"stop against stop and enter", world(members{comesAndGoes}, 2)},
		{"stop against stop and pause", world(members{pauses}, 2)},
		{"stop against a lock", handedOver(shortTick)},
		{"stop against a lock that is handed over", handedOver(longTick)},
		{"grace period against online and offline", grace(0, comesAndLooks)},
		{"grace period against quiescence", grace(0, func(r *sched.Reader, look func()) {
			r.Online()
			look()
			r.Quiescent()
			look()
			r.Offline()
		})},
		{"grace period against a reader's first look", grace(-1, comesAndLooks)},
		{"a sweep that makes a reader drowsy against online", grace(16, comesAndLooks)},
		{"a sweep that makes a reader dormant against online", grace(33, comesAndLooks)},
		{"grace period against a dormant reader", grace(34, comesAndLooks)},
	} {
		t.Run(x.name, func(t *testing.T) {
			res := Bounded(x.build, bound())
			all += res.Schedules
			t.Logf("%d schedules, %d steps", res.Schedules, res.Steps)
			wantNone(t, res)
			if res.Schedules < 2 {
				t.Error("there is only one schedule")
			}
		})
	}
	conclude(t, "%d schedules of locks with at most %d preemptions", all, bound())
}
